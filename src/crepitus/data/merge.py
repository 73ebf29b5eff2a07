"""Several data sets in one: ids made unique, labels kept true, annotations joined.

The format says that in an annotated data set an image without rows is a negative. So where only some of the
data sets are annotated, every image's label is written out from its own data set; images for which that says
nothing would silently become negatives: they are refused, or left out if the user says so.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from crepitus.data.folder import DataSet
from crepitus.data.splits import DUPLICATE_GROUP
from crepitus.data.tables import ANNOTATION_TABLES, IMAGE_COLUMNS
from crepitus.data.writer import new_folder, write_tables
from crepitus.errors import DataSetError, UsageError

MARKS = ("points", "boxes")
"""The tables from which truth is derived."""

Watch = Callable[[Iterable[tuple[Path, str]]], Iterable[tuple[Path, str]]]


@dataclass(frozen=True)
class Merged:
    """What was done.

    Attributes:
        sites: name of each data set, in order; values of the column `site`.
        prefixed: columns of ids that collided and carry the site's name now.
        left_out: images without a known truth that were left out.
        images: number of images.
    """

    sites: tuple[str, ...]
    prefixed: tuple[str, ...]
    left_out: int
    images: int


def merge(
    sets: Sequence[DataSet],
    out: Path,
    *,
    same_patients: bool = False,
    leave_out_unknown: bool = False,
    watch: Watch = iter,
) -> Merged:
    """Write the images and annotations of `sets` to the new folder `out`.

    The columns split, fold and duplicate_group are emptied: they were made without the other sets.

    Args:
        sets: at least two.
        out: new or empty folder.
        same_patients: patient_id and study_id mean the same in all sets; otherwise ids that occur in
            several sets are different persons and get the site's name in front.
        leave_out_unknown: leave out images whose truth would be lost, instead of refusing.
        watch: wraps (source, new name) pairs, to show progress.

    Raises:
        UsageError: fewer than two sets, `out` holds files, or truth would be lost.
        DataSetError: an image file is missing.
    """
    if len(sets) < 2:
        raise UsageError(f"expected at least two data sets, got {len(sets)}")
    sites = _site_names(sets)
    kept, left_out = _with_true_labels(sets, sites, leave_out_unknown)
    columns = ["image_id", *(() if same_patients else ("study_id", "patient_id"))]
    prefixed = tuple(column for column in columns if _collides([s.images[column] for s in kept]))
    tables = [_renamed(data, site, prefixed) for data, site in zip(kept, sites, strict=True)]
    images = _concatenated([table["images"] for table in tables])
    annotations = {
        kind: pl.concat([t[kind] for t in tables if kind in t], how="diagonal_relaxed")
        for kind in ANNOTATION_TABLES
        if any(kind in t for t in tables)
    }
    new_folder(out)
    (out / "images").mkdir()
    files = [data.root / name for data in kept for name in data.images["file"]]
    for source, name in watch(list(zip(files, images["file"].to_list(), strict=True))):
        if not source.is_file():
            raise DataSetError(f"{source}: expected an image, there is none; see 'crepitus audit'")
        shutil.copyfile(source, out / name)
    parts = [{"site": site, **data.info} for site, data in zip(sites, sets, strict=True)]
    write_tables(out, images, annotations, {"name": out.name, "merged": parts})
    return Merged(sites, prefixed, left_out, images.height)


def _site_names(sets: Sequence[DataSet]) -> tuple[str, ...]:
    """A short, unique name for each set: its name, or that of its folder, numbered where equal."""
    names = [_plain(str(data.info.get("name") or data.root.name)) for data in sets]
    if len(set(names)) < len(names):
        names = [_plain(data.root.resolve().name) for data in sets]
    if len(set(names)) < len(names):
        names = [f"{name}-{number}" for number, name in enumerate(names, start=1)]
    return tuple(names)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", text).strip("-")[:30] or "set"


def _with_true_labels(
    sets: Sequence[DataSet], sites: Sequence[str], leave_out: bool
) -> tuple[list[DataSet], int]:
    """The sets with labels written out where their annotation tables differ."""
    have = {tuple(getattr(data, kind) is not None for kind in MARKS) for data in sets}
    if len(have) == 1:
        return list(sets), 0
    kept, left_out = [], 0
    for data, site in zip(sets, sites, strict=True):
        unknown = [image_id for image_id, truth in data.truth.items() if truth is None]
        if unknown and not leave_out:
            raise UsageError(
                f"{site}: expected a label for every image, since another data set has annotations that this "
                f"one lacks, got {len(unknown)} without, such as {unknown[0]}, that would become negatives; "
                "label them, or use --leave-out-unknown"
            )
        left_out += len(unknown)
        known = data.select([i for i, truth in data.truth.items() if truth is not None]) if unknown else data
        labels = [data.truth[image_id] for image_id in known.images["image_id"]]
        images = known.images.with_columns(pl.Series("label", labels, dtype=pl.Int64))
        kept.append(replace(known, images=images))
    return kept, left_out


def _collides(columns: Sequence[pl.Series]) -> bool:
    seen: set[str] = set()
    for column in columns:
        values = set(column.drop_nulls())
        if seen & values:
            return True
        seen |= values
    return False


def _renamed(data: DataSet, site: str, prefixed: tuple[str, ...]) -> dict[str, pl.DataFrame]:
    """The tables of one set with new ids and file names, and the column `site`."""
    new = {
        image_id: _prefixed(site, image_id) if "image_id" in prefixed else image_id
        for image_id in data.images["image_id"]
    }
    files = [
        f"images/{new[image_id]}{Path(file).suffix.lower()}"
        for image_id, file in data.images.select("image_id", "file").iter_rows()
    ]
    renames: list[Any] = [
        pl.concat_str(pl.lit(f"{site}_"), pl.col(column)).alias(column)
        for column in prefixed
        if column != "image_id"
    ]
    images = data.images.with_columns(
        pl.col("image_id").replace_strict(new, return_dtype=pl.String),
        pl.Series("file", files, dtype=pl.String),
        pl.lit(site).alias("site"),
        pl.lit(None, dtype=pl.String).alias("split"),
        pl.lit(None, dtype=pl.Int64).alias("fold"),
        *renames,
    ).drop(DUPLICATE_GROUP, strict=False)
    tables = {"images": images}
    for kind in ANNOTATION_TABLES:
        table = getattr(data, kind)
        if table is not None:
            tables[kind] = table.with_columns(pl.col("image_id").replace_strict(new, return_dtype=pl.String))
    return tables


def _prefixed(site: str, image_id: str) -> str:
    name = f"{site}_{image_id}"
    if len(name) > 100:
        name = f"{name[:87]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name


def _concatenated(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Tables one below the other; a further column with text in one and numbers in another becomes text."""
    kinds: dict[str, set[bool]] = {}
    for table in tables:
        for name, dtype in table.schema.items():
            if dtype != pl.Null and name not in IMAGE_COLUMNS:
                kinds.setdefault(name, set()).add(dtype.is_numeric())
    mixed = [name for name, numeric in kinds.items() if len(numeric) > 1]
    casted = [t.with_columns(pl.col(n).cast(pl.String) for n in mixed if n in t.columns) for t in tables]
    return pl.concat(casted, how="diagonal_relaxed")
