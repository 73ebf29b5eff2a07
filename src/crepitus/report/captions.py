"""Chooses the plots of a report and gives each its heading, its caption, and words for who cannot see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from crepitus.evaluate.evaluation import Curve, Evaluation
from crepitus.report import plots, tables
from crepitus.report.summary import Confusion, Counts
from crepitus.report.svg import with_unique_ids

SAME_THRESHOLD: Final = 1e-6
"""A curve holds the operating threshold when one of its thresholds is this close."""


@dataclass(frozen=True)
class Plot:
    """A plot with its heading, caption and alternative text; `svg` is markup."""

    title: str
    svg: str
    alt: str
    caption: str


@dataclass(frozen=True)
class _Kind:
    """A plot of one curve: its key in `Evaluation.curves`, and the figure that the curve stands for."""

    key: str
    title: str
    figure: str
    caption: str


_KINDS: Final = (
    _Kind(
        "roc",
        "ROC",
        "image.auroc",
        "Sensitivity against the share of normal images flagged, over all thresholds of the image score.",
    ),
    _Kind(
        "pr",
        "Precision and recall",
        "image.ap",
        "Of the flagged images, the share with a fracture, against the share of fractured images flagged.",
    ),
    _Kind(
        "froc",
        "FROC",
        "localization.froc_score",
        "Share of annotated points reached within an allowance of false marks per image; the five dots make "
        "the FROC score.",
    ),
    _Kind(
        "area_froc",
        "Area FROC",
        "localization.area_recall_at_0.01",
        "Share of annotated points inside the marked area within an allowance of normal area marked falsely.",
    ),
    _Kind(
        "boxes_froc", "FROC of the boxes", "boxes.froc_score", "As FROC, with the detected boxes as marks."
    ),
    _Kind(
        "reliability",
        "Reliability",
        "calibration.ece",
        "The images in up to 15 equally filled bins of rising score: the share that has a fracture, against "
        "the mean score. Dots on the dashed line: the score can be read as a probability.",
    ),
)


def captioned_plots(
    evaluation: Evaluation,
    counts: Counts,
    confusion: Confusion,
    threshold: float,
    localization_threshold: float | None,
) -> list[Plot]:
    """Every plot whose curve is defined, then the scores.

    Args:
        evaluation: curves, figures and scores.
        counts: what was evaluated.
        confusion: images at `threshold`.
        threshold: operating threshold of the image score.
        localization_threshold: operating threshold of the heatmaps, None if there is none.
    """
    label = f"threshold {threshold:.3g}"
    known = counts.positive + counts.negative
    draw: dict[str, Callable[[Curve], str]] = {
        "roc": lambda c: plots.roc(c, plots.Mark(1 - confusion.specificity, confusion.sensitivity, label)),
        "pr": lambda c: plots.precision_recall(
            c,
            counts.positive / known if known else None,
            plots.Mark(confusion.sensitivity, confusion.precision, label),
        ),
        "froc": lambda c: plots.froc(c, _mark_at(c, localization_threshold)),
        "area_froc": lambda c: plots.area_froc(c, _mark_at(c, localization_threshold)),
        "boxes_froc": plots.froc,
        "reliability": plots.reliability,
    }
    made = []
    for kind in _KINDS:
        if kind.key in evaluation.curves:
            curve = evaluation.curves[kind.key]
            svg = with_unique_ids(draw[kind.key](curve), f"plot-{kind.key.replace('_', '-')}")
            made.append(Plot(kind.title, svg, _alt(kind, evaluation), _caption(kind, curve)))
    return made + _scores(evaluation, counts, confusion, threshold)


def _alt(kind: _Kind, evaluation: Evaluation) -> str:
    figure = evaluation.figures.get(kind.figure)
    value = tables.format_figure(figure, evaluation.intervals.get(kind.figure))
    return f"{kind.title}. {tables.describe(kind.figure).name}: {value}."


def _caption(kind: _Kind, curve: Curve) -> str:
    if curve.low is None:
        return kind.caption
    what = "bars are" if kind.key == "reliability" else "band is"
    return f"{kind.caption} The {what} the pointwise 95 % interval."


def _mark_at(curve: Curve, threshold: float | None) -> plots.Mark | None:
    """The point of a curve at a threshold, None where the curve does not hold that threshold."""
    if threshold is None or not len(curve.thresholds):
        return None
    index = int(np.argmin(np.abs(curve.thresholds - threshold)))
    if not abs(curve.thresholds[index] - threshold) <= SAME_THRESHOLD:
        return None
    return plots.Mark(float(curve.x[index]), float(curve.y[index]), f"threshold {threshold:.3g}")


def _scores(evaluation: Evaluation, counts: Counts, confusion: Confusion, threshold: float) -> list[Plot]:
    known = evaluation.images.select("truth", "score").drop_nulls()
    scores, truth = known["score"].to_numpy().astype(np.float64), known["truth"].to_numpy()
    finite = np.isfinite(scores)
    if not finite.any():
        return []
    svg = plots.histogram(scores[finite], truth[finite], threshold)
    alt = (
        f"Histogram of the image scores by truth. At or above {threshold:.3g}: {confusion.tp} of "
        f"{counts.positive} fractured and {confusion.fp} of {counts.negative} normal images."
    )
    caption = "Distribution of the image score in images with and without a fracture."
    return [Plot("Scores", with_unique_ids(svg, "plot-scores"), alt, caption)]
