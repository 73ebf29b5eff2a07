"""Chooses the cases that a report shows, by fixed rules, and makes their pictures."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from crepitus.data.folder import DataSet
from crepitus.errors import CrepitusError
from crepitus.report.overlay import Picture, overlay, windowed
from crepitus.structures import Boxes, Detections, Points

CASES_PER_GROUP: Final = 8
PICTURE_PX: Final = 800
WEBP_QUALITY: Final = 80
MAX_DETECTIONS: Final = 10
"""Boxes drawn on one picture; the best-scored ones."""


class PredictionsFolder(Protocol):
    """What a report needs of a predictions folder."""

    @property
    def root(self) -> Path:
        """The folder."""

    @property
    def images(self) -> pl.DataFrame:
        """image_id, score, and further columns."""

    @property
    def detections(self) -> pl.DataFrame | None:
        """image_id, x_min, y_min, x_max, y_max, score; None if the method finds no boxes."""

    @property
    def info(self) -> dict[str, Any]:
        """Content of predictions.json."""

    @property
    def has_heatmaps(self) -> bool:
        """Whether heatmaps were predicted."""

    def heatmap(self, image_id: str) -> NDArray[np.float64]:
        """Heatmap of shape (h, w), 0..1, covering the whole image."""


@dataclass(frozen=True)
class Group:
    """One kind of case: its key, heading, and the rule by which cases are chosen."""

    key: str
    title: str
    rule: str


GROUPS: Final = (
    Group(
        "hit",
        "Hits",
        "Fractured images at or above the threshold. Half are those localized best (most of the points "
        "found, then fewest false marks, then highest score), half those localized worst.",
    ),
    Group("miss", "Misses", "Fractured images below the threshold, the lowest scores first."),
    Group(
        "false-alarm", "False alarms", "Normal images at or above the threshold, the highest scores first."
    ),
    Group(
        "normal",
        "Correct normals",
        "Normal images below the threshold, spread evenly over the order of their scores.",
    ),
)


@dataclass(frozen=True)
class Case:
    """One image of the gallery: `points`, `found` and `false_positives` are None where not evaluated."""

    image_id: str
    group: str
    score: float
    truth: int
    points: int | None
    found: int | None
    false_positives: int | None
    body_part: str | None = None


@dataclass(frozen=True)
class CasePictures:
    """Pictures of a case as data URIs; None, with a note, where there is nothing to show."""

    plain: str | None
    marked: str | None
    width: int
    height: int
    notes: tuple[str, ...] = ()


def group_of(truth: int, score: float, threshold: float) -> str:
    """Key of the group of an image: at or above the threshold means flagged."""
    if truth:
        return "hit" if score >= threshold else "miss"
    return "false-alarm" if score >= threshold else "normal"


def choose(images: pl.DataFrame, threshold: float, count: int = CASES_PER_GROUP) -> list[Case]:
    """Cases to show, by the rules of `GROUPS`; equal ranks are ordered by image_id.

    Args:
        images: `Evaluation.images`; rows without truth or score are passed over.
        threshold: operating threshold of the image score.
        count: most cases per group.

    Returns:
        Cases in the order of the groups.
    """
    cases: dict[str, list[Case]] = {group.key: [] for group in GROUPS}
    for row in images.sort("image_id").iter_rows(named=True):
        score, truth = row["score"], row["truth"]
        if truth is None or score is None or not np.isfinite(score):
            continue
        key = group_of(truth, score, threshold)
        numbers = {name: row.get(name) for name in ("points", "found", "false_positives")}
        cases[key].append(Case(row["image_id"], key, float(score), int(truth), **numbers))
    hits = sorted(cases["hit"], key=_localization, reverse=True)
    worst = hits[max(count - count // 2, len(hits) - count // 2) :]
    alarms = sorted(cases["false-alarm"], key=lambda case: -case.score)
    normals = sorted(cases["normal"], key=lambda case: -case.score)
    spread = np.unique(np.linspace(0, max(len(normals) - 1, 0), count).round().astype(int))
    return [
        *hits[: count - count // 2],
        *worst,
        *sorted(cases["miss"], key=lambda case: case.score)[:count],
        *alarms[:count],
        *[normals[index] for index in spread if normals],
    ]


def _localization(case: Case) -> tuple[float, int, float]:
    """Rank of a hit: share of points found, few false marks, high score."""
    share = case.found / case.points if case.points and case.found is not None else 0.0
    return share, -(case.false_positives or 0), case.score


def pictures(
    case: Case,
    data: DataSet,
    predictions: PredictionsFolder,
    *,
    threshold: float,
    localization_threshold: float | None,
    longest: int = PICTURE_PX,
) -> CasePictures:
    """The plain and the marked picture of a case; whatever cannot be read becomes a note.

    Args:
        case: what to show.
        data: where the radiograph and its annotations are.
        predictions: where heatmap and detections are.
        threshold: detections below it are not drawn.
        localization_threshold: level of the outline on the heatmap; None for no outline.
        longest: longer side of each picture in pixels.
    """
    try:
        pixels = data.radiograph(case.image_id).pixels
    except (CrepitusError, OSError) as error:
        return CasePictures(None, None, longest, longest, (f"The image cannot be shown: {error}",))
    notes: list[str] = []
    heatmap = None
    if predictions.has_heatmaps:
        try:
            heatmap = predictions.heatmap(case.image_id)
        except (CrepitusError, OSError, ValueError) as error:
            notes.append(f"The heatmap cannot be shown: {error}")
    xy = data.points_by_image.get(case.image_id)
    boxes = data.fracture_boxes_by_image.get(case.image_id)
    if case.truth == 1 and xy is None and boxes is None:
        notes.append("The place of the fracture is not annotated.")
    plain = windowed(pixels, longest)
    marked = overlay(
        pixels,
        heatmap,
        points=None if xy is None else Points(xy),
        boxes=None if boxes is None else Boxes(boxes),
        detections=_detections(predictions, case.image_id, threshold),
        found=_found(case, xy, heatmap, localization_threshold, pixels.shape),
        threshold=localization_threshold,
        longest=longest,
    )
    height, width = plain.shape
    return CasePictures(data_uri(plain), data_uri(marked), width, height, tuple(notes))


def data_uri(picture: Picture) -> str:
    """A picture, shape (h, w) or (h, w, 3), uint8, as a `data:` address that needs no other file."""
    stream = io.BytesIO()
    Image.fromarray(picture).convert("RGB").save(stream, "WEBP", quality=WEBP_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _detections(predictions: PredictionsFolder, image_id: str, threshold: float) -> Detections | None:
    if predictions.detections is None:
        return None
    rows = predictions.detections.filter((pl.col("image_id") == image_id) & (pl.col("score") >= threshold))
    rows = rows.sort("score", descending=True, maintain_order=True).head(MAX_DETECTIONS)
    return Detections(rows.select("x_min", "y_min", "x_max", "y_max").to_numpy(), rows["score"].to_numpy())


def _found(
    case: Case,
    xy: NDArray[np.float64] | None,
    heatmap: NDArray[np.float64] | None,
    threshold: float | None,
    shape: tuple[int, ...],
) -> list[bool] | None:
    """Which points the evaluation counted as found; None where that cannot be told.

    The evaluation stores how many; which ones matters only when it is some of several, and is then read
    from the boxes around the heatmap's components, as FROC defines it.
    """
    if xy is None or case.found is None or case.points != len(xy):
        return None
    if case.found in (0, len(xy)):
        return [case.found > 0] * len(xy)
    if heatmap is None or threshold is None:
        return None
    mask = (np.asarray(heatmap) >= threshold).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    cell = np.array([shape[1] / mask.shape[1], shape[0] / mask.shape[0]])
    corners = stats[1:, :2] * cell
    ends = (stats[1:, :2] + stats[1:, 2:4]) * cell
    inside = ((xy[:, None] >= corners) & (xy[:, None] < ends)).all(axis=2).any(axis=1)
    return [bool(value) for value in inside] if inside.sum() == case.found else None
