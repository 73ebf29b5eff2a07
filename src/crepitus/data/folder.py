"""The data set folder as an immutable value: read it, check it, ask it for images and annotations."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from crepitus.data.images import read_image
from crepitus.data.region_of_interest import regions
from crepitus.data.tables import (
    ANNOTATION_TABLES,
    IMAGE_COLUMNS,
    REQUIRED_IMAGE_COLUMNS,
    check_annotations,
    check_images,
    complete_images,
    read_table,
)
from crepitus.errors import DataSetError
from crepitus.structures import Annotation, Boxes, Landmarks, Points, Radiograph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FRACTURE = "fracture"
"""Label of the boxes that stand for fractures."""


@dataclass(frozen=True)
class DataSet:
    """A data set folder; tables in memory, pixels read on demand.

    Attributes:
        root: the folder.
        images: one row per image, every column of the format present.
        points: image_id, x, y; None means that points were not annotated.
        boxes: image_id, x_min, y_min, x_max, y_max, label; None likewise.
        landmarks: image_id, name, x, y; None likewise.
        info: content of dataset.json.
    """

    root: Path
    images: pl.DataFrame
    points: pl.DataFrame | None = None
    boxes: pl.DataFrame | None = None
    landmarks: pl.DataFrame | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path | str) -> DataSet:
        """Read and check a folder.

        Raises:
            DataSetError: naming file, row and column of the first fault.
        """
        root = Path(root)
        if not root.is_dir():
            raise DataSetError(f"{root}: expected a data set folder, there is none")
        source = next((root / n for n in ("images.csv", "images.parquet") if (root / n).is_file()), None)
        if source is None:
            raise DataSetError(
                f"{root}: expected images.parquet or images.csv, there is neither; "
                "make a data set with 'crepitus import' or 'crepitus phantom'"
            )
        images = complete_images(read_table(source, IMAGE_COLUMNS, REQUIRED_IMAGE_COLUMNS))
        check_images(images, source.name)
        tables: dict[str, pl.DataFrame] = {}
        for kind, schema in ANNOTATION_TABLES.items():
            path = root / f"{kind}.csv"
            if path.is_file():
                tables[kind] = read_table(path, schema, tuple(schema))
                check_annotations(tables[kind], images, kind)
        return cls(root=root, images=images, info=read_info(root), **tables)

    def __len__(self) -> int:
        return self.images.height

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {image_id: row for row, image_id in enumerate(self.images["image_id"])}

    def row(self, image_id: str) -> dict[str, Any]:
        """The row of one image as a dictionary."""
        if image_id not in self._row_of:
            raise DataSetError(f"{self.root}: expected an image_id of the data set, got {image_id!r}")
        return self.images.row(self._row_of[image_id], named=True)

    def path(self, image_id: str) -> Path:
        """Where the pixels of an image are."""
        return self.root / str(self.row(image_id)["file"])

    def radiograph(self, image_id: str) -> Radiograph:
        """Read one image; files were verified when they entered, so that an epoch decodes them once.

        Raises:
            Damaged: the file is missing or ends early.
            NotRadiograph: it has colours.
            DataSetError: its size differs from the table.
        """
        row = self.row(image_id)
        pixels = read_image(self.root / row["file"], verify=False)
        if pixels.shape != (row["rows"], row["columns"]):
            raise DataSetError(
                f"{image_id}: expected {row['rows']} x {row['columns']} pixels as in the images table, "
                f"got {pixels.shape[0]} x {pixels.shape[1]} in {row['file']}"
            )
        return Radiograph(image_id=image_id, pixels=pixels, spacing_mm=row["spacing_mm"])

    def mask_path(self, image_id: str) -> Path | None:
        """Where the mask of an image is or would be, for sets whose dataset.json says so: `masks.files`."""
        masks = self.info.get("masks")
        template = masks.get("files") if isinstance(masks, dict) else None
        return self.root / template.replace("<image_id>", image_id) if isinstance(template, str) else None

    @cached_property
    def points_by_image(self) -> dict[str, NDArray[np.float64]]:
        """Points (n, 2) of every image that has some."""
        return _grouped(self.points, ("x", "y"))

    @cached_property
    def fracture_boxes_by_image(self) -> dict[str, NDArray[np.float64]]:
        """Boxes (n, 4) labelled `fracture` of every image that has some."""
        if self.boxes is None:
            return {}
        return _grouped(self.boxes.filter(pl.col("label") == FRACTURE), ("x_min", "y_min", "x_max", "y_max"))

    @cached_property
    def boxes_by_image(self) -> dict[str, Boxes]:
        """Boxes with all their labels of every image that has some."""
        if self.boxes is None:
            return {}
        return {
            image_id: Boxes(rows.select("x_min", "y_min", "x_max", "y_max").to_numpy(), tuple(rows["label"]))
            for image_id, rows in _by_image(self.boxes)
        }

    @cached_property
    def regions_by_image(self) -> dict[str, NDArray[np.float64]]:
        """Region of interest (4,) of every image that has one, see `data.region_of_interest`."""
        return regions(self.images, self.boxes, self.landmarks)

    @cached_property
    def landmarks_by_image(self) -> dict[str, Landmarks]:
        """Landmarks of every image that has some."""
        if self.landmarks is None:
            return {}
        return {
            image_id: Landmarks(tuple(rows["name"]), rows.select("x", "y").to_numpy())
            for image_id, rows in _by_image(self.landmarks)
        }

    @cached_property
    def truth(self) -> dict[str, int | None]:
        """Whether each image shows a fracture: 1, 0, or None where nothing says so.

        The label decides; without one, an image of a data set with points or boxes is positive if it
        has any and negative if not.
        """
        annotated = self.points is not None or self.boxes is not None
        truth: dict[str, int | None] = {}
        for image_id, label in self.images.select("image_id", "label").iter_rows():
            if label is None and annotated:
                label = int(image_id in self.points_by_image or image_id in self.fracture_boxes_by_image)
            truth[image_id] = label
        return truth

    def annotation(self, image_id: str) -> Annotation:
        """Everything that is known about one image."""
        points = boxes = landmarks = None
        if self.points is not None:
            points = Points(self.points_by_image.get(image_id, np.zeros((0, 2))))
        if self.boxes is not None:
            boxes = self.boxes_by_image.get(image_id, Boxes(np.zeros((0, 4)), ()))
        if self.landmarks is not None:
            landmarks = self.landmarks_by_image.get(image_id, Landmarks((), np.zeros((0, 2))))
        return Annotation(label=self.truth[image_id], points=points, boxes=boxes, landmarks=landmarks)

    def select(self, image_ids: list[str]) -> DataSet:
        """The same folder restricted to some images, in the order given."""
        rows = [self._row_of[image_id] for image_id in image_ids]
        keep = set(image_ids)

        def part(table: pl.DataFrame | None) -> pl.DataFrame | None:
            return None if table is None else table.filter(pl.col("image_id").is_in(keep))

        return replace(
            self,
            images=self.images[rows],
            points=part(self.points),
            boxes=part(self.boxes),
            landmarks=part(self.landmarks),
        )


def read_info(root: Path) -> dict[str, Any]:
    """Content of dataset.json of a folder; empty if there is none.

    Raises:
        DataSetError: it is no JSON object.
    """
    path = root / "dataset.json"
    if not path.is_file():
        return {}
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, a number of thousands of digits
        raise DataSetError(f"dataset.json: expected JSON, got: {error}") from error
    if not isinstance(info, dict):
        raise DataSetError(f"dataset.json: expected an object, got {type(info).__name__}")
    return info


def _grouped(table: pl.DataFrame | None, columns: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    if table is None:
        return {}
    return {
        image_id: rows.select(columns).to_numpy().astype(np.float64) for image_id, rows in _by_image(table)
    }


def _by_image(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each image that has some, in their order; in one pass over the table."""
    for key, rows in table.partition_by("image_id", as_dict=True, maintain_order=True).items():
        yield str(key[0]), rows
