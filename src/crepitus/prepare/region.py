"""A region of an image by its landmarks: its box, its pixels at a fixed size, and positions in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.errors import NotAssessable
from crepitus.structures import Landmarks

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Region:
    """A box of an image, resampled to (rows, columns).

    Attributes:
        box: x_min, y_min, x_max, y_max in the image, pixels, shape (4,); it may reach beyond the image.
        rows: height of the region, pixels.
        columns: width.
    """

    box: FloatArray
    rows: int
    columns: int

    @property
    def scale(self) -> FloatArray:
        """Pixels of the region per pixel of the image along x and y, shape (2,)."""
        return np.array([self.columns, self.rows]) / (self.box[2:] - self.box[:2])

    def to_region(self, xy: FloatArray) -> FloatArray:
        """Positions (n, 2) of the image in the region."""
        return (xy - self.box[:2]) * self.scale

    def to_image(self, xy: FloatArray) -> FloatArray:
        """Positions (n, 2) of the region in the image."""
        return xy / self.scale + self.box[:2]

    def holds(self, xy: FloatArray) -> NDArray[np.bool_]:
        """Which positions (n, 2) of the region lie in it: shape (n,)."""
        return np.asarray(((xy >= 0) & (xy < (self.columns, self.rows))).all(axis=1))

    def pixels(self, image: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The region (rows, columns), of the image's type; black beyond the image.

        Where the image has several pixels for one of the region, it is smoothed before: no detail of the
        image may turn into a coarse pattern.
        """
        blur = 0.5 * np.maximum(1 / self.scale - 1, 0)
        if blur.any():
            image = cv2.GaussianBlur(image, (0, 0), max(blur[0], 1e-3), sigmaY=max(blur[1], 1e-3))
        # OpenCV puts the origin at the centre of the first pixel, this project at its corner.
        step = 1 / self.scale
        shift = self.box[:2] + step / 2 - 0.5
        matrix = np.array([[step[0], 0.0, shift[0]], [0.0, step[1], shift[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        found: NDArray[np.uint8] = cv2.warpAffine(image, matrix, (self.columns, self.rows), flags=flags)
        return found


def region_of(
    landmarks: Landmarks, members: Sequence[str], *, rows: int, columns: int, margin: float
) -> Region:
    """The region around the landmarks whose names begin with one of `members` (paper 000, Sec. 3.2).

    Args:
        landmarks: of the image.
        members: for the anterior pelvis "pubis" and "ischium".
        rows: height of the region, pixels.
        columns: width. The box grows about its middle to these proportions, so that lengths stay lengths.
        margin: added on each side, fraction of the box around the landmarks.

    Raises:
        NotAssessable: fewer than two of them are there, or they lie in one place.
    """
    inside = [k for k, name in enumerate(landmarks.names) if name.startswith(tuple(members))]
    if len(inside) < 2:
        raise NotAssessable(
            f"expected at least two landmarks of {' and '.join(members)}, got {len(inside)}: "
            "the region is not in this image"
        )
    low, high = landmarks.xy[inside].min(axis=0), landmarks.xy[inside].max(axis=0)
    side = (high - low) * (1 + 2 * margin)
    width = max(side[0], side[1] * columns / rows)
    if width <= 0:
        raise NotAssessable(f"expected landmarks of {' and '.join(members)} apart from each other")
    half = np.array([width, width * rows / columns]) / 2
    middle = (low + high) / 2
    return Region(np.concatenate([middle - half, middle + half]), rows, columns)
