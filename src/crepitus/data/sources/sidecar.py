"""The tables of a data set beside another layout: what that layout has no place for (ids, views, points)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from crepitus.data.tables import ANNOTATION_TABLES, IMAGE_COLUMNS, read_table, refuse

_OWN = frozenset({"image_id", "file", "rows", "columns"})


@dataclass(frozen=True)
class Sidecar:
    """Tables found beside a layout, by image_id.

    Attributes:
        rows: values of the `images` table, without ids, files and sizes.
        tables: rows of points, boxes and landmarks, each without the id; a missing table is absent.
    """

    rows: dict[str, dict[str, Any]]
    tables: dict[str, dict[str, list[tuple[Any, ...]]]]

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

    @property
    def further_tables(self) -> tuple[str, ...]:
        """The tables that a layout of boxes does not have itself."""
        return tuple(kind for kind in ("landmarks",) if kind in self.tables)


def read_sidecar(folder: Path, *, images: bool = True) -> Sidecar:
    """Read images.csv (unless not `images`) and the annotation tables of `folder`, each if it is there.

    Raises:
        DataSetError: one of them breaks the format.
    """
    rows: dict[str, dict[str, Any]] = {}
    if images and (folder / "images.csv").is_file():
        table = read_table(folder / "images.csv", IMAGE_COLUMNS, ("image_id",))
        kept = [name for name in table.columns if name not in _OWN]
        ids = table["image_id"].to_list()
        rows = dict(zip(ids, table.select(kept).iter_rows(named=True), strict=True))
    return Sidecar(rows, {kind: t for kind in ANNOTATION_TABLES if (t := _table(folder, kind)) is not None})


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
