"""Where two finished images were joined to one: straight lines at which the whole picture changes at once."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.plan import Picture

_STEP, _MOST = 0.03, 0.15
"""Grey levels, of 1: from where a step beyond those beside it is sharp, and the most that one row counts."""

_SHARE = 0.55
"""Share of sharp rows of a seam, beyond the share that is usual for lines nearby."""

_TIMES = 10.0
"""Mean step of a seam beyond that of lines nearby, in median deviations of those."""

_DEVIATION = 0.004
_NEARBY = 16

_CONSTANT = 0.004
"""Standard deviation below which a line is a separator."""

_DETAIL_PX = 6.0
"""Detail is what a blur of this standard deviation takes away."""

_DETAIL = 0.04
"""Stronger detail, of metal and frames, counts as if it had this strength."""

_TISSUE, _SAME = 0.1, 0.05
"""Grey levels, of 1: by which tissue is brighter than air, and two sides of a line within it differ."""

_EDGE = 0.12
"""No seam is nearer to the margin, as a share of the picture."""


def seams(picture: Picture, *, most: int = 6) -> list[tuple[int, float]]:
    """Columns at which a picture, shape (h, w), may be cut, the sharpest first; 1 is just sharp enough.

    A seam is a step within two pixels, which the blur of no bone allows, or a column of one level. What it
    divides is for the caller to judge.
    """
    height, width = picture.shape
    if width < 32 or height < 8:
        return []
    step = np.zeros((height, width + 1), dtype=np.float32)
    step[:, 1:width] = np.abs(
        picture[:, np.minimum(np.arange(1, width) + 1, width - 1)] - picture[:, : width - 1]
    )
    beside = np.zeros_like(step)
    beside[:, 3:-3] = np.maximum(step[:, :-6], step[:, 6:])
    excess = step - beside
    share, _ = _beyond((excess > _STEP).mean(axis=0))
    mean, deviation = _beyond(np.clip(excess, 0.0, _MOST).mean(axis=0))
    score = np.maximum(share / _SHARE, mean / (deviation + _DEVIATION) / _TIMES)
    steady = picture.std(axis=0) < _CONSTANT
    for low, high in runs(steady):
        score[(low + high) // 2] = max(score[(low + high) // 2], 1.0)
    margin = max(4, round(_EDGE * width))
    score[:margin] = score[width + 1 - margin :] = 0.0
    result: list[tuple[int, float]] = []
    for at in np.argsort(-score, kind="stable")[: 8 * most]:
        if score[at] >= 1.0 and all(abs(int(at) - other) > 4 for other, _ in result):
            result.append((int(at), float(score[at])))
    return result[:most]


def continuity(picture: Picture, at: int) -> float:
    """How alike the detail on both sides of a column is: 1 where bones go on beyond it, about 0 at a seam.

    Args:
        picture: shape (h, w).
        at: the column.
    """
    height, width = picture.shape
    rim = round(_EDGE * height)
    kernel = (1, 6 * round(_DETAIL_PX) + 1)
    lines, levels = [], []
    for low, high in ((at - 7, at - 3), (at + 3, at + 7)):
        line = picture[rim : height - rim, max(low, 0) : min(high, width)]
        if line.size == 0:
            return 0.0
        mean = line.mean(axis=1, keepdims=True)
        levels.append(mean.ravel())
        detail = mean - cv2.GaussianBlur(mean, kernel, sigmaX=0.1, sigmaY=_DETAIL_PX)
        lines.append(np.clip(detail, -_DETAIL, _DETAIL).ravel())
    exposed = np.maximum(*levels) > float(np.quantile(picture, 0.02)) + _TISSUE
    if exposed.mean() > _EDGE and np.median(np.abs(levels[0] - levels[1])[exposed]) < _SAME:
        return 1.0
    if min(float(line.std()) for line in lines) < _CONSTANT:
        return 0.0
    return float(np.corrcoef(lines[0], lines[1])[0, 1])


def _beyond(values: NDArray[np.floating[Any]]) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """How far each value, shape (n,), exceeds the median of those nearby, and their median deviation."""
    padded = np.pad(values, _NEARBY, mode="edge")
    window = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEARBY + 1)
    median = np.median(window, axis=1)
    return values - median, np.median(np.abs(window - median[:, None]), axis=1)


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open ranges of the true values of a row of flags, shape (n,)."""
    padded = np.concatenate([[False], flags, [False]]).astype(np.int8)
    change = np.diff(padded)
    return list(zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True))
