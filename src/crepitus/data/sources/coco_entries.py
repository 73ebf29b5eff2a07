"""Further keys of COCO's image entries, as `crepitus export` writes them: checked before images are read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl

from crepitus.data.tables import IMAGE_COLUMNS, check_values
from crepitus.errors import DataSetError
from crepitus.structures import is_image_id

_SIZES = ("width", "height")
_OWN = frozenset({"image_id", "file", "rows", "columns"})


def check_entries(entries: list[dict[str, Any]], file: str) -> None:
    """Check the types and values of every key that becomes a column, a point, a landmark or a size.

    Args:
        entries: `images` of a COCO file.
        file: its name, for messages.

    Raises:
        DataSetError: naming file, entry (from 1) and key.
    """
    columns = {name: dtype for name, dtype in IMAGE_COLUMNS.items() if name not in _OWN}
    checks: dict[str, tuple[Callable[[Any], bool], str]] = {
        "points": (_are_points, "a list of pairs of finite numbers"),
        "landmarks": (_are_landmarks, "a list of a name and two finite numbers each"),
        "image_id": (
            lambda value: isinstance(value, str) and is_image_id(value),
            "an id of A-Z a-z 0-9 . _ -",
        ),
        **dict.fromkeys(_SIZES, (lambda value: _is_whole(value) and value >= 0, "a whole number")),
    }
    for name, dtype in columns.items():
        if dtype == pl.Int64:
            checks[name] = (_is_whole, "a whole number or nothing")
        elif dtype == pl.Float64:
            checks[name] = (_is_number, "a finite number or nothing")
        else:
            checks[name] = (lambda value: isinstance(value, str) or _is_number(value), "text or nothing")
    for row, entry in enumerate(entries, start=1):
        for name, (holds, expected) in checks.items():
            value = entry.get(name)
            if value is not None and not holds(value):
                raise DataSetError(
                    f"{file}, images row {row}, column {name}: expected {expected}, got {str(value)[:80]!r}"
                )
    known = {name: [typed(entry.get(name), dtype) for entry in entries] for name, dtype in columns.items()}
    check_values(pl.DataFrame(known, schema=columns), f"{file}, images")


def typed(value: Any, dtype: type[pl.DataType]) -> Any:
    """A checked value as its column has it: 7 as "7" in text, 1.0 as 1 among whole numbers."""
    if value is None:
        return None
    return str(value) if dtype == pl.String else int(value) if dtype == pl.Int64 else float(value)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond the floating-point numbers
        return False


def _is_whole(value: Any) -> bool:
    return _is_number(value) and float(value).is_integer() and abs(value) < 2**63


def _are_points(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) for pair in value
    )


def _are_landmarks(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(mark, list)
        and len(mark) == 3
        and isinstance(mark[0], str)
        and all(map(_is_number, mark[1:]))
        for mark in value
    )
