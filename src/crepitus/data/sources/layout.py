"""What every layout is read into: a list of images with their annotations, before any pixel is read."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crepitus.data.folder import FRACTURE
from crepitus.data.images import IMAGE_SUFFIXES
from crepitus.data.tables import read_text_table
from crepitus.errors import DataSetError, UsageError
from crepitus.structures import is_image_id

Box = tuple[float, float, float, float]
"""x_min, y_min, x_max, y_max."""

FRACTURE_NAMES = frozenset(
    {"fracture", "fractures", "fractured", "bone fracture", "bone fractures", "bone fractured"}
)
"""Category names that mean a fracture, in lower case, with spaces for '_' and '-'."""


@dataclass(frozen=True)
class Options:
    """What a user may tell the importer beyond the folder.

    Attributes:
        annotations: the annotation file or table, where the layout leaves its name open.
        fracture_names: further category names that mean a fracture.
    """

    annotations: Path | None = None
    fracture_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceImage:
    """One image as its layout lists it.

    Attributes:
        image_id: id in the new data set.
        name: the image as the layout names it, for messages and rejected.csv.
        file: where the pixels are; None where the layout lists an image without a file.
        label: 1, 0, None unknown.
        boxes: with their labels, in pixels, or in fractions of width and height if `relative`.
        points: (x, y) that are annotated as such, in pixels; None: the centres of the fracture boxes.
        landmarks: (name, x, y), in pixels.
        relative: whether `boxes` are fractions of the image's size.
        size: (rows, columns) that the layout announces, None if it does not.
        columns: further values of the `images` table.
    """

    image_id: str
    name: str
    file: Path | None
    label: int | None = None
    boxes: tuple[tuple[Box, str], ...] = ()
    points: tuple[tuple[float, float], ...] | None = None
    landmarks: tuple[tuple[str, float, float], ...] = ()
    relative: bool = False
    size: tuple[int, int] | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """A source as it was found.

    Attributes:
        info: name, licence, source for dataset.json.
        annotated: annotation tables that the set has, even where they have no rows.
        images: every listed image.
        warnings: sentences for the user.
    """

    info: Mapping[str, Any]
    annotated: tuple[str, ...]
    images: list[SourceImage]
    warnings: list[str] = field(default_factory=list)


def rounded(box: Box) -> Box:
    """A computed box to a millionth of a pixel, so that sums such as x + width carry no binary noise."""
    x_min, y_min, x_max, y_max = (round(value, 6) if math.isfinite(value) else value for value in box)
    return x_min, y_min, x_max, y_max


def is_fracture(name: str, options: Options) -> bool:
    """Whether a category name means a fracture."""
    plain = re.sub(r"[\s_-]+", " ", name).strip().lower()
    return plain in FRACTURE_NAMES or name in options.fracture_names


def box_labels(names: Iterable[str], options: Options, file: str) -> dict[str, str]:
    """Map a layout's category names to box labels: those that mean a fracture become `fracture`.

    Raises:
        UsageError: none of the names means a fracture, so that the set would hold no positives.
    """
    labels = {name: FRACTURE if is_fracture(name, options) else name for name in names}
    if labels and FRACTURE not in labels.values():
        raise UsageError(
            f"{file}: expected a category that means a fracture, got {', '.join(sorted(labels))}; "
            "name it with --fracture-name"
        )
    return labels


def need(path: Path, what: str) -> Path:
    """`path` if it exists, as file or folder; otherwise a UsageError that says what the layout expects."""
    if not path.exists():
        raise UsageError(f"{path}: expected {what}, there is none; is --format right?")
    return path


def single_file(source: Path, preferred: str, patterns: tuple[str, ...], expected: str) -> Path:
    """The file `preferred` of a folder, or the only one that matches a pattern.

    Raises:
        UsageError: there is none, or several.
    """
    if (source / preferred).is_file():
        return source / preferred
    found = sorted(path for pattern in patterns for path in source.glob(pattern))
    if len(found) != 1:
        what = f"{len(found)} ({', '.join(f.name for f in found)})" if found else "none"
        raise UsageError(f"{source}: expected {expected}, got {what}; use --annotations")
    return found[0]


def image_files(folder: Path) -> list[Path]:
    """Regular PNG and JPEG files below `folder`, sorted, without hidden ones and links that leave it."""
    root = folder.resolve()
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
        and path.resolve().is_relative_to(root)
    )


def inside(root: Path, name: str) -> Path | None:
    """`root / name` if that is a regular file inside `root`, otherwise None."""
    path = root / name.replace("\\", "/")
    try:
        return path if path.is_file() and path.resolve().is_relative_to(root.resolve()) else None
    except (OSError, ValueError):  # a name with NUL or of 10,000 characters
        return None


def image_ids(names: Iterable[str]) -> list[str]:
    """Valid, unique ids for relative file names: the stem where that is one, the path or a hash if need be.

    The stem "a b" becomes "a_b"; of two files with the same stem each gets its folders in front.
    """
    names = list(names)
    stems = [_as_id(Path(name).stem) for name in names]
    counts: dict[str, int] = {}
    for stem in stems:
        counts[stem] = counts.get(stem, 0) + 1
    ids = []
    taken: set[str] = set()
    for name, stem in zip(names, stems, strict=True):
        chosen = stem if counts[stem] == 1 else _as_id(str(Path(name).with_suffix("")))
        if chosen in taken or (chosen != stem and chosen in counts):
            chosen = f"{chosen[:87]}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
        taken.add(chosen)
        ids.append(chosen)
    return ids


def _as_id(text: str) -> str:
    clean = re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".") or "image"
    if len(clean) > 100:
        clean = f"{clean[:87]}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    return clean if is_image_id(clean) else "image"


def rows_of(path: Path, required: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Rows of a CSV table of a source, as text (empty: None).

    Raises:
        DataSetError: a column is missing, or the file is no table.
    """
    yield from read_text_table(need(path, "a table"), required).iter_rows(named=True)


def number(value: str | None, path: Path, row: int, column: str) -> float | None:
    """A cell as a number, None where it is empty.

    Raises:
        DataSetError: naming file, row and column of what is no number.
    """
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        raise DataSetError(
            f"{path.name}, row {row}, column {column}: expected a number, got {value!r}"
        ) from None


def flag(value: str | None, path: Path, row: int, column: str) -> int | None:
    """A cell that holds 1, 0 or nothing.

    Raises:
        DataSetError: naming file, row and column of anything else.
    """
    found = number(value, path, row, column)
    if found not in (None, 0, 1):
        raise DataSetError(
            f"{path.name}, row {row}, column {column}: expected 1, 0 or nothing, got {value!r}"
        )
    return None if found is None else int(found)
