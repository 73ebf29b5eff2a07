"""McNemar's test: whether two methods are right equally often on the same cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, chi2


@dataclass(frozen=True)
class McNemar:
    """Cases on which exactly one of two methods is right, and the tests on them.

    Attributes:
        first_only, second_only: how many cases only the first, or only the second, has right.
        exact_p: two-sided p of the binomial test; 1 without such cases.
        chi2: (|b - c| - 1)^2 / (b + c), with continuity correction (Edwards 1948); NaN without such cases.
        chi2_p: its p with one degree of freedom.
        uncorrected_chi2: (b - c)^2 / (b + c) (McNemar 1947).
        uncorrected_p: its p.
    """

    first_only: int
    second_only: int
    exact_p: float
    chi2: float
    chi2_p: float
    uncorrected_chi2: float
    uncorrected_p: float


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> McNemar:
    """Compare two methods by whether they are right on each case, two arrays of shape (n,)."""
    b = int(np.sum(first_right & ~second_right))
    c = int(np.sum(second_right & ~first_right))
    n = b + c
    exact = min(1.0, 2 * float(binom.cdf(min(b, c), n, 0.5)))
    # The correction never makes a difference of nothing into one.
    corrected = max(abs(b - c) - 1, 0) ** 2 / n if n else float("nan")
    plain = (b - c) ** 2 / n if n else float("nan")
    return McNemar(b, c, exact, corrected, float(chi2.sf(corrected, 1)), plain, float(chi2.sf(plain, 1)))
