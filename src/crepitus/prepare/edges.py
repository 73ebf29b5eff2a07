"""Edges of a picture with their directions, those of frames and collimators left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.plan import Picture

_FRAME_LEVEL, _FRAME_SLOPE = 0.55, 0.012
"""A frame is brighter and flatter than this, and touches the margin of the picture."""

_FRAME_GROWS = 9
_MARGIN = 6
_STRONGEST = 0.98
"""Edges stronger than this share of all, metal and letters, count as if they had this strength."""

_NEIGHBOURHOOD = 12.0
"""Standard deviation, pixels, of the surroundings by whose mean edge an edge is judged."""


_FLAT_LINE = 0.012
"""Standard deviation of a line that belongs to a frame."""


_BLUR_DEG, _WINDOW_DEG = 8.0, 12.0
"""Standard deviations: of the search for the most frequent direction, and of the mean around it."""

_ROUNDS = 6


@dataclass(frozen=True)
class Edges:
    """Edges of a picture of shape (h, w).

    Attributes:
        levels: smoothed picture, float32.
        strength: slope, clipped at the strongest 2 %; 0 where it does not count.
        contrast: the same relative to the surroundings.
        direction: along the edge, degrees clockwise from x, 0..180.
        counts: False in frames and at the margin.
    """

    levels: Picture
    strength: Picture
    contrast: Picture
    direction: Picture
    counts: NDArray[np.bool_]


def edges(picture: Picture) -> Edges:
    """Edges of a picture, shape (h, w), float32, 0..1, bone bright."""
    levels = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0))
    across = cv2.Scharr(levels, cv2.CV_32F, 1, 0) / 16
    down = cv2.Scharr(levels, cv2.CV_32F, 0, 1) / 16
    slope = np.hypot(across, down)
    counts = ~frame((levels > _FRAME_LEVEL) & (slope < _FRAME_SLOPE))
    counts[:_MARGIN] = counts[-_MARGIN:] = False
    counts[:, :_MARGIN] = counts[:, -_MARGIN:] = False
    limit = np.float32(np.quantile(slope[counts], _STRONGEST)) if counts.any() else np.float32(0)
    strength = np.where(counts, np.minimum(slope, limit), np.float32(0))
    around = cv2.GaussianBlur(slope, (0, 0), _NEIGHBOURHOOD)
    contrast = strength / (around + np.float32(0.02) * slope.max() + np.float32(1e-6))
    direction = (np.degrees(np.arctan2(down, across)) + 90.0) % 180.0
    return Edges(levels, strength, contrast, direction.astype(np.float32), counts)


def frame(flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The flat regions that touch the margin, and a little around them; shape (h, w), bool."""
    _, regions = cv2.connectedComponents(flat.astype(np.uint8))
    rim = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    touching = np.isin(regions, rim[rim > 0]).astype(np.uint8)
    size = (_FRAME_GROWS, _FRAME_GROWS)
    return np.asarray(cv2.dilate(touching, np.ones(size, np.uint8)) > 0)


def inside_frame(picture: Picture) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is left of a picture, shape (h, w), without lines of one level.

    At most a quarter of it is taken from each side.
    """
    height, width = picture.shape
    top, bottom = _inside(picture.std(axis=1), height)
    left, right = _inside(picture[top:bottom].std(axis=0), width)
    return left, top, right, bottom


def _inside(spreads: NDArray[np.float32], size: int) -> tuple[int, int]:
    low, high = 0, size
    while low < size // 4 and spreads[low] < _FLAT_LINE:
        low += 1
    while high > size - size // 4 and spreads[high - 1] < _FLAT_LINE:
        high -= 1
    return low, high


def most_frequent(histogram: NDArray[np.floating[Any]]) -> float:
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
