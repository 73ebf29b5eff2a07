"""`crepitus evaluate`: figures of a predictions folder on the screen, as JSON and as a report."""

from __future__ import annotations

import json
import math
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crepitus.cli.common import (
    AllowLeakageOption,
    JsonOption,
    SplitOption,
    StudyRuleOption,
    print_json,
    progress,
    say,
)
from crepitus.cli.radius import RadiusMm, RadiusPx, RadiusRel, radius_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from crepitus.evaluate.evaluation import Evaluation
    from crepitus.evaluate.strata import Stratum

_NO_WORST = "No stratum is called the worst: fewer than two of them have 10 images of each kind."


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Predictions folder, of this program or another.")],
    data: Annotated[Path, typer.Option("--data", help="Data set folder that was predicted.")],
    split: SplitOption = None,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Rounds of the bootstrap over patients for 95 % intervals; 0: none.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    strata: Annotated[
        str | None,
        typer.Option(
            help="Figures within parts of the images: columns of the data set, fracture_count or "
            "fracture_size, separated by commas; numbers may be cut, as in body_part,age:18:65."
        ),
    ] = None,
    study_rule: StudyRuleOption = None,
    radius_px: RadiusPx = None,
    radius_mm: RadiusMm = None,
    radius_rel: RadiusRel = None,
    allow_leakage: AllowLeakageOption = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for evaluation.json and report.html. Default: the predictions folder."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate predictions: a table, evaluation.json and report.html."""
    from crepitus.data import DataSet
    from crepitus.data.writer import write_table, write_text
    from crepitus.evaluate.run import evaluate as run
    from crepitus.evaluate.strata import in_words, worst
    from crepitus.predict import Predictions
    from crepitus.predict.studies import with_study_rule
    from crepitus.report.html import write_report

    radius = radius_of(radius_px, radius_mm, radius_rel)
    predicted, data_set = Predictions.read(predictions), DataSet.read(data)
    if study_rule is not None:
        predicted = with_study_rule(predicted, data_set, study_rule)
    evaluation = run(
        predicted,
        data_set,
        split=split,
        bootstrap_rounds=bootstrap,
        seed=seed,
        radius=radius,
        strata=[name for name in (strata or "").split(",") if name.strip()],
        allow_leakage=allow_leakage,
        progress=progress,
    )
    given = {**_provenance(predictions, data), "study_rule": study_rule}
    evaluation = replace(evaluation, settings=given | evaluation.settings)
    out = out or predictions
    out.mkdir(parents=True, exist_ok=True)
    result = evaluation_json(evaluation)
    write_text(out / "evaluation.json", json.dumps(result, indent=2, allow_nan=False) + "\n")
    write_text(out / "curves.json", json.dumps(curves_json(evaluation), allow_nan=False) + "\n")
    settings = {**evaluation.settings, "warnings": evaluation.warnings}
    write_text(out / "evaluation-settings.json", json.dumps(settings, indent=2) + "\n")
    (out / "strata.csv").unlink(missing_ok=True)  # of an earlier evaluation
    if evaluation.strata:
        write_table(out / "strata.csv", strata_table(evaluation.strata))
    write_report(evaluation, predicted, data_set, out / "report.html")
    for warning in evaluation.warnings:
        say(f"Note: {warning}")
    for stratum in [worst(evaluation.strata, "image.auroc")] if evaluation.strata else ():
        say(f"Worst stratum by AUROC: {in_words(stratum, 'image.auroc')}" if stratum else _NO_WORST)
    if as_json:
        print_json(result)
    else:
        sys.stdout.write(table(evaluation))
    say(f"Written: {out / 'evaluation.json'}, {out / 'report.html'}")


def evaluation_json(evaluation: Evaluation) -> dict[str, float | list[float] | None]:
    """The flat object of evaluation.json: each figure, followed by its interval where there is one."""
    result: dict[str, float | list[float] | None] = {}
    for key, figure in evaluation.figures.items():
        result[key] = figure
        if key in evaluation.intervals:
            result[f"{key}.ci95"] = list(evaluation.intervals[key])
    return result


def strata_table(strata: Sequence[Stratum]) -> pl.DataFrame:
    """The table of strata.csv: one row per stratum, each figure with the ends of its interval."""
    import polars as pl

    rows = []
    for s in strata:
        row: dict[str, Any] = {"column": s.column, "value": s.value}
        row |= {"positives": s.positives, "negatives": s.negatives}
        for key, figure in s.figures.items():
            low, high = s.intervals.get(key, (None, None))
            row |= {key: figure, f"{key}.low": low, f"{key}.high": high}
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def curves_json(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """The content of curves.json: every curve with its band; a threshold that nothing reaches is null."""

    def numbers(values: NDArray[np.float64]) -> list[float | None]:
        return [value if math.isfinite(value) else None for value in values.tolist()]

    result: dict[str, dict[str, Any]] = {}
    for name, curve in evaluation.curves.items():
        result[name] = {"x_label": curve.x_label, "y_label": curve.y_label}
        for part in ("x", "y", "thresholds", "low", "high"):
            values = getattr(curve, part)
            if values is not None:
                result[name][part] = numbers(values)
    return result


def _provenance(predictions: Path, data: Path) -> dict[str, Any]:
    from crepitus import __version__

    return {
        "crepitus": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["crepitus", *sys.argv[1:]]),
        "predictions": str(predictions),
        "data": str(data),
    }


def table(evaluation: Evaluation) -> str:
    """Figure, value and 95 % interval, one line each; `-` where undefined."""
    rows = [("figure", "value", "95 % interval" if evaluation.intervals else "")]
    for key, figure in evaluation.figures.items():
        shown = "-" if figure is None else str(figure) if key.startswith("count.") else f"{figure:.4f}"
        interval = evaluation.intervals.get(key)
        rows.append((key, shown, f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else ""))
    width = max(len(key) for key, _, _ in rows)
    return "".join(f"{key:<{width}}  {shown:>8}  {interval}".rstrip() + "\n" for key, shown, interval in rows)
