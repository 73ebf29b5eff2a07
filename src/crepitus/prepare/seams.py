"""Where two finished images were joined to one: straight lines at which the whole picture changes at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.plan import Picture

_STEP = 0.03
"""Grey levels, of 1, by which a seam is sharper than what lies beside it."""

_SHARE = 0.55
"""Share of a line that must be that sharp, beyond the share that is usual for lines nearby."""

_NEARBY = 16

_CONSTANT = 0.004
"""Standard deviation below which a line is a separator."""

_EDGE = 0.12
"""No seam is nearer to the margin, as a share of the picture."""


def seams(picture: Picture, *, most: int = 6) -> list[tuple[int, float]]:
    """Columns at which a picture, shape (h, w), may be cut, the sharpest first, with their sharpness.

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
    score = (step - beside > _STEP).mean(axis=0)
    nearby = np.pad(score, _NEARBY, mode="edge")
    score = score - np.median(np.lib.stride_tricks.sliding_window_view(nearby, 2 * _NEARBY + 1), axis=1)
    steady = picture.std(axis=0) < _CONSTANT
    for low, high in runs(steady):
        score[(low + high) // 2] = max(score[(low + high) // 2], 1.0)
    margin = max(4, round(_EDGE * width))
    score[:margin] = score[width + 1 - margin :] = 0.0
    result: list[tuple[int, float]] = []
    for at in np.argsort(-score, kind="stable")[: 8 * most]:
        if score[at] >= _SHARE and all(abs(int(at) - other) > 4 for other, _ in result):
            result.append((int(at), float(score[at])))
    return result[:most]


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open ranges of the true values of a row of flags, shape (n,)."""
    padded = np.concatenate([[False], flags, [False]]).astype(np.int8)
    change = np.diff(padded)
    return list(zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True))
