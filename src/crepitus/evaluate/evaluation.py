"""The result of an evaluation: figures, intervals, curves and what happened on each image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from crepitus.evaluate.strata import Stratum


@dataclass(frozen=True)
class Curve:
    """A curve to draw, from its definition and not resampled.

    Attributes:
        x, y: float64, shape (n,), in the order of the thresholds.
        thresholds: float64, shape (n,).
        x_label, y_label: names of the axes.
        low, high: pointwise 95 % band of y over x, shape (n,), or None without bootstrap.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    x_label: str
    y_label: str
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Evaluation:
    """Everything that a report shows.

    Attributes:
        figures: every key of evaluation.json; None where undefined.
        intervals: 95 % interval of a key, where it was bootstrapped and is defined.
        curves: "roc", "pr", "reliability", "froc", "area_froc", "boxes_froc", each where it is defined.
        images: image_id, truth (1, 0, null), score, points (count), found (points found), false_positives
            (boxes); the last two at the localization threshold `settings["localization_threshold"]`,
            null where not evaluated.
        warnings: sentences for the reader.
        strata: figures within strata, where they were asked for.
        settings: what was evaluated and how (threshold, radius, split, bootstrap rounds, seed, counts).
    """

    figures: dict[str, float | None]
    intervals: dict[str, tuple[float, float]]
    curves: dict[str, Curve]
    images: pl.DataFrame
    warnings: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    strata: list[Stratum] = field(default_factory=list)
