"""Figures on boxes: COCO's average precision at IoU 0.5, and FROC without painting the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.evaluate.compiled import compiled
from crepitus.evaluate.components import is_false_positive
from crepitus.evaluate.geometry import NearPixels, Size
from crepitus.evaluate.rates import RATE_TOLERANCE, froc_figures, ratio

IOU = 0.5
RECALL_POINTS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)
"""COCO's 101 recalls, with its rounding: position 57 is slightly above 0.57."""


def intersection_over_union(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of boxes (n, 4) with boxes (m, 4), (x_min, y_min, x_max, y_max); (n, m), 0 without area."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=2)
    union = np.prod(a[:, 2:] - a[:, :2], axis=1)[:, None] + np.prod(b[:, 2:] - b[:, :2], axis=1) - shared
    result: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return result


@compiled
def _match(iou: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    n, m = iou.shape
    taken = np.zeros(m, dtype=np.bool_)
    matched = np.zeros(n, dtype=np.bool_)
    for d in range(n):
        best, chosen = threshold, -1
        for g in range(m):
            # Of equal overlaps the later box is taken, as in COCO's own evaluation.
            if not taken[g] and iou[d, g] >= best:
                best, chosen = iou[d, g], g
        if chosen >= 0:
            taken[chosen] = True
            matched[d] = True
    return matched


def match_detections(
    detections: NDArray[np.float64], scores: NDArray[np.float64], truth: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which detections of one image hit a box: best score first, each box once, IoU of at least 0.5.

    Args:
        detections: (n, 4), in file order.
        scores: (n,); ties keep file order.
        truth: (m, 4).

    Returns:
        Shape (n,), in file order.
    """
    order = np.argsort(-scores, kind="stable")
    matched = np.zeros(len(scores), dtype=np.bool_)
    matched[order] = _match(intersection_over_union(detections[order], truth), IOU)
    return matched


@compiled
def _average_precision(
    weights: NDArray[np.float64],
    patients: NDArray[np.intp],
    matched: NDArray[np.bool_],
    n_truth: NDArray[np.float64],
    points: NDArray[np.float64],
) -> NDArray[np.float64]:
    rounds, n = len(weights), len(patients)
    result = np.full(rounds, np.nan)
    precision, recall = np.zeros(n), np.zeros(n)
    for q in range(rounds):
        if n_truth[q] == 0:
            continue
        true = false = 0.0
        for d in range(n):
            if matched[d]:
                true += weights[q, patients[d]]
            else:
                false += weights[q, patients[d]]
            precision[d] = true / (true + false) if true + false > 0 else 0.0
            recall[d] = true / n_truth[q]
        for d in range(n - 2, -1, -1):
            precision[d] = max(precision[d], precision[d + 1])
        total, d = 0.0, 0
        for point in points:
            while d < n and recall[d] < point:
                d += 1
            if d < n:
                total += precision[d]
        result[q] = total / len(points)
    return result


@dataclass(frozen=True)
class BoxPrecision:
    """`boxes.ap_50` of a set of images: COCO's 101 points, without a limit on detections.

    Attributes:
        patients: (n,), number of the patient of each detection; detections by falling score.
        matched: (n,), whether the detection hit a box.
        truth_patients: (m,), number of the patient of each annotated box.
    """

    patients: NDArray[np.intp]
    matched: NDArray[np.bool_]
    truth_patients: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        scores: NDArray[np.float64],
        matched: NDArray[np.bool_],
        patients: NDArray[np.intp],
        truth_patients: NDArray[np.intp],
    ) -> BoxPrecision:
        """Sort detections (n,) by falling score; ties keep the order given, which is that of the file."""
        order = np.argsort(-scores, kind="stable")
        return cls(patients[order], matched[order], truth_patients)

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """`boxes.ap_50`, (rounds,): NaN without annotated boxes, 0 without detections."""
        n_truth = weights[:, self.truth_patients].sum(axis=1)
        weights = np.ascontiguousarray(weights, dtype=np.float64)
        precision = _average_precision(weights, self.patients, self.matched, n_truth, RECALL_POINTS)
        return {"boxes.ap_50": precision}


@dataclass(frozen=True)
class ImageBoxFroc:
    """What the detections of one image contribute.

    Attributes:
        n_points: points of the image.
        found: (n,), the highest score of a box that holds the point, for each point that is found.
        false_positives: (m,), scores of the boxes of which less than 10 % lies near a point.
    """

    n_points: int
    found: NDArray[np.float64]
    false_positives: NDArray[np.float64]


def box_froc_of_image(
    detections: NDArray[np.float64],
    scores: NDArray[np.float64],
    points: NDArray[np.float64],
    size: Size,
    radius: float,
) -> ImageBoxFroc:
    """Judge the detections of one image as boxes of a FROC, each for itself.

    Args:
        detections: (n, 4), pixels of the image; parts outside of it hold no pixel.
        scores: (n,).
        points: (m, 2), (x, y).
        size: (H, W) of the image.
        radius: in pixels.
    """
    near = NearPixels.around(points, radius, size)
    limits = np.array([size[1], size[0], size[1], size[0]])
    # The centre c + 0.5 lies in [low, high) when ceil(low - 0.5) <= c < ceil(high - 0.5).
    edges = np.clip(np.ceil(detections - 0.5), 0, limits).astype(np.int64)
    false = [
        is_false_positive(y0, y1, x0, x1, near.integral, near.top, near.left)
        for x0, y0, x1, y1 in edges.tolist()
    ]
    low, high = detections[None, :, :2], detections[None, :, 2:]
    inside = ((points[:, None] >= low) & (points[:, None] < high)).all(axis=2)
    best = np.where(inside, scores, -np.inf).max(axis=1, initial=-np.inf)
    return ImageBoxFroc(len(points), best[np.isfinite(best)], scores[np.array(false, dtype=np.bool_)])


@dataclass(frozen=True)
class BoxFroc:
    """FROC of detections over all score thresholds, for any weights of the patients.

    Attributes:
        image_patients: (n,), number of the patient of each evaluated image.
        n_points: (n,), float64.
        patients: (m,), of each event (a point found, a false positive), by falling score.
        is_found: (m,), float64, 1 for a point found, 0 for a false positive.
        scores: (m,), falling.
        ends: (k,), position of the last event of each distinct score.
    """

    image_patients: NDArray[np.intp]
    n_points: NDArray[np.float64]
    patients: NDArray[np.intp]
    is_found: NDArray[np.float64]
    scores: NDArray[np.float64]
    ends: NDArray[np.intp]

    @classmethod
    def of(cls, images: Sequence[ImageBoxFroc], patients: NDArray[np.intp]) -> BoxFroc:
        """Gather the events of images and the numbers of their patients."""
        empty = np.zeros(0)
        found = np.concatenate([empty, *(image.found for image in images)])
        false = np.concatenate([empty, *(image.false_positives for image in images)])
        scores = np.concatenate([found, false])
        owners = np.concatenate(
            [
                np.repeat(patients, np.array([len(image.found) for image in images], dtype=np.int64)),
                np.repeat(patients, np.array([len(i.false_positives) for i in images], dtype=np.int64)),
            ]
        )
        order = np.argsort(-scores, kind="stable")
        falling = scores[order]
        last = np.append(falling[1:] != falling[:-1], True) if len(falling) else np.zeros(0, np.bool_)
        return cls(
            image_patients=patients,
            n_points=np.array([image.n_points for image in images], dtype=np.float64),
            patients=owners[order],
            is_found=(order < len(found)).astype(np.float64),
            scores=falling,
            ends=np.flatnonzero(last),
        )

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """(k + 1,), infinity (no box at all), then every score at which something changes, falling."""
        return np.append(np.inf, self.scores[self.ends])

    def rates(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """False positives per image and recall, each (rounds, k + 1), for patient weights (rounds, m)."""
        of_event, of_image = weights[:, self.patients], weights[:, self.image_patients]
        padded = ((0, 0), (1, 0))
        found = np.pad(np.cumsum(of_event * self.is_found, axis=1)[:, self.ends], padded)
        false = np.pad(np.cumsum(of_event * (1 - self.is_found), axis=1)[:, self.ends], padded)
        recall = ratio(found, (of_image @ self.n_points)[:, None])
        return ratio(false, of_image.sum(axis=1)[:, None]), recall

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """FROC score and recalls of boxes, each (rounds,)."""
        return froc_figures("boxes.", *self.rates(weights))

    def curve_rounds(self, weights: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
        """Recall at the false-positive rates of `grid` (n,), shape (rounds, n)."""
        # Both only rise as the threshold falls, so that the highest recall is the last one allowed.
        rate, recall = self.rates(weights)
        last = [np.searchsorted(row, grid + RATE_TOLERANCE, side="right") - 1 for row in rate]
        return np.stack([row[at] for row, at in zip(recall, last, strict=True)])
