"""The table of a reader study: who said what about which case, read and checked to be complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from crepitus.data.tables import read_text_table
from crepitus.errors import ReadersError

ONE_TREATMENT = "all"
"""Name of the treatment of a table without that column."""

NEGATIVE_NAMES = ("none", "0", "normal", "no finding", "no fracture")
"""Options that are taken for 'nothing there' when the user names none."""


@dataclass(frozen=True)
class Answers:
    """A complete reader study: every reader judged every case with every treatment, once.

    Attributes:
        readers, treatments, cases: names, in the order of the file.
        groups: group of each reader, empty text where none is given.
        truth: (cases,), the right option of each case as text.
        options: (treatments, readers, cases), answers as text; None for a study of ratings.
        ratings: (treatments, readers, cases), float64; None for a study of options.
    """

    readers: tuple[str, ...]
    treatments: tuple[str, ...]
    cases: tuple[str, ...]
    groups: tuple[str, ...]
    truth: NDArray[np.str_]
    options: NDArray[np.str_] | None = None
    ratings: NDArray[np.float64] | None = None

    def negative_option(self, name: str | None = None) -> str:
        """The option that stands for 'nothing there'.

        Raises:
            ReadersError: `name` does not occur, or none is named and none of the usual names occurs.
        """
        known = set(self.truth.tolist())
        if self.options is not None:
            known |= set(self.options.ravel().tolist())
        if name is not None:
            if name not in known:
                raise ReadersError(
                    f"--negative {name}: expected one of the options {', '.join(sorted(known))}"
                )
            return name
        found = next((n for n in NEGATIVE_NAMES if n in known), None)
        if found is None:
            raise ReadersError(
                f"expected an option that stands for no finding, got {', '.join(sorted(known))}; "
                "name it with --negative"
            )
        return found


def read_answers(path: Path, truth: Mapping[str, str] | None = None) -> Answers:
    """Read a CSV of reader, image_id, answer or rating, and optionally treatment, group and truth.

    Args:
        path: the table; one row per reader, case and treatment.
        truth: the right option of each case, for a table without the column `truth`.

    Raises:
        ReadersError: naming row and column, or the combination that is missing or there twice.
    """
    if not path.is_file():
        raise ReadersError(f"{path}: expected a CSV file of reader answers, there is none")
    table = read_text_table(path, ("reader", "image_id"), ReadersError)
    value = _value_column(table, path.name)
    if not table.height:
        raise ReadersError(f"{path.name}: expected at least one answer, the table has no rows")
    for name in ("reader", "image_id", value):
        _refuse_empty(table, name, path.name)
    if "treatment" not in table.columns:
        table = table.with_columns(treatment=pl.lit(ONE_TREATMENT))
    _refuse_empty(table, "treatment", path.name)
    names = {k: table[k].unique(maintain_order=True).to_list() for k in ("treatment", "reader", "image_id")}
    grid = _grid(table, names, path.name)
    cells = grid[value].to_numpy().reshape([len(names[k]) for k in ("treatment", "reader", "image_id")])
    known = _truth(table, names["image_id"], truth, path.name)
    groups = dict.fromkeys(names["reader"], "")
    if "group" in table.columns:
        groups |= _one_each(table, "reader", "group", path.name)
    rated = value == "rating"
    return Answers(
        readers=tuple(names["reader"]),
        treatments=tuple(names["treatment"]),
        cases=tuple(names["image_id"]),
        groups=tuple(groups.values()),
        truth=_binary(known, path.name) if rated else known,
        options=None if rated else cells.astype(np.str_),
        ratings=cells.astype(np.float64) if rated else None,
    )


def _value_column(table: pl.DataFrame, file: str) -> str:
    given = [name for name in ("answer", "rating") if name in table.columns]
    if len(given) != 1:
        raise ReadersError(
            f"{file}: expected either the column 'answer' (options) or 'rating' (numbers), "
            f"got {', '.join(table.columns)}"
        )
    if given[0] == "rating":
        numbers = table["rating"].cast(pl.Float64, strict=False)
        wrong = (table["rating"].is_not_null() & (numbers.is_null() | ~numbers.is_finite())).arg_true()
        if len(wrong):
            row = int(wrong[0])
            raise ReadersError(
                f"{file}, row {row + 1}, column rating: expected a number, got {table['rating'][row]!r}"
            )
    return given[0]


def _refuse_empty(table: pl.DataFrame, name: str, file: str) -> None:
    empty = table[name].is_null().arg_true()
    if len(empty):
        raise ReadersError(f"{file}, row {int(empty[0]) + 1}, column {name}: expected a value, it is empty")


def _grid(table: pl.DataFrame, names: dict[str, list[str]], file: str) -> pl.DataFrame:
    """One row per treatment, reader and case, in that order; refuses what is missing or there twice."""
    key = ["treatment", "reader", "image_id"]
    doubled = (~pl.select(pl.struct(table[k] for k in key).is_first_distinct()).to_series()).arg_true()
    if len(doubled):
        row = int(doubled[0])
        raise ReadersError(
            f"{file}, row {row + 1}: expected one answer of each reader to each case, "
            f"got a second one of {_combination(table.row(row, named=True))}"
        )
    grid = pl.DataFrame({"treatment": names["treatment"]}).join(
        pl.DataFrame({"reader": names["reader"]}), how="cross", maintain_order="left_right"
    )
    grid = grid.join(pl.DataFrame({"image_id": names["image_id"]}), how="cross", maintain_order="left_right")
    missing = grid.join(table, on=key, how="anti", maintain_order="left")
    if missing.height:
        raise ReadersError(
            f"{file}: expected an answer of every reader to every case with every treatment, "
            f"{missing.height} are missing, the first is {_combination(missing.row(0, named=True))}"
        )
    return grid.join(table, on=key, how="left", maintain_order="left")


def _combination(row: dict[str, str]) -> str:
    return f"reader {row['reader']!r}, image_id {row['image_id']!r}, treatment {row['treatment']!r}"


def _truth(
    table: pl.DataFrame, cases: list[str], truth: Mapping[str, str] | None, file: str
) -> NDArray[np.str_]:
    if "truth" in table.columns:
        _refuse_empty(table, "truth", file)
        known: Mapping[str, str] = _one_each(table, "image_id", "truth", file)
    elif truth is None:
        raise ReadersError(f"{file}: column 'truth' is missing; add it, or name the data set with --data")
    else:
        known = truth
    absent = [case for case in cases if case not in known]
    if absent:
        raise ReadersError(f"{file}: expected the truth of every case, that of {absent[0]!r} is not known")
    return np.array([known[case] for case in cases], dtype=np.str_)


def _one_each(table: pl.DataFrame, key: str, column: str, file: str) -> dict[str, str]:
    """The one value of `column` for each value of `key`; refuses contradictions."""
    found: dict[str, str] = {}
    pairs = table.select(key, pl.col(column).fill_null("")).iter_rows()
    for row, (name, value) in enumerate(pairs, start=1):
        if found.setdefault(name, value) != value:
            raise ReadersError(
                f"{file}, row {row}, column {column}: expected {found[name]!r} as in an earlier row of "
                f"{key} {name!r}, got {value!r}"
            )
    return found


def _binary(truth: NDArray[np.str_], file: str) -> NDArray[np.str_]:
    wrong = [value for value in truth.tolist() if value not in ("0", "1")]
    if wrong:
        raise ReadersError(
            f"{file}: expected 1 or 0 as truth of rated cases, got {wrong[0]!r}; for several options give "
            "the column 'answer'"
        )
    return truth
