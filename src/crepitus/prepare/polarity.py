"""Polarity: images whose background is white are inverted, so that bone is bright."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.edges import inside_frame
from crepitus.prepare.fitted import POLARITY_WEIGHTS
from crepitus.prepare.plan import Picture, Plan
from crepitus.prepare.thesis import is_inverted as is_inverted_by_corners

FloatArray = NDArray[np.float64]

_LOOK_PX = 256
_SIZE_PX = 192
"""Longer side at which features are computed, after a frame was cut off."""

_MIDDLE = 0.8
"""Part of the picture, from the centre outwards, in which fine structure is looked at."""


def with_bright_bone(plan: Plan, heuristic: str) -> Plan:
    """The plan, inverted where the picture says so."""
    picture, _ = plan.picture(_LOOK_PX)
    inverted = is_inverted_by_corners(picture) if heuristic == "thesis" else is_inverted(picture)
    return replace(plan, inverted=not plan.inverted) if inverted else plan


def is_inverted(picture: Picture) -> bool:
    """Whether bone is dark in a picture, shape (h, w), float32, 0..1.

    The thesis looks at the corners (Eq. 4.1), where a frame or a grey background deceives it. Here a weighted
    sum of features decides, each of which changes its sign, and nothing else, when the picture is inverted:
    so an image that has been inverted is never inverted again. What the features have in common: where there
    is bone, there is detail, and detail is bright; air is smooth, and dark.
    """
    return float(polarity_features(picture) @ np.array(POLARITY_WEIGHTS)) < 0.0


def polarity_features(picture: Picture) -> FloatArray:
    """Features of a picture, shape (h, w), 0..1; shape (19,), each negated by an inversion of the picture."""
    inner = without_frame(picture)
    ratio = _SIZE_PX / max(inner.shape)
    size = (max(8, round(inner.shape[1] * ratio)), max(8, round(inner.shape[0] * ratio)))
    inner = cv2.resize(inner, size, interpolation=cv2.INTER_AREA)
    low, high = np.quantile(inner, [0.02, 0.98])
    levels = np.clip((inner - (low + high) / 2) / max(high - low, 1e-3), -1, 1).astype(np.float32)
    height, width = levels.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    middle = (np.abs(x) < _MIDDLE) & (np.abs(y) < _MIDDLE)
    spread = float(levels.std()) + 1e-3
    smooth = cv2.GaussianBlur(levels, (0, 0), 1.0)
    features = [
        float(((levels - levels.mean()) ** 3).mean()) / spread**3,
        (levels[x * x + y * y < 0.3].mean() - levels[np.maximum(abs(x), abs(y)) > 0.86].mean()) / spread,
        *_detail(levels, smooth, middle, spread),
        2 * float(inner.mean()) - 1,
        float((inner < 0.03).mean() - (inner > 0.97).mean()),
        2 * float(np.median(levels)),
    ]
    return np.array(features, dtype=np.float64)


def without_frame(picture: Picture) -> Picture:
    """The picture without lines of one level at its margin, at most a quarter of it on each side."""
    left, top, right, bottom = inside_frame(picture)
    return picture[top:bottom, left:right]


def _detail(levels: Picture, smooth: Picture, middle: NDArray[np.bool_], spread: float) -> list[float]:
    """Whether what has detail is bright: levels against local slope, bright against dark spots and lines."""
    slope = np.hypot(cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1)) / 16
    around = cv2.GaussianBlur(slope, (0, 0), 3)
    logs = np.log(around + 0.003)
    features = [_correlation(levels, logs), _correlation(levels[middle], logs[middle])]
    for size in (3, 7, 15):
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        bright = (smooth - cv2.morphologyEx(smooth, cv2.MORPH_OPEN, kernel))[middle]
        dark = (cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, kernel) - smooth)[middle]
        for a, b in ((bright, dark), (np.minimum(bright, 0.2), np.minimum(dark, 0.2))):
            features.append(float((a.mean() - b.mean()) / (a.mean() + b.mean() + 1e-3)))
    for sigma in (1, 2, 4):
        peaks = -cv2.Laplacian(cv2.GaussianBlur(levels, (0, 0), sigma), cv2.CV_32F)[middle]
        features.append(float(np.clip((peaks**3).mean() / ((peaks**2).mean() ** 1.5 + 1e-6), -4, 4)) / 2)
    even, rough = around <= np.quantile(around, 0.25), around >= np.quantile(around, 0.75)
    features.append(float(levels[rough].mean() - levels[even].mean()) / spread)
    features.append(float(np.median(levels[rough]) - np.median(levels[even])) / spread)
    inside, outside = rough & middle, even & middle
    values = [levels[part].mean() if part.any() else levels[middle].mean() for part in (inside, outside)]
    features.append(float(values[0] - values[1]) / spread)
    return features


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    if a.std() == 0.0 or b.std() == 0.0:
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
