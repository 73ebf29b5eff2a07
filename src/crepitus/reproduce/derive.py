"""Other answers from the same predictions, for tables that judge one model by several rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.predict import Predictions

DEFAULT_THRESHOLD = 0.5
"""Image threshold of predictions that store none, as in `crepitus evaluate`."""

JUST_ABOVE_HALF = float(np.nextafter(0.5, 1.0))


def study_majority(predictions: Predictions, data: DataSet) -> Predictions:
    """A study is called positive if more than half of its images are.

    The score of a study is the share of its predicted images whose score reaches the image threshold.
    """
    threshold = predictions.thresholds.get("image", DEFAULT_THRESHOLD)
    studies = (
        predictions.images.select("image_id", positive=(pl.col("score") >= threshold).cast(pl.Float64))
        .join(data.images.select("image_id", "study_id"), on="image_id", how="left", maintain_order="left")
        .drop_nulls("study_id")
        .group_by("study_id", maintain_order=True)
        .agg(score=pl.col("positive").mean())
    )
    thresholds = {**predictions.thresholds, "study": JUST_ABOVE_HALF}
    return replace(predictions, studies=studies, info={**predictions.info, "thresholds": thresholds})


DERIVATIONS: Mapping[str, Callable[[Predictions, DataSet], Predictions]] = {
    "study-majority": study_majority,
}
"""By the name that `Metric.derive` and `Row.derive` use."""


def derived(name: str, predictions: Predictions, data: DataSet) -> Predictions:
    """The predictions after the derivation of that name; as they are for an empty name."""
    return DERIVATIONS[name](predictions, data) if name else predictions
