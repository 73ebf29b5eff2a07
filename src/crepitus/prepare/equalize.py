"""Histogram equalisation: every grey level as frequent as the others, as far as that goes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def equalized(pixels: NDArray[Any]) -> NDArray[Any]:
    """Levels spread so that their cumulative share rises evenly from black to white (paper 002, data).

    The lowest level becomes black and does not count, so that a black margin has no influence. Equalising
    merges rare levels, after which the shares are others; the map is repeated until it changes nothing, and
    is therefore idempotent to the last level. An image of one level stays as it is.

    Args:
        pixels: shape (rows, columns), uint8 or uint16; the result has the same type and its full range.
    """
    top = int(np.iinfo(pixels.dtype).max)
    counts = np.bincount(pixels.ravel(), minlength=top + 1)
    levels = np.arange(top + 1)
    while True:
        step = _spread(counts, top)
        used = counts > 0
        if np.array_equal(step[used], np.flatnonzero(used)):
            return np.asarray(levels.astype(pixels.dtype)[pixels])
        levels = step[levels]
        counts = np.bincount(step, weights=counts, minlength=top + 1).astype(np.int64)


def _spread(counts: NDArray[np.int64], top: int) -> NDArray[np.int64]:
    """The new level of each level: top x (share at or below it, without the lowest level)."""
    total = np.cumsum(counts)
    lowest = int(counts[np.flatnonzero(counts)[0]]) if counts.any() else 0
    above = int(total[-1]) - lowest
    if above == 0:
        return np.arange(top + 1)
    return np.rint(np.maximum(total - lowest, 0) * (top / above)).astype(np.int64)
