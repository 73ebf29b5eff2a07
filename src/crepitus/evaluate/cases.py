"""The cases of an evaluation: which predicted images are judged, and what is true of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from crepitus.data.tables import SPLITS
from crepitus.errors import PredictionsError, UsageError
from crepitus.evaluate.bootstrap import number_patients

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.evaluate.geometry import Radius, Size
    from crepitus.predict import Predictions


@dataclass(frozen=True)
class Cases:
    """Predicted images with their truth, in the order of the predictions.

    Attributes:
        predictions, data: where they come from.
        table: one row per image: the columns of the data set and `score`.
        patients: (n,), number of the patient of each image.
        n_patients: how many patients there are.
    """

    predictions: Predictions
    data: DataSet
    table: pl.DataFrame
    patients: NDArray[np.intp]
    n_patients: int

    @classmethod
    def of(cls, predictions: Predictions, data: DataSet, split: str | None = None) -> Cases:
        """Join predictions with a data set.

        Raises:
            PredictionsError: the data set lacks a predicted image or study, or a heatmap is missing
                where the folder exists.
            UsageError: no split has that name, or no predicted image is in it.
        """
        _refuse_unknown(predictions, data)
        # Where both tables have a column of that name, the data set's is meant: it is the truth.
        truth = data.images.drop("score", strict=False)
        table = predictions.images.select("image_id", "score").join(
            truth, on="image_id", how="left", maintain_order="left"
        )
        if split is not None:
            table = _restrict(table, split)
        for image_id in table["image_id"] if predictions.has_heatmaps else ():
            if not predictions.heatmap_path(image_id).is_file():
                raise PredictionsError(
                    f"heatmaps/{image_id}.npy: expected a heatmap for every image of images.csv, this one is "
                    "missing; predict again, or remove the folder heatmaps to evaluate without it"
                )
        patients, n_patients = number_patients(table["patient_id"].to_list())
        return cls(predictions, data, table, patients, n_patients)

    @cached_property
    def image_ids(self) -> list[str]:
        """Ids in the order of the predictions."""
        return self.table["image_id"].to_list()

    @cached_property
    def truth(self) -> list[int | None]:
        """1 fracture, 0 none, None unknown, for each image."""
        return [self.data.truth[image_id] for image_id in self.image_ids]

    @cached_property
    def sizes(self) -> list[Size]:
        """(rows, columns) of each image."""
        return list(self.table.select("rows", "columns").iter_rows())

    def known(self) -> NDArray[np.intp]:
        """Positions of the images whose truth is known."""
        return np.array([k for k, truth in enumerate(self.truth) if truth is not None], dtype=np.intp)

    def with_known_points(self) -> NDArray[np.intp]:
        """Positions of the images whose points are all known; none where points were not annotated."""
        return self._placed(self.data.points_by_image) if self.data.points is not None else _nothing()

    def with_known_boxes(self) -> NDArray[np.intp]:
        """Positions of the images whose fracture boxes are all known; none where not annotated."""
        return self._placed(self.data.fracture_boxes_by_image) if self.data.boxes is not None else _nothing()

    def _placed(self, places: dict[str, NDArray[np.float64]]) -> NDArray[np.intp]:
        # A positive image without a place is one whose place is unknown, not one without a fracture.
        pairs = zip(self.image_ids, self.truth, strict=True)
        return np.array([k for k, (i, t) in enumerate(pairs) if i in places or t == 0], dtype=np.intp)

    def points(self, position: int) -> NDArray[np.float64]:
        """Points (n, 2) of one image."""
        return self.data.points_by_image.get(self.image_ids[position], np.zeros((0, 2)))

    def boxes(self, position: int) -> NDArray[np.float64]:
        """Fracture boxes (n, 4) of one image."""
        return self.data.fracture_boxes_by_image.get(self.image_ids[position], np.zeros((0, 4)))

    def radius_px(self, position: int, radius: Radius) -> float:
        """Radius in pixels of one image.

        Raises:
            UsageError: a radius in mm, and the image has no spacing.
        """
        return radius.in_pixels(self.sizes[position], self.table["spacing_mm"][position])


def _nothing() -> NDArray[np.intp]:
    return np.zeros(0, dtype=np.intp)


def _refuse_unknown(predictions: Predictions, data: DataSet) -> None:
    for what, table in (("image_id", predictions.images), ("study_id", predictions.studies)):
        if table is None:
            continue
        known = set(data.images[what].drop_nulls())
        for row, name in enumerate(table[what], start=1):
            if name not in known:
                file = "images.csv" if what == "image_id" else "studies.csv"
                raise PredictionsError(
                    f"{file}, row {row}, column {what}: expected an id of the data set {data.root}, "
                    f"got {name!r}; evaluate against the data set that was predicted"
                )


def _restrict(table: pl.DataFrame, split: str) -> pl.DataFrame:
    if split not in SPLITS:
        raise UsageError(f"--split: expected one of {', '.join(SPLITS)}, got {split!r}")
    kept = table.filter(pl.col("split") == split)
    if not kept.height:
        present = sorted(table["split"].drop_nulls().unique())
        raise UsageError(
            f"--split {split}: expected predicted images of this split, there are none; "
            f"they belong to {', '.join(present) or 'no split'}"
        )
    return kept
