"""The region of interest of an image of one hip: a box labelled `roi`, or a square by landmarks."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

REGION = "roi"
"""Label of the boxes that say where to look."""

LANDMARKS = ("head", "greater trochanter", "lesser trochanter")
"""Of the upper femur, each with "-R" or "-L" behind; between them lie all fractures of AO classes A and B."""

MARGIN = 1.5
"""Side of the square, in longer sides of the rectangle around the landmarks: room for the head's radius."""


def femur_square(landmarks: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """A square around landmarks of the upper femur.

    Args:
        landmarks: (x, y) in pixels, shape (n, 2), n >= 2.
        size: rows and columns of the image.

    Returns:
        (x_min, y_min, x_max, y_max), shape (4,): centred on the rectangle around the landmarks,
        `MARGIN` times its longer side, moved into the image, and made smaller where the image is.
    """
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    whole = np.array([size[1], size[0]], dtype=np.float64)
    side = min(MARGIN * float((high - low).max()), float(whole.min()))
    start = np.clip((low + high - side) / 2, 0, whole - side)
    return np.concatenate([start, start + side])


def regions(
    images: pl.DataFrame, boxes: pl.DataFrame | None, landmarks: pl.DataFrame | None
) -> dict[str, NDArray[np.float64]]:
    """The region of each image that has one, (4,) in pixels.

    Args:
        images: image_id, rows, columns.
        boxes: of the data set; the first labelled `REGION` of an image counts.
        landmarks: of the data set; asked where there is no such box, and only of images in which the three
            `LANDMARKS` of exactly one side are known: an image of two hips has no single region.
    """
    found: dict[str, NDArray[np.float64]] = {}
    if landmarks is not None:
        sizes = {name: (rows, columns) for name, rows, columns in _columns(images)}
        for image_id, points in _one_side(landmarks).items():
            if image_id in sizes:
                found[image_id] = femur_square(points, sizes[image_id])
    if boxes is not None:
        own = boxes.filter(pl.col("label") == REGION).unique("image_id", keep="first", maintain_order=True)
        corners = own.select("x_min", "y_min", "x_max", "y_max").to_numpy().astype(np.float64)
        found.update(zip(own["image_id"].to_list(), corners, strict=True))
    return found


def _columns(images: pl.DataFrame) -> list[tuple[str, int, int]]:
    return list(images.select("image_id", "rows", "columns").iter_rows())


def _one_side(landmarks: pl.DataFrame) -> dict[str, NDArray[np.float64]]:
    """The three landmarks (3, 2) of each image in which those of one side alone are complete."""
    at: dict[str, dict[str, tuple[float, float]]] = {}
    for image_id, name, x, y in landmarks.select("image_id", "name", "x", "y").iter_rows():
        at.setdefault(image_id, {})[name] = (x, y)
    result = {}
    for image_id, named in at.items():
        sides = [s for s in ("R", "L") if all(f"{name}-{s}" in named for name in LANDMARKS)]
        if len(sides) == 1:
            result[image_id] = np.array([named[f"{name}-{sides[0]}"] for name in LANDMARKS])
    return result
