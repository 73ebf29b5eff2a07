"""Labels for a conversion: a table by image, file, study or accession number, joined to the images."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from crepitus.data.tables import IMAGE_COLUMNS, check_values, read_table
from crepitus.dicom.metadata import hashed
from crepitus.errors import UsageError

KEYS = {
    "file": "file",
    "sop_instance_uid": "SOPInstanceUID",
    "study_instance_uid": "StudyInstanceUID",
    "accession_number": "AccessionNumber",
}
"""Key columns, the most exact first, and the attribute that each is compared with."""

VALUES = ("label", "ao_class", "hardware")


@dataclass(frozen=True)
class Labels:
    """Values by key.

    Attributes:
        by_key: (key column, key) to the values that are not empty.
        ignored: further columns; they may hold anything about a patient, so they are not taken over.
    """

    by_key: dict[tuple[str, str], dict[str, Any]]
    ignored: tuple[str, ...]

    def digest(self) -> str:
        """A short text that differs when the values do."""
        return hashlib.sha256(repr(sorted(self.by_key.items())).encode()).hexdigest()[:20]


def read_labels(path: Path) -> Labels:
    """Read a CSV or Parquet table of labels.

    Columns: at least one of `KEYS`, at least one of `VALUES`. A row is matched by its first key that is not
    empty, in the order of `KEYS`.

    Raises:
        UsageError: no table, no key, a wrong value, a row without a key, or a key with two different labels;
            the message names file, row and column.
    """
    if not path.is_file():
        raise UsageError(f"--labels {path}: expected a CSV or Parquet table, there is none")
    schema: dict[str, type[pl.DataType]] = {
        **dict.fromkeys(KEYS, pl.String),
        **{name: IMAGE_COLUMNS[name] for name in VALUES},
    }
    table = read_table(path, schema, (), UsageError)
    keys = [key for key in KEYS if key in table.columns]
    values = [name for name in VALUES if name in table.columns]
    if not keys or not values:
        raise UsageError(
            f"--labels {path.name}: expected a column of {', '.join(KEYS)} and one of {', '.join(VALUES)}, "
            f"got {', '.join(table.columns)}"
        )
    check_values(table.select(values), path.name)
    by_key: dict[tuple[str, str], dict[str, Any]] = {}
    for number, row in enumerate(table.select(keys + values).iter_rows(named=True), start=1):
        key = next(((k, row[k].strip()) for k in keys if row[k] and row[k].strip()), None)
        if key is None:
            raise UsageError(
                f"{path.name}, row {number}, column {keys[0]}: expected a key in one of {', '.join(keys)}"
            )
        given = {name: row[name] for name in values if row[name] is not None}
        if by_key.setdefault(key, given) != given:
            raise UsageError(
                f"{path.name}, row {number}, column {key[0]}: {key[1]!r} stands in an earlier row "
                f"with other values"
            )
    return Labels(by_key, tuple(name for name in table.columns if name not in (*KEYS, *VALUES)))


def apply_labels(
    labels: Labels, images: list[tuple[dict[str, Any], dict[str, str | None], str]], salt: bytes
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The rows with their labels.

    Args:
        labels: the table.
        images: of each image its row, the salted hashes of its identifiers, and the name of its file.
        salt: of the project; the identifiers of the table are hashed the same way.

    Returns:
        the rows, completed by the values and by `label_source` (the key that matched), and the keys of the
        table that no image has.
    """
    by_hash = {
        (KEYS[key], text if key == "file" else hashed(text, "label", salt)): ((key, text), given)
        for (key, text), given in labels.by_key.items()
    }
    used: Counter[tuple[str, str]] = Counter()
    rows = []
    for row, matches, file in images:
        completed = {**row, **dict.fromkeys(VALUES), "label_source": None}
        for attribute in reversed(KEYS.values()):
            found = by_hash.get((attribute, file if attribute == "file" else matches.get(attribute)))
            if found is not None:
                key, given = found
                completed |= given | ({"label_source": key[0]} if "label" in given else {})
                used[key] += 1
        rows.append(completed)
    return rows, [key for key in labels.by_key if key not in used]
