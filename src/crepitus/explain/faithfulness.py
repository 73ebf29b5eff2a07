"""Whether a relevance map tells the truth: pointing game, energy inside a mask, deletion and insertion.

A relevance map is signed: above 0 speaks for a fracture, below 0 against it. It has the grid of the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.errors import UsageError
from crepitus.evaluate.geometry import within_radius

Floats = NDArray[np.float32]
Score = Callable[[Floats], NDArray[Any]]
"""Scores (n,) of images (n, r, c), float32, in the values that the first image had."""

BLUR_SHARE: Final = 0.05
"""Deviation of the blur as a share of the longer side. Petsiuk et al. blur photographs of 224 px with 5 px;
in a radiograph bones are wider than that, and a fracture would still be seen."""

IMAGES_AT_ONCE: Final = 16
"""Bounds the memory of a step; the result does not depend on it."""


def pointing_game(relevance: NDArray[Any], points: NDArray[np.float64], radius_px: float) -> bool | None:
    """Whether the highest relevance lies on a fracture (Zhang et al., Excitation Backprop, ECCV 2016).

    The centre of the pixel with the highest value must lie within `radius_px` (inclusive) of any point. Where
    several pixels share the highest value, all of them must: a flat map that happens to cover a fracture does
    not point at it. A map without a value above 0 points nowhere and misses.

    Args:
        relevance: shape (r, c), finite, signed.
        points: true fracture points, shape (k, 2), (x, y) in pixels of the map.
        radius_px: in pixels, at least 0; the paper takes 15 px for photographs.

    Returns:
        None without points: nothing to point at.

    Raises:
        UsageError: the map is not a finite plane, the points are not pairs, or the radius is negative.
    """
    values = _plane(relevance, "relevance")
    places = np.asarray(points, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2:
        raise UsageError(f"expected points of shape (k, 2), got {places.shape}")
    if not (np.isfinite(radius_px) and radius_px >= 0):
        raise UsageError(f"expected a radius of at least 0 px, got {radius_px}")
    if not len(places):
        return None
    highest = values.max()
    if highest <= 0:
        return False
    near = within_radius(places, radius_px, values.shape, values.shape)
    return bool(near[values == highest].all())


def energy_inside(relevance: NDArray[Any], mask: NDArray[np.bool_]) -> float:
    """Share of the positive relevance that lies in a mask.

    The energy-based pointing game of Wang et al. (Score-CAM, 2020). Compare it with the share of the
    image that the mask covers: that is what a map without knowledge reaches.

    Args:
        relevance: shape (r, c), finite, signed; what is below 0 does not count.
        mask: shape (r, c), bool.

    Returns:
        0..1; NaN without positive relevance, and NaN for an empty mask, where there is nothing to lie in.

    Raises:
        UsageError: the map is not a finite plane, or the mask has another shape.
    """
    values = np.maximum(_plane(relevance, "relevance"), 0)
    inside = _same_shape(mask, values, "mask").astype(np.bool_)
    total = values.sum()
    if total == 0 or not inside.any():
        return float("nan")
    return float(values[inside].sum() / total)


def blurred(image: NDArray[Any], sigma_px: float | None = None) -> Floats:
    """A baseline for `deletion_insertion`: the image without its detail, without an edge of its own.

    Args:
        image: shape (r, c), finite.
        sigma_px: deviation of the Gaussian; None is `BLUR_SHARE` of the longer side.

    Returns:
        Shape (r, c), float32; the border is mirrored.

    Raises:
        UsageError: the image is not a finite plane, or the deviation is not above 0.
    """
    values = _plane(image, "image").astype(np.float32)
    sigma = BLUR_SHARE * max(values.shape) if sigma_px is None else sigma_px
    if not (np.isfinite(sigma) and sigma > 0):
        raise UsageError(f"expected a blur above 0 px, got {sigma_px}")
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))


def mean_grey(image: NDArray[Any]) -> Floats:
    """A baseline for `deletion_insertion`: the mean of the image everywhere, shape (r, c), float32.

    Raises:
        UsageError: the image is not a finite plane.
    """
    values = _plane(image, "image")
    return np.full(values.shape, values.mean(), dtype=np.float32)


@dataclass(frozen=True)
class Curves:
    """The score while pixels are taken away or brought in, the most relevant first.

    Attributes:
        fractions: share of the pixels that have changed, shape (steps + 1,), 0 to 1.
        deletion: score after so many pixels were replaced by the baseline, shape (steps + 1,).
        insertion: score after so many pixels of the image came into the baseline, likewise.
        deletion_auc: area under `deletion` by trapezoids; low is faithful.
        insertion_auc: area under `insertion`; high is faithful.
    """

    fractions: NDArray[np.float64]
    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]
    deletion_auc: float
    insertion_auc: float


def deletion_insertion(
    image: NDArray[Any],
    relevance: NDArray[Any],
    score: Score,
    *,
    steps: int = 50,
    baseline: NDArray[Any] | None = None,
) -> Curves:
    """How the score follows the relevance (Petsiuk et al., RISE, BMVC 2018).

    Pixels go in the order of falling signed relevance; equal ones in the order of rows, then columns. After
    step k of n, k p // n of the p pixels have gone. Both curves use the same baseline (the paper deletes to
    black and inserts into a blurred image): a constant draws edges that no radiograph has.

    Args:
        image: shape (r, c), finite, in the values that `score` expects.
        relevance: shape (r, c), finite, signed.
        score: of images (n, r, c), float32, to (n,).
        steps: from 1 to the number of pixels.
        baseline: what a pixel becomes, shape (r, c); None is `blurred(image)`.

    Raises:
        UsageError: shapes differ, a value is not finite, or `steps` is out of its range.
    """
    pixels = _plane(image, "image").astype(np.float32)
    values = _same_shape(_plane(relevance, "relevance"), pixels, "relevance")
    without = blurred(pixels) if baseline is None else _plane(baseline, "baseline").astype(np.float32)
    without = _same_shape(without, pixels, "baseline")
    if not 1 <= steps <= pixels.size:
        raise UsageError(f"expected 1 to {pixels.size} steps, got {steps}")
    order = np.argsort(-values.ravel(), kind="stable")
    counts = np.arange(steps + 1) * pixels.size // steps
    deletion = _along(pixels, without, order, counts, score)
    # Ends with the image and starts with the baseline, of which the scores are known.
    inner = _along(without, pixels, order, counts[1:-1], score)
    insertion = np.concatenate((deletion[-1:], inner, deletion[:1]))
    fractions = counts / pixels.size
    areas = (float(np.trapezoid(curve, fractions)) for curve in (deletion, insertion))
    return Curves(fractions, deletion, insertion, *areas)


def _along(
    start: Floats, end: Floats, order: NDArray[np.intp], counts: NDArray[np.intp], score: Score
) -> NDArray[np.float64]:
    """Scores of `start` after so many pixels in `order` have become those of `end`, shape of `counts`."""
    found = []
    for first in range(0, len(counts), IMAGES_AT_ONCE):
        some = counts[first : first + IMAGES_AT_ONCE]
        batch = np.repeat(start.reshape(1, -1), len(some), axis=0)
        for row, count in zip(batch, some.tolist(), strict=True):
            row[order[:count]] = end.ravel()[order[:count]]
        given = np.asarray(score(batch.reshape(-1, *start.shape)), dtype=np.float64)
        if given.shape != some.shape or not np.isfinite(given).all():
            raise UsageError(f"expected {len(some)} finite scores, got shape {given.shape}: {given}")
        found.append(given)
    return np.concatenate(found) if found else np.zeros(0)


def _plane(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    values = np.asarray(array, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise UsageError(f"expected {name} of shape (r, c), got {values.shape}")
    if not np.isfinite(values).all():
        raise UsageError(f"expected finite {name}, got {np.count_nonzero(~np.isfinite(values))} that are not")
    return values


def _same_shape(array: NDArray[Any], other: NDArray[Any], name: str) -> NDArray[Any]:
    if np.shape(array) != other.shape:
        raise UsageError(f"expected {name} of shape {other.shape}, got {np.shape(array)}")
    return np.asarray(array)
