"""Fit an image into a network's input: resize, pad with black or stretch, and map positions both ways."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class InputFit:
    """Where an image of (rows, columns) lies in an input of (height, width) pixels.

    The content is resized to (content_rows, content_columns) and placed at (left, top), centred. Both
    axes keep their own scale, so positions are exact although the content's size is a whole number.

    Attributes:
        rows: height of the image, pixels.
        columns: width of the image, pixels.
        height: of the input, pixels.
        width: of the input, pixels.
        stretch: fill the input at the cost of the proportions, in place of padding.
    """

    rows: int
    columns: int
    height: int
    width: int
    stretch: bool = False

    @property
    def _factor(self) -> float:
        return min(self.height / self.rows, self.width / self.columns)

    @property
    def content_rows(self) -> int:
        """Height of the content in the input, pixels."""
        return self.height if self.stretch else max(1, round(self.rows * self._factor))

    @property
    def content_columns(self) -> int:
        """Width of the content in the input, pixels."""
        return self.width if self.stretch else max(1, round(self.columns * self._factor))

    @property
    def left(self) -> int:
        """Column where the content begins."""
        return (self.width - self.content_columns) // 2

    @property
    def top(self) -> int:
        """Row where the content begins."""
        return (self.height - self.content_rows) // 2

    @property
    def scale(self) -> NDArray[np.float64]:
        """(x, y) scale from the image to the input."""
        return np.array([self.content_columns / self.columns, self.content_rows / self.rows])

    def apply(self, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.float32]:
        """The image in the input: shape (height, width), float32, 0..1 of the pixel type's range."""
        full = float(np.iinfo(pixels.dtype).max)
        shrinks = self.content_rows < self.rows
        content = cv2.resize(
            pixels,
            (self.content_columns, self.content_rows),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
        fitted = np.zeros((self.height, self.width), dtype=np.float32)
        fitted[self.top : self.top + self.content_rows, self.left : self.left + self.content_columns] = (
            content
        )
        fitted /= full
        return fitted

    def to_input(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 2) of the image as positions in the input."""
        return xy * self.scale + (self.left, self.top)

    def to_image(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 2) of the input as positions in the image."""
        return (xy - (self.left, self.top)) / self.scale

    def crop_map(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The part of a map over the input that covers the image.

        Args:
            values: shape (h, w), covering the input.

        Returns:
            Shape (ceil(content_rows h / height), ceil(content_columns w / width)), covering the image
            exactly: sampled bilinearly at the centres of its own cells.
        """
        height, width = values.shape
        rows = -(-self.content_rows * height // self.height)
        columns = -(-self.content_columns * width // self.width)
        y = self.top + (np.arange(rows) + 0.5) * self.content_rows / rows
        x = self.left + (np.arange(columns) + 0.5) * self.content_columns / columns
        grid_x, grid_y = np.meshgrid(x * width / self.width - 0.5, y * height / self.height - 0.5)
        sampled = cv2.remap(
            values.astype(np.float32),
            grid_x.astype(np.float32),
            grid_y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(sampled, dtype=np.float32)
