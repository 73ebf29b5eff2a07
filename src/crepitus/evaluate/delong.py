"""DeLong's variance of AUROCs and test of their difference, without assumptions on the scores.

E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, Biometrics 44 (1988), 837-845; the placements are
computed from midranks as in X. Sun and W. Xu, IEEE Signal Processing Letters 21 (2014), 1389-1393.

Cases count as independent. Where patients have several images, the bootstrap over patients is the right
interval, and this one is too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

Z95 = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Areas:
    """AUROCs of several scores of the same cases.

    Attributes:
        auroc: (k,), NaN where a class has no case.
        covariance: (k, k), NaN where a class has fewer than two cases.
    """

    auroc: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def interval(self, which: int = 0) -> tuple[float, float]:
        """95 % interval of one AUROC, AUROC +- 1.96 standard errors, cut off at 0 and 1; NaN if undefined."""
        reach = Z95 * float(np.sqrt(self.covariance[which, which]))
        low, high = np.clip([self.auroc[which] - reach, self.auroc[which] + reach], 0.0, 1.0)
        return float(low), float(high)

    def difference(self, first: int = 0, second: int = 1) -> Difference:
        """AUROC of the first minus that of the second, with its correlation taken into account."""
        estimate = float(self.auroc[first] - self.auroc[second])
        c = self.covariance
        # Rounding may leave a variance of -1e-19 where the two scores rank alike.
        variance = max(float(c[first, first] + c[second, second] - 2 * c[first, second]), 0.0)
        error = float(np.sqrt(variance)) if not np.isnan(c[first, second]) else float("nan")
        z = estimate / error if error > _NO_VARIANCE else float("nan")
        return Difference(
            estimate,
            error,
            (estimate - Z95 * error, estimate + Z95 * error),
            z,
            float(2 * norm.sf(abs(z))),
        )


@dataclass(frozen=True)
class Difference:
    """A difference with its test; NaN where undefined.

    Attributes:
        estimate: first minus second.
        standard_error: of the estimate.
        ci95: 95 % interval.
        statistic: z, NaN where the two never differ.
        p_value: two-sided.
    """

    estimate: float
    standard_error: float
    ci95: tuple[float, float]
    statistic: float
    p_value: float


_NO_VARIANCE = 1e-12
"""A standard error below this is that of two scores with the same placements."""


def placements(
    scores: NDArray[np.float64], truth: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Structural components of the Mann-Whitney statistic (equations 5 and 6 of the paper).

    Args:
        scores: (k, n), higher is more suspicious.
        truth: (n,), 1 or 0.

    Returns:
        For each positive, the share of negatives that score lower (ties count half), shape (k, m); for each
        negative, the share of positives that score higher, (k, n - m). Empty without one of the classes.
    """
    positive = truth == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        return np.zeros((len(scores), 0)), np.zeros((len(scores), 0))
    everywhere = rankdata(scores, axis=1)
    within_positive = rankdata(scores[:, positive], axis=1)
    within_negative = rankdata(scores[:, ~positive], axis=1)
    return (
        (everywhere[:, positive] - within_positive) / n,
        1 - (everywhere[:, ~positive] - within_negative) / m,
    )


def delong(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> Areas:
    """AUROCs of `scores` (k, n) for the same cases with `truth` (n,), 1 or 0, and their covariance (k, k)."""
    k = len(scores)
    of_positive, of_negative = placements(scores, truth)
    m, n = of_positive.shape[1], of_negative.shape[1]
    if m == 0:
        return Areas(np.full(k, np.nan), np.full((k, k), np.nan))
    if m < 2 or n < 2:
        return Areas(of_positive.mean(axis=1), np.full((k, k), np.nan))
    covariance = np.atleast_2d(np.cov(of_positive)) / m + np.atleast_2d(np.cov(of_negative)) / n
    return Areas(of_positive.mean(axis=1), covariance)
