"""From cases to statistics: reads heatmaps one by one and keeps only what the figures need."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from crepitus.data.ao_classes import class_of
from crepitus.errors import PredictionsError
from crepitus.evaluate.area_froc import AreaFroc, area_froc_of_image
from crepitus.evaluate.best_box import IOU_LEVELS, BestBox, best_box_hits
from crepitus.evaluate.boxes import BoxFroc, BoxPrecision, box_froc_of_image, match_detections
from crepitus.evaluate.calibration import CalibrationFigures
from crepitus.evaluate.cases import Cases
from crepitus.evaluate.classification import ClassFigures, ImageFigures, Ranking, StudyFigures
from crepitus.evaluate.components import threshold_levels
from crepitus.evaluate.froc import Froc, froc_of_image
from crepitus.evaluate.geometry import Radius
from crepitus.evaluate.operating import DoubtFigures
from crepitus.predict.folder import SCORE_PREFIX
from crepitus.predict.score_map import ScoreMap

T = TypeVar("T")
Progress = Callable[[Iterable[T], int | None, str], Iterable[T]]
"""Shows progress while its items pass: called with the items, their number and what is done."""

LONG_WORK = 200
"""Number of heatmaps from which progress is shown: about a second."""

DEFAULT_THRESHOLD = 0.5
"""Operating point of a folder that stores none."""


def image_figures(cases: Cases) -> ImageFigures:
    """Ranking of the images whose truth is known, at the stored operating point."""
    known = cases.known()
    truth = np.array([cases.truth[k] for k in known], dtype=np.int64)
    ranking = Ranking.of(cases.table["score"].to_numpy()[known], truth, cases.patients[known])
    return ImageFigures(ranking, cases.predictions.thresholds.get("image", DEFAULT_THRESHOLD))


def calibration_figures(cases: Cases) -> CalibrationFigures:
    """The same images with their probabilities: scores after the calibration that is stored, if one is.

    Raises:
        PredictionsError: the stored calibration is none.
    """
    score_map = ScoreMap.from_json(cases.predictions.info.get("calibration"), "predictions.json")
    known = cases.known()
    truth = np.array([cases.truth[k] for k in known], dtype=np.int64)
    scores = score_map.apply(cases.table["score"].to_numpy()[known])
    return CalibrationFigures(Ranking.of(scores, truth, cases.patients[known]))


def doubt_figures(cases: Cases, image: ImageFigures) -> DoubtFigures | None:
    """The doubt tier that is stored with the predictions; None without one.

    Raises:
        PredictionsError: the lower threshold is above the higher one.
    """
    low, high = (cases.predictions.thresholds.get(f"doubt_{end}") for end in ("low", "high"))
    if low is None or high is None:
        return None
    if low > high:
        raise PredictionsError(
            f"predictions.json: expected doubt_low of at most doubt_high, got {low:g} and {high:g}"
        )
    return DoubtFigures(image.ranking, low, high)


def study_figures(cases: Cases) -> StudyFigures:
    """Ranking of the studies: score of studies.csv, otherwise the maximum over the images."""
    table = cases.table.select(
        "study_id",
        "score",
        pl.Series("truth", cases.truth, dtype=pl.Int64),
        pl.Series("patient", cases.patients),
    ).filter(pl.col("study_id").is_not_null())
    studies = table.group_by("study_id", maintain_order=True).agg(
        pl.col("score").max(),
        # Positive if any image is; unknown if none is and some are unknown.
        pl.when(pl.col("truth").max() == 1)
        .then(1)
        .when(pl.col("truth").null_count() == 0)
        .then(0)
        .alias("truth"),
        pl.col("patient").first(),
    )
    if cases.predictions.studies is not None:
        stored = cases.predictions.studies.select("study_id", stored="score")
        studies = studies.join(stored, on="study_id", how="left", maintain_order="left").with_columns(
            score=pl.coalesce("stored", "score")
        )
    studies = studies.filter(pl.col("truth").is_not_null())
    thresholds = cases.predictions.thresholds
    return StudyFigures(
        Ranking.of(
            studies["score"].to_numpy(),
            studies["truth"].cast(pl.Int64).to_numpy(),
            studies["patient"].to_numpy().astype(np.intp),
        ),
        thresholds.get("study", thresholds.get("image", DEFAULT_THRESHOLD)),
    )


def class_figures(cases: Cases) -> ClassFigures | None:
    """Truth and answer for several classes; None without class scores or where no image has one of them.

    The truth of an image is the class of that name, or else the one named like its group (A for A2), or else
    `fracture` for any fracture. Where predictions.json names a `class_column`, it is what stands there.
    """
    classes = cases.predictions.classes
    position = {name: k for k, name in enumerate(classes)}
    own = _true_classes(cases, classes)
    truth = [position[name] if name is not None else -1 for name in own]
    chosen = np.flatnonzero(np.array(truth, dtype=np.int64) >= 0)
    if not classes or not len(chosen):
        return None
    columns = [f"{SCORE_PREFIX}{name}" for name in classes]
    scores = cases.table.select("image_id").join(
        cases.predictions.images.select("image_id", *columns), on="image_id", maintain_order="left"
    )
    called = scores.select(columns).to_numpy().argmax(axis=1)
    return ClassFigures(
        classes, cases.patients[chosen], np.array(truth, dtype=np.intp)[chosen], called[chosen]
    )


def _true_classes(cases: Cases, classes: tuple[str, ...]) -> list[str | None]:
    column = cases.predictions.info.get("class_column")
    if column is None:
        return [class_of(*row, classes) for row in zip(cases.table["ao_class"], cases.truth, strict=True)]
    if column not in cases.table.columns:
        return [None] * len(cases.truth)
    return [name if name in classes else None for name in cases.table[column].cast(pl.String)]


@dataclass(frozen=True)
class Localization:
    """FROC statistics of one kind of findings.

    Attributes:
        positions: (n,), positions of the images among the cases.
        froc: FROC of these images, in this order.
    """

    positions: NDArray[np.intp]
    froc: Froc
    area: AreaFroc


def heatmap_figures(cases: Cases, radius: Radius, progress: Progress[int] | None = None) -> Localization:
    """FROC and modified FROC on heatmaps; without images where there are no heatmaps or no points.

    Raises:
        PredictionsError: a heatmap is damaged.
        UsageError: a radius in mm, and an image has no spacing.
    """
    positions = cases.with_known_points() if cases.predictions.has_heatmaps else np.zeros(0, dtype=np.intp)
    items: Iterable[int] = positions.tolist()
    if progress is not None and len(positions) >= LONG_WORK:
        items = progress(items, len(positions), "heatmaps")
    frocs, areas = [], []
    for k in items:
        levels = threshold_levels(cases.predictions.heatmap(cases.image_ids[k]))
        known = (cases.points(k), cases.sizes[k], cases.radius_px(k, radius))
        frocs.append(froc_of_image(levels, *known))
        areas.append(area_froc_of_image(levels, *known))
    patients = cases.patients[positions]
    return Localization(positions, Froc.of(frocs, patients), AreaFroc.of(areas, patients))


@dataclass(frozen=True)
class _Detections:
    """Detections of the cases: boxes (n, 4) and scores (n,) in file order, and the rows of each image."""

    xyxy: NDArray[np.float64]
    scores: NDArray[np.float64]
    rows: dict[str, NDArray[np.intp]]

    @classmethod
    def of(cls, cases: Cases) -> _Detections | None:
        table = cases.predictions.detections
        if table is None:
            return None
        groups = table.with_row_index("row").group_by("image_id", maintain_order=True).agg("row")
        rows = {str(name): np.array(at, dtype=np.intp) for name, at in groups.iter_rows()}
        xyxy = table.select("x_min", "y_min", "x_max", "y_max").to_numpy().astype(np.float64)
        return cls(xyxy, table["score"].to_numpy(), rows)

    def of_image(self, image_id: str) -> NDArray[np.intp]:
        return self.rows.get(image_id, np.zeros(0, dtype=np.intp))


def box_precision(cases: Cases) -> BoxPrecision:
    """Detections matched with boxes; without boxes where either was not given."""
    detections = _Detections.of(cases)
    nothing = np.zeros(0, dtype=np.intp)
    if detections is None:
        return BoxPrecision(nothing, np.zeros(0, dtype=np.bool_), nothing)
    matched = np.zeros(len(detections.scores), dtype=np.bool_)
    owner = np.full(len(detections.scores), -1, dtype=np.intp)
    truth_patients = [nothing]
    for k in cases.with_known_boxes().tolist():
        rows, boxes = detections.of_image(cases.image_ids[k]), cases.boxes(k)
        matched[rows] = match_detections(detections.xyxy[rows], detections.scores[rows], boxes)
        owner[rows] = cases.patients[k]
        truth_patients.append(np.full(len(boxes), cases.patients[k], dtype=np.intp))
    judged = owner >= 0
    return BoxPrecision.of(
        detections.scores[judged], matched[judged], owner[judged], np.concatenate(truth_patients)
    )


def best_boxes(cases: Cases) -> BestBox:
    """The best detection of each positive image with boxes; without images where either was not given."""
    if cases.data.boxes is None:
        return _best_boxes(cases, {}, "boxes.map_femur")
    return _best_boxes(cases, cases.data.fracture_boxes_by_image, "boxes.map_femur")


def best_regions(cases: Cases) -> BestBox | None:
    """The same against the regions of interest; None where the data set has none for these images."""
    places = {name: box[None] for name, box in cases.data.regions_by_image.items()}
    best = _best_boxes(cases, places, "boxes.map_roi")
    return best if len(best.hits) else None


def _best_boxes(cases: Cases, places: dict[str, NDArray[np.float64]], key: str) -> BestBox:
    detections = _Detections.of(cases)
    if detections is None:
        return BestBox(np.zeros(0, dtype=np.intp), np.zeros((0, len(IOU_LEVELS))), key)
    known = [k for k in range(len(cases.image_ids)) if cases.image_ids[k] in places]
    chosen = np.array([k for k in known if cases.truth[k] == 1], dtype=np.intp)
    hits = np.zeros((len(chosen), len(IOU_LEVELS)))
    for row, k in enumerate(chosen.tolist()):
        rows = detections.of_image(cases.image_ids[k])
        truth = places[cases.image_ids[k]]
        hits[row] = best_box_hits(detections.xyxy[rows], detections.scores[rows], truth)
    return BestBox(cases.patients[chosen], hits, key)


def box_froc(cases: Cases, radius: Radius) -> BoxFroc:
    """FROC on detections; without images where there are no detections or no points.

    Raises:
        UsageError: a radius in mm, and an image has no spacing.
    """
    detections = _Detections.of(cases)
    if detections is None:
        return BoxFroc.of([], np.zeros(0, dtype=np.intp))
    positions, images = cases.with_known_points(), []
    for k in positions.tolist():
        rows = detections.of_image(cases.image_ids[k])
        images.append(
            box_froc_of_image(
                detections.xyxy[rows],
                detections.scores[rows],
                cases.points(k),
                cases.sizes[k],
                cases.radius_px(k, radius),
            )
        )
    return BoxFroc.of(images, cases.patients[positions])
