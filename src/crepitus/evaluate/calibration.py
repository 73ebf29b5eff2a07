"""Calibration: Brier score, expected calibration error in bins of equal mass, reliability curve."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from crepitus.evaluate.classification import Ranking
from crepitus.evaluate.rates import ratio

N_BINS = 15
"""Bins of the expected calibration error (Guo et al., ICML 2017, with bins of equal mass)."""


def bin_edges(total: int) -> NDArray[np.float64]:
    """Where `total` cases in rising order are cut into 15 bins whose sizes differ by at most one.

    The larger bins come first, at the low scores.

    Returns:
        Shape (16,), from 0 to `total`.
    """
    size, rest = divmod(total, N_BINS)
    step = np.arange(N_BINS + 1)
    return (step * size + np.minimum(step, rest)).astype(np.float64)


@dataclass(frozen=True)
class CalibrationFigures:
    """The `calibration.*` figures of a set of images.

    Attributes:
        ranking: the images whose truth is known.
    """

    ranking: Ranking

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """`calibration.ece` and `calibration.brier`, each (rounds,), for patient weights (rounds, m).

        NaN without images; images of one class only are judged like any others.
        """
        true, false = self.ranking.counts(weights)
        score = self.ranking.scores[self.ranking.ends]
        hits, misses = np.diff(true, axis=1), np.diff(false, axis=1)
        mass = true + false
        brier = ratio(hits @ (1 - score) ** 2 + misses @ score**2, mass[:, -1])
        said = np.pad(np.cumsum((hits + misses) * score, axis=1), ((0, 0), (1, 0)))
        ece = [_error(*row) for row in zip(mass, true, said, strict=True)]
        return {"calibration.ece": np.array(ece, dtype=np.float64), "calibration.brier": brier}

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean score and observed share of positives of each bin, rising; bins of one score are one.

        Returns:
            Two arrays of shape (n,), n at most 15 and 0 without images.
        """
        share = self._membership
        mass = share.sum(axis=0)
        return share.T @ self.ranking.scores / mass, share.T @ self.ranking.positive / mass

    def curve_rounds(self, weights: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
        """Observed share of the bins of `curve`, interpolated at the scores of `grid` (n,), (rounds, n)."""
        positive, n = self.ranking.positive, weights.shape[1]
        bins = self._membership.T
        hits, mass = (
            np.column_stack([self.ranking.of_patients(column * part, n) for column in bins])
            for part in (positive, np.ones_like(positive))
        )
        observed = ratio(weights @ hits, weights @ mass)
        x = self.curve()[0]
        return np.stack([np.interp(grid, x, row) for row in observed])

    @cached_property
    def _membership(self) -> NDArray[np.float64]:
        """Which share of each case lies in each bin, (cases, bins): tied cases share their bins evenly."""
        scores, n = self.ranking.scores, len(self.ranking.scores)
        first = np.searchsorted(-scores, -scores, side="left")
        last = np.searchsorted(-scores, -scores, side="right")
        edges = n - bin_edges(n)[::-1]
        low, high = np.maximum(first[:, None], edges[:-1]), np.minimum(last[:, None], edges[1:])
        share = (np.maximum(high - low, 0) / np.maximum(last - first, 1)[:, None])[:, ::-1]
        share = share[:, share.sum(axis=0) > 0]
        means = share.T @ scores / share.sum(axis=0)
        # Bins that hold nothing but the same score cannot be told apart.
        group = np.cumsum(np.append(False, np.diff(means) > 1e-12)) if len(means) else np.zeros(0, np.intp)
        merged = np.zeros((n, int(group[-1]) + 1 if len(group) else 0))
        for column, target in enumerate(group.tolist()):
            merged[:, target] += share[:, column]
        return merged


def _error(mass: NDArray[np.float64], true: NDArray[np.float64], said: NDArray[np.float64]) -> float:
    """Expected calibration error from sums over the cases from the highest score down, each (m + 1,).

    Cases with equal scores are spread evenly over the bins that they fall into, so that their order in
    the file plays no part.
    """
    total = mass[-1]
    if total == 0:
        return float("nan")
    edges = total - bin_edges(int(total))
    gap = np.interp(edges, mass, true) - np.interp(edges, mass, said)
    return float(np.abs(np.diff(gap)).sum() / total)
