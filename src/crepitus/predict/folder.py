"""The predictions folder: read and check what a tool predicted, ours or any other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from crepitus.data.tables import LANDMARK_COLUMNS, read_table, refuse
from crepitus.errors import PredictionsError
from crepitus.structures import is_image_id

SCORE_PREFIX = "score_"
"""`images.csv` has a column `score_<class>` for each class of a method with several."""

SCORE_COLUMNS: dict[str, type[pl.DataType]] = {"image_id": pl.String, "score": pl.Float64}
STUDY_COLUMNS: dict[str, type[pl.DataType]] = {"study_id": pl.String, "score": pl.Float64}
DETECTION_COLUMNS: dict[str, type[pl.DataType]] = {
    "image_id": pl.String,
    "x_min": pl.Float64,
    "y_min": pl.Float64,
    "x_max": pl.Float64,
    "y_max": pl.Float64,
    "score": pl.Float64,
}
FOUND_LANDMARK_COLUMNS: dict[str, type[pl.DataType]] = {**LANDMARK_COLUMNS, "sd_px": pl.Float64}

HEATMAP_TOLERANCE = 1e-3
"""How far a heatmap may leave 0..1 by rounding (one step of float16 at 1); such values are clipped."""


@dataclass(frozen=True)
class Predictions:
    """A predictions folder; tables in memory, heatmaps read on demand.

    Attributes:
        root: the folder.
        images: image_id, score, score_<class> for several classes, further columns; file order.
        detections: image_id, x_min, y_min, x_max, y_max, score in file order; None if there is no file.
        landmarks: image_id, name, x, y, sd_px; None likewise.
        studies: study_id, score; None likewise.
        info: content of predictions.json.
        has_heatmaps: whether the folder `heatmaps` exists.
    """

    root: Path
    images: pl.DataFrame
    detections: pl.DataFrame | None = None
    landmarks: pl.DataFrame | None = None
    studies: pl.DataFrame | None = None
    info: dict[str, Any] = field(default_factory=dict)
    has_heatmaps: bool = False

    @classmethod
    def read(cls, root: Path | str) -> Predictions:
        """Read and check a folder; heatmaps are checked when they are read.

        Raises:
            PredictionsError: naming file, row and column of the first fault.
        """
        root = Path(root)
        if not root.is_dir():
            raise PredictionsError(f"{root}: expected a predictions folder, there is none")
        if not (root / "images.csv").is_file():
            raise PredictionsError(
                f"{root}: expected images.csv with image_id and score, there is none; "
                "make predictions with 'crepitus predict', or write the folder as documented"
            )
        images = _read_images(root / "images.csv")
        return cls(
            root=root,
            images=images,
            detections=_read_detections(root / "detections.csv", images["image_id"]),
            landmarks=_read_landmarks(root / "landmarks.csv", images["image_id"]),
            studies=_read_studies(root / "studies.csv"),
            info=_read_info(root / "predictions.json"),
            has_heatmaps=(root / "heatmaps").is_dir(),
        )

    def __len__(self) -> int:
        return self.images.height

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that have a score column, in the order of the file."""
        return tuple(n.removeprefix(SCORE_PREFIX) for n in self.images.columns if n.startswith(SCORE_PREFIX))

    @property
    def thresholds(self) -> dict[str, float]:
        """The stored operating points, for example `image`; empty where none is stored."""
        return dict(self.info.get("thresholds", {}))

    def heatmap_path(self, image_id: str) -> Path:
        """Where the heatmap of an image is, or would be."""
        return self.root / "heatmaps" / f"{image_id}.npy"

    def heatmap(self, image_id: str) -> NDArray[np.float64]:
        """Read one heatmap.

        Returns:
            Shape (h, w), float64, finite, 0..1, covering the whole image.

        Raises:
            PredictionsError: the file is missing, damaged, or holds something else.
        """
        path = self.heatmap_path(image_id)
        name = f"heatmaps/{path.name}"
        try:
            # A memory map allocates nothing before the size in the header has met the size of the
            # file, and takes neither pickles nor archives.
            mapped = np.lib.format.open_memmap(path, mode="r")
        except FileNotFoundError as error:
            raise PredictionsError(f"{name}: expected a heatmap for every image, there is none") from error
        except (ValueError, OSError, SyntaxError, EOFError, TypeError) as error:
            raise PredictionsError(
                f"{name}: expected a float16 or float32 array, {_what_is_wrong(error)}"
            ) from error
        if (
            mapped.dtype.kind != "f"
            or mapped.dtype.itemsize not in (2, 4)
            or mapped.ndim != 2
            or not mapped.size
        ):
            raise PredictionsError(
                f"{name}: expected a float16 or float32 array of shape (h, w), "
                f"got {mapped.dtype} of shape {mapped.shape}"
            )
        return _checked_values(np.array(mapped, dtype=np.float64), name)


def _what_is_wrong(error: Exception) -> str:
    """NumPy tells a file that ends early in terms of magic strings and memory maps."""
    text = str(error)
    if isinstance(error, EOFError) or any(sign in text for sign in ("EOF", "mmap", "empty file")):
        return "the file ends early"
    return f"got: {(text.splitlines() or [type(error).__name__])[0]}"


def _checked_values(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if nan := int(np.isnan(values).sum()):
        raise PredictionsError(
            f"{name}: expected values within 0..1, got NaN in {nan} of {values.size} cells"
        )
    low, high = float(values.min()), float(values.max())
    if low < -HEATMAP_TOLERANCE or high > 1 + HEATMAP_TOLERANCE:
        raise PredictionsError(f"{name}: expected values within 0..1, got {low:g} to {high:g}")
    if low < 0 or high > 1:
        return np.clip(values, 0.0, 1.0)
    return values


def _read_images(path: Path) -> pl.DataFrame:
    images = read_table(path, SCORE_COLUMNS, tuple(SCORE_COLUMNS), PredictionsError)
    ids = images["image_id"]
    refuse(path.name, ids.is_null(), "image_id", "an id", ids, PredictionsError)
    wrong = ~ids.map_elements(is_image_id, return_dtype=pl.Boolean)
    refuse(path.name, wrong, "image_id", "1 to 100 of A-Z a-z 0-9 . _ -", ids, PredictionsError)
    doubled = ~ids.is_first_distinct()
    refuse(path.name, doubled, "image_id", "an id that no earlier row has", ids, PredictionsError)
    for name in images.columns:
        if name == "score" or name.startswith(SCORE_PREFIX):
            images = images.with_columns(_scores(images[name], path.name))
    return images


def _scores(column: pl.Series, file: str) -> pl.Series:
    scores = column.cast(pl.Float64, strict=False)
    bad = scores.is_null() | ~scores.is_between(0, 1)
    refuse(file, bad, column.name, "a number within 0..1", column, PredictionsError)
    return scores


def _read_detections(path: Path, ids: pl.Series) -> pl.DataFrame | None:
    if not path.is_file():
        return None
    table = read_table(path, DETECTION_COLUMNS, tuple(DETECTION_COLUMNS), PredictionsError)
    _refuse_unknown(table["image_id"], ids, path.name)
    _refuse_not_finite(table, ("x_min", "y_min", "x_max", "y_max"), path.name)
    for low, high in (("x_min", "x_max"), ("y_min", "y_max")):
        # A detector may return a box without area; it overlaps nothing, but is no fault of the file.
        reversed_ = table[high] < table[low]
        refuse(path.name, reversed_, high, f"at least {low}", table[high], PredictionsError)
    return table.with_columns(_scores(table["score"], path.name))


def _read_landmarks(path: Path, ids: pl.Series) -> pl.DataFrame | None:
    if not path.is_file():
        return None
    table = read_table(path, FOUND_LANDMARK_COLUMNS, ("image_id", "name", "x", "y"), PredictionsError)
    _refuse_unknown(table["image_id"], ids, path.name)
    _refuse_not_finite(table, ("x", "y"), path.name)
    refuse(path.name, table["name"].is_null(), "name", "a name", table["name"], PredictionsError)
    return table


def _read_studies(path: Path) -> pl.DataFrame | None:
    if not path.is_file():
        return None
    table = read_table(path, STUDY_COLUMNS, tuple(STUDY_COLUMNS), PredictionsError)
    ids = table["study_id"]
    refuse(path.name, ids.is_null(), "study_id", "an id", ids, PredictionsError)
    doubled = ~ids.is_first_distinct()
    refuse(path.name, doubled, "study_id", "an id that no earlier row has", ids, PredictionsError)
    return table.with_columns(_scores(table["score"], path.name))


def _refuse_unknown(ids: pl.Series, known: pl.Series, file: str) -> None:
    unknown = ids.is_null() | ~ids.is_in(known.to_list())
    refuse(file, unknown, "image_id", "an id of images.csv", ids, PredictionsError)


def _refuse_not_finite(table: pl.DataFrame, columns: tuple[str, ...], file: str) -> None:
    for name in columns:
        bad = table[name].is_null() | ~table[name].is_finite()
        refuse(file, bad, name, "a finite number", table[name], PredictionsError)


def _read_info(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, a number of thousands of digits
        raise PredictionsError(f"{path.name}: expected JSON, got: {error}") from error
    thresholds = info.get("thresholds", {}) if isinstance(info, dict) else None
    if not isinstance(thresholds, dict) or not all(
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
        for value in thresholds.values()
    ):
        raise PredictionsError(
            f"{path.name}: expected an object whose key 'thresholds', if there, is an object of numbers "
            f"within 0..1, got {str(info)[:80]}"
        )
    return dict(info)
