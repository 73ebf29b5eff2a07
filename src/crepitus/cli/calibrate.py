"""`crepitus calibrate`: operating points and calibration from predictions whose truth is known."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crepitus.cli.common import JsonOption, SplitOption, print_json, progress, say
from crepitus.cli.radius import RadiusMm, RadiusPx, RadiusRel, radius_of
from crepitus.errors import PredictionsError

if TYPE_CHECKING:
    from crepitus.evaluate.calibrate import OperatingPoints

NAMES = {
    "image": "image score",
    "localization": "heatmap",
    "doubt_low": "below: no fracture",
    "doubt_high": "from here: fracture",
}


class Scores(StrEnum):
    """How scores become probabilities."""

    none = "none"
    temperature = "temperature"
    isotonic = "isotonic"


def calibrate(
    predictions: Annotated[
        Path, typer.Argument(help="Predictions of validation images, or of a new site.", show_default=False)
    ],
    data: Annotated[Path, typer.Option("--data", help="Data set that was predicted, with its truth.")],
    split: SplitOption = None,
    sensitivity: Annotated[
        float | None, typer.Option(help="The highest image threshold with at least this sensitivity.")
    ] = None,
    specificity: Annotated[
        float | None, typer.Option(help="The lowest image threshold with at least this specificity.")
    ] = None,
    fp_per_image: Annotated[
        float | None, typer.Option(help="The heatmap threshold with at most this many false marks per image.")
    ] = None,
    doubt: Annotated[
        tuple[float, float] | None,
        typer.Option(help="A doubt tier between a sensitive and a specific point.", metavar="SENS SPEC"),
    ] = None,
    scores: Annotated[
        Scores | None, typer.Option(help="How scores become probabilities. Default: as it was stored before.")
    ] = None,
    site: Annotated[str | None, typer.Option(help="Name of the site, for the record.")] = None,
    store: Annotated[
        list[Path] | None,
        typer.Option(help="Run or predictions folder to store the result in; may be given several times."),
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Rounds of the bootstrap over patients.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    radius_px: RadiusPx = None,
    radius_mm: RadiusMm = None,
    radius_rel: RadiusRel = None,
    as_json: JsonOption = False,
) -> None:
    """Choose thresholds and a calibration on validation images, or anew for another site.

    Without --sensitivity and --specificity, the image threshold has the highest sum of the two. Nothing is
    changed unless --store names where: a run, for all predictions to come, or a predictions folder.
    """
    from crepitus.data import DataSet
    from crepitus.evaluate.calibrate import Wishes
    from crepitus.evaluate.calibrate import calibrate as run
    from crepitus.predict import Predictions

    targets = [_target(folder) for folder in store or []]
    points = run(
        Predictions.read(predictions),
        DataSet.read(data),
        Wishes(sensitivity, specificity, fp_per_image, doubt, scores.value if scores else "none"),
        split=split,
        bootstrap_rounds=bootstrap,
        seed=seed,
        radius=radius_of(radius_px, radius_mm, radius_rel),
        progress=progress,
    )
    asked = {"sensitivity": sensitivity, "specificity": specificity, "fp_per_image": fp_per_image}
    record: dict[str, Any] = {
        "site": site,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "predictions": str(predictions),
        "data": str(data),
        "split": split,
        "wishes": {
            **asked,
            "doubt": list(doubt) if doubt else None,
            "scores": scores.value if scores else None,
        },
        "images": points.images,
        "positives": points.positives,
        "patients": points.patients,
        "thresholds": points.thresholds,
        "calibration": points.score_map.to_json() if scores else None,
    }
    for warning in points.warnings:
        say(f"Note: {warning}")
    if as_json:
        reached = {**points.reached, **{f"{k}.ci95": list(v) for k, v in points.intervals.items()}}
        print_json({**record, "reached": reached})
    else:
        sys.stdout.write(_text(points))
    for target in targets:
        _store(target, record)
        say(f"Stored in {target}")


def _target(folder: Path) -> Path:
    """The file of a run or predictions folder that holds its operating points.

    Raises:
        PredictionsError: the folder is neither.
    """
    if (folder / "model.json").is_file():
        return folder / "model.json"
    if (folder / "images.csv").is_file():
        return folder / "predictions.json"
    raise PredictionsError(
        f"--store {folder}: expected a finished run (model.json) or a predictions folder (images.csv), "
        "it is neither"
    )


def _store(path: Path, record: dict[str, Any]) -> None:
    """Put thresholds and calibration into the file, and the record after those of earlier times."""
    from crepitus.data.writer import write_text

    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (ValueError, RecursionError) as error:
        raise PredictionsError(f"{path}: expected JSON, got: {error}") from error
    earlier = content.get("operating_points", []) if isinstance(content, dict) else None
    if not isinstance(earlier, list) or not isinstance(content.get("thresholds", {}), dict):
        raise PredictionsError(f"{path}: expected an object with thresholds and operating_points as written")
    content["thresholds"] = {**content.get("thresholds", {}), **record["thresholds"]}
    if record["wishes"]["doubt"] is None:
        # An old tier beside a new threshold would contradict it.
        for end in ("doubt_low", "doubt_high"):
            content["thresholds"].pop(end, None)
    if record["calibration"] is not None:
        content["calibration"] = record["calibration"]
    content["operating_points"] = [*earlier, record]
    write_text(path, json.dumps(content, indent=2) + "\n")


def _text(points: OperatingPoints) -> str:
    lines = [f"{points.images} images of {points.patients} patients, {points.positives} with a fracture", ""]
    for name, threshold in points.thresholds.items():
        lines.append(f"threshold {name:<14}{threshold:<10.6g}{NAMES[name]}")
    if points.score_map.method == "temperature":
        lines.append(f"temperature             {points.score_map.temperature:.4g}")
    if points.score_map.method == "isotonic":
        lines.append(f"isotonic map            {len(points.score_map.x)} points")
    lines.append("")
    for key, value in points.reached.items():
        interval = points.intervals.get(key)
        shown = "-" if value is None else f"{value:.4f}"
        between = f"  {interval[0]:.4f} to {interval[1]:.4f}" if interval else ""
        lines.append(f"{key:<24}{shown:>8}{between}")
    return "\n".join(lines) + "\n"
