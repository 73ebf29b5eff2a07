"""The tables of a data set beside another layout: what that layout has no place for (ids, views, points)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from crepitus.data.folder import read_info
from crepitus.data.tables import ANNOTATION_TABLES, IMAGE_COLUMNS, read_table, refuse
from crepitus.errors import DataSetError

INFO_KEYS = ("name", "licence", "source", "description", "version")
"""Keys of dataset.json that `crepitus export` writes down and that come back."""

_OWN = frozenset({"image_id", "file", "rows", "columns"})


@dataclass(frozen=True)
class Sidecar:
    """Tables found beside a layout, by image_id.

    Attributes:
        rows: values of the `images` table, without ids, files and sizes.
        tables: rows of points, boxes and landmarks, each without the id; a missing table is absent.
        info: content of dataset.json.
    """

    rows: dict[str, dict[str, Any]]
    tables: dict[str, dict[str, list[tuple[Any, ...]]]]
    info: dict[str, Any]

    def columns(self, image_id: str) -> dict[str, Any]:
        """Further columns of one image."""
        return dict(self.rows.get(image_id, {}))

    def points(self, image_id: str) -> tuple[tuple[float, float], ...] | None:
        """(x, y) of one image; None where there is no points.csv."""
        table = self.tables.get("points")
        return None if table is None else tuple((x, y) for x, y in table.get(image_id, ()))

    def boxes(self, image_id: str) -> tuple[tuple[tuple[float, float, float, float], str], ...]:
        """Boxes of one image with their labels."""
        rows = self.tables.get("boxes", {}).get(image_id, ())
        return tuple(((a, b, c, d), str(label)) for a, b, c, d, label in rows)

    def landmarks(self, image_id: str) -> tuple[tuple[str, float, float], ...]:
        """(name, x, y) of one image."""
        rows = self.tables.get("landmarks", {}).get(image_id, ())
        return tuple((str(name), x, y) for name, x, y in rows)


def annotated_kinds(
    info: dict[str, Any], file: str, derived: Iterable[str], given: Iterable[str]
) -> tuple[str, ...]:
    """The annotation tables that a set has.

    Args:
        info: where `annotated` may stand; `crepitus export` writes it.
        file: name of its file, for messages.
        derived: the tables of a source that does not say which it has.
        given: the tables that are there, whatever it says.

    Raises:
        DataSetError: `annotated` is no list of tables.
    """
    recorded = info.get("annotated")
    if recorded is None:
        recorded = list(derived)
    elif not isinstance(recorded, list) or any(kind not in ANNOTATION_TABLES for kind in map(str, recorded)):
        raise DataSetError(
            f"{file}, key annotated: expected a list of {', '.join(ANNOTATION_TABLES)}, "
            f"got {str(recorded)[:80]}"
        )
    wanted = {*map(str, recorded), *given}
    return tuple(kind for kind in ANNOTATION_TABLES if kind in wanted)


def origin(folder: Path, info: dict[str, Any], **otherwise: str) -> dict[str, Any]:
    """Name, licence and source for dataset.json: what the source says, otherwise the folder's name."""
    return {"name": folder.resolve().name, **otherwise, **{k: info[k] for k in INFO_KEYS if info.get(k)}}


def read_sidecar(folder: Path, *, images: bool = True) -> Sidecar:
    """Read images.csv (unless not `images`), annotation tables and dataset.json, each if it is there.

    Raises:
        DataSetError: one of them breaks the format.
    """
    rows: dict[str, dict[str, Any]] = {}
    if images and (folder / "images.csv").is_file():
        table = read_table(folder / "images.csv", IMAGE_COLUMNS, ("image_id",))
        kept = [name for name in table.columns if name not in _OWN]
        ids = table["image_id"].to_list()
        rows = dict(zip(ids, table.select(kept).iter_rows(named=True), strict=True))
    tables = {kind: t for kind in ANNOTATION_TABLES if (t := _table(folder, kind)) is not None}
    return Sidecar(rows, tables, read_info(folder))


def _table(folder: Path, kind: str) -> dict[str, list[tuple[Any, ...]]] | None:
    path = folder / f"{kind}.csv"
    if not path.is_file():
        return None
    schema = ANNOTATION_TABLES[kind]
    table = read_table(path, schema, tuple(schema)).select(pl.col(list(schema)))
    for name in table.columns:
        refuse(path.name, table[name].is_null(), name, "a value", table[name])
        if schema[name] == pl.Float64:
            refuse(path.name, ~table[name].is_finite(), name, "a finite number", table[name])
    found: dict[str, list[tuple[Any, ...]]] = {}
    for image_id, *values in table.iter_rows():
        found.setdefault(image_id, []).append(tuple(values))
    return found
