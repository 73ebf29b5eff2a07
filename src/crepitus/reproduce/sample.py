"""The images of a reproduction: whole patients drawn by the seed, folds, and what identifies them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from crepitus.data.splits import assign_folds, stratified_sample
from crepitus.errors import DataSetError, UsageError
from crepitus.reproduce.scales import FOLDS, Scale

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.reproduce.table import Row


def sampled(data: DataSet, scale: Scale, seed: int) -> tuple[DataSet, bool]:
    """The images of a scale, each with a fold.

    Args:
        data: the data set given.
        scale: says how many images.
        seed: of the draw of patients, and of the folds where the data set has none.

    Returns:
        The data set restricted to those images, and whether the folds are its own.
    """
    if scale.images is not None and len(data) > scale.images:
        keep = set(stratified_sample(data.images, data.truth, count=scale.images, seed=seed))
        data = data.select([i for i in data.images["image_id"] if i in keep])
    own = data.images["fold"].null_count() == 0
    if not own:
        data = replace(data, images=assign_folds(data.images, data.truth, folds=FOLDS, seed=seed))
    return data, own


def folds_of(data: DataSet, scale: Scale, fold: int | None) -> tuple[int, ...]:
    """The folds to run: all of them, the first, or the one asked for.

    Raises:
        UsageError: the data set has no such fold.
    """
    known = sorted(data.images["fold"].unique().to_list())
    if fold is not None:
        if fold not in known:
            raise UsageError(f"--fold: expected one of {', '.join(map(str, known))}, got {fold}")
        return (fold,)
    return tuple(known if scale.all_folds else known[:1])


def for_row(data: DataSet, row: Row) -> DataSet:
    """The images that enter a row.

    Raises:
        UsageError: the data set has no such column, or no image with that value.
    """
    for column, value in row.images:
        if column not in data.images.columns:
            raise UsageError(
                f"row {row.name}: expected a column {column!r} in the images table, there is none"
            )
        chosen = data.images.filter(pl.col(column).cast(pl.String) == value)["image_id"].to_list()
        if not chosen:
            raise UsageError(f"row {row.name}: expected images with {column} = {value}, there are none")
        data = data.select(chosen)
    return data


def fingerprint(data: DataSet) -> str:
    """SHA-256 over the tables and the image files of a data set, whatever its folder is called.

    Raises:
        DataSetError: an image cannot be read.
    """
    digest = hashlib.sha256()
    for table in (data.images, data.points, data.boxes, data.landmarks):
        digest.update(b"none" if table is None else table.write_csv().encode())
    for name in data.images["file"]:
        try:
            with (data.root / name).open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as error:
            raise DataSetError(f"{name}: expected a readable image ({error.strerror})") from error
    return digest.hexdigest()
