"""What a report says in words and numbers: counts, the confusion table, figures with their reasons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from crepitus.data.folder import DataSet
from crepitus.evaluate.evaluation import Evaluation
from crepitus.report.gallery import PredictionsFolder
from crepitus.report.tables import (
    OTHER_SECTION,
    SECTIONS,
    UNDEFINED,
    describe,
    format_interval,
    format_value,
    in_words,
    is_undefined,
)

DEFAULT_THRESHOLD: Final = 0.5
HEADLINES: Final = (
    "image.auroc",
    "localization.froc_score",
    "boxes.ap_50",
    "boxes.froc_score",
    "image.sensitivity",
    "image.specificity",
)


@dataclass(frozen=True)
class Counts:
    """How much was evaluated; `points` and `boxes` are None where not annotated."""

    images: int
    positive: int
    negative: int
    unknown: int
    patients: int
    points: int | None
    boxes: int | None
    without_place: int


@dataclass(frozen=True)
class Confusion:
    """Images at the operating threshold: true positives, false negatives, false positives, true negatives."""

    tp: int
    fn: int
    fp: int
    tn: int

    @property
    def precision(self) -> float:
        """Share of the flagged images that have a fracture; NaN without any."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else float("nan")

    @property
    def sensitivity(self) -> float:
        """Share of the fractured images that are flagged; NaN without any."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else float("nan")

    @property
    def specificity(self) -> float:
        """Share of the normal images that are not flagged; NaN without any."""
        return self.tn / (self.tn + self.fp) if self.tn + self.fp else float("nan")


@dataclass(frozen=True)
class Figure:
    """One line of the table of figures, as text."""

    key: str
    name: str
    explanation: str
    value: str
    interval: str
    reason: str


def threshold_of(evaluation: Evaluation) -> float:
    """Operating threshold of the image score: the setting, or the contract's 0.5."""
    value = evaluation.settings.get("image_threshold")
    return DEFAULT_THRESHOLD if value is None else float(value)


def localization_threshold_of(evaluation: Evaluation) -> float | None:
    """Threshold on the heatmaps at which points were counted as found; None if none is stored."""
    value = evaluation.settings.get("localization_threshold")
    return None if value is None else float(value)


def count(evaluation: Evaluation, data: DataSet) -> Counts:
    """Count what was evaluated."""
    table = evaluation.images
    ids = table["image_id"].to_list()
    rows = data.images.filter(pl.col("image_id").is_in(ids))
    # An empty patient_id means a patient of its own.
    patients = rows["patient_id"].drop_nulls().n_unique() + rows["patient_id"].null_count()
    points = boxes = None
    if data.points is not None:
        points = sum(len(data.points_by_image.get(i, ())) for i in ids)
    if data.boxes is not None:
        boxes = sum(len(data.fracture_boxes_by_image.get(i, ())) for i in ids)
    positive = table.filter(pl.col("truth") == 1)["image_id"]
    placed = data.points_by_image.keys() | data.fracture_boxes_by_image.keys()
    without_place = 0 if points is None and boxes is None else sum(i not in placed for i in positive)
    return Counts(
        images=table.height,
        positive=len(positive),
        negative=int((table["truth"] == 0).sum()),
        unknown=table["truth"].null_count(),
        patients=patients,
        points=points,
        boxes=boxes,
        without_place=without_place,
    )


def confusion(images: pl.DataFrame, threshold: float) -> Confusion:
    """Confusion table of `Evaluation.images`; rows without truth or score are passed over."""
    known = images.select("truth", "score").drop_nulls()
    truth, flagged = known["truth"].to_numpy() == 1, known["score"].to_numpy() >= threshold
    return Confusion(
        tp=int(np.sum(truth & flagged)),
        fn=int(np.sum(truth & ~flagged)),
        fp=int(np.sum(~truth & flagged)),
        tn=int(np.sum(~truth & ~flagged)),
    )


def figure_sections(
    evaluation: Evaluation, counts: Counts, data: DataSet, predictions: PredictionsFolder
) -> list[tuple[str, list[Figure]]]:
    """Every figure of the evaluation under its heading, undefined ones with the reason where it is known."""
    sections: dict[str, list[Figure]] = {title: [] for title in (*SECTIONS.values(), OTHER_SECTION)}
    for key, value in evaluation.figures.items():
        description = describe(key)
        undefined = is_undefined(value)
        figure = Figure(
            key=key,
            name=description.name,
            explanation=description.explanation,
            value=format_value(key, value),
            interval="" if undefined else format_interval(evaluation.intervals.get(key)),
            reason=undefined_reason(key, counts, data, predictions) if undefined else "",
        )
        sections[description.section].append(figure)
    return [(title, figures) for title, figures in sections.items() if figures]


def headlines(sections: list[tuple[str, list[Figure]]]) -> list[Figure]:
    """The few figures to show large: the defined ones of `HEADLINES`, at most four."""
    by_key = {figure.key: figure for _, figures in sections for figure in figures}
    shown = [by_key[key] for key in HEADLINES if key in by_key and by_key[key].value != UNDEFINED]
    return shown[:4]


def sentences(evaluation: Evaluation) -> list[str]:
    """Key figures in plain language."""
    spoken = (in_words(key, value) for key, value in evaluation.figures.items())
    return [sentence for sentence in spoken if sentence is not None]


def undefined_reason(key: str, counts: Counts, data: DataSet, predictions: PredictionsFolder) -> str:
    """Why a figure is undefined, as far as the counts tell; empty where they do not."""
    part = key.split(".", 1)[0]
    if part == "localization" and not predictions.has_heatmaps:
        return "the predictions have no heatmaps"
    if part == "localization" or key == "boxes.froc_score":
        if part == "boxes" and predictions.detections is None:
            return "the predictions have no detections"
        if data.points is None:
            return "no fracture points are annotated in the data set"
        return "" if counts.points else "none of the evaluated images has an annotated point"
    if part == "boxes":
        if predictions.detections is None:
            return "the predictions have no detections"
        if data.boxes is None:
            return "no boxes are annotated in the data set"
        return "" if counts.boxes else "none of the evaluated images has an annotated fracture box"
    if part == "study" and data.images["study_id"].null_count() == len(data):
        return "the data set names no studies (study_id is empty)"
    if part in ("image", "study", "calibration"):
        if counts.positive + counts.negative == 0:
            return "the truth is known for none of the images"
        if counts.positive == 0:
            return "none of the images has a fracture"
        if counts.negative == 0:
            return "all of the images have a fracture"
    return ""


def exact_figures(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    """Key, value, low and high of every figure with six decimals; an interval that is not there is empty."""
    rows = []
    for key, value in evaluation.figures.items():
        bounds = evaluation.intervals.get(key, (None, None))
        low, high = ("" if b is None or is_undefined(b) else f"{b:.6f}" for b in bounds)
        rows.append((key, format_value(key, value, decimals=6), low, high))
    return rows


def flatten(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as (dotted key, text) rows."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows.extend(flatten(value, f"{name}.") or [(name, "{}")])
        elif isinstance(value, str):
            rows.append((name, value))
        else:
            rows.append((name, json.dumps(value, default=str, ensure_ascii=False)))
    return rows
