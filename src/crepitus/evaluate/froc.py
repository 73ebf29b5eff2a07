"""FROC on heatmaps and points: recall of points against false positive boxes per image (paper 001)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.evaluate.components import N_THRESHOLDS, flood
from crepitus.evaluate.geometry import NearPixels, Size, pixel_edges, point_cells
from crepitus.evaluate.rates import froc_figures, ratio, recall_at

_LEVELS = np.arange(1, N_THRESHOLDS + 1)


@dataclass(frozen=True)
class ImageFroc:
    """What one image contributes at each threshold k / 100; everything else follows by summation.

    Attributes:
        n_points: points of the image.
        found: (99,), int64, points found.
        false_positives: (99,), int64, boxes of which less than 10 % lies near a point.
    """

    n_points: int
    found: NDArray[np.int64]
    false_positives: NDArray[np.int64]


def froc_of_image(
    levels: NDArray[np.uint8], points: NDArray[np.float64], size: Size, radius: float
) -> ImageFroc:
    """Count found points and false positive boxes of one heatmap at 99 thresholds.

    Args:
        levels: (h, w), from `threshold_levels`.
        points: (n, 2), (x, y) in pixels of the image.
        size: (H, W) of the image.
        radius: of the disks around the points, in pixels.
    """
    near = NearPixels.around(points, radius, size)
    found_level, false_positives = flood(
        levels,
        pixel_edges(levels.shape[0], size[0]),
        pixel_edges(levels.shape[1], size[1]),
        point_cells(points, size, (levels.shape[0], levels.shape[1])),
        near.integral,
        near.top,
        near.left,
    )
    found = (found_level[:, None] >= _LEVELS).sum(axis=0)
    return ImageFroc(len(points), found.astype(np.int64), false_positives)


@dataclass(frozen=True)
class Froc:
    """FROC of a set of images, for any weights of their patients.

    Attributes:
        patients: (n,), number of the patient of each image.
        n_points: (n,), float64.
        found, false_positives: (n, 99), float64.
    """

    patients: NDArray[np.intp]
    n_points: NDArray[np.float64]
    found: NDArray[np.float64]
    false_positives: NDArray[np.float64]

    @classmethod
    def of(cls, images: Sequence[ImageFroc], patients: NDArray[np.intp]) -> Froc:
        """Gather the contributions of images and the numbers of their patients."""
        shape = (len(images), N_THRESHOLDS)
        return cls(
            patients=patients,
            n_points=np.array([image.n_points for image in images], dtype=np.float64),
            found=np.array([image.found for image in images], dtype=np.float64).reshape(shape),
            false_positives=np.array([i.false_positives for i in images], dtype=np.float64).reshape(shape),
        )

    def rates(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """False positives per image and recall, each (rounds, 99), for patient weights (rounds, m)."""
        of_image = weights[:, self.patients]
        recall = ratio(of_image @ self.found, (of_image @ self.n_points)[:, None])
        rate = ratio(of_image @ self.false_positives, of_image.sum(axis=1)[:, None])
        return rate, recall

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """FROC score and recalls, each (rounds,)."""
        return froc_figures("localization.", *self.rates(weights))

    def curve_rounds(self, weights: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
        """Recall at the false-positive rates of `grid` (n,), shape (rounds, n)."""
        return recall_at(*self.rates(weights), grid)
