"""What the journal of a preparation says about each image, and the tables that come of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from crepitus.data.folder import DataSet
from crepitus.data.output import Output
from crepitus.data.prepare_file import PREPARED, ImageTask, PreparedImage, file_stem
from crepitus.data.tables import (
    ANNOTATION_TABLES,
    IMAGE_COLUMNS,
    check_annotations,
    check_images,
    complete_images,
)
from crepitus.data.writer import Rejection
from crepitus.errors import SetAside
from crepitus.prepare.way_back import AFFINE_COLUMNS

Record = dict[str, Any]
"""`name`, `stamp` and `kind` (image, rejected), and what belongs to the kind."""

MASK_ENDING = ".mask.png"

_TYPES: dict[str, type[pl.DataType]] = {
    **IMAGE_COLUMNS,
    PREPARED: pl.String,
    "inverted": pl.Int64,
    "source_image_id": pl.String,
    "source_rows": pl.Int64,
    "source_columns": pl.Int64,
    **dict.fromkeys(AFFINE_COLUMNS, pl.Float64),
}


def record_of(task: ImageTask, answer: list[PreparedImage] | SetAside) -> Record:
    """The line of the journal for one image."""
    head: Record = {"name": task.name, "stamp": task.stamp}
    if isinstance(answer, SetAside):
        return {**head, "kind": "rejected", "code": answer.code, "message": str(answer)}
    return {**head, "kind": "image", "parts": [_part(image) for image in answer]}


def _part(image: PreparedImage) -> Record:
    points, boxes, marks = image.annotation.points, image.annotation.boxes, image.annotation.landmarks
    return {
        "columns": image.columns,
        "sizes": image.sizes,
        "points": [] if points is None else points.xy.tolist(),
        "boxes": []
        if boxes is None
        else [[*box, label] for box, label in zip(boxes.xyxy.tolist(), boxes.labels, strict=True)],
        "landmarks": []
        if marks is None
        else [[name, *xy] for name, xy in zip(marks.names, marks.xy.tolist(), strict=True)],
    }


def places(part: Record, files: Path, out: Path) -> Iterator[tuple[Path, Path, int]]:
    """Each file of a prepared image: where it lies until all is complete, where it belongs, its bytes."""
    image_id = part["columns"]["image_id"]
    for ending, size in part["sizes"].items():
        final = out / "masks" / f"{image_id}.png" if ending == MASK_ENDING else out / _name(image_id, ending)
        yield files / f"{file_stem(image_id)}{ending}", final, size


def _name(image_id: str, ending: str) -> str:
    return f"images/{image_id}{ending}"


def is_whole(record: Record, files: Path, output: Output) -> bool:
    """Whether every file that a record speaks of is there in its full size."""
    if record["kind"] == "rejected":
        return True
    return all(
        any(output.size(path) == size for path in (now, final))
        for part in record["parts"]
        for now, final, size in places(part, files, output.root)
    )


def moves(records: dict[str, Record], files: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """Where each finished file lies, and where it belongs."""
    for record in records.values():
        for part in record.get("parts", ()):
            for now, final, _ in places(part, files, out):
                yield now, final


def rejected_rows(data: DataSet, records: dict[str, Record]) -> list[Rejection]:
    """Rows of rejected.csv, in the order of the images table."""
    chosen = (records[image_id] for image_id in data.images["image_id"])
    names = dict(data.images.select("image_id", "file").iter_rows())
    return [(names[r["name"]], r["code"], r["message"]) for r in chosen if r["kind"] == "rejected"]


def tables_of(
    data: DataSet, records: dict[str, Record]
) -> tuple[pl.DataFrame, dict[str, pl.DataFrame | None]]:
    """The new `images` table and annotation tables, in the order of the source's table.

    Raises:
        DataSetError: a row breaks the format, for example since a part got the id of another image.
    """
    sources, parts = [], []
    for index, image_id in enumerate(data.images["image_id"]):
        for part in records[image_id].get("parts", ()):
            sources.append(index)
            parts.append(part)
    images = data.images[sources]
    changes = [_changes(part) for part in parts]
    for name in dict.fromkeys(name for change in changes for name in change):
        before = images[name].to_list() if name in images.columns else [None] * len(parts)
        values = [change.get(name, old) for change, old in zip(changes, before, strict=True)]
        images = images.with_columns(pl.Series(name, values, dtype=_TYPES[name]))
    images = complete_images(images)
    check_images(images, "images.parquet")
    annotations: dict[str, pl.DataFrame | None] = {}
    for kind, schema in ANNOTATION_TABLES.items():
        if getattr(data, kind) is not None:
            rows = [(part["columns"]["image_id"], *row) for part in parts for row in part[kind]]
            table = pl.DataFrame(rows, schema=dict(schema), orient="row")
            check_annotations(table, images, kind)
            annotations[kind] = table
    return images, annotations


def _changes(part: Record) -> dict[str, Any]:
    ending = next(ending for ending in part["sizes"] if ending != MASK_ENDING)
    return {**part["columns"], "file": _name(part["columns"]["image_id"], ending)}
