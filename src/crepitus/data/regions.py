"""A data set of regions from a data set of whole images: pixels, points, boxes and landmarks move along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from crepitus.data.folder import DataSet
from crepitus.data.writer import DataSetWriter
from crepitus.errors import DataSetError, SetAside
from crepitus.prepare.region import Region, region_of
from crepitus.structures import Annotation, Boxes, Landmarks, Points, Radiograph

LEAST_INSIDE = 0.5
"""Share of a box that must lie in the region for the box to be kept, cut at its edge."""

_OWN = frozenset({"image_id", "file", "rows", "columns", "spacing_mm", "label"})
"""Columns of the images table that a region has anew."""


def write_regions(
    data: DataSet,
    out: Path,
    *,
    members: Sequence[str] = ("pubis", "ischium"),
    rows: int = 256,
    columns: int = 512,
    margin: float = 0.1,
    found: pl.DataFrame | None = None,
    image_ids: Iterable[str] | None = None,
) -> DataSetWriter:
    """Write the region of every image that has one into a new data set.

    A point outside its region is left out. An image whose points all lie outside is a negative of the
    region; a fracture at an unknown place stays one.

    Args:
        data: with landmarks, unless `found` gives them.
        out: new or empty folder.
        members: see `region_of`.
        rows: height of a region, pixels.
        columns: width.
        margin: see `region_of`.
        found: landmarks of a detector, image_id, name, x, y, in place of those of the data set.
        image_ids: which images, in this order, so that a caller can show progress; None takes all.

    Returns:
        The closed writer, with what was set aside.

    Raises:
        DataSetError: there are no landmarks, or no image has a region.
    """
    table = data.landmarks if found is None else found
    if table is None:
        raise DataSetError(f"{data.root}: expected landmarks.csv, or landmarks of a detector; there are none")
    marks = replace(data, landmarks=table).landmarks_by_image
    settings = {"members": list(members), "rows": rows, "columns": columns, "margin": margin}
    info = {**data.info, "regions": {**settings, "landmarks": "data set" if found is None else "detector"}}
    kinds = [kind for kind in ("points", "boxes") if getattr(data, kind) is not None]
    with DataSetWriter(out, info, annotated=(*kinds, "landmarks")) as writer:
        for image_id in data.images["image_id"].to_list() if image_ids is None else image_ids:
            row = data.row(image_id)
            try:
                own = marks.get(image_id, Landmarks((), np.zeros((0, 2))))
                region = region_of(own, members, rows=rows, columns=columns, margin=margin)
                pixels = region.pixels(data.radiograph(image_id).pixels)
            except SetAside as error:
                writer.set_aside(row["file"], error)
                continue
            spacing = None if row["spacing_mm"] is None else row["spacing_mm"] / float(region.scale[0])
            annotation = moved(replace(data.annotation(image_id), landmarks=own), region, row["label"])
            kept = {key: value for key, value in row.items() if key not in _OWN}
            writer.add(Radiograph(image_id, pixels, spacing), annotation, **kept)
        if not len(writer):
            writer.discard()
            raise DataSetError(
                f"{data.root}: expected images with landmarks of {' and '.join(members)}, none of the "
                f"{len(data)} images has two of them"
            )
    return writer


def moved(annotation: Annotation, region: Region, label: int | None) -> Annotation:
    """What is known about an image as what is known about its region.

    Args:
        annotation: of the image.
        region: of the image.
        label: as the images table has it.
    """
    points, boxes, landmarks = annotation.points, annotation.boxes, annotation.landmarks
    placed = False
    if points is not None:
        xy = region.to_region(points.xy)
        placed = len(points) > 0
        points = Points(xy[region.holds(xy)])
        if placed:
            label = int(len(points) > 0)
    if boxes is not None:
        boxes = _cut(boxes, region)
    if landmarks is not None:
        xy = region.to_region(landmarks.xy)
        inside = region.holds(xy)
        names = tuple(name for name, keep in zip(landmarks.names, inside, strict=True) if keep)
        landmarks = Landmarks(names, xy[inside])
    return Annotation(label=label, points=points, boxes=boxes, landmarks=landmarks)


def _cut(boxes: Boxes, region: Region) -> Boxes:
    corners = region.to_region(boxes.xyxy.reshape(-1, 2)).reshape(-1, 4)
    limits = np.array([region.columns, region.rows, region.columns, region.rows])
    cut = np.clip(corners, 0, limits)

    def area(xyxy: Any) -> Any:
        return (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])

    keep = (area(cut) > 0) & (area(cut) >= LEAST_INSIDE * area(corners))
    labels = tuple(label for label, kept in zip(boxes.labels, keep, strict=True) if kept)
    return Boxes(cut[keep], labels)


def summary(writer: DataSetWriter, data: DataSet) -> Mapping[str, int]:
    """Counts for the last line of the command: images in, regions out, points in and out."""
    return {
        "images": len(data),
        "regions": len(writer),
        "set_aside": len(writer.rejected),
        "points": 0 if data.points is None else data.points.height,
        "points_inside": writer.count("points"),
    }
