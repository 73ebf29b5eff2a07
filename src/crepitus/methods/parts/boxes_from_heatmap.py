"""Boxes from a fracture heatmap: one per connected finding, scored by its peak."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.structures import Detections, Heatmap

MAX_BOXES = 100
"""More findings than this on one radiograph are noise; the highest-scored ones stay."""


def boxes_from_heatmap(heatmap: Heatmap, *, floor: float, relative: float) -> Detections:
    """One box per 8-connected region above `floor`.

    The box surrounds those cells of the region that reach `relative` times its peak and are connected
    to the peak; its score is the peak.

    Args:
        heatmap: fracture probabilities over the image.
        floor: least probability of a cell of a region.
        relative: in (0, 1].

    Returns:
        Boxes in pixels of the image, highest score first.
    """
    values = heatmap.values
    count, regions = cv2.connectedComponents((values >= floor).astype(np.uint8), connectivity=8)
    boxes: list[tuple[float, float, float, float]] = []
    scores: list[float] = []
    for region in range(1, count):
        inside = np.where(regions == region, values, 0.0)
        peak = np.unravel_index(int(inside.argmax()), inside.shape)
        core = (inside >= relative * inside[peak]).astype(np.uint8)
        _, parts, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=8)
        left, top, width, height = stats[parts[peak]][:4].tolist()
        boxes.append((left, top, left + width, top + height))
        scores.append(float(inside[peak]))
    order = np.argsort(-np.array(scores), kind="stable")[:MAX_BOXES]
    cells = np.array(boxes, dtype=np.float64).reshape(-1, 4)[order]
    size = np.array([heatmap.columns / values.shape[1], heatmap.rows / values.shape[0]] * 2)
    return Detections(xyxy=cells * size, scores=np.array(scores, dtype=np.float64)[order])


def iou(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of boxes (n, 4) with others (m, 4): shape (n, m)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    other_areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    return np.asarray(common / (areas[:, None] + other_areas[None, :] - common), dtype=np.float64)
