"""The direction of a limb: its axis from the edges of its long bones, its end from how edges lie along it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.areas import areas_of
from crepitus.prepare.edges import Edges, edges, inside_frame, most_frequent
from crepitus.prepare.fitted import END_WEIGHTS
from crepitus.prepare.plan import Picture

FloatArray = NDArray[np.float64]

_FREE, _REACHES = 0.16, 0.04
"""Distance from the margin of a free end, and of one that reaches it, as shares of the longer side."""

_ALONG = ((0.0, 0.33), (0.33, 0.66), (0.66, 1.0))
_ASIDE = ((0.0, 0.4), (0.4, 0.8), (0.8, 1.6))
_TILT = ((0.0, 12.0), (12.0, 30.0), (30.0, 60.0), (60.0, 90.0))
"""Cells in which edges are counted: distance from the middle along and aside, in halves of the limb's extent,
and degrees between edge and axis."""


def limb_direction(picture: Picture) -> float | None:
    """Degrees clockwise from up at which the fingers point, -180..180; None without any edge.

    The thesis takes the first principal component of the foreground (Eq. 4.2), which a thumb, a bent hand or
    a frame turns. Here the most frequent direction of edges decides, each weighted by its contrast to its
    surroundings: shafts of long bones are parallel, the rest is not. The fingers are at the end that lies
    free, if the other reaches the margin; where both do, a weighted sum of differences between the two ends
    decides, see `end_features`.

    Args:
        picture: shape (h, w), float32, 0..1, bone bright.
    """
    left, top, right, bottom = inside_frame(picture)
    found = edges(picture[top:bottom, left:right])
    if not found.strength.any():
        return None
    axis = most_frequent(np.histogram(found.direction, 180, (0.0, 180.0), weights=found.contrast)[0])
    # The features describe the end that is higher in the picture.
    up = axis - 180.0 if axis > 0.0 else axis
    free = free_end(found, up)
    fingers = free > 0 if free else float(end_features(found, up) @ np.array(END_WEIGHTS)) > 0.0
    return float(((up if fingers else up + 180.0) + 90.0 + 180.0) % 360.0 - 180.0)


def free_end(found: Edges, up: float) -> int:
    """Which end of a limb lies free while the other reaches the margin: 1 that at `up`, -1 the other, else 0.

    Args:
        found: edges of the picture.
        up: direction of the one end, degrees clockwise from x.
    """
    labels, limbs = areas_of(found)
    if len(limbs) != 1:
        return 0
    along, aside = _along(found, up)
    limb = labels == limbs[0]
    beside = (aside >= aside[limb].min()) & (aside <= aside[limb].max())
    size = max(limb.shape)
    top = float(along[beside].max() - along[limb].max()) / size
    bottom = float(along[limb].min() - along[beside].min()) / size
    if top > _FREE and bottom < _REACHES:
        return 1
    return -1 if bottom > _FREE and top < _REACHES else 0


def _along(found: Edges, up: float) -> tuple[FloatArray, FloatArray]:
    """Position of each pixel towards `up` and across it."""
    height, width = found.levels.shape
    y, x = np.mgrid[0:height, 0:width] + 0.5
    cosine, sine = np.cos(np.radians(up)), np.sin(np.radians(up))
    return x * cosine + y * sine, y * cosine - x * sine


def end_features(found: Edges, up: float) -> FloatArray:
    """Differences between the two ends of a limb, shape (45,), each -1..1; turned by 180 degrees, negated.

    Args:
        found: edges of the picture.
        up: direction, degrees clockwise from x, of the end that is compared with the other.
    """
    along, aside = _along(found, up)
    first, last = _quantiles(along, found.strength, (0.02, 0.98))
    left, middle, right = _quantiles(aside, found.strength, (0.03, 0.5, 0.97))
    s = (along - (first + last) / 2) / max((last - first) / 2, 1e-6)
    t = np.abs(aside - middle) / max((right - left) / 2, 1e-6)
    tilt = np.abs((found.direction - up + 90.0) % 180.0 - 90.0)
    row = np.digitize(np.abs(s), [edge for _, edge in _ALONG])
    column = np.digitize(t, [edge for _, edge in _ASIDE])
    kind = np.minimum(np.digitize(tilt, [edge for _, edge in _TILT]), len(_TILT) - 1)
    inside = (row < len(_ALONG)) & (column < len(_ASIDE))
    cell = (row * len(_ASIDE) + column) * 2 + (s > 0)
    cells = 2 * len(_ALONG) * len(_ASIDE)
    size = np.maximum(np.bincount(cell[inside & found.counts], minlength=cells), 1)
    values = []
    for index in range(len(_TILT)):
        chosen = inside & (kind == index)
        values.append(np.bincount(cell[chosen], found.contrast[chosen], minlength=cells) / size)
    low, high = np.quantile(found.levels[found.counts], (0.02, 0.98)) if found.counts.any() else (0.0, 1.0)
    levels = np.clip((found.levels - low) / max(float(high - low), 1e-3), 0.0, 1.0)
    values.append(np.bincount(cell[inside], levels[inside], minlength=cells) / size)
    ends = np.stack(values, axis=1).reshape(-1, 2, len(values))
    there, here = ends[:, 1], ends[:, 0]
    return np.asarray((there - here) / (there + here + 0.02)).ravel()


def _quantiles(position: FloatArray, weight: Picture, shares: tuple[float, ...]) -> list[float]:
    """Positions below which these shares of the weight lie."""
    order = np.argsort(position, axis=None)
    total = np.cumsum(weight.ravel()[order], dtype=np.float64)
    at = np.searchsorted(total, np.array(shares) * total[-1])
    return [float(p) for p in position.ravel()[order][np.minimum(at, position.size - 1)]]
