"""Whether anything can be seen on an image at all; if not, it is set aside and never counted as normal."""

from __future__ import annotations

import cv2
import numpy as np

from crepitus.errors import NotAssessable
from crepitus.prepare.plan import Picture

_LEAST_RANGE = 0.02
"""Standard deviation, of the range in use, that an exposed object has beyond an even slope of brightness."""

_LEAST_SHAPE = 0.2
"""Share of the variation that is still there in a blurred picture; noise has next to none."""

_BLUR = 0.03
"""Standard deviation of that blur, as a share of the longer side."""


def assess(picture: Picture) -> None:
    """Refuse a picture, shape (h, w), float32, 0..1, on which there is nothing but noise or a slope.

    Raises:
        NotAssessable: it is blank, or no bone is found.
    """
    if picture.min() == picture.max():
        raise NotAssessable(f"blank: all {picture.size} pixels have one value")
    rest = without_slope(picture)
    if rest.std() < _LEAST_RANGE:
        raise NotAssessable("no bone found: the brightness of the image is even")
    blurred = cv2.GaussianBlur(rest, (0, 0), max(0.5, _BLUR * max(picture.shape)))
    if blurred.std() < _LEAST_SHAPE * rest.std():
        raise NotAssessable("no bone found: the image shows nothing but noise")


def without_slope(picture: Picture) -> Picture:
    """What is left of a picture, shape (h, w), float32, after the plane that fits it best in squares.

    On a grid that is symmetric about its middle, the columns of the plane (1, x, y) are orthogonal, so that
    each coefficient is a projection of its own.
    """
    across, down = (np.arange(size) - (size - 1) / 2 for size in picture.shape[::-1])
    of_column, of_row = picture.mean(axis=0, dtype=np.float64), picture.mean(axis=1, dtype=np.float64)
    x = across * (of_column @ across / max(float(across @ across), 1e-12))
    y = down * (of_row @ down / max(float(down @ down), 1e-12))
    plane = of_row.mean() + x[None, :] + y[:, None]
    return np.asarray(picture - plane, dtype=np.float32)
