"""`crepitus export`: a data set in a layout that other tools read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crepitus.cli.common import progress, say


class Layout(StrEnum):
    """Layouts that can be written."""

    coco = "coco"
    yolo = "yolo"
    csv = "csv"


def export(
    dataset: Annotated[Path, typer.Argument(help="Data set folder.", show_default=False)],
    layout: Annotated[Layout, typer.Option("--format", help="Layout to write.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="New folder.", show_default=False)],
) -> None:
    """Export a data set as COCO, YOLO or CSV; 'crepitus import' reads it back without loss."""
    from crepitus.data.export import export as run
    from crepitus.data.folder import DataSet

    data = DataSet.read(dataset)
    run(data, str(layout), out, watch=lambda ids: progress(ids, len(data), "export"))
    say(f"{len(data)} images -> {out}")
