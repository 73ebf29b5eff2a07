"""`crepitus export`: a data set in a layout that other tools read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crepitus.cli.common import JsonOption, print_json, progress, say

if TYPE_CHECKING:
    from crepitus.data.folder import DataSet


class Layout(StrEnum):
    """Layouts that can be written."""

    coco = "coco"
    yolo = "yolo"
    csv = "csv"


def export(
    dataset: Annotated[Path, typer.Argument(help="Data set folder.", show_default=False)],
    layout: Annotated[Layout, typer.Option("--format", help="Layout to write.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="New folder.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Export a data set as COCO, YOLO or CSV; 'crepitus import' reads it back without loss."""
    from crepitus.data.export import export as run
    from crepitus.data.folder import DataSet

    data = DataSet.read(dataset)
    run(data, str(layout), out, watch=lambda ids: progress(ids, len(data), "export"))
    if as_json:
        print_json({"out": str(out), "format": str(layout), "images": len(data), **_rows(data)})
    else:
        say(f"{len(data)} images -> {out}")


def _rows(data: DataSet) -> dict[str, int | None]:
    """Rows of each annotation table; None (null) where the data set is not annotated so."""
    tables = {"points": data.points, "boxes": data.boxes, "landmarks": data.landmarks}
    return {name: None if table is None else len(table) for name, table in tables.items()}
