"""YOLO folders: images, one text file of relative boxes per image, and the class names in a YAML file.

Layout: data.yaml with `names`; images/{train,val,test}/… with labels/{train,val,test}/….txt, or the same
without splits, or {train,valid,test}/{images,labels}. A line is `class x_centre y_centre width height`, or
`class x1 y1 x2 y2 …` for a polygon, in fractions of width and height. An image without a text file has no
boxes. Next to data.yaml, images.csv (columns of a data set, by image_id), points.csv, landmarks.csv and
dataset.json are used where they are: `crepitus export` writes them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from crepitus.data.sources.layout import (
    Box,
    Layout,
    Options,
    SourceImage,
    box_labels,
    image_files,
    image_ids,
    need,
    single_file,
)
from crepitus.data.sources.sidecar import annotated_kinds, origin, read_sidecar
from crepitus.errors import DataSetError, UsageError

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def read(source: Path, options: Options) -> Layout:
    """Read a YOLO folder.

    Raises:
        UsageError: no YAML file, no images, or no class that means a fracture.
        DataSetError: a label file breaks its format; the message names file, row and column.
    """
    config = options.annotations or _find_config(source)
    names = class_names(config)
    labels = box_labels(names.values(), options, config.name)
    files = image_files(need(source, "a YOLO folder"))
    if not files:
        raise UsageError(f"{source}: expected PNG or JPEG files, got none")
    relative = [path.relative_to(source) for path in files]
    sidecar = read_sidecar(source)
    images, without = [], 0
    for path, name, image_id in zip(files, relative, image_ids(map(str, relative)), strict=True):
        label_file = source / _label_name(name)
        without += not label_file.is_file()
        split = next((SPLITS[part] for part in name.parts if part in SPLITS), None)
        columns: dict[str, Any] = {"published_split": split, **sidecar.columns(image_id)}
        images.append(
            SourceImage(
                image_id=image_id,
                name=name.as_posix(),
                file=path,
                label=columns.pop("label", None),
                boxes=tuple((box, labels[label]) for box, label in read_labels(label_file, names)),
                points=sidecar.points(image_id),
                landmarks=sidecar.landmarks(image_id),
                relative=True,
                columns=columns,
            )
        )
    if without == len(files):
        raise UsageError(f"{source}: expected label files such as {_label_name(relative[0])}, got none")
    warnings = [f"{without} images have no label file and are taken as without boxes"] if without else []
    annotated = annotated_kinds(
        sidecar.info, "dataset.json", ("points", "boxes"), given=("boxes", *sidecar.tables)
    )
    return Layout(origin(source, sidecar.info, source="YOLO"), annotated, images, warnings)


def _label_name(name: Path) -> Path:
    """labels/….txt for images/….png: the last folder called images becomes labels."""
    parts = list(name.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            return Path(*parts).with_suffix(".txt")
    return name.with_suffix(".txt")


def _find_config(source: Path) -> Path:
    need(source, "a YOLO folder")
    return single_file(source, "data.yaml", ("*.yaml", "*.yml"), "data.yaml with the class names")


def class_names(path: Path) -> dict[int, str]:
    """The entry `names` of a YOLO YAML file, a list or a mapping from number to name.

    Raises:
        DataSetError: it is no YAML, or has no such entry.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        names = content["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (yaml.YAMLError, OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        shown = " ".join(str(error).split())
        raise DataSetError(f"{path.name}: expected YAML with a list 'names', got: {shown}") from error


def read_labels(path: Path, names: dict[int, str]) -> list[tuple[Box, str]]:
    """Boxes of one label file with their class names, in fractions of width and height; none without a file.

    Raises:
        DataSetError: naming file, row and column of what is no box.
    """
    if not path.is_file():
        return []
    boxes = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataSetError(f"{path.name}: expected lines of numbers, got other content") from error
    for row, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        first, *rest = line.split()
        try:
            name = names[int(float(first))]
        except (ValueError, KeyError, OverflowError) as error:
            raise DataSetError(
                f"{path.name}, row {row}, column 1: expected a class of 0 to {max(names)}, got {first!r}"
            ) from error
        boxes.append((_box(rest, path.name, row), name))
    return boxes


def _box(fields: list[str], file: str, row: int) -> Box:
    try:
        values = [float(field) for field in fields]
    except ValueError as error:
        raise DataSetError(f"{file}, row {row}: expected numbers, got {' '.join(fields)!r}") from error
    for column, value in enumerate(values, start=2):
        if not math.isfinite(value):
            raise DataSetError(
                f"{file}, row {row}, column {column}: expected a finite number, got {fields[column - 2]!r}"
            )
    if len(values) == 4:
        x, y, width, height = values
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(values) >= 6 and len(values) % 2 == 0:
        return min(values[0::2]), min(values[1::2]), max(values[0::2]), max(values[1::2])
    raise DataSetError(f"{file}, row {row}: expected 4 numbers or a polygon, got {len(values)} numbers")
