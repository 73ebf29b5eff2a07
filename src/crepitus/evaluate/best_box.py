"""The localization figure of paper 002: whether the best box of a fractured image overlaps the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.evaluate.boxes import intersection_over_union
from crepitus.evaluate.rates import ratio

IOU_LEVELS: NDArray[np.float64] = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
"""Overlaps that must be exceeded (paper 002, section on performance evaluation)."""


def best_box_hits(
    detections: NDArray[np.float64], scores: NDArray[np.float64], truth: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """At which levels the IoU of the best-scored box of one image with any true box is exceeded.

    Args:
        detections: (n, 4), (x_min, y_min, x_max, y_max), in file order; of equal scores the first counts.
        scores: (n,).
        truth: (m, 4).

    Returns:
        Shape (5,), bool; all False without a detection.
    """
    if not len(scores):
        return np.zeros(len(IOU_LEVELS), dtype=np.bool_)
    best = int(np.argmax(scores))
    overlap = intersection_over_union(detections[best : best + 1], truth).max(initial=0.0)
    hits: NDArray[np.bool_] = overlap > IOU_LEVELS
    return hits


@dataclass(frozen=True)
class BestBox:
    """The best box of each of a set of fractured images.

    Attributes:
        patients: (n,), number of the patient of each image.
        hits: (n, 5), float64, 1 where the best box is right at a level.
        key: of the figure.
    """

    patients: NDArray[np.intp]
    hits: NDArray[np.float64]
    key: str = "boxes.map_femur"

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """The figure `key`, (rounds,), for patient weights (rounds, m): mean of TP / (TP + FP).

        Each image gives one box that is right or wrong at each level, so that TP + FP is the number of
        images. NaN without images.
        """
        of_image = weights[:, self.patients]
        precision = ratio(of_image @ self.hits, of_image.sum(axis=1)[:, None])
        return {self.key: precision.mean(axis=1)}
