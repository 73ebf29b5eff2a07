"""Writes the report of an evaluation: one HTML file that needs nothing but itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from crepitus import __version__
from crepitus.data.folder import DataSet
from crepitus.data.writer import write_text
from crepitus.evaluate.evaluation import Evaluation
from crepitus.report import summary
from crepitus.report.captions import captioned_plots
from crepitus.report.gallery import GROUPS, Case, CasePictures, PredictionsFolder, choose, pictures
from crepitus.report.strata import strata_context

Predictions = PredictionsFolder

_CASE_IN_WORDS = {
    "hit": "with a fracture, flagged",
    "miss": "with a fracture, missed",
    "false-alarm": "without a fracture, flagged",
    "normal": "without a fracture, not flagged",
}


def write_report(
    evaluation: Evaluation,
    predictions: Predictions,
    data: DataSet,
    path: Path,
    *,
    now: datetime | None = None,
) -> None:
    """Write the report; an existing file is replaced, whole or not at all.

    Args:
        evaluation: figures, curves and what happened on each image.
        predictions: heatmaps and detections of the gallery, and what made them.
        data: radiographs and annotations of the gallery.
        path: file to write.
        now: time to print; the current one by default.
    """
    environment = Environment(
        loader=PackageLoader("crepitus.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    context = {
        "version": __version__,
        "now": datetime.now(UTC) if now is None else now,
        **_origin(evaluation, predictions, data),
        **_results(evaluation, predictions, data),
        **strata_context(evaluation),
        **_gallery(evaluation, predictions, data),
    }
    write_text(path, environment.get_template("report.html.j2").render(context))


def _origin(evaluation: Evaluation, predictions: Predictions, data: DataSet) -> dict[str, Any]:
    """What was evaluated, and how."""
    command = evaluation.settings.get("command")
    if isinstance(command, list | tuple):
        command = " ".join(str(word) for word in command)
    return {
        "name": str(data.info.get("name") or data.root.name),
        "split": evaluation.settings.get("split"),
        "model": _one_line(predictions.info.get("model")),
        "sha256": _one_line(predictions.info.get("sha256")),
        "command": command,
        "warnings": evaluation.warnings,
        "appendix": [
            ("Evaluation", summary.flatten(evaluation.settings)),
            ("Predictions (predictions.json)", summary.flatten(predictions.info)),
            ("Data set (dataset.json)", summary.flatten(data.info)),
        ],
    }


def _results(evaluation: Evaluation, predictions: Predictions, data: DataSet) -> dict[str, Any]:
    """Figures, confusion table and plots."""
    threshold = summary.threshold_of(evaluation)
    localization_threshold = summary.localization_threshold_of(evaluation)
    counts = summary.count(evaluation, data)
    sections = summary.figure_sections(evaluation, counts, data, predictions)
    confusion = summary.confusion(evaluation.images, threshold)
    plots = captioned_plots(evaluation, counts, confusion, threshold, localization_threshold)
    return {
        "threshold": threshold,
        "localization_threshold": localization_threshold,
        "counts": counts,
        "confusion": confusion,
        "headlines": summary.headlines(sections),
        "sentences": summary.sentences(evaluation),
        "sections": sections,
        "has_intervals": bool(evaluation.intervals),
        # The SVG was made from numbers; no text of the data is in it.
        "plots": [(plot, Markup(plot.svg)) for plot in plots],  # noqa: S704
        "exact": summary.exact_figures(evaluation),
    }


def _gallery(evaluation: Evaluation, predictions: Predictions, data: DataSet) -> dict[str, Any]:
    """Cases with their pictures, and how many each group was chosen from."""
    threshold = summary.threshold_of(evaluation)
    localization_threshold = summary.localization_threshold_of(evaluation)
    confusion = summary.confusion(evaluation.images, threshold)
    sizes = {"hit": confusion.tp, "miss": confusion.fn, "false-alarm": confusion.fp, "normal": confusion.tn}
    shown: dict[str, list[tuple[Case, CasePictures, str]]] = {group.key: [] for group in GROUPS}
    for case in choose(evaluation.images, threshold):
        made = pictures(
            case,
            data,
            predictions,
            threshold=threshold,
            localization_threshold=localization_threshold,
        )
        part = data.row(case.image_id)["body_part"]
        shown[case.group].append((replace(case, body_part=part), made, _alt(case)))
    return {
        "groups": [(group, sizes[group.key], shown[group.key]) for group in GROUPS],
        "any_case": any(shown.values()),
        "has_heatmaps": predictions.has_heatmaps,
        "has_detections": predictions.detections is not None,
    }


def _one_line(value: Any) -> str | None:
    """A value of predictions.json, which other tools write too, as one line; None if it is empty."""
    if value is None or value == "":
        return None
    if isinstance(value, dict):
        return ", ".join(f"{key}: {text}" for key, text in summary.flatten(value))
    return str(value)


def _alt(case: Case) -> str:
    """What the marked picture shows, for a reader who cannot see it."""
    text = f"Radiograph {case.image_id} {_CASE_IN_WORDS[case.group]}, score {case.score:.2f}"
    if case.points and case.found is not None:
        text += f", {case.found} of {case.points} annotated points found"
    if case.false_positives is not None:
        text += f", {case.false_positives} false marks"
    return text
