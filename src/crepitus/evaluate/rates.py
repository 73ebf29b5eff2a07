"""Reading a recall off a curve at a false-positive rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FROC_RATES = (0.1, 0.2, 0.3, 0.4, 0.5)
"""False positives per image over which the FROC score averages (paper 001)."""

AREA_RATES = (0.01, 0.10)
"""Shares of false positive area at which the modified FROC is read (paper 000)."""

RATE_TOLERANCE = 1e-12
"""A rate exceeds a limit only by more than this: a mean of ratios carries rounding errors."""


def recall_at(
    rate: NDArray[np.float64], recall: NDArray[np.float64], limits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The highest recall over the thresholds whose rate does not exceed each limit, 0 if there is none.

    Args:
        rate: (rounds, thresholds), NaN where undefined.
        recall: (rounds, thresholds), likewise.
        limits: (n,).

    Returns:
        Shape (rounds, n); NaN for a round whose rate or recall is undefined.
    """
    result = np.zeros((len(rate), len(limits)))
    for column, limit in enumerate(limits):
        allowed = np.where(rate <= limit + RATE_TOLERANCE, recall, 0.0)
        result[:, column] = allowed.max(axis=1, initial=0.0)
    undefined = np.isnan(rate).any(axis=1) | np.isnan(recall).any(axis=1)
    result[undefined] = np.nan
    return result


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numerator by denominator, NaN where the denominator is 0; the shapes broadcast."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def froc_figures(
    prefix: str, rate: NDArray[np.float64], recall: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """`<prefix>froc_score` and `<prefix>recall_at_fp_<rate>`, each of shape (rounds,)."""
    recalls = recall_at(rate, recall, np.array(FROC_RATES))
    figures = {f"{prefix}froc_score": recalls.mean(axis=1)}
    for column, limit in enumerate(FROC_RATES):
        figures[f"{prefix}recall_at_fp_{limit}"] = recalls[:, column]
    return figures
