"""Fitting the map from scores to probabilities: temperature scaling and isotonic regression."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression

from crepitus.errors import UsageError
from crepitus.predict.score_map import SMALLEST, ScoreMap

LOG_TEMPERATURE = (-3.0, 5.0)
"""Bounds of the natural logarithm of the temperature: 0.05 to 148."""


def fit(
    scores: NDArray[np.float64], truth: NDArray[np.int64], method: Literal["none", "temperature", "isotonic"]
) -> ScoreMap:
    """Fit a map to scores (n,) within 0..1 and truth (n,), 1 or 0.

    Raises:
        UsageError: one of the classes has no image: nothing can be fitted then.
    """
    if method == "none":
        return ScoreMap()
    if len(np.unique(truth)) < 2:
        raise UsageError(
            f"--scores {method}: expected images with and without a fracture, got {int(truth.sum())} and "
            f"{int((1 - truth).sum())}"
        )
    return _temperature(scores, truth) if method == "temperature" else _isotonic(scores, truth)


def _temperature(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> ScoreMap:
    """The temperature with the smallest cross-entropy (Guo et al., ICML 2017, section 4.2)."""
    kept = np.clip(scores, SMALLEST, 1 - SMALLEST)
    odds = np.log(kept) - np.log1p(-kept)
    sign = np.where(truth == 1, -1.0, 1.0)

    def cross_entropy(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, sign * odds / np.exp(log_temperature)).mean())

    found = minimize_scalar(cross_entropy, bounds=LOG_TEMPERATURE, method="bounded", options={"xatol": 1e-8})
    return ScoreMap("temperature", temperature=float(np.exp(found.x)))


def _isotonic(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> ScoreMap:
    """The rising map with the smallest Brier score (Zadrozny and Elkan, KDD 2002)."""
    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, truth)
    return ScoreMap(
        "isotonic",
        x=tuple(float(v) for v in model.X_thresholds_),
        y=tuple(float(np.clip(v, 0, 1)) for v in model.y_thresholds_),
    )
