"""The pictures of an explained image: each map over the radiograph, with a legend."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.explain.overlay import Picture, colour_limit, legend, overlay
from crepitus.explain.run import ImageExplained
from crepitus.report.overlay import windowed

LONGEST_PX = 768
"""Longer side of the radiograph in a picture."""

SMOOTHED = {"lrp": 1 / 128}
"""Deviation of the blur for the eye, as a share of the longer side: relevance per pixel lies scattered."""

FIXED = {"own": 1.0}
"""Strength of the full colour where it has a meaning by itself: a heatmap is a probability."""

UNSIGNED = ("rollout", "own")
"""Maps that say only where, never against."""


def drawn(found: ImageExplained, longest: int = LONGEST_PX) -> dict[str, Picture]:
    """Each map of an image over it, by the name of its explainer; shape (h, w, 3), uint8."""
    grey = windowed(found.image.pixels, longest)
    result = {}
    for name, one in found.maps.items():
        values = _resized(one.values, grey.shape[0], grey.shape[1])
        smooth = SMOOTHED.get(name, 0.0) * longest
        if smooth:
            values = cv2.GaussianBlur(values, (0, 0), smooth, borderType=cv2.BORDER_REFLECT)
        limit = FIXED.get(name, colour_limit(values))
        picture = overlay(grey, values, limit=limit)
        if grey.shape[0] >= 64:
            picture = np.hstack([picture, legend(grey.shape[0], limit, signed=name not in UNSIGNED)])
        result[name] = picture
    return result


def _resized(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    shrinks = rows < values.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (columns, rows), interpolation=method), dtype=np.float32)
