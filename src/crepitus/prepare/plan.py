"""What will be done to one image: steps decide on a small picture, pixels follow in one go."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.affine import Affine
from crepitus.prepare.equalize import equalized
from crepitus.prepare.warp import warp

GreyPixels = NDArray[np.uint8] | NDArray[np.uint16]
Picture = NDArray[np.float32]

LOOK_PX = 512
"""Longer side of the small picture on which steps decide."""


@dataclass(frozen=True, eq=False)
class Look:
    """The source as a small picture.

    Attributes:
        values: shape (h, w), float32, 0..1 of the levels in use.
        scale: from the source to the small picture.
        levels: highest level of the source's pixels, 2^k - 1.
    """

    values: Picture
    scale: Affine
    levels: int


def look_at(pixels: GreyPixels, size: int = LOOK_PX) -> Look:
    """A small picture of `pixels`, shape (rows, columns); its longer side has at most `size` pixels."""
    rows, columns = pixels.shape
    levels = _levels(pixels)
    ratio = min(1.0, size / max(rows, columns))
    height, width = max(1, round(rows * ratio)), max(1, round(columns * ratio))
    small = pixels
    if (height, width) != (rows, columns):
        small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    values = (small / np.float32(levels)).astype(np.float32)
    return Look(values, Affine.scaling(width / columns, height / rows), levels)


def _levels(pixels: GreyPixels) -> int:
    """The highest level of the smallest range of whole bits, 8 at least, that holds all pixels."""
    return max(255, (1 << int(pixels.max(initial=0)).bit_length()) - 1)


@dataclass(frozen=True, eq=False)
class Plan:
    """How one prepared image is made from its source.

    Attributes:
        look: the source, small.
        rows, columns: of the prepared image.
        affine: from the source to the prepared image.
        inverted: dark and bright are exchanged.
        territory: which pixels of `look` belong to this part, bool; None for all.
        equalize: whether the histogram is equalised at the end.
        part: number of the part from 1, and of how many; (1, 1) where nothing was split.
        done: names of the steps that were applied.
    """

    look: Look
    rows: int
    columns: int
    affine: Affine = field(default_factory=Affine)
    inverted: bool = False
    territory: NDArray[np.bool_] | None = None
    equalize: bool = False
    part: tuple[int, int] = (1, 1)
    done: tuple[str, ...] = ()

    def picture(self, size: int = LOOK_PX) -> tuple[Picture, Affine]:
        """The prepared image as it is so far, small, and the map to it from the image itself.

        Returns:
            shape (h, w), float32, 0..1; longer side at most `size`.
        """
        ratio = min(1.0, size / max(self.rows, self.columns))
        height, width = max(1, round(self.rows * ratio)), max(1, round(self.columns * ratio))
        to_picture = Affine.scaling(width / self.columns, height / self.rows)
        values = self.look.values
        if self.inverted:
            values = np.float32(1.0) - values
        if self.territory is not None:
            values = np.where(self.territory, values, np.float32(0.0))
        whole = self.look.scale.inverse().then(self.affine).then(to_picture)
        return warp(values, whole, height, width), to_picture

    def moved(self, affine: Affine, rows: int, columns: int) -> Plan:
        """The plan followed by a map to an image of another size."""
        return replace(self, affine=self.affine.then(affine), rows=rows, columns=columns)

    @property
    def touches_pixels(self) -> bool:
        """Whether the prepared pixels differ from the source's."""
        still = self.affine == Affine() and self.territory is None
        return not still or self.inverted or self.equalize or self.part[1] > 1

    def render(self, pixels: GreyPixels) -> GreyPixels:
        """The prepared pixels, of the type of `pixels`, at full resolution.

        Args:
            pixels: the source, shape (rows, columns), that `look` was made of.
        """
        levels = pixels.dtype.type(self.look.levels)
        result: GreyPixels = levels - pixels if self.inverted else pixels
        if self.territory is not None:
            rows, columns = result.shape
            keep = cv2.resize(
                self.territory.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST
            )
            result = np.asarray(result * keep.astype(result.dtype))
        result = warp(result, self.affine, self.rows, self.columns)
        return equalized(result) if self.equalize else result
