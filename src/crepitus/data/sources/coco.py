"""COCO object detection (Lin et al., 2014): images and one JSON file of boxes or polygons.

The annotations are taken from --annotations, annotations.json, or the only JSON file in the folder or in its
folder annotations/; image files are looked up by `file_name`, relative to the folder or to images/. Further
keys of an image that are columns of a data set (patient_id, view, …) are kept, and so is `points`, a list of
(x, y): `crepitus export` writes them, and in `info` which annotation tables there are (`annotated`).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import polars as pl

from crepitus.data.sources.coco_entries import check_entries, typed
from crepitus.data.sources.layout import (
    Box,
    Layout,
    Options,
    SourceImage,
    box_labels,
    image_files,
    image_ids,
    inside,
    need,
    rounded,
    single_file,
)
from crepitus.data.sources.sidecar import annotated_kinds, origin
from crepitus.data.tables import IMAGE_COLUMNS
from crepitus.errors import DataSetError

_STANDARD_KEYS = frozenset(
    {"id", "width", "height", "file_name", "license", "flickr_url", "coco_url", "date_captured"}
)
_OWN_KEYS = frozenset({"points", "landmarks", "image_id", "file", "rows", "columns", "label"})
Boxes = dict[str, list[tuple[Box, str]]]


def read(source: Path, options: Options) -> Layout:
    """Read a COCO folder.

    Raises:
        UsageError: there is no annotation file, or several, or no category that means a fracture.
        DataSetError: the JSON breaks the format; the message names the entry.
    """
    annotations = options.annotations or _find(source)
    coco = read_coco_file(annotations)
    warnings: list[str] = []
    boxes, sizes = coco_boxes(coco, options, annotations.name, warnings)
    entries = {entry["file_name"]: entry for entry in coco["images"]}
    locate = _locator(source)
    columns = _further_columns(entries)
    images = []
    for (name, entry), image_id in zip(entries.items(), _ids(entries), strict=True):
        points, landmarks = entry.get("points"), entry.get("landmarks") or ()
        images.append(
            SourceImage(
                image_id=image_id,
                name=name,
                file=locate(name),
                label=typed(entry.get("label"), pl.Int64),
                boxes=tuple(boxes.get(name, ())),
                points=None if points is None else tuple((float(x), float(y)) for x, y in points),
                landmarks=tuple((str(n), float(x), float(y)) for n, x, y in landmarks),
                size=sizes.get(name),
                columns=columns[name],
            )
        )
    info: dict[str, Any] = coco["info"] if isinstance(coco.get("info"), dict) else {}
    further = ("points", "landmarks")
    given = {"boxes", *(kind for kind in further if any(entry.get(kind) for entry in coco["images"]))}
    annotated = annotated_kinds(info, f"{annotations.name}, info", {*given, "points"}, given)
    return Layout(origin(source, info), annotated, images, warnings)


def _further_columns(entries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Keys of the image entries that can be columns: plain values, each key with one type, by `file_name`."""
    keys = dict.fromkeys(key for entry in entries.values() for key in entry)
    columns: dict[str, dict[str, Any]] = {name: {} for name in entries}
    for key in keys:
        values = [entry.get(key) for entry in entries.values()]
        kinds = {type(value) for value in values if value is not None}
        if key in _STANDARD_KEYS | _OWN_KEYS or not kinds or kinds & {list, dict}:
            continue
        # A key with text and numbers becomes text; among numbers, True is 1.
        dtype = IMAGE_COLUMNS.get(key, pl.String if str in kinds and len(kinds) > 1 else None)
        for name, value in zip(entries, values, strict=True):
            if value is not None and dtype is not None:
                columns[name][key] = typed(value, dtype)
            elif value is not None:
                columns[name][key] = +value if kinds <= {bool, int, float} else value
    return columns


def _ids(entries: dict[str, dict[str, Any]]) -> list[str]:
    own = [entry.get("image_id") for entry in entries.values()]
    return [str(i) for i in own] if all(own) else image_ids(entries)


def _find(source: Path) -> Path:
    need(source, "a folder with images and a JSON file")
    return single_file(
        source, "annotations.json", ("*.json", "annotations/*.json"), "one JSON file with annotations"
    )


def _locator(source: Path) -> Any:
    """A function from `file_name` to the file: relative to the folder, to images/, or by unique name."""
    by_name: dict[str, list[Path]] = {}

    def locate(name: str) -> Path | None:
        direct = inside(source, name) or inside(source / "images", name)
        if direct is not None:
            return direct
        if not by_name:
            for path in image_files(source):
                by_name.setdefault(path.name, []).append(path)
        candidates = by_name.get(Path(name).name, [])
        return candidates[0] if len(candidates) == 1 else None

    return locate


def read_coco_file(path: Path) -> dict[str, Any]:
    """Read a COCO file and check what every reader relies on.

    Raises:
        DataSetError: no JSON, `images` without id and file_name, doubled ones, or a further key of a wrong
            type.
    """
    try:
        coco = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise DataSetError(f"{path.name}: expected a COCO file in JSON, got: {error}") from error
    if not isinstance(coco, dict) or not isinstance(coco.get("images"), list):
        raise DataSetError(f"{path.name}: expected an object with a list 'images', got {type(coco).__name__}")
    coco.setdefault("annotations", [])
    coco.setdefault("categories", [])
    seen: dict[str, set[Any]] = {"id": set(), "file_name": set()}
    for row, entry in enumerate(coco["images"], start=1):
        for key, values in seen.items():
            value = entry.get(key) if isinstance(entry, dict) else None
            kind = str if key == "file_name" else (int, str)
            if not isinstance(value, kind) or value in values:
                raise DataSetError(
                    f"{path.name}, images row {row}, column {key}: "
                    f"expected a value that no earlier image has, got {value!r}"
                )
            values.add(value)
    check_entries(coco["images"], path.name)
    return coco


def coco_boxes(
    coco: dict[str, Any], options: Options, file: str, warnings: list[str]
) -> tuple[Boxes, dict[str, tuple[int, int]]]:
    """Boxes with labels, and (rows, columns) where announced, by `file_name`.

    An annotation without `bbox` gets the box of its polygons; one with neither is left out with a warning.

    Raises:
        DataSetError: an annotation of an unknown image or category, or with a box that is none.
    """
    try:
        names = {entry["id"]: str(entry["name"]) for entry in coco["categories"]}
    except (KeyError, TypeError) as error:
        raise DataSetError(f"{file}: expected categories with id and name, got {error}") from error
    labels = box_labels(names.values(), options, file)
    by_id = {entry["id"]: entry["file_name"] for entry in coco["images"]}
    boxes: Boxes = {}
    for row, entry in enumerate(coco["annotations"], start=1):
        for column, known in (("image_id", by_id), ("category_id", names)):
            got = entry.get(column) if isinstance(entry, dict) else entry
            if not isinstance(entry, dict) or not isinstance(got, int | str) or got not in known:
                raise DataSetError(
                    f"{file}, annotations row {row}, column {column}: expected a known id, got {got!r}"
                )
        box = _box_of(entry, file, row)
        if box is None:
            warnings.append(f"{file}, annotations row {row}: left out, it has neither bbox nor polygon")
            continue
        boxes.setdefault(by_id[entry["image_id"]], []).append((box, labels[names[entry["category_id"]]]))
    sizes = {
        entry["file_name"]: (int(entry["height"]), int(entry["width"]))
        for entry in coco["images"]
        if entry.get("height") and entry.get("width")
    }
    return boxes, sizes


def _box_of(entry: dict[str, Any], file: str, row: int) -> Box | None:
    key = "bbox" if entry.get("bbox") else "segmentation"
    given: Any = entry.get(key)
    where = f"{file}, annotations row {row}, column {key}"
    if not isinstance(given, list) and key == "segmentation":
        return None  # absent, or a run-length mask
    try:
        if key == "bbox":
            x, y, width, height = (float(value) for value in given)
            box = rounded((x, y, x + width, y + height))
            numbers = [x, y, width, height]
        else:
            polygons = [[float(value) for value in polygon] for polygon in given]
            if not polygons:
                return None
            xs = [value for polygon in polygons for value in polygon[0::2]]
            ys = [value for polygon in polygons for value in polygon[1::2]]
            box, numbers = (min(xs), min(ys), max(xs), max(ys)), xs + ys
    except (TypeError, ValueError) as error:
        what = "x, y, width, height" if key == "bbox" else "polygons of x, y"
        raise DataSetError(f"{where}: expected {what}, got {str(given)[:80]}") from error
    if not all(map(math.isfinite, numbers)):
        raise DataSetError(f"{where}: expected finite numbers, got {str(given)[:80]}")
    return box
