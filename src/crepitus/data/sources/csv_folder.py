"""A folder of images with a CSV table: the layout to write by hand.

images.csv (or the table named with --annotations) has one row per image with at least `file` (relative to
the folder) or `image_id` (then the file is looked for by that name); further columns of a data set (label,
patient_id, study_id, body_part, view, laterality, spacing_mm, …) and any others are kept. Fractures stand in
points.csv (image_id, x, y) and boxes.csv (image_id, x_min, y_min, x_max, y_max, label), or, for few, in the
table itself, where an image then has one row per fracture: columns x, y, or x_min, y_min, x_max, y_max. Cells
may be empty there: an image without a fracture has one row. Pixels count from the top-left corner of the
image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from crepitus.data.folder import FRACTURE
from crepitus.data.sources.layout import (
    Layout,
    Options,
    SourceImage,
    image_files,
    image_ids,
    inside,
    is_fracture,
    need,
)
from crepitus.data.sources.sidecar import Sidecar, annotated_kinds, origin, read_sidecar
from crepitus.data.tables import IMAGE_COLUMNS, check_values, read_table, refuse
from crepitus.errors import DataSetError

POINT = ("x", "y")
BOX = ("x_min", "y_min", "x_max", "y_max")
_NUMBERS: dict[str, type[pl.DataType]] = dict.fromkeys((*POINT, *BOX), pl.Float64)


def read(source: Path, options: Options) -> Layout:
    """Read a folder with a CSV table.

    Raises:
        UsageError: there is no table.
        DataSetError: it has neither `file` nor `image_id`, rows of one image contradict each other, a point
            or box is incomplete or not finite, or an annotation is of an unknown image.
    """
    path = options.annotations or source / "images.csv"
    schema = {**IMAGE_COLUMNS, **_NUMBERS}
    table = read_table(need(path, "a table of the images"), schema, ())
    key = next((name for name in ("image_id", "file") if name in table.columns), None)
    if key is None:
        got = ", ".join(table.columns)
        raise DataSetError(f"{path.name}: column 'file' is missing; expected file or image_id, got {got}")
    _check_keys(table, key, path.name)
    _check_places(table, path.name)
    table = _agreeing(table, key, path.name)
    check_values(table, path.name)
    groups = table.partition_by(key, maintain_order=True)
    names = [_name(group) for group in groups]
    ids = [str(group["image_id"][0]) for group in groups] if key == "image_id" else image_ids(names)
    sidecar = read_sidecar(source, images=False)
    _check_sidecar(sidecar, ids)
    by_stem = {p.stem: p for p in image_files(source)} if "file" not in table.columns else {}
    images = [
        SourceImage(
            image_id=image_id,
            name=name,
            file=inside(source, name) or by_stem.get(name),
            **_annotations(group, image_id, sidecar, options),
            columns=_columns(group),
        )
        for group, name, image_id in zip(groups, names, ids, strict=True)
    ]
    given = set(sidecar.tables)
    if set(POINT) <= set(table.columns):
        given.add("points")
    if set(BOX) <= set(table.columns):
        given.add("boxes")
    derived = {*given, "points"} if "boxes" in given else given
    annotated = annotated_kinds(sidecar.info, "dataset.json", derived, given)
    return Layout(origin(source, sidecar.info, source="CSV"), annotated, images)


def _name(group: pl.DataFrame) -> str:
    return str(group["file" if "file" in group.columns else "image_id"][0])


def _check_keys(table: pl.DataFrame, key: str, file: str) -> None:
    empty = table[key].is_null().arg_true()
    if len(empty):
        raise DataSetError(f"{file}, row {int(empty[0]) + 1}, column {key}: expected a name, got nothing")
    annotated = {*POINT, *BOX} & set(table.columns)
    doubled = (~table[key].is_first_distinct()).arg_true()
    if len(doubled) and not annotated:
        row = int(doubled[0])
        raise DataSetError(
            f"{file}, row {row + 1}, column {key}: expected a name that no earlier row has, "
            f"got {table[key][row]!r}"
        )


def _check_sidecar(sidecar: Sidecar, ids: list[str]) -> None:
    known = set(ids)
    for kind, rows in sidecar.tables.items():
        unknown = [image_id for image_id in rows if image_id not in known]
        if unknown:
            raise DataSetError(
                f"{kind}.csv, column image_id: expected ids of the images table, got {unknown[0]!r}"
            )


def _check_places(table: pl.DataFrame, file: str) -> None:
    """Refuse points and boxes of which a part is missing or no finite number."""
    for place in (POINT, BOX):
        there = [name for name in place if name in table.columns]
        if not there:
            continue
        if missing := [name for name in place if name not in there]:
            raise DataSetError(
                f"{file}: column {missing[0]!r} is missing; {', '.join(place)} go together, "
                f"got {', '.join(there)}"
            )
        rows = table.select(place).rows()
        filled = pl.Series([any(value is not None for value in row) for row in rows], dtype=pl.Boolean)
        for name in place:
            values = table[name]
            half = filled & values.is_null()
            refuse(file, half, name, f"a number beside the other ones of {', '.join(place)}", values)
            refuse(file, ~values.is_finite(), name, "a finite number", values)


def _agreeing(table: pl.DataFrame, key: str, file: str) -> pl.DataFrame:
    """`table` with what one row of an image says in all its rows; an empty cell says nothing.

    Raises:
        DataSetError: two rows of an image contradict each other; the message names the second.
    """
    for name in table.columns:
        if name in (key, *POINT, *BOX):
            continue
        first = table.select(pl.col(name).drop_nulls().first().over(key))[name]
        differing = (table[name] != first).fill_null(value=False).arg_true()
        if len(differing):
            row = int(differing[0])
            raise DataSetError(
                f"{file}, row {row + 1}, column {name}: expected one value for all rows of "
                f"{table[key][row]!r}, got {table[name][row]!r} after {first[row]!r}"
            )
        table = table.with_columns(first)
    return table


def _columns(group: pl.DataFrame) -> dict[str, Any]:
    """Values of the `images` table, which the rows of one image share."""
    own = {"image_id", "file", "rows", "columns", "label", *POINT, *BOX}
    shared = group.select([name for name in group.columns if name not in own])
    return dict(shared.row(0, named=True)) if shared.width else {}


def _annotations(group: pl.DataFrame, image_id: str, sidecar: Sidecar, options: Options) -> dict[str, Any]:
    points, boxes = sidecar.points(image_id), list(sidecar.boxes(image_id))
    if set(BOX) <= set(group.columns):
        boxes += [(box, FRACTURE) for box in group.select(BOX).drop_nulls().iter_rows()]
    if set(POINT) <= set(group.columns):
        points = (*(points or ()), *group.select(POINT).drop_nulls().iter_rows())
    return {
        "label": group["label"][0] if "label" in group.columns else None,
        "points": points,
        "boxes": tuple((box, FRACTURE if is_fracture(name, options) else name) for box, name in boxes),
        "landmarks": sidecar.landmarks(image_id),
    }
