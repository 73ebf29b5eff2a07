"""Operating points: the threshold that reaches a wanted sensitivity, specificity or rate of false marks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.errors import UsageError
from crepitus.evaluate.classification import Ranking
from crepitus.evaluate.components import THRESHOLDS
from crepitus.evaluate.froc import Froc
from crepitus.evaluate.rates import RATE_TOLERANCE, ratio


def _rates(ranking: Ranking) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sensitivity and specificity at each threshold of the ranking, falling thresholds."""
    n_patients = int(ranking.patients.max(initial=-1)) + 1
    true, false = ranking.counts(np.ones((1, n_patients)))
    if not true[0, -1] or not false[0, -1]:
        raise UsageError(
            "expected images with and without a fracture to choose a threshold from, "
            f"got {true[0, -1]:.0f} and {false[0, -1]:.0f}"
        )
    return ratio(true[0], true[0, -1:]), ratio(false[0, -1:] - false[0], false[0, -1:])


def _threshold(ranking: Ranking, row: int) -> float:
    """A threshold that calls what row `row` calls, half way to the next lower score.

    Half way, so that no rounding of a score moves an image across. Row 0, which calls nothing, lies half way
    between the highest score and 1.
    """
    scores = np.append(1.0, ranking.scores[ranking.ends])
    lower = scores[row + 1] if row + 1 < len(scores) else scores[row]
    return float((scores[row] + lower) / 2)


def by_sensitivity(ranking: Ranking, wanted: float) -> float:
    """The highest threshold at which the sensitivity is at least `wanted`.

    Raises:
        UsageError: `wanted` is not within 0..1, or one of the classes has no image.
    """
    _check(wanted, "--sensitivity")
    sensitivity, _ = _rates(ranking)
    return _threshold(ranking, int(np.argmax(sensitivity >= wanted - RATE_TOLERANCE)))


def by_specificity(ranking: Ranking, wanted: float) -> float:
    """The lowest threshold at which the specificity is at least `wanted`.

    Raises:
        UsageError: `wanted` is not within 0..1, one of the classes has no image, or only calling nothing
            would reach it and a normal image has the score 1.
    """
    _check(wanted, "--specificity")
    _, specificity = _rates(ranking)
    row = int(np.flatnonzero(specificity >= wanted - RATE_TOLERANCE)[-1])
    if row == 0 and ranking.scores[0] >= 1:
        raise UsageError(
            f"--specificity {wanted:g}: expected a threshold within 0..1 that reaches it, there is none: "
            "normal images have the score 1"
        )
    return _threshold(ranking, row)


def by_youden(ranking: Ranking) -> float:
    """The threshold with the highest sensitivity + specificity - 1 (Youden 1950), the highest of several.

    Raises:
        UsageError: one of the classes has no image.
    """
    sensitivity, specificity = _rates(ranking)
    # Rounding must not decide between thresholds that are equally good.
    return _threshold(ranking, int(np.argmax(np.round(sensitivity + specificity, 12))))


def by_false_marks(froc: Froc, wanted: float) -> float:
    """The heatmap threshold with the highest recall of points among those with few false marks per image.

    Args:
        froc: of the images with known points.
        wanted: most false positive boxes per image.

    Returns:
        One of 0.01 … 0.99; of equally good ones the highest.

    Raises:
        UsageError: no heatmaps or points, or no threshold keeps the rate.
    """
    if wanted < 0:
        raise UsageError(f"--fp-per-image: expected a rate of at least 0, got {wanted}")
    rate, recall = (row[0] for row in froc.rates(np.ones((1, int(froc.patients.max(initial=-1)) + 1))))
    if np.isnan(rate).any() or np.isnan(recall).any():
        raise UsageError("--fp-per-image: expected heatmaps and points to choose a threshold from")
    allowed = rate <= wanted + RATE_TOLERANCE
    if not allowed.any():
        raise UsageError(f"--fp-per-image {wanted:g}: every threshold marks more, at least {rate.min():.3g}")
    best = allowed & (recall == recall[allowed].max())
    return float(THRESHOLDS[np.flatnonzero(best)[-1]])


@dataclass(frozen=True)
class DoubtFigures:
    """What a doubt tier between two thresholds does; each figure NaN where undefined.

    Attributes:
        ranking: the images whose truth is known.
        low: below it an image is called clear of fractures.
        high: at or above it an image is called fractured; between the two it is left to a reader.
    """

    ranking: Ranking
    low: float
    high: float

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """The `doubt.*` figures, each (rounds,), for patient weights (rounds, m)."""
        of_case = weights[:, self.ranking.patients]
        scores, positive = self.ranking.scores, self.ranking.positive
        clear, flagged = (scores < self.low).astype(float), (scores >= self.high).astype(float)
        return {
            "doubt.share": ratio(of_case @ (1 - clear - flagged), of_case.sum(axis=1)),
            "doubt.missed": ratio(of_case @ (clear * positive), of_case @ positive),
            "doubt.false_alarms": ratio(of_case @ (flagged * (1 - positive)), of_case @ (1 - positive)),
        }


def doubt_tier(ranking: Ranking, sensitivity: float, specificity: float) -> tuple[float, float]:
    """Thresholds (low, high) of a sensitive and of a specific point; equal where one point is both.

    Raises:
        UsageError: a wish is not within 0..1, or one of the classes has no image.
    """
    low, high = by_sensitivity(ranking, sensitivity), by_specificity(ranking, specificity)
    # Where the sensitive threshold is above the specific one, every threshold between is both.
    return (low, high) if low <= high else ((low + high) / 2, (low + high) / 2)


def _check(wanted: float, option: str) -> None:
    if not 0 <= wanted <= 1:
        raise UsageError(f"{option}: expected a share within 0..1, got {wanted}")
