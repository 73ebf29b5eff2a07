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
    height, width = picture.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    plane = np.stack([np.ones(picture.size), x.ravel(), y.ravel()], axis=1)
    values = picture.ravel().astype(np.float64)
    rest = (values - plane @ np.linalg.lstsq(plane, values, rcond=None)[0]).reshape(picture.shape)
    if rest.std() < _LEAST_RANGE:
        raise NotAssessable("no bone found: the brightness of the image is even")
    blurred = cv2.GaussianBlur(rest, (0, 0), max(0.5, _BLUR * max(height, width)))
    if blurred.std() < _LEAST_SHAPE * rest.std():
        raise NotAssessable("no bone found: the image shows nothing but noise")
