"""`crepitus phantom`: synthetic radiographs with truth as a data set folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from crepitus.cli.common import JsonOption, print_json, progress, say


class SceneName(StrEnum):
    """Scenes that can be made."""

    LONG_BONE = "long-bone"


class PresetName(StrEnum):
    """How visible fractures are."""

    EASY = "easy"
    DEFAULT = "default"
    HARD = "hard"


def phantom(
    scene: Annotated[SceneName, typer.Argument(help="What to make.")],
    count: Annotated[int, typer.Option(min=1, help="Number of images; half of them show a fracture.")],
    out: Annotated[Path, typer.Option(help="New folder for the data set.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same images.")] = 0,
    size: Annotated[int, typer.Option(help="Rows and columns of the images, a multiple of 32.")] = 256,
    preset: Annotated[PresetName, typer.Option(help="How visible the fractures are.")] = PresetName.DEFAULT,
    dicom: Annotated[bool, typer.Option("--dicom", help="Also write DICOM files into OUT/dicom.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes.", show_default="one per core")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make synthetic radiographs of fractured and whole bones, with points and boxes."""
    from crepitus.data.writer import DataSetWriter
    from crepitus.phantom.generate import Request, make_images

    request = Request(seed=seed, size=size, preset=preset.value)
    settings = {"scene": scene.value, "seed": seed, "count": count, "size": size, "preset": preset.value}
    info = {
        "name": f"phantom-{scene.value}-{preset.value}-{seed}",
        "licence": "CC0-1.0",
        "source": "crepitus phantom",
        "labels": ["fracture"],
        "settings": settings,
    }
    fractured = 0
    with DataSetWriter(out, info, annotated=("points", "boxes")) as writer:
        samples = make_images(request, count, workers)
        for radiograph, annotation, columns in progress(samples, count, "Making images"):
            writer.add(radiograph, annotation, **columns)
            fractured += int(annotation.label or 0)
            if dicom:
                _write_dicom(out / "dicom", radiograph, columns)
    result = {"out": str(out), "images": count, "fractured": fractured, **settings}
    if as_json:
        print_json(result)
    else:
        say(f"{count} images, {fractured} with a fracture: {out}")


def _write_dicom(folder: Path, radiograph: Any, columns: dict[str, Any]) -> None:
    from crepitus.dicom.write import Identity, write_dx

    folder.mkdir(exist_ok=True)
    name = radiograph.image_id
    write_dx(
        folder / f"{name}.dcm",
        radiograph.pixels,
        Identity("PHANTOM^Long bone", str(columns["patient_id"]), str(columns["study_id"]), name),
        spacing_mm=radiograph.spacing_mm,
        body_part=columns["body_part"],
        view=columns["view"],
        laterality=columns["laterality"],
    )
