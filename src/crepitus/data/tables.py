"""The tables of a data set folder: their columns, how they are read, and what makes one invalid.

Rows are counted from 1 without the header, in messages and in code alike.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from crepitus.data.table_text import check_header, is_utf8, not_utf8
from crepitus.errors import CrepitusError, DataSetError
from crepitus.structures import is_image_id

IMAGE_COLUMNS: dict[str, type[pl.DataType]] = {
    "image_id": pl.String,
    "study_id": pl.String,
    "patient_id": pl.String,
    "file": pl.String,
    "rows": pl.Int64,
    "columns": pl.Int64,
    "spacing_mm": pl.Float64,
    "body_part": pl.String,
    "view": pl.String,
    "laterality": pl.String,
    "label": pl.Int64,
    "ao_class": pl.String,
    "hardware": pl.Int64,
    "split": pl.String,
    "fold": pl.Int64,
}
REQUIRED_IMAGE_COLUMNS = ("image_id", "file", "rows", "columns")
POINT_COLUMNS: dict[str, type[pl.DataType]] = {"image_id": pl.String, "x": pl.Float64, "y": pl.Float64}
BOX_COLUMNS: dict[str, type[pl.DataType]] = {
    "image_id": pl.String,
    "x_min": pl.Float64,
    "y_min": pl.Float64,
    "x_max": pl.Float64,
    "y_max": pl.Float64,
    "label": pl.String,
}
LANDMARK_COLUMNS: dict[str, type[pl.DataType]] = {
    "image_id": pl.String,
    "name": pl.String,
    "x": pl.Float64,
    "y": pl.Float64,
}
AO_CLASSES = ("N", "A1", "A2", "A3", "B1", "B2", "B3")
SPLITS = ("train", "val", "test")
ANNOTATION_TABLES = {"points": POINT_COLUMNS, "boxes": BOX_COLUMNS, "landmarks": LANDMARK_COLUMNS}


def read_table(
    path: Path,
    schema: dict[str, type[pl.DataType]],
    required: tuple[str, ...],
    error: type[CrepitusError] = DataSetError,
) -> pl.DataFrame:
    """Read a CSV or Parquet table with typed columns.

    Args:
        path: file ending in .csv or .parquet.
        schema: type of each known column; identifiers stay text ("007" is not 7).
        required: columns that must be there.
        error: class of the error to raise.

    Returns:
        All columns of the file; known ones cast, further ones as numbers where all their values are.

    Raises:
        CrepitusError: of class `error`, naming file, row and column.
    """
    table = _read(path, required, error)
    for name in table.columns:
        if name in schema:
            table = _cast(table, name, schema[name], path.name, error)
        elif path.suffix == ".csv":
            table = table.with_columns(_guess_type(table[name]))
    return table


def read_text_table(
    path: Path, required: tuple[str, ...], error: type[CrepitusError] = DataSetError
) -> pl.DataFrame:
    """Read a CSV table whose columns are known to its reader only: every cell as text, empty ones null.

    Raises:
        CrepitusError: of class `error`, naming file and column of what is missing.
    """
    table = _read(path, required, error)
    return table.with_columns(pl.col(pl.String).str.strip_chars().replace("", None))


def _read(path: Path, required: tuple[str, ...], error: type[CrepitusError]) -> pl.DataFrame:
    """A table as stored, the names of its columns cleaned, the required ones there."""
    try:
        if path.suffix == ".parquet":
            table = pl.read_parquet(path)
        else:
            check_header(path, error)
            table = pl.read_csv(path, infer_schema=False, encoding="utf8")
    except (pl.exceptions.PolarsError, OSError) as fault:
        if isinstance(fault, pl.exceptions.NoDataError):
            raise error(
                f"{path.name}: expected a header with {', '.join(required)}, the file is empty"
            ) from fault
        if path.suffix != ".parquet" and path.is_file() and not is_utf8(path):
            raise not_utf8(path, error) from fault
        first_line = (str(fault).splitlines() or [type(fault).__name__])[0]
        raise error(f"{path.name}: expected a readable table, got: {first_line}") from fault
    names = [name.strip().lstrip("\ufeff") or name for name in table.columns]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise error(f"{path.name}: expected each column once, column {doubled!r} stands there twice")
    table = table.rename(dict(zip(table.columns, names, strict=True)))
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise error(
            f"{path.name}: column '{missing[0]}' is missing; expected at least {', '.join(required)}, "
            f"got {', '.join(table.columns)}"
        )
    return table


def _cast(
    table: pl.DataFrame, name: str, dtype: type[pl.DataType], file: str, error: type[CrepitusError]
) -> pl.DataFrame:
    column = table[name]
    if column.dtype == pl.String:
        column = column.str.strip_chars().replace("", None)
    if dtype == pl.Int64 and column.dtype == pl.String:
        # A table that went through a spreadsheet or pandas has 1.0 where 1 was meant.
        as_float = column.cast(pl.Float64, strict=False)
        cast = as_float.cast(pl.Int64, strict=False)
        cast = pl.select(pl.when(as_float == cast).then(cast)).to_series().rename(name)
    else:
        cast = column.cast(dtype, strict=False)
    failed = (cast.is_null() & column.is_not_null()).arg_true()
    if len(failed):
        row = int(failed[0])
        wanted = "a whole number" if dtype == pl.Int64 else "a number"
        raise error(f"{file}, row {row + 1}, column {name}: expected {wanted}, got {column[row]!r}")
    return table.with_columns(cast.alias(name))


def _guess_type(column: pl.Series) -> pl.Series:
    """A further column as numbers if every value is one and none has a leading zero."""
    column = column.replace("", None)
    stripped = column.str.strip_chars()
    values = stripped.drop_nulls()
    if len(values) == 0 or values.str.contains(r"^[+-]?0\d").any():
        return column
    for dtype in (pl.Int64, pl.Float64):
        cast = stripped.cast(dtype, strict=False)
        if cast.null_count() == column.null_count():
            return cast
    return column


def complete_images(images: pl.DataFrame) -> pl.DataFrame:
    """`images` with every column of the format present, in its order, further columns after them."""
    missing = [
        pl.lit(None, dtype=dtype).alias(n) for n, dtype in IMAGE_COLUMNS.items() if n not in images.columns
    ]
    further = [name for name in images.columns if name not in IMAGE_COLUMNS]
    return images.with_columns(missing).select([*IMAGE_COLUMNS, *further])


def refuse(
    file: str,
    bad: pl.Series,
    column: str,
    expected: str,
    values: pl.Series,
    error: type[CrepitusError] = DataSetError,
) -> None:
    """Raise `error` naming the first row of `file` where `bad` is true (null counts as false)."""
    rows = bad.fill_null(value=False).arg_true()
    if len(rows):
        row = int(rows[0])
        more = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
        raise error(f"{file}, row {row + 1}, column {column}: expected {expected}, got {values[row]!r}{more}")


def check_images(images: pl.DataFrame, file: str) -> None:
    """Raise DataSetError at the first row of the `images` table that breaks the format."""
    ids = images["image_id"]
    refuse(file, ids.is_null(), "image_id", "an id", ids)
    wrong = ~ids.map_elements(is_image_id, return_dtype=pl.Boolean)
    refuse(file, wrong, "image_id", "1 to 100 of A-Z a-z 0-9 . _ - without a leading dot", ids)
    refuse(file, ~ids.is_first_distinct(), "image_id", "an id that no earlier row has", ids)
    names = images["file"]
    escapes = names.is_null() | names.str.contains(r"^/|^[A-Za-z]:|\\|(^|/)\.\.(/|$)")
    refuse(file, escapes, "file", "a path inside the folder", names)
    for name in ("rows", "columns"):
        refuse(
            file,
            images[name].is_null() | (images[name] < 1),
            name,
            "a whole number of at least 1",
            images[name],
        )
    check_values(images, file)


def check_values(images: pl.DataFrame, file: str) -> None:
    """Raise DataSetError at the first value of a column that breaks the format; columns may be missing."""
    if "spacing_mm" in images.columns:
        spacing = images["spacing_mm"]
        wrong = ~spacing.is_finite() | (spacing <= 0)
        refuse(file, wrong, "spacing_mm", "a length above 0 or nothing", spacing)
    expected: dict[str, tuple[tuple[int | str, ...], str]] = {
        "label": ((0, 1), "1, 0 or nothing"),
        "hardware": ((0, 1), "1, 0 or nothing"),
        "ao_class": (AO_CLASSES, "one of " + " ".join(AO_CLASSES) + " or nothing"),
        "split": (SPLITS, "train, val, test or nothing"),
    }
    for name, (values, words) in expected.items():
        if name in images.columns:
            refuse(file, ~images[name].is_in(values), name, words, images[name])
    if "fold" in images.columns:
        refuse(file, images["fold"] < 0, "fold", "a whole number of at least 0 or nothing", images["fold"])


def check_annotations(table: pl.DataFrame, images: pl.DataFrame, kind: str) -> None:
    """Raise DataSetError at the first annotation that is unknown, not a number or outside its image.

    Args:
        table: points, boxes or landmarks.
        images: checked `images` table.
        kind: "points", "boxes" or "landmarks".
    """
    file = f"{kind}.csv"
    joined = table.join(
        images.select("image_id", pl.col("rows").alias("_rows"), pl.col("columns").alias("_columns")),
        on="image_id",
        how="left",
        maintain_order="left",
    )
    refuse(file, joined["_rows"].is_null(), "image_id", "an id of the images table", joined["image_id"])
    axes = {"x": "_columns", "y": "_rows"}
    if kind == "boxes":
        axes = {"x_min": "_columns", "y_min": "_rows", "x_max": "_columns", "y_max": "_rows"}
    for name, size in axes.items():
        values = joined[name]
        refuse(file, values.is_null() | ~values.is_finite(), name, "a finite number", values)
        beyond = values > joined[size] if name.endswith("_max") else values >= joined[size]
        refuse(file, (values < 0) | beyond, name, "a position inside the image", values)
    if kind == "boxes":
        for low, high in (("x_min", "x_max"), ("y_min", "y_max")):
            refuse(file, joined[high] <= joined[low], high, f"more than {low}", joined[high])
        refuse(file, joined["label"].is_null(), "label", "a name", joined["label"])
    if kind == "landmarks":
        refuse(file, joined["name"].is_null(), "name", "a name", joined["name"])
        doubled = ~pl.select(pl.struct(joined["image_id"], joined["name"]).is_first_distinct()).to_series()
        refuse(file, doubled, "name", "each name once per image", joined["name"])
