"""Fit an image into a square: resize by the longer side, pad with black, and map positions both ways."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SquareFit:
    """Where an image of (rows, columns) lies in a square of `size` pixels.

    The content is resized to (content_rows, content_columns) and placed at (left, top), centred. Both
    axes keep their own scale, so positions are exact although the content's size is a whole number.
    """

    rows: int
    columns: int
    size: int

    @property
    def content_rows(self) -> int:
        """Height of the content in the square, pixels."""
        return max(1, round(self.rows * self.size / max(self.rows, self.columns)))

    @property
    def content_columns(self) -> int:
        """Width of the content in the square, pixels."""
        return max(1, round(self.columns * self.size / max(self.rows, self.columns)))

    @property
    def left(self) -> int:
        """Column where the content begins."""
        return (self.size - self.content_columns) // 2

    @property
    def top(self) -> int:
        """Row where the content begins."""
        return (self.size - self.content_rows) // 2

    @property
    def scale(self) -> NDArray[np.float64]:
        """(x, y) scale from the image to the square."""
        return np.array([self.content_columns / self.columns, self.content_rows / self.rows])

    def apply(self, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.float32]:
        """The image in the square: shape (size, size), float32, 0..1 of the pixel type's range."""
        full = float(np.iinfo(pixels.dtype).max)
        shrinks = self.content_rows < self.rows
        content = cv2.resize(
            pixels,
            (self.content_columns, self.content_rows),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
        square = np.zeros((self.size, self.size), dtype=np.float32)
        square[self.top : self.top + self.content_rows, self.left : self.left + self.content_columns] = (
            content
        )
        square /= full
        return square

    def to_square(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 2) of the image as positions in the square."""
        return xy * self.scale + (self.left, self.top)

    def to_image(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 2) of the square as positions in the image."""
        return (xy - (self.left, self.top)) / self.scale

    def crop_map(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The part of a map over the square that covers the image.

        Args:
            values: shape (h, w), covering the square.

        Returns:
            Shape (ceil(content_rows h / size), ceil(content_columns w / size)), covering the image
            exactly: sampled bilinearly at the centres of its own cells.
        """
        height, width = values.shape
        rows = -(-self.content_rows * height // self.size)
        columns = -(-self.content_columns * width // self.size)
        y = self.top + (np.arange(rows) + 0.5) * self.content_rows / rows
        x = self.left + (np.arange(columns) + 0.5) * self.content_columns / columns
        grid_x, grid_y = np.meshgrid(x * width / self.size - 0.5, y * height / self.size - 0.5)
        sampled = cv2.remap(
            values.astype(np.float32),
            grid_x.astype(np.float32),
            grid_y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(sampled, dtype=np.float32)
