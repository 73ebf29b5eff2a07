"""From a score to a probability: the calibration that is stored with a model and its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from crepitus.errors import PredictionsError

SMALLEST = 1e-7
"""Scores are kept this far from 0 and 1 before their log odds are taken: a step of float32."""


@dataclass(frozen=True)
class ScoreMap:
    """A rising map of scores within 0..1 to probabilities within 0..1.

    Attributes:
        method: "none" changes nothing; "temperature" divides the log odds by `temperature`; "isotonic"
            interpolates between the `x` and `y`, and is constant beyond them.
        temperature: above 0; above 1 takes back confidence.
        x, y: shape (n,), rising scores and probabilities.
    """

    method: Literal["none", "temperature", "isotonic"] = "none"
    temperature: float = 1.0
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def apply(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of `scores`, any shape, within 0..1."""
        if self.method == "temperature":
            kept = np.clip(scores, SMALLEST, 1 - SMALLEST)
            odds = (np.log(kept) - np.log1p(-kept)) / self.temperature
            result: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
            return result
        if self.method == "isotonic":
            return np.interp(scores, self.x, self.y)
        return scores

    def to_json(self) -> dict[str, Any]:
        """The object that predictions.json and model.json hold under `calibration`."""
        if self.method == "temperature":
            return {"method": self.method, "temperature": self.temperature}
        if self.method == "isotonic":
            return {"method": self.method, "x": list(self.x), "y": list(self.y)}
        return {"method": self.method}

    @classmethod
    def from_json(cls, stored: Any, file: str) -> ScoreMap:
        """Read the object `calibration` of `file`; None is no calibration.

        Raises:
            PredictionsError: it is none of the three kinds, or its numbers make no rising map.
        """
        if stored is None:
            return cls()
        method = stored.get("method") if isinstance(stored, Mapping) else None
        if method == "none":
            return cls()
        if method == "temperature" and _is_number(t := stored.get("temperature")) and t > 0:
            return cls("temperature", temperature=float(t))
        if method == "isotonic":
            x, y = stored.get("x"), stored.get("y")
            if _rises(x) and _rises(y) and len(x) == len(y):
                return cls("isotonic", x=tuple(map(float, x)), y=tuple(map(float, y)))
        raise PredictionsError(
            f"{file}: expected as 'calibration' a temperature above 0, or isotonic with rising x and y "
            f"within 0..1, got {str(stored)[:80]}; store it with 'crepitus calibrate'"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _rises(values: Any) -> bool:
    if not isinstance(values, list) or not values or not all(_is_number(v) and 0 <= v <= 1 for v in values):
        return False
    return all(a <= b for a, b in pairwise(values))
