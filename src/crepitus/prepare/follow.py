"""Annotations follow the geometry of a plan: points, boxes and landmarks of each prepared image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.affine import FloatArray
from crepitus.prepare.plan import Plan
from crepitus.structures import Annotation, Boxes, Landmarks, Points


def owners(plans: list[Plan], xy: FloatArray, *, every: bool) -> NDArray[np.int64]:
    """Which of the prepared images each place of the source belongs to.

    Args:
        plans: of one source.
        xy: places in the source, shape (n, 2), pixels.
        every: give a place that no prepared image shows to the nearest; no fracture may get lost.

    Returns:
        shape (n,): index into `plans`; -1 where no prepared image shows the place.
    """
    owner = np.full(len(xy), -1, dtype=np.int64)
    for index, plan in enumerate(plans):
        owner[(owner < 0) & _shows(plan, xy)] = index
    if every and (owner < 0).any():
        away = np.stack([_outside(plan, xy) for plan in plans])
        owner = np.where(owner < 0, away.argmin(axis=0), owner)
    return owner


def _outside(plan: Plan, xy: FloatArray) -> FloatArray:
    """How far each place, shape (n, 2), lies outside the prepared image, in pixels of the source."""
    at = plan.affine.points(xy)
    beyond = at - np.clip(at, 0, (plan.columns, plan.rows))
    return np.asarray(np.hypot(beyond[:, 0], beyond[:, 1]) / plan.affine.scale)


def _shows(plan: Plan, xy: FloatArray) -> NDArray[np.bool_]:
    """Whether each place, shape (n, 2), lies in the prepared image and in its part of the source."""
    at = plan.affine.points(xy)
    shown = ((at >= 0) & (at < (plan.columns, plan.rows))).all(axis=1)
    if plan.territory is not None:
        height, width = plan.territory.shape
        small = np.floor(plan.look.scale.points(xy)).astype(np.int64)
        x, y = np.clip(small[:, 0], 0, width - 1), np.clip(small[:, 1], 0, height - 1)
        shown &= plan.territory[y, x]
    return np.asarray(shown)


def followed(plan: Plan, mine: Annotation) -> Annotation:
    """`mine`, the places of the source that belong to the prepared image, in its coordinates.

    A box becomes the box around it, clipped to the image. Positions on the far edge, which rounding may move
    out, are moved in again.
    """
    limit = np.nextafter(np.array([plan.columns, plan.rows], dtype=np.float64), 0)
    affine = plan.affine
    result = replace(mine)
    if mine.points is not None:
        result = replace(result, points=Points(np.clip(affine.points(mine.points.xy), 0, limit)))
    if mine.landmarks is not None:
        xy = np.clip(affine.points(mine.landmarks.xy), 0, limit)
        result = replace(result, landmarks=Landmarks(mine.landmarks.names, xy))
    if mine.boxes is not None:
        size = np.array([plan.columns, plan.rows] * 2, dtype=np.float64)
        boxes = np.clip(affine.boxes(mine.boxes.xyxy), 0, size)
        filled = np.asarray((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
        labels = tuple(label for label, keep in zip(mine.boxes.labels, filled.tolist(), strict=True) if keep)
        result = replace(result, boxes=Boxes(boxes[filled], labels))
    return result


def shared_out(plans: list[Plan], annotation: Annotation) -> list[Annotation]:
    """The annotation of each prepared image.

    Points and landmarks go where they lie, boxes where their middle lies; landmarks that no prepared image
    shows are left out.

    Args:
        plans: of one source.
        annotation: of the source.
    """
    result = []
    points, boxes, marks = annotation.points, annotation.boxes, annotation.landmarks
    of_point = owners(plans, points.xy, every=True) if points is not None else None
    of_box = owners(plans, boxes.centres, every=True) if boxes is not None else None
    of_mark = owners(plans, marks.xy, every=False) if marks is not None else None
    for index, plan in enumerate(plans):
        mine = Annotation(label=annotation.label)
        if points is not None and of_point is not None:
            mine = replace(mine, points=Points(points.xy[of_point == index]))
        if boxes is not None and of_box is not None:
            keep = np.flatnonzero(of_box == index)
            mine = replace(mine, boxes=Boxes(boxes.xyxy[keep], tuple(boxes.labels[i] for i in keep)))
        if marks is not None and of_mark is not None:
            keep = np.flatnonzero(of_mark == index)
            mine = replace(mine, landmarks=Landmarks(tuple(marks.names[i] for i in keep), marks.xy[keep]))
        result.append(followed(plan, mine))
    return result
