"""`crepitus import`: public data sets and common layouts become a data set folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crepitus.cli.common import JsonOption, end_with_rejected, print_json, progress, say

SHOWN_WARNINGS = 20


class Format(StrEnum):
    """Layouts that can be imported."""

    fracatlas = "fracatlas"
    grazpedwri = "grazpedwri"
    mura = "mura"
    coco = "coco"
    yolo = "yolo"
    csv = "csv"


def import_(
    source: Annotated[Path, typer.Argument(help="Folder of the source.", show_default=False)],
    format_: Annotated[Format, typer.Option("--format", help="Layout of the source.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="New data set folder.", show_default=False)],
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="COCO: the JSON file; YOLO: the YAML file; CSV: the table of images. Default: found."
        ),
    ] = None,
    fracture_name: Annotated[
        list[str] | None,
        typer.Option(help="Category that means a fracture besides 'fracture', 'fractured'; repeatable."),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Import a public data set or a common layout; damaged images are set aside (exit status 3).

    coco: images and one JSON file. yolo: data.yaml, images/, labels/. csv: images.csv with a column 'file' or
    'image_id', optional columns label, patient_id, view …, x, y or x_min, y_min, x_max, y_max (one row per
    fracture), or points.csv and boxes.csv beside it.
    """
    from crepitus.data.importing import import_layout
    from crepitus.data.sources import READERS, Options
    from crepitus.data.writer import DataSetWriter
    from crepitus.errors import UsageError

    if not source.is_dir():
        raise UsageError(f"SOURCE {source}: expected a folder, there is none")
    if annotations is not None and not annotations.is_file():
        raise UsageError(f"--annotations {annotations}: expected a file, there is none")
    layout = READERS[format_](source, Options(annotations, tuple(fracture_name or ())))
    with DataSetWriter(out, {**layout.info, "format": str(format_)}, layout.annotated) as writer:
        warnings = import_layout(
            layout, writer, watch=lambda images: progress(images, len(layout.images), "import")
        )
    for line in warnings[:SHOWN_WARNINGS]:
        say(f"warning: {line}")
    if len(warnings) > SHOWN_WARNINGS:
        say(f"warning: {len(warnings) - SHOWN_WARNINGS} more like these")
    counts = {
        "images": len(writer),
        "rejected": len(writer.rejected),
        **{kind: writer.count(kind) for kind in layout.annotated},
    }
    if json_:
        print_json({**counts, "warnings": warnings})
    else:
        typer.echo(", ".join(f"{number} {what}" for what, number in counts.items()) + f" -> {out}")
    end_with_rejected(writer.rejected, out)
