"""The heuristics of the thesis (paper 004, section 4.2.2) as published: baselines to compare with."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.plan import Picture

INVERT_FROM = 100.0 / 255.0
"""Eq. 4.1b: mean of the corner patches from which the background counts as white."""

CORNER = 0.1
"""Side of a corner patch as a share of the image's; the thesis does not give it."""

KERNEL = 0.02
"""Side of the morphological kernel as a share of the longer side; not given either."""

TINY = 0.02
"""Components smaller than this share of the image are dropped; not given either."""


def is_inverted(picture: Picture) -> bool:
    """Whether the mean of the four corner patches is at least 100 of 255 (Eq. 4.1).

    Args:
        picture: shape (h, w), 0..1.
    """
    height, width = (max(1, round(n * CORNER)) for n in picture.shape)
    corners = [picture[y, x] for y in np.s_[:height, -height:] for x in np.s_[:width, -width:]]
    return bool(np.mean([corner.mean() for corner in corners]) >= INVERT_FROM)


def otsu(picture: Picture) -> NDArray[np.uint8]:
    """1 where the picture, shape (h, w), 0..1, is brighter than Otsu's threshold."""
    levels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1])


def limb_direction_by_components(picture: Picture) -> float | None:
    """Degrees clockwise from up of the first principal component of the foreground (Eq. 4.2), -90..90.

    Otsu, close and open, then all pixels. The component has no sign: which end has the fingers is not asked.
    """
    size = max(3, round(KERNEL * max(picture.shape)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    mask = cv2.morphologyEx(otsu(picture), cv2.MORPH_CLOSE, kernel)
    rows, columns = np.nonzero(cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel))
    if len(rows) < 2:
        return None
    x, y = np.linalg.eigh(np.cov(columns, rows))[1][:, 1]
    if y > 0:
        x, y = -x, -y
    return 90.0 - float(np.degrees(np.arccos(np.clip(x, -1.0, 1.0))))


def parts_by_components(picture: Picture) -> NDArray[np.int32]:
    """Otsu, connected components, tiny ones dropped: 0 for background, 1 … n for parts; shape (h, w)."""
    mask = otsu(picture)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    result = np.zeros(picture.shape, dtype=np.int32)
    large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= TINY * picture.size]
    for number, index in enumerate(large, start=1):
        result[labels == index] = number
    return result
