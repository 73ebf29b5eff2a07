"""The direction of a limb: its axis from the edges of its long bones, its end from how edges lie along it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.edges import Edges, edges, inside_frame
from crepitus.prepare.fitted import END_WEIGHTS
from crepitus.prepare.plan import Picture

FloatArray = NDArray[np.float64]

_BLUR_DEG, _WINDOW_DEG = 8.0, 12.0
"""Standard deviations: of the search for the most frequent direction, and of the mean around it."""

_ROUNDS = 6

_ALONG = ((0.0, 0.33), (0.33, 0.66), (0.66, 1.0))
_ASIDE = ((0.0, 0.4), (0.4, 0.8), (0.8, 1.6))
_TILT = ((0.0, 12.0), (12.0, 30.0), (30.0, 60.0), (60.0, 90.0))
"""Cells in which edges are counted: distance from the middle along and aside, in halves of the limb's extent,
and degrees between edge and axis."""


def limb_direction(picture: Picture) -> float | None:
    """Degrees clockwise from up at which the fingers point, -180..180; None without any edge.

    The thesis takes the first principal component of the foreground (Eq. 4.2), which a thumb, a bent hand or
    a frame turns. Here the most frequent direction of edges decides, each weighted by its contrast to its
    surroundings: shafts of long bones are parallel, the rest is not. Which end has the fingers is a weighted
    sum of differences between the two ends, see `end_features`.

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
    fingers = float(end_features(found, up) @ np.array(END_WEIGHTS)) > 0.0
    return float(((up if fingers else up + 180.0) + 90.0 + 180.0) % 360.0 - 180.0)


def most_frequent(histogram: FloatArray) -> float:
    """The mean direction around the peak of a histogram of 180 classes of one degree; degrees, 0..180."""
    far = np.minimum(np.arange(180), 180 - np.arange(180))
    kernel = np.exp(-0.5 * (far / _BLUR_DEG) ** 2)
    smooth = np.real(np.fft.ifft(np.fft.fft(histogram) * np.fft.fft(kernel)))
    centre = float(np.argmax(smooth)) + 0.5
    for _ in range(_ROUNDS):
        away = (np.arange(180) + 0.5 - centre + 90.0) % 180.0 - 90.0
        weight = histogram * np.exp(-0.5 * (away / _WINDOW_DEG) ** 2)
        centre += float((weight * away).sum() / max(float(weight.sum()), 1e-12))
    return centre % 180.0


def end_features(found: Edges, up: float) -> FloatArray:
    """Differences between the two ends of a limb, shape (45,), each -1..1; turned by 180 degrees, negated.

    Args:
        found: edges of the picture.
        up: direction, degrees clockwise from x, of the end that is compared with the other.
    """
    height, width = found.levels.shape
    y, x = np.mgrid[0:height, 0:width] + 0.5
    cosine, sine = np.cos(np.radians(up)), np.sin(np.radians(up))
    along, aside = x * cosine + y * sine, y * cosine - x * sine
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
