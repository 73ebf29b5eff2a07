"""Areas of a picture that are rich in edges, as bones are, and which of them are limbs."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.edges import Edges, edges, most_frequent
from crepitus.prepare.plan import Picture

_LOOK_PX = 256
_DENSE_PX = 4.0
"""Standard deviation, pixels, of the blur that makes an area of the edges of bones."""

_DENSE = 0.45
"""Share of the typical density of edges in bone from which a pixel belongs to an area."""

_FAINT = 0.002
"""Density of edges, grey levels of 1 per pixel, below which there is nothing to find."""

LEAST = 0.16
"""A limb has at least this share of all edges; letters have less."""

_LEAST_OF_ALL = 0.1
"""The same of all edges, with those of metal and of the rim of a plate; streaks of a background have less."""

_LONG = 0.6
"""Least length of a limb, as a share of the shorter side of its exposure."""

_WIDE = 0.3
"""Least area of a limb, as a share of that of the largest."""

_AIR, _MIDDLE_PX = 0.45, 1.5
"""Between two limbs it is darker than this share of their own brightness over air, half way between them."""

_AIR_QUANTILE = 0.02

_WHITE, _WHITEST = 2.0, 0.93
"""Brighter than this many times the level of bone over air, or than the second in any case, is no bone."""

_WHITE_PX, _STEP_PX = 4, 6
"""How far the edges of what is no bone reach, and those of a step between two joined images."""

_IN_LINE_DEG = 30.0
"""Areas whose bones point at each other up to this angle are one limb."""


def shares(picture: Picture, at: int) -> tuple[float, float]:
    """Shares of all edges of a picture, shape (h, w), left and right of column `at`, not counting a step."""
    total = strength_of_limbs(edges(picture)).sum(axis=0, dtype=np.float64)
    left, right = float(total[: max(0, at - _STEP_PX)].sum()), float(total[at + _STEP_PX :].sum())
    return left / max(left + right, 1e-12), right / max(left + right, 1e-12)


def strength_of_limbs(found: Edges) -> Picture:
    """Strength of edges, shape (h, w), without those of what is far brighter than bone: metal, letters, lead.

    A ring, a divider or the unexposed rim of a plate has stronger edges than a limb, and would pass for one.
    """
    weights = found.strength.ravel()
    if not weights.any():
        return found.strength
    order = np.argsort(found.levels, axis=None)
    total = np.cumsum(weights[order], dtype=np.float64)
    bone = float(found.levels.ravel()[order[np.searchsorted(total, total[-1] / 2)]])
    air = float(np.quantile(found.levels[found.counts], _AIR_QUANTILE))
    limit = min(air + _WHITE * (bone - air), _WHITEST)
    size = 2 * _WHITE_PX + 1
    white = cv2.dilate((found.levels > limit).astype(np.uint8), np.ones((size, size), np.uint8))
    return np.where(white > 0, np.float32(0.0), found.strength)


def areas(picture: Picture) -> tuple[NDArray[np.int32], list[int]]:
    """Areas rich in edges, numbered, and which of them are limbs.

    Args:
        picture: shape (h, w), float32, 0..1, bone bright.

    Returns:
        numbers on a grid of at most 256 cells a side over the picture, 0 for what is no area; the numbers of
        limbs.
    """
    height, width = picture.shape
    ratio = min(1.0, _LOOK_PX / max(height, width))
    size = (max(8, round(width * ratio)), max(8, round(height * ratio)))
    return areas_of(edges(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)))


def areas_of(found: Edges) -> tuple[NDArray[np.int32], list[int]]:
    """The same of a picture whose edges are known, on its own grid."""
    strength = strength_of_limbs(found)
    dense = cv2.GaussianBlur(strength, (0, 0), _DENSE_PX)
    if float(dense.max()) < _FAINT:
        return np.zeros(dense.shape, dtype=np.int32), []
    limit = _DENSE * float(np.average(dense, weights=dense))
    count, labels = cv2.connectedComponents((dense >= limit).astype(np.uint8))
    mass = np.bincount(labels.ravel(), strength.ravel(), minlength=count)
    mass[0] = 0.0
    least = max(LEAST * float(mass.sum()), _LEAST_OF_ALL * float(found.strength.sum()))
    large = [int(i) for i in np.flatnonzero(mass >= least)]
    labels, large = _in_line(labels, large, found)
    size_of = np.bincount(labels.ravel(), minlength=count)
    widest = max((int(size_of[number]) for number in large), default=0)
    large = [number for number in large if size_of[number] >= _WIDE * widest]
    return labels, _apart(labels, [n for n in large if _is_long(labels == n)], found)


def _apart(labels: NDArray[np.int32], large: list[int], found: Edges) -> list[int]:
    """Limbs with air between them; of areas without, such as two sides of a knee, the first counts."""
    air = float(np.quantile(found.levels[found.counts], _AIR_QUANTILE)) if found.counts.any() else 0.0
    kept: list[int] = []
    for number in large:
        if all(_air_between(labels, other, number, found, air) for other in kept):
            kept.append(number)
    return kept


def _air_between(labels: NDArray[np.int32], first: int, second: int, found: Edges, air: float) -> bool:
    away = [
        cv2.distanceTransform((labels != number).astype(np.uint8), cv2.DIST_L2, 3)
        for number in (first, second)
    ]
    middle = (np.abs(away[0] - away[1]) <= _MIDDLE_PX) & found.counts
    if not middle.any():
        return False
    near = middle & (away[0] <= np.quantile(away[0][middle], 0.5))
    between = float(np.median(found.levels[near]))
    limb = float(np.median(found.levels[(labels == first) | (labels == second)]))
    return between - air < _AIR * (limb - air)


def _in_line(
    labels: NDArray[np.int32], large: list[int], found: Edges
) -> tuple[NDArray[np.int32], list[int]]:
    """Areas that lie in the direction of their own bones are one limb: a hand and its forearm, say."""
    labels, kept = labels.copy(), list(large)
    for first, second in combinations(large, 2):
        masks = [labels == number for number in (first, second)]
        if not all(mask.any() for mask in masks):
            continue
        middles = [np.argwhere(mask).mean(axis=0) for mask in masks]
        down, across = middles[1] - middles[0]
        between = float(np.degrees(np.arctan2(down, across)))
        turns = [abs((_axis(found, mask) - between + 90.0) % 180.0 - 90.0) for mask in masks]
        if max(turns) < _IN_LINE_DEG:
            labels[masks[1]] = first
            kept = [number for number in kept if number != second]
    return labels, kept


def _axis(found: Edges, mask: NDArray[np.bool_]) -> float:
    """Most frequent direction of edges in an area, degrees."""
    directions, weights = found.direction[mask], found.contrast[mask]
    return most_frequent(np.histogram(directions, 180, (0.0, 180.0), weights=weights)[0])


def _is_long(area: NDArray[np.bool_]) -> bool:
    """Whether an area reaches as far as a limb does, and a marker does not."""
    left, top, right, bottom = around(area)
    return bool(max(right - left, bottom - top) >= _LONG * min(area.shape))


def around(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the box around the true values of a mask that has some, shape (h, w)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
