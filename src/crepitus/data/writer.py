"""Writing a data set folder image by image: pixels at once, tables last, each file whole or absent."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl

from crepitus import __version__
from crepitus.data.images import write_png
from crepitus.data.tables import (
    ANNOTATION_TABLES,
    IMAGE_COLUMNS,
    check_annotations,
    check_images,
    complete_images,
)
from crepitus.errors import DataSetError, SetAside, UsageError
from crepitus.structures import Annotation, Radiograph, is_image_id

Rejection = tuple[str, str, str]
"""file, code, message: one row of rejected.csv."""


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    partial = path.with_name(path.name + ".tmp")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Write a table as Parquet or CSV, by the ending of the name, whole or not at all."""
    partial = path.with_name(path.name + ".tmp")
    if path.suffix == ".parquet":
        table.write_parquet(partial)
    else:
        table.write_csv(partial)
    partial.replace(path)


def write_rejected(folder: Path, rejected: Iterable[Rejection]) -> None:
    """Write rejected.csv (file, code, message) into `folder`; a header alone when nothing was set aside."""
    partial = folder / "rejected.csv.tmp"
    with partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file", "code", "message"))
        writer.writerows(rejected)
    partial.replace(folder / "rejected.csv")


def read_rejected(folder: Path) -> list[Rejection]:
    """Rows of rejected.csv of `folder`.

    Raises:
        OSError: there is none, or it cannot be read.
        KeyError: a column is missing.
    """
    with (folder / "rejected.csv").open(newline="", encoding="utf-8") as stream:
        return [(row["file"], row["code"], row["message"]) for row in csv.DictReader(stream)]


def new_folder(out: Path) -> Path:
    """Make `out`, refusing one that already holds something: nothing is ever overwritten silently."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            f"--out {out}: expected a new or empty folder, this one holds files; remove it or name another"
        )
    out.mkdir(parents=True, exist_ok=True)
    return out


def write_tables(
    root: Path,
    images: pl.DataFrame,
    annotations: Mapping[str, pl.DataFrame | None],
    info: Mapping[str, Any],
) -> None:
    """Write the tables of a folder, `dataset.json` last: a folder that has it is whole.

    Args:
        root: the folder.
        images: `images` table, any subset of the format's columns and further ones.
        annotations: "points", "boxes", "landmarks"; None or absent means not annotated.
        info: content of dataset.json; the version of this tool is added.
    """
    for kind in ANNOTATION_TABLES:
        table = annotations.get(kind)
        if table is not None:
            write_table(root / f"{kind}.csv", table)
    write_table(root / "images.parquet", complete_images(images))
    # images.csv wins over the Parquet file when a folder is read, so an old one must not stay.
    (root / "images.csv").unlink(missing_ok=True)
    write_text(root / "dataset.json", json.dumps({**info, "crepitus": __version__}, indent=2) + "\n")


class DataSetWriter:
    """Collects images and their annotations into a new folder; use as a context manager.

    Args:
        out: new or empty folder.
        info: name, licence, source and settings for dataset.json.
        annotated: which annotation tables the set has, even where every image has zero rows.
    """

    def __init__(self, out: Path, info: Mapping[str, Any], annotated: Sequence[str] = ()) -> None:
        self._made = not out.exists()
        self.root = new_folder(out)
        (self.root / "images").mkdir(exist_ok=True)
        self.info = dict(info)
        self.rejected: list[Rejection] = []
        self._images: list[dict[str, Any]] = []
        self._ids: set[str] = set()
        self._rows: dict[str, list[tuple[Any, ...]]] = {kind: [] for kind in annotated}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()

    def __len__(self) -> int:
        return len(self._images)

    def count(self, kind: str) -> int:
        """Rows of the annotation table `kind` so far."""
        return len(self._rows.get(kind, ()))

    def set_aside(self, file: str, error: SetAside) -> None:
        """Record an input that cannot be used."""
        self.rejected.append((file, error.code, str(error)))

    def add(self, radiograph: Radiograph, annotation: Annotation, **columns: Any) -> None:
        """Write the pixels as PNG and note the row; `columns` fill or extend the `images` table."""
        self._claim(radiograph.image_id)
        name = f"images/{radiograph.image_id}.png"
        write_png(self.root / name, radiograph.pixels)
        self._note(
            annotation,
            {
                "image_id": radiograph.image_id,
                "file": name,
                "rows": radiograph.rows,
                "columns": radiograph.columns,
                "spacing_mm": radiograph.spacing_mm,
                **radiograph.metadata,
                **columns,
            },
        )

    def add_file(self, source: Path, annotation: Annotation, *, image_id: str, **columns: Any) -> None:
        """Take an image file over as it is, without a second JPEG generation.

        `columns` must give rows and columns, and may fill or extend the `images` table.
        """
        self._claim(image_id)
        name = f"images/{image_id}{source.suffix.lower()}"
        partial = self.root / (name + ".tmp")
        shutil.copyfile(source, partial)
        partial.replace(self.root / name)
        self._note(annotation, {"image_id": image_id, "file": name, **columns})

    def _claim(self, image_id: str) -> None:
        """Refuse an id that is none, or that has been written: its file would be overwritten."""
        if not is_image_id(image_id) or image_id in self._ids:
            raise DataSetError(
                f"{self.root.name}: expected an image_id of A-Z a-z 0-9 . _ - that no earlier image has, "
                f"got {image_id!r}"
            )
        self._ids.add(image_id)

    def _note(self, annotation: Annotation, row: dict[str, Any]) -> None:
        image_id = row["image_id"]
        self._images.append({"label": annotation.label, **row})
        if annotation.points is not None:
            self._extend("points", ((image_id, x, y) for x, y in annotation.points.xy.tolist()))
        if annotation.boxes is not None:
            pairs = zip(annotation.boxes.xyxy.tolist(), annotation.boxes.labels, strict=True)
            self._extend("boxes", ((image_id, *box, label) for box, label in pairs))
        if annotation.landmarks is not None:
            named = zip(annotation.landmarks.names, annotation.landmarks.xy.tolist(), strict=True)
            self._extend("landmarks", ((image_id, name, x, y) for name, (x, y) in named))

    def _extend(self, kind: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows.setdefault(kind, []).extend(rows)

    def discard(self) -> None:
        """Remove the folders that were made, for a caller that found nothing to write."""
        (self.root / "images").rmdir()
        if self._made:
            self.root.rmdir()

    def close(self) -> None:
        """Write tables, rejected.csv and dataset.json.

        Raises:
            DataSetError: a row breaks the format; no table is written then.
        """
        images = pl.DataFrame(self._images, schema_overrides=dict(IMAGE_COLUMNS), infer_schema_length=None)
        if not self._images:
            images = pl.DataFrame(schema=dict(IMAGE_COLUMNS))
        tables = {
            kind: pl.DataFrame(rows, schema=dict(ANNOTATION_TABLES[kind]), orient="row")
            for kind, rows in self._rows.items()
        }
        images = complete_images(images)
        check_images(images, "images.parquet")
        for kind, table in tables.items():
            check_annotations(table, images, kind)
        write_rejected(self.root, self.rejected)
        write_tables(self.root, images, tables, self.info)
