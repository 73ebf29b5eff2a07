"""Modified FROC: recall of points against the share of negative area that is called (paper 000)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.evaluate.components import N_THRESHOLDS
from crepitus.evaluate.geometry import Size, point_cells, within_radius
from crepitus.evaluate.rates import AREA_RATES, ratio, recall_at

_LEVELS = np.arange(1, N_THRESHOLDS + 1)


@dataclass(frozen=True)
class ImageAreaFroc:
    """What one image contributes at each threshold k / 100.

    Attributes:
        n_points: points of the image.
        found: (99,), int64, points whose cell reaches the threshold.
        n_negative: cells whose centre is farther than the radius from every point.
        called: (99,), int64, negative cells that reach the threshold.
    """

    n_points: int
    found: NDArray[np.int64]
    n_negative: int
    called: NDArray[np.int64]


def area_froc_of_image(
    levels: NDArray[np.uint8], points: NDArray[np.float64], size: Size, radius: float
) -> ImageAreaFroc:
    """Count found points and called negative cells of one heatmap at 99 thresholds.

    Args:
        levels: (h, w), from `threshold_levels`.
        points: (n, 2), (x, y) in pixels of the image.
        size: (H, W) of the image.
        radius: in pixels.
    """
    grid = (levels.shape[0], levels.shape[1])
    cells = point_cells(points, size, grid)
    found = (levels[cells[:, 0], cells[:, 1]][:, None] >= _LEVELS).sum(axis=0)
    negative = levels[~within_radius(points, radius, size, grid)] if len(points) else levels.ravel()
    histogram = np.bincount(negative, minlength=N_THRESHOLDS + 1)
    called = histogram[::-1].cumsum()[::-1][1:]
    return ImageAreaFroc(len(points), found.astype(np.int64), len(negative), called.astype(np.int64))


@dataclass(frozen=True)
class AreaFroc:
    """Modified FROC of a set of images, for any weights of their patients.

    Attributes:
        patients: (n,), number of the patient of each image.
        n_points: (n,), float64.
        found: (n, 99), float64.
        has_negative: (n,), float64, 1 where the image has negative cells.
        called: (n, 99), float64, share of the negative cells that reach the threshold; 0 without any.
    """

    patients: NDArray[np.intp]
    n_points: NDArray[np.float64]
    found: NDArray[np.float64]
    has_negative: NDArray[np.float64]
    called: NDArray[np.float64]

    @classmethod
    def of(cls, images: Sequence[ImageAreaFroc], patients: NDArray[np.intp]) -> AreaFroc:
        """Gather the contributions of images and the numbers of their patients."""
        shape = (len(images), N_THRESHOLDS)
        n_negative = np.array([image.n_negative for image in images], dtype=np.float64)
        called = np.array([image.called for image in images], dtype=np.float64).reshape(shape)
        return cls(
            patients=patients,
            n_points=np.array([image.n_points for image in images], dtype=np.float64),
            found=np.array([image.found for image in images], dtype=np.float64).reshape(shape),
            has_negative=(n_negative > 0).astype(np.float64),
            called=called / np.maximum(n_negative, 1)[:, None],
        )

    def rates(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """False positive area and recall, each (rounds, 99), for patient weights (rounds, m)."""
        of_image = weights[:, self.patients]
        recall = ratio(of_image @ self.found, (of_image @ self.n_points)[:, None])
        rate = ratio(of_image @ self.called, (of_image @ self.has_negative)[:, None])
        return rate, recall

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Recalls at 1 % and 10 % false positive area, each (rounds,)."""
        recalls = recall_at(*self.rates(weights), np.array(AREA_RATES))
        return {
            f"localization.area_recall_at_{rate:.2f}": recalls[:, column]
            for column, rate in enumerate(AREA_RATES)
        }

    def curve_rounds(self, weights: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
        """Recall at the false positive areas of `grid` (n,), shape (rounds, n)."""
        return recall_at(*self.rates(weights), grid)
