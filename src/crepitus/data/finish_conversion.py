"""The end of a conversion: copies are sorted out, files get their final names, tables are written last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from crepitus.data.convert_file import file_key
from crepitus.data.convert_records import Record, Records, final_path, rejection
from crepitus.data.labels import Labels, apply_labels
from crepitus.data.tables import IMAGE_COLUMNS, check_images, complete_images
from crepitus.data.writer import Rejection, write_rejected, write_tables
from crepitus.dicom.dicomdir import check_parts
from crepitus.dicom.find import shown
from crepitus.errors import Damaged, Duplicate, SetAside

_NUMBERS: dict[str, type[pl.DataType]] = {
    "kilovolt": pl.Float64,
    "exposure_mas": pl.Float64,
    "exposure_index": pl.Float64,
    "source_to_detector_mm": pl.Float64,
    "bits_stored": pl.Int64,
    "lossy": pl.Int64,
}
"""Further columns that hold numbers; all others hold text, also where every value is empty."""


def sort_out_copies(records: Records) -> tuple[list[Record], list[Record]]:
    """Records of the images to keep, sorted, and rejections of everything else.

    Of several files with one image id (one SOP Instance UID) the first by name is kept, so that the result
    does not depend on which was read first.
    """
    kept: dict[str, Record] = {}
    rejected = []
    names = {name.casefold() for name in records.by_name}
    for name in sorted(records.by_name):
        record = records.by_name[name]
        if record["kind"] == "rejected":
            rejected.append(record)
        elif record["kind"] == "index":
            rejected += _missing(record, names)
        else:
            first = kept.setdefault(record["row"]["image_id"], record)
            if first is not record:
                same = "and pixels" if first["pixels"] == record["pixels"] else "but other pixels"
                error = Duplicate(f"the same SOP Instance UID {same} as {shown(first['name'])}")
                rejected.append(rejection(name, error))
    images = sorted(kept.values(), key=lambda r: (r["row"]["study_id"] or "", r["row"]["image_id"]))
    return images, rejected


def _missing(record: Record, names: set[str]) -> Iterator[Record]:
    """Rejections of the references of a DICOMDIR that give no file."""
    folder = record["name"].rpartition("/")[0]
    for parts in dict.fromkeys(tuple(listed) for listed in record["references"]):
        name = "/".join((folder, *parts) if folder else parts)
        if name.casefold() not in names:
            try:
                check_parts(parts)
                raise Damaged("listed in the DICOMDIR, but there is no such file")
            except SetAside as error:
                yield rejection(name, error)


def moves(out: Path, files: Path, images: list[Record]) -> Iterator[tuple[Path, Path]]:
    """Where each finished file lies, and where it belongs."""
    for record in images:
        for ending in record["sizes"]:
            target = final_path(out, record["row"]["image_id"], ending)
            yield files / f"{file_key(record['name'])}.{ending}", target


def image_table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The `images` table with typed columns.

    Raises:
        DataSetError: a row breaks the format.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    schema = {name: IMAGE_COLUMNS.get(name) or _NUMBERS.get(name, pl.String) for name in names}
    table = complete_images(pl.DataFrame(rows, schema=schema or dict(IMAGE_COLUMNS), orient="row"))
    check_images(table, "images.parquet")
    return table


def write_data_set(
    out: Path,
    images: list[Record],
    rejected: list[Record],
    labels: Labels | None,
    salt: bytes,
    info: dict[str, Any],
) -> tuple[list[Rejection], list[tuple[str, str]]]:
    """Write rejected.csv and the tables, dataset.json last.

    Returns:
        rows of rejected.csv, and keys of the labels that no image has.
    """
    rows = [{**record["row"], "file": f"images/{record['row']['image_id']}.png"} for record in images]
    unused: list[tuple[str, str]] = []
    if labels is not None:
        triples = [(row, r["matches"], shown(r["name"])) for row, r in zip(rows, images, strict=True)]
        rows, unused = apply_labels(labels, triples, salt)
    table = image_table(rows)
    listed = sorted((shown(r["name"]), r["code"], shown(r["message"])) for r in rejected)
    write_rejected(out, listed)
    write_tables(out, table, {}, info)
    return listed, unused
