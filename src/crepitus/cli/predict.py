"""`crepitus predict`: apply a trained model to a data set or to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crepitus.cli.common import (
    STUDY_RULE_HELP,
    JsonOption,
    end_with_rejected,
    needs_extra,
    print_json,
    progress,
    say,
)
from crepitus.cli.inputs import open_inputs
from crepitus.errors import SetAside, UsageError

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.methods.parts.study_rules import StudyRule
    from crepitus.predict.model import InputImage, Model
    from crepitus.structures import Prediction


def predict(
    model: Annotated[Path, typer.Argument(help="Run folder of a finished training.")],
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT…", help="A data set, or DICOM, PNG, JPEG files and folders."),
    ],
    out: Annotated[Path, typer.Option(help="Predictions folder to make.")],
    split: Annotated[
        str | None, typer.Option(help="Only these images of the data set: train, val or test of the run.")
    ] = None,
    overlays: Annotated[
        bool | None,
        typer.Option(
            "--overlays/--no-overlays", help="Pictures with heatmap; default: for files, not for data sets."
        ),
    ] = None,
    study_rule: Annotated[
        str | None, typer.Option(help=f"{STUDY_RULE_HELP} Writes studies.csv; INPUT is a data set.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 8,
    as_json: JsonOption = False,
) -> None:
    """Predict INPUT with MODEL: scores, heatmaps, boxes, overlay pictures."""
    with needs_extra("train", "crepitus predict"):
        from crepitus.predict.model import Model
        from crepitus.predict.run import predict_stream
        from crepitus.predict.studies import add_studies
        from crepitus.predict.writer import PredictionsWriter

    loaded = Model.load(model)
    stream, total, data = open_inputs(model, inputs, split, whole_studies=loaded.answers_studies)
    rule = _rule(study_rule, loaded, data) if study_rule is not None else None
    draw = overlays if overlays is not None else data is None
    with PredictionsWriter(out, loaded.predictions_info(), boxes=loaded.finds_boxes) as writer:
        outcomes = predict_stream(loaded, stream, batch_size=batch_size)
        for image, answer in progress(outcomes, total, "predicted"):
            if isinstance(answer, SetAside):
                writer.set_aside(str(image), answer)
                continue
            writer.add(answer, file=image.file)  # type: ignore[union-attr]
            if draw:
                _draw(out, image, answer, data, loaded.record["thresholds"]["image"])  # type: ignore[arg-type]
        if data is not None and len(writer) and (rule is not None or loaded.answers_studies):
            add_studies(writer, data, rule)
    say(f"{len(writer)} images predicted into {out}")
    if as_json:
        print_json({"predicted": len(writer), "set_aside": len(writer.rejected), "out": str(out)})
    end_with_rejected(writer.rejected, out)


def _rule(name: str, model: Model, data: DataSet | None) -> StudyRule:
    """The rule of that name as the model learned it.

    Raises:
        UsageError: INPUT is no data set with studies, or the rule cannot be used.
    """
    from crepitus.methods.parts.study_rules import stored_rule

    if data is None or data.images["study_id"].null_count() == data.images.height:
        raise UsageError(
            f"--study-rule {name}: expected a data set whose images have a study_id as INPUT; "
            "make one of DICOM files with 'crepitus convert'"
        )
    return stored_rule(name, model.record)


def _draw(out: Path, image: InputImage, answer: Prediction, data: DataSet | None, threshold: float) -> None:
    """Write the image beside its overlay."""
    from PIL import Image

    from crepitus.report.overlay import side_by_side

    annotation = data.annotation(image.image_id) if data is not None else None
    picture = side_by_side(
        image.pixels,
        answer.heatmap.values if answer.heatmap is not None else None,
        points=annotation.points if annotation else None,
        boxes=annotation.boxes if annotation else None,
        detections=answer.detections,
        threshold=threshold,
        longest=1024,
    )
    folder = out / "overlays"
    folder.mkdir(exist_ok=True)
    Image.fromarray(picture).save(folder / f"{answer.image_id}.png")
