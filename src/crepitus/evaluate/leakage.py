"""What makes a test set no test: patients, studies or pictures in more than one part of the data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from crepitus.data.audit import DIVISIONS, across
from crepitus.data.splits import DUPLICATE_GROUP
from crepitus.errors import LeakageError

if TYPE_CHECKING:
    from crepitus.data import DataSet

NAMED = 3
"""As many examples are named; 'crepitus audit' lists all."""


def leaks(data: DataSet) -> list[str]:
    """One sentence for each kind of leakage between the splits, or between the folds; empty without any.

    Pictures count as the same when their files are byte for byte the same, or when `crepitus split` put them
    into one `duplicate_group`; near-duplicates beyond that are found by `crepitus audit` alone.
    """
    found = []
    for column in DIVISIONS:
        divided = data.images.drop_nulls([column])
        if divided[column].n_unique() < 2:
            continue
        for name, kind in (("patient_id", "patient"), ("study_id", "study")):
            found += _sentence(kind, across(divided, name, column), column)
        pictures = across(divided, DUPLICATE_GROUP, column) if DUPLICATE_GROUP in divided.columns else []
        pictures = [f"group of {name}" for name in pictures] + _same_files(data.root, divided, column)
        found += _sentence("picture", pictures, column)
    return found


def refuse_leakage(data: DataSet, allow: bool) -> list[str]:
    """The leaks, if they are allowed.

    Raises:
        LeakageError: there are some, and they are not.
    """
    found = leaks(data)
    if found and not allow:
        raise LeakageError(
            f"{data.root}: expected no leakage between the parts of the data set, got: {'; '.join(found)}. "
            "Divide it anew with 'crepitus split', or evaluate all the same with --allow-leakage, which is "
            "written into the result"
        )
    return found


def _sentence(kind: str, names: list[str], column: str) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return [f"the same {kind} in two {column}s ({', '.join(names[:NAMED])}{more})"]


def _same_files(root: Path, divided: pl.DataFrame, column: str) -> list[str]:
    """Files with the same bytes in two parts, as `first = second`; only files of one size are read."""
    by_size: dict[int, list[tuple[str, Path, object]]] = {}
    for image_id, name, part in divided.select("image_id", "file", column).iter_rows():
        path = root / name
        try:
            size = path.stat().st_size
        except OSError:
            continue  # a missing file is no leak; whoever reads it will say so
        by_size.setdefault(size, []).append((image_id, path, part))
    found = []
    for candidates in by_size.values():
        if len({part for _, _, part in candidates}) > 1:
            found += _pairs(candidates)
    return found


def _pairs(candidates: Iterable[tuple[str, Path, object]]) -> list[str]:
    first: dict[bytes, tuple[str, object]] = {}
    found = []
    for image_id, path, part in candidates:
        digest = hashlib.sha256(path.read_bytes()).digest()
        other, its_part = first.setdefault(digest, (image_id, part))
        if part != its_part:
            found.append(f"{other} = {image_id}")
    return found
