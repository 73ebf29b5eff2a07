"""The way out: a data set folder as COCO, YOLO or plain CSV, with nothing lost on the way back in.

What a layout has no place for goes where its readers look past it: COCO image entries carry further keys,
YOLO has images.csv and points.csv beside data.yaml. Which annotation tables the data set has is written down
(`annotated`, in COCO's `info` or in dataset.json), so that the way back does not invent one. COCO stores
width and YOLO fractions, so boxes come back to a millionth of a pixel; coordinates with at most six decimals
come back exactly.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from crepitus.data.folder import FRACTURE, DataSet
from crepitus.data.sources.sidecar import INFO_KEYS
from crepitus.data.tables import ANNOTATION_TABLES
from crepitus.data.writer import new_folder, write_table, write_text
from crepitus.errors import DataSetError, UsageError

Watch = Callable[[Iterable[str]], Iterable[str]]


def export(data: DataSet, layout: str, out: Path, watch: Watch = iter) -> None:
    """Write `data` to the new folder `out`.

    Args:
        data: the data set.
        layout: "coco", "yolo" or "csv".
        out: new or empty folder.
        watch: wraps the image ids, to show progress.

    Raises:
        UsageError: `out` holds files, or the layout needs boxes and there are none.
        DataSetError: an image file is missing.
    """
    if layout != "csv" and data.boxes is None:
        raise UsageError(f"--format {layout}: expected a data set with boxes.csv, it has none; use csv")
    new_folder(out)
    # Tables come last: a folder that has them is whole.
    if layout == "coco":
        names = _copy_images(data, out, watch, by_split=False)
        text = json.dumps(to_coco(data, names), indent=1, allow_nan=False)
        write_text(out / "annotations.json", text + "\n")
    elif layout == "yolo":
        names = _copy_images(data, out, watch, by_split=True)
        _write_yolo(data, names, out)
    else:
        names = _copy_images(data, out, watch, by_split=False)
        _write_tables(data, names, out, tuple(ANNOTATION_TABLES))


def _copy_images(data: DataSet, out: Path, watch: Watch, *, by_split: bool) -> dict[str, str]:
    """Copy every image to images/[<split>/]<image_id>.<suffix>; returns the names by image_id."""
    names = {}
    for image_id in watch(data.images["image_id"].to_list()):
        row = data.row(image_id)
        source = data.root / row["file"]
        if not source.is_file():
            raise DataSetError(f"{data.root}: {row['file']} of {image_id} is missing; see 'crepitus audit'")
        folder = f"images/{row['split']}" if by_split and row["split"] else "images"
        names[image_id] = f"{folder}/{image_id}{source.suffix.lower()}"
        (out / folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, out / names[image_id])
    return names


def _write_tables(data: DataSet, names: dict[str, str], out: Path, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        table = getattr(data, kind)
        if table is not None:
            write_table(out / f"{kind}.csv", table)
    files = [names[image_id] for image_id in data.images["image_id"]]
    write_table(out / "images.csv", data.images.with_columns(pl.Series("file", files, dtype=pl.String)))
    write_text(out / "dataset.json", json.dumps(_info(data), indent=2) + "\n")


def _info(data: DataSet) -> dict[str, Any]:
    """What dataset.json says of the origin, and which annotation tables there are."""
    annotated = [kind for kind in ANNOTATION_TABLES if getattr(data, kind) is not None]
    return {**{key: data.info[key] for key in INFO_KEYS if key in data.info}, "annotated": annotated}


def class_names(data: DataSet) -> list[str]:
    """Labels of the boxes, `fracture` first and always, the others by name."""
    others = set() if data.boxes is None else set(data.boxes["label"])
    return [FRACTURE, *sorted(others - {FRACTURE})]


def to_coco(data: DataSet, names: dict[str, str]) -> dict[str, Any]:
    """The data set as a COCO object.

    Args:
        data: with boxes.
        names: relative file name of each image_id.
    """
    numbers = {image_id: number for number, image_id in enumerate(data.images["image_id"], start=1)}
    categories = {name: number for number, name in enumerate(class_names(data), start=1)}
    annotations = [
        {
            "id": number,
            "image_id": numbers[image_id],
            "category_id": categories[label],
            "bbox": [x_min, y_min, x_max - x_min, y_max - y_min],
            "area": (x_max - x_min) * (y_max - y_min),
            "iscrowd": 0,
        }
        for number, (image_id, x_min, y_min, x_max, y_max, label) in enumerate(_box_rows(data), start=1)
    ]
    landmarks: dict[str, list[list[Any]]] = {}
    if data.landmarks is not None:
        for image_id, *mark in data.landmarks.select("image_id", "name", "x", "y").iter_rows():
            landmarks.setdefault(image_id, []).append(mark)
    images = []
    for row in data.images.iter_rows(named=True):
        image_id = row["image_id"]
        entry = {
            "id": numbers[image_id],
            "file_name": names[image_id],
            "width": row["columns"],
            "height": row["rows"],
            **{k: v for k, v in row.items() if k not in ("file", "rows", "columns") and v is not None},
        }
        if data.points is not None:
            entry["points"] = [list(point) for point in data.points_by_image.get(image_id, [])]
        if data.landmarks is not None:
            entry["landmarks"] = landmarks.get(image_id, [])
        images.append(entry)
    return {
        "info": _info(data),
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
    }


def _box_rows(data: DataSet) -> Iterable[tuple[Any, ...]]:
    if data.boxes is None:
        return iter(())
    return data.boxes.select(tuple(ANNOTATION_TABLES["boxes"])).iter_rows()


def _write_yolo(data: DataSet, names: dict[str, str], out: Path) -> None:
    classes = class_names(data)
    sizes = {i: (r, c) for i, r, c in data.images.select("image_id", "rows", "columns").iter_rows()}
    lines: dict[str, list[str]] = {image_id: [] for image_id in names}
    for image_id, x_min, y_min, x_max, y_max, label in _box_rows(data):
        rows, columns = sizes[image_id]
        box = (x_min + x_max) / 2 / columns, (y_min + y_max) / 2 / rows
        size = (x_max - x_min) / columns, (y_max - y_min) / rows
        lines[image_id].append(" ".join([str(classes.index(label)), *map(repr, (*box, *size))]))
    for image_id, name in names.items():
        path = (out / "labels" / Path(name).relative_to("images")).with_suffix("")
        path = path.with_name(f"{image_id}.txt")  # an image_id may hold dots
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in lines[image_id]), encoding="utf-8")
    _write_tables(data, names, out, ("points", "landmarks"))
    splits = [name for name in ("train", "val", "test") if (out / "images" / name).is_dir()]
    config = {name: f"images/{name}" for name in splits} or {"train": "images", "val": "images"}
    write_text(
        out / "data.yaml", yaml.safe_dump({**config, "names": dict(enumerate(classes))}, sort_keys=False)
    )
