"""Figures of merit of reader studies, with the covariance that comes from reading the same cases.

A row is one reader with one treatment. The covariance of the figures of all rows is estimated by leaving out
one case at a time (jackknife), by DeLong's placements (AUROC only), or by resampling cases (bootstrap).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from crepitus.errors import UsageError
from crepitus.evaluate.delong import delong, placements

Method = Literal["jackknife", "delong", "bootstrap"]
BOOTSTRAP_ROUNDS = 2000


class Figure(Protocol):
    """A figure of several rows over the same cases."""

    @property
    def classes(self) -> NDArray[np.int64]:
        """Groups that a bootstrap draws within, (cases,); -1 for cases that do not count."""
        ...

    def of_cases(self, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """The figure of each row over chosen cases, which may repeat; (rows,), NaN where undefined."""
        ...

    def without_each(self) -> NDArray[np.float64]:
        """The figure without each of the cases that count; (cases that count, rows)."""
        ...


@dataclass(frozen=True)
class Auroc:
    """Area under the empirical ROC curve.

    Attributes:
        ratings: (rows, cases), higher is more suspicious.
        truth: (cases,), 1 or 0.
    """

    ratings: NDArray[np.float64]
    truth: NDArray[np.int64]

    @property
    def classes(self) -> NDArray[np.int64]:
        """The truth."""
        return self.truth

    def of_cases(self, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """AUROC of each row, (rows,)."""
        positive, _ = placements(self.ratings[:, chosen], self.truth[chosen])
        return positive.mean(axis=1) if positive.shape[1] else np.full(len(self.ratings), np.nan)

    def without_each(self) -> NDArray[np.float64]:
        """AUROC without each case: the mean of the placements of its class without its own."""
        parts = placements(self.ratings, self.truth)
        without = np.full((len(self.truth), len(self.ratings)), np.nan)
        for value, placed in zip((1, 0), parts, strict=True):
            n = placed.shape[1]
            if n > 1:
                without[self.truth == value] = ((placed.sum(axis=1)[:, None] - placed) / (n - 1)).T
        return without


@dataclass(frozen=True)
class Share:
    """Share of right answers among the cases that count: accuracy, sensitivity or specificity.

    Attributes:
        right: (rows, cases), bool.
        counts: (cases,), bool, which cases the share is over.
    """

    right: NDArray[np.bool_]
    counts: NDArray[np.bool_]

    @property
    def classes(self) -> NDArray[np.int64]:
        """One class of the cases that count."""
        return np.where(self.counts, 0, -1).astype(np.int64)

    def of_cases(self, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """Share of each row, (rows,)."""
        kept = chosen[self.counts[chosen]]
        if not len(kept):
            return np.full(len(self.right), np.nan)
        share: NDArray[np.float64] = self.right[:, kept].mean(axis=1)
        return share

    def without_each(self) -> NDArray[np.float64]:
        """Share without each of the cases that count."""
        right = self.right[:, self.counts].astype(np.float64)
        n = right.shape[1]
        if n < 2:
            return np.full((n, len(right)), np.nan)
        without: NDArray[np.float64] = ((right.sum(axis=1)[:, None] - right) / (n - 1)).T
        return without


def covariance(figure: Figure, method: Method, rng: np.random.Generator | None = None) -> NDArray[np.float64]:
    """Covariance of the figures of all rows due to the drawn cases, (rows, rows); NaN where undefined.

    Args:
        figure: of r rows.
        method: how to estimate it.
        rng: source of randomness of the bootstrap.

    Raises:
        UsageError: DeLong for a figure that is no AUROC, or a bootstrap without `rng`.
    """
    if method == "delong":
        if not isinstance(figure, Auroc):
            raise UsageError("--covariance delong: expected ratings, it is for the AUROC only; use jackknife")
        return delong(figure.ratings, figure.truth).covariance
    if method == "bootstrap":
        if rng is None:
            raise UsageError("covariance by bootstrap: expected a generator of random numbers, got none")
        return _bootstrap(figure, rng)
    without = figure.without_each()
    n, rows = without.shape
    if n < 2:
        return np.full((rows, rows), np.nan)
    deviation = without - without.mean(axis=0)
    result: NDArray[np.float64] = (n - 1) / n * deviation.T @ deviation
    return result


def _bootstrap(figure: Figure, rng: np.random.Generator) -> NDArray[np.float64]:
    groups = [np.flatnonzero(figure.classes == value) for value in np.unique(figure.classes) if value >= 0]
    rounds = []
    for _ in range(BOOTSTRAP_ROUNDS):
        chosen = [rng.choice(group, len(group)) for group in groups]
        rounds.append(figure.of_cases(np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.intp)))
    return np.atleast_2d(np.cov(np.stack(rounds), rowvar=False))
