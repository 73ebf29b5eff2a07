"""Obuchowski-Rockette tests: treatments against each other, and one treatment against a fixed figure.

Three generalizations: to other readers and cases ("random"), to other cases with these readers
("fixed_readers"), to other readers with these cases ("fixed_cases"). Degrees of freedom by S. L. Hillis,
Statistics in Medicine 26 (2007), 596-619 (his ddf_H).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import chi2, f, norm, t

from crepitus.evaluate.readers.components import Components

GENERALIZATIONS = ("random", "fixed_readers", "fixed_cases")


@dataclass(frozen=True)
class Estimate:
    """A figure or a difference with its uncertainty; NaN where undefined.

    Attributes:
        value: the estimate.
        standard_error: its standard error.
        df: degrees of freedom of t, infinite for z.
        ci95: 95 % interval.
        statistic: t or z of the difference from what it is tested against.
        p_value: two-sided.
    """

    value: float
    standard_error: float
    df: float
    ci95: tuple[float, float]
    statistic: float
    p_value: float


@dataclass(frozen=True)
class Global:
    """The test that all treatments have the same figure: F, or chi-square where `ddf` is infinite."""

    statistic: float
    ndf: float
    ddf: float
    p_value: float


def treatments_equal(c: Components, generalization: str) -> Global:
    """Test of no difference between the treatments; NaN with one treatment, or with too few readers."""
    ndf = float(len(c.figures) - 1)
    if generalization == "fixed_readers":
        statistic = _over(ndf * c.ms_treatment, _error_fixed_readers(c))
        return Global(statistic, ndf, float("inf"), float(chi2.sf(statistic, ndf)))
    error, ddf = _error(c, generalization)
    statistic = _over(c.ms_treatment, error)
    return Global(statistic, ndf, ddf, float(f.sf(statistic, ndf, ddf)))


def differences(c: Components, generalization: str) -> dict[tuple[int, int], Estimate]:
    """First minus second treatment for each pair, tested against 0."""
    r = c.figures.shape[1]
    means = c.figures.mean(axis=1)
    if generalization == "fixed_readers":
        error, df = _error_fixed_readers(c), float("inf")
    else:
        error, df = _error(c, generalization)
    return {
        (i, j): _estimate(float(means[i] - means[j]), 2 * error / r, df)
        for i, j in combinations(range(len(means)), 2)
    }


def single(c: Components, treatment: int, generalization: str, against: float = float("nan")) -> Estimate:
    """The mean figure of the readers with one treatment, tested against a fixed figure.

    Uses the figures and covariances of that treatment alone.
    """
    r = c.figures.shape[1]
    variance, cov2 = c.by_treatment[treatment]
    between, shared = c.ms_reader_of(treatment), max(float(np.nan_to_num(cov2)), 0.0)
    if generalization == "fixed_readers":
        error, df = variance + (r - 1) * shared, float("inf")
    elif generalization == "fixed_cases":
        error, df = between, float(r - 1)
    else:
        error = between + r * shared
        df = _over(error**2 * (r - 1), between**2)
    return _estimate(float(c.figures[treatment].mean()), float(error) / r, df, against)


def reader_differences(c: Components) -> dict[tuple[int, int, int], Estimate]:
    """First minus second treatment for each pair and each reader alone, for other cases."""
    found = {}
    for reader, (variance, cov1) in enumerate(c.by_reader.tolist()):
        for i, j in combinations(range(len(c.figures)), 2):
            value = float(c.figures[i, reader] - c.figures[j, reader])
            found[reader, i, j] = _estimate(value, 2 * (variance - cov1), float("inf"))
    return found


def _error(c: Components, generalization: str) -> tuple[float, float]:
    """Denominator of F for random readers, and its degrees of freedom."""
    n, r = c.figures.shape
    interaction, df = c.ms_interaction, float((n - 1) * (r - 1))
    if generalization == "fixed_cases":
        return interaction, df
    error = interaction + r * max(c.cov2 - c.cov3, 0.0) if not np.isnan(c.cov3) else float("nan")
    return error, _over(error**2 * df, interaction**2)


def _error_fixed_readers(c: Components) -> float:
    r = c.figures.shape[1]
    # With one reader there is no other one to share cases with.
    shared = (r - 1) * max(c.cov2 - c.cov3, 0.0) if r > 1 else 0.0
    return c.variance - c.cov1 + shared


def _estimate(value: float, variance: float, df: float, against: float = 0.0) -> Estimate:
    nothing = (float("nan"), float("nan"))
    if np.isnan(variance) or variance < 0:
        return Estimate(value, float("nan"), df, nothing, float("nan"), float("nan"))
    error = float(np.sqrt(variance))
    statistic = _over(value - against, error)
    if np.isinf(df):
        quantile, p = float(norm.ppf(0.975)), float(2 * norm.sf(abs(statistic)))
    else:
        quantile, p = float(t.ppf(0.975, df)), float(2 * t.sf(abs(statistic), df))
    reach = quantile * error if error else 0.0
    return Estimate(value, error, df, (value - reach, value + reach), statistic, p)


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else float("nan")
