"""Evaluates a predictions folder against a data set: every figure, its interval, curves and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from crepitus.errors import UsageError
from crepitus.evaluate.bootstrap import (
    Resampled,
    bootstrap,
    point_estimates,
)
from crepitus.evaluate.cases import Cases
from crepitus.evaluate.classification import ImageFigures
from crepitus.evaluate.components import THRESHOLDS
from crepitus.evaluate.curves import curve_rounds, grid, image_curves, place_curves, with_band
from crepitus.evaluate.delong import delong
from crepitus.evaluate.evaluation import Evaluation
from crepitus.evaluate.gather import (
    Progress,
)
from crepitus.evaluate.geometry import Radius
from crepitus.evaluate.leakage import refuse_leakage
from crepitus.evaluate.parts import Parts
from crepitus.evaluate.rates import FROC_RATES, RATE_TOLERANCE
from crepitus.evaluate.remarks import remarks
from crepitus.evaluate.strata import strata as strata_of
from crepitus.predict.score_map import ScoreMap

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.predict import Predictions


def evaluate(
    predictions: Predictions,
    data: DataSet,
    *,
    split: str | None = None,
    bootstrap_rounds: int = 0,
    seed: int = 0,
    radius: Radius | None = None,
    strata: Sequence[str] = (),
    allow_leakage: bool = False,
    progress: Progress[int] | None = None,
) -> Evaluation:
    """Evaluate exactly the images of the predictions.

    Args:
        predictions: of any tool.
        data: the data set that was predicted.
        split: restricts the images to one split of the data set.
        bootstrap_rounds: rounds over patients for 95 % intervals, 0 for none.
        seed: of the bootstrap.
        radius: around points, 50 px if not given.
        strata: what the images are divided by, see `evaluate.strata`.
        allow_leakage: evaluate although patients or pictures lie in two parts; the result says so.
        progress: shows progress over the heatmaps.

    Returns:
        Figures under the keys of evaluation.json, with counts under `count.*`.

    Raises:
        PredictionsError: the predictions do not fit the data set, or a heatmap is missing or damaged.
        LeakageError: patients, studies or pictures lie in two splits or folds.
        UsageError: an option is impossible for this data set.
    """
    if bootstrap_rounds < 0:
        raise UsageError(f"--bootstrap: expected a number of rounds of at least 0, got {bootstrap_rounds}")
    radius = radius or Radius()
    leaked = refuse_leakage(data, allow_leakage)
    cases = Cases.of(predictions, data, split)
    parts = Parts.of(cases, radius, progress)
    curves = {
        **image_curves(parts.image, parts.calibration, cases.n_patients),
        **place_curves(parts.heatmaps, parts.boxes, cases.n_patients),
    }
    resampled = Resampled({}, {}, [])
    if bootstrap_rounds and cases.n_patients:
        rounds_of = curve_rounds(parts.image, parts.calibration, parts.heatmaps, parts.boxes)
        grids = {
            name: (rounds_of[name], grid(curve.x)) for name, curve in curves.items() if name in rounds_of
        }
        rng = np.random.default_rng(seed)
        resampled = bootstrap(parts.statistics, grids, cases.n_patients, bootstrap_rounds, rng)
        curves = {name: with_band(curve, resampled.bands.get(name)) for name, curve in curves.items()}
    counted = {"count.leaks": len(leaked)} if allow_leakage else {}
    images, operating = _images(cases, parts)
    found = strata_of(cases, parts, strata, bootstrap_rounds, np.random.default_rng(seed))
    return Evaluation(
        figures={**point_estimates(parts.statistics, cases.n_patients), **_counts(cases, parts), **counted},
        intervals=resampled.intervals,
        strata=found,
        curves=curves,
        images=images,
        warnings=[
            *(
                f"Leakage, allowed by --allow-leakage: {leak}. All figures may be too good."
                for leak in leaked
            ),
            *remarks(cases, radius, bootstrap_rounds, resampled.partly_undefined),
        ],
        settings={
            "split": split,
            "radius": radius.value,
            "radius_unit": radius.unit,
            "bootstrap": bootstrap_rounds,
            "seed": seed,
            "auroc_delong_ci95": _delong_interval(parts.image),
            "strata": list(strata),
            "allow_leakage": allow_leakage,
            "leakage": leaked,
            "image_threshold": parts.image.threshold,
            "image_threshold_stored": "image" in predictions.thresholds,
            **operating,
            "calibration": ScoreMap.from_json(predictions.info.get("calibration"), "predictions.json").method,
        },
    )


def _delong_interval(image: ImageFigures) -> list[float] | None:
    """95 % interval of `image.auroc` by DeLong, which takes images as independent; None where undefined."""
    ranking = image.ranking
    low, high = delong(ranking.scores[None], ranking.positive.astype(np.int64)).interval()
    return None if np.isnan(low) else [low, high]


def _counts(cases: Cases, parts: Parts) -> Mapping[str, float | None]:
    points, boxes = cases.with_known_points(), cases.with_known_boxes()
    positives = cases.truth.count(1)

    def unplaced(annotated: object, placed: NDArray[np.intp]) -> int | None:
        if annotated is None:
            return None
        return positives - [cases.truth[k] for k in placed.tolist()].count(1)

    has_points, has_boxes = cases.data.points is not None, cases.data.boxes is not None
    return {
        "count.images": len(cases.image_ids),
        "count.patients": cases.n_patients,
        "count.positives": positives,
        "count.negatives": cases.truth.count(0),
        "count.truth_unknown": cases.truth.count(None),
        "count.points": sum(len(cases.points(k)) for k in points.tolist()) if has_points else None,
        "count.points_unknown": unplaced(cases.data.points, points),
        "count.boxes": sum(len(cases.boxes(k)) for k in boxes.tolist()) if has_boxes else None,
        "count.boxes_unknown": unplaced(cases.data.boxes, boxes),
        "count.heatmaps": len(parts.heatmaps.positions),
        "count.studies": len(parts.study.ranking.scores),
    }


def _operating_row(rate: NDArray[np.float64], recall: NDArray[np.float64]) -> int:
    """The first of the falling thresholds that reaches the recall at 0.1 false positives per image.

    If nothing is found at that rate, the next rate of the score decides, and so on; otherwise 0.
    """
    for limit in FROC_RATES:
        allowed = rate <= limit + RATE_TOLERANCE
        best = recall[allowed].max(initial=0.0)
        if best > 0:
            return int(np.argmax(allowed & (recall == best)))
    return 0


def _images(cases: Cases, parts: Parts) -> tuple[pl.DataFrame, dict[str, Any]]:
    """One row per image, with its findings at the localization threshold, and that threshold."""
    n = len(cases.image_ids)
    found: list[int | None] = [None] * n
    false: list[int | None] = [None] * n
    froc, once = parts.heatmaps.froc, np.ones((1, cases.n_patients))
    operating: dict[str, Any] = {"localization_threshold": None, "localization_threshold_stored": False}
    if len(parts.heatmaps.positions):
        stored = cases.predictions.thresholds.get("localization")
        if stored is not None:
            row = int(np.argmin(np.abs(THRESHOLDS - stored)))
        else:
            rate, recall = froc.rates(once)
            row = len(THRESHOLDS) - 1 - _operating_row(rate[0, ::-1], np.nan_to_num(recall[0, ::-1]))
        operating = {
            "localization_threshold": float(THRESHOLDS[row]),
            "localization_threshold_stored": stored is not None,
        }
        for at, k in enumerate(parts.heatmaps.positions.tolist()):
            found[k], false[k] = int(froc.found[at, row]), int(froc.false_positives[at, row])
    has_points = cases.data.points is not None
    images = pl.DataFrame(
        {
            "image_id": cases.image_ids,
            "truth": cases.truth,
            "score": cases.table["score"],
            "points": [len(cases.points(k)) if has_points else None for k in range(n)],
            "found": found,
            "false_positives": false,
        },
        schema={
            "image_id": pl.String,
            "truth": pl.Int64,
            "score": pl.Float64,
            "points": pl.Int64,
            "found": pl.Int64,
            "false_positives": pl.Int64,
        },
    )
    return images, operating
