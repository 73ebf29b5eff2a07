"""Writing a predictions folder image by image: heatmaps at once, tables last, each file whole or absent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import polars as pl

from crepitus import __version__
from crepitus.data.writer import Rejection, new_folder, write_rejected, write_table, write_text
from crepitus.errors import PredictionsError, SetAside
from crepitus.predict.folder import DETECTION_COLUMNS, FOUND_LANDMARK_COLUMNS, SCORE_COLUMNS, SCORE_PREFIX
from crepitus.structures import Heatmap, Prediction, is_image_id


class PredictionsWriter:
    """Collects predictions into a new folder; use as a context manager.

    The heatmap of an image is on disk when `add` returns; the tables follow when the block ends without
    an error, predictions.json last. A folder of a run that died has no images.csv and is refused.

    Args:
        out: new or empty folder.
        info: content of predictions.json: model, sha256, preparation, thresholds, further keys.
        boxes: the method finds boxes; detections.csv is then written even when there are none.

    Attributes:
        studies: table of studies.csv, None for none; set before the block ends.
    """

    def __init__(self, out: Path, info: Mapping[str, Any] | None = None, *, boxes: bool = False) -> None:
        self.root = new_folder(out)
        self.info = dict(info or {})
        self.rejected: list[Rejection] = []
        self._boxes = boxes
        self._images: dict[str, dict[str, Any]] = {}
        self._detections: list[tuple[Any, ...]] = []
        self._landmarks: list[tuple[Any, ...]] = []
        self._classes: tuple[str, ...] = ()
        self._with_heatmap = 0
        self.studies: pl.DataFrame | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()

    def __len__(self) -> int:
        return len(self._images)

    @property
    def images(self) -> pl.DataFrame:
        """The table images.csv of the images so far."""
        if not self._images:
            return pl.DataFrame(schema=dict(SCORE_COLUMNS))
        rows = list(self._images.values())
        return pl.DataFrame(rows, schema_overrides=dict(SCORE_COLUMNS), infer_schema_length=None)

    def set_aside(self, file: str, error: SetAside) -> None:
        """Record an input that cannot be used."""
        self.rejected.append((file, error.code, str(error)))

    def add(self, prediction: Prediction, **columns: Any) -> None:
        """Write the heatmap and note the rows; `columns` become further columns of images.csv.

        Raises:
            PredictionsError: the id was there before, a score is not within 0..1, a heatmap is not
                finite, or an image comes with other classes than the first, or only some with heatmaps.
        """
        self._check(prediction)
        image_id = prediction.image_id
        if prediction.heatmap is not None:
            self._write_map("heatmaps", image_id, prediction.heatmap)
            self._with_heatmap += 1
        if prediction.evidence is not None:
            self._write_map("evidence", image_id, prediction.evidence)
        self._classes = tuple(prediction.class_scores)
        scores = {f"{SCORE_PREFIX}{name}": score for name, score in prediction.class_scores.items()}
        self._images[image_id] = {
            "image_id": image_id,
            "score": prediction.score,
            **scores,
            **prediction.columns,
            **columns,
        }
        if prediction.detections is not None:
            self._boxes = True
            pairs = zip(prediction.detections.xyxy, prediction.detections.scores, strict=True)
            self._detections.extend((image_id, *box.tolist(), float(score)) for box, score in pairs)
        if prediction.landmarks is not None:
            found = prediction.landmarks
            spread = [None] * len(found.names) if found.sd is None else found.sd.tolist()
            named = zip(found.names, found.xy.tolist(), spread, strict=True)
            self._landmarks.extend((image_id, name, x, y, sd) for name, (x, y), sd in named)

    def _check(self, prediction: Prediction) -> None:
        image_id = prediction.image_id
        if not is_image_id(image_id):
            raise PredictionsError(f"expected 1 to 100 of A-Z a-z 0-9 . _ - as image_id, got {image_id!r}")
        if image_id in self._images:
            raise PredictionsError(f"{image_id}: expected one prediction per image, got a second one")
        if self._images and tuple(prediction.class_scores) != self._classes:
            raise PredictionsError(
                f"{image_id}: expected scores of the classes of the first image, "
                f"{', '.join(self._classes) or 'none'}, got {', '.join(prediction.class_scores) or 'none'}"
            )
        detected = prediction.detections.scores.tolist() if prediction.detections is not None else []
        for score in (prediction.score, *prediction.class_scores.values(), *detected):
            if not 0 <= score <= 1:
                raise PredictionsError(f"{image_id}: expected scores within 0..1, got {score}")
        if self._with_heatmap != (len(self._images) if prediction.heatmap is not None else 0):
            raise PredictionsError(
                f"{image_id}: expected a heatmap for all images or for none, got both; "
                "an evaluation refuses a folder in which some are missing"
            )

    def _write_map(self, folder: str, image_id: str, heatmap: Heatmap) -> None:
        values = np.asarray(heatmap.values)
        if values.ndim != 2 or not values.size or not (values.min() >= 0 and values.max() <= 1):
            raise PredictionsError(
                f"{image_id}: {folder}: expected a map of shape (h, w) with values within 0..1, got "
                f"shape {values.shape}" + (f", {values.min():g} to {values.max():g}" if values.size else "")
            )
        path = self.root / folder / f"{image_id}.npy"
        path.parent.mkdir(exist_ok=True)
        partial = path.with_name(path.name + ".tmp")
        with partial.open("wb") as stream:
            np.save(stream, values.astype(np.float16), allow_pickle=False)
        partial.replace(path)

    def close(self) -> None:
        """Write the tables, rejected.csv and predictions.json."""
        if self._boxes:
            detections = pl.DataFrame(self._detections, schema=dict(DETECTION_COLUMNS), orient="row")
            write_table(self.root / "detections.csv", detections)
        if self._landmarks:
            landmarks = pl.DataFrame(self._landmarks, schema=dict(FOUND_LANDMARK_COLUMNS), orient="row")
            write_table(self.root / "landmarks.csv", landmarks)
        if self.studies is not None:
            write_table(self.root / "studies.csv", self.studies)
        write_rejected(self.root, self.rejected)
        write_table(self.root / "images.csv", self.images)
        info = {**self.info, "crepitus": __version__}
        write_text(self.root / "predictions.json", json.dumps(info, indent=2) + "\n")
