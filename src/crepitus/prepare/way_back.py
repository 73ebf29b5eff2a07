"""From a prepared image back to its source: positions exactly, heatmaps resampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.errors import DataSetError
from crepitus.prepare.affine import Affine, FloatArray

AFFINE_COLUMNS = ("affine_xx", "affine_xy", "affine_x0", "affine_yx", "affine_yy", "affine_y0")
"""Columns of the `images` table: x' = xx x + xy y + x0, y' = yx x + yy y + y0 from source to prepared."""

SOURCE_COLUMNS = ("source_image_id", "source_rows", "source_columns")


@dataclass(frozen=True)
class WayBack:
    """Where a prepared image comes from.

    Attributes:
        source_image_id: id of the image before all preparation.
        source_rows, source_columns: its size in pixels.
        affine: from the source to the prepared image.
    """

    source_image_id: str
    source_rows: int
    source_columns: int
    affine: Affine

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> WayBack:
        """The way back of a row of the `images` table; an image that was never prepared is its own source.

        Raises:
            DataSetError: some of the columns are there and others are not.
        """
        values: list[Any] = [row.get(name) for name in (*SOURCE_COLUMNS, *AFFINE_COLUMNS)]
        if all(value is None for value in values):
            return cls(str(row["image_id"]), int(row["rows"]), int(row["columns"]), Affine())
        for name, value in zip((*SOURCE_COLUMNS, *AFFINE_COLUMNS), values, strict=True):
            if value is None:
                raise DataSetError(
                    f"{row['image_id']}: expected a value in column {name}, since others of the way back are "
                    "there; prepare the original data set again"
                )
        return cls(str(values[0]), int(values[1]), int(values[2]), Affine(*map(float, values[3:])))

    def columns(self) -> dict[str, Any]:
        """Values of `SOURCE_COLUMNS` and `AFFINE_COLUMNS`."""
        source = (self.source_image_id, self.source_rows, self.source_columns)
        numbers = (float(v) + 0.0 for v in astuple(self.affine))
        return dict(zip((*SOURCE_COLUMNS, *AFFINE_COLUMNS), (*source, *numbers), strict=True))

    def to_source(self, xy: FloatArray) -> FloatArray:
        """Positions (n, 2) of the prepared image as positions in the source, pixels."""
        return self.affine.inverse().points(np.asarray(xy, dtype=np.float64))

    def to_prepared(self, xy: FloatArray) -> FloatArray:
        """Positions (n, 2) of the source as positions in the prepared image, pixels."""
        return self.affine.points(np.asarray(xy, dtype=np.float64))

    def heatmap_to_source(
        self,
        values: NDArray[np.float32],
        prepared: tuple[int, int],
        shape: tuple[int, int] | None = None,
        outside: float = 0.0,
    ) -> NDArray[np.float32]:
        """A heatmap of the prepared image as one of the source.

        Args:
            values: shape (h, w), covering the prepared image.
            prepared: rows and columns of the prepared image.
            shape: of the result, which covers the source; default: one cell per source pixel.
            outside: value of cells whose centre lies outside the prepared image.

        Returns:
            shape `shape`, float32: bilinear between the centres of the cells of `values`, sampled at the
            centres of its own; beyond the outermost centres the nearest cell's value.
        """
        height, width = values.shape
        rows, columns = shape or (self.source_rows, self.source_columns)
        cells = Affine.scaling(self.source_columns / columns, self.source_rows / rows)
        to_values = cells.then(self.affine).then(Affine.scaling(width / prepared[1], height / prepared[0]))
        x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
        at = to_values.points(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(rows, columns, 2)
        inside = (at >= 0).all(axis=2) & (at < (width, height)).all(axis=2)
        index = (at - 0.5).astype(np.float32)
        sampled = cv2.remap(
            values.astype(np.float32),
            index[..., 0],
            index[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.where(inside, sampled, np.float32(outside)).astype(np.float32)
