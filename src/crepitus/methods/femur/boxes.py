"""Boxes from class activation maps by thresholds on a stretched grey scale (paper 002, after Wang 2017)."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Rule = Literal["band", "low", "high", "both"]
Regions = Literal["each", "all"]

GREY = 255.0


class BoxConfig(BaseModel):
    """How an activation map becomes boxes (section III, performance evaluation).

    Attributes:
        rule: which cells stay after the map was stretched to 0..255. "band" keeps low <= v <= high ("to keep
            values between {60, 180}"), "low" keeps v >= low, "high" keeps v >= high, "both" gives the boxes
            of the two, as in Wang 2017.
        low: lower threshold, grey values.
        high: upper threshold, grey values.
        regions: "each" gives every 8-connected region a box; "all" gives one box around all of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Rule = "band"
    low: float = Field(default=60.0, ge=0, le=GREY)
    high: float = Field(default=180.0, ge=0, le=GREY)
    regions: Regions = "each"

    @model_validator(mode="after")
    def _ordered(self) -> BoxConfig:
        if self.high < self.low:
            raise ValueError(f"expected high >= low, got {self.high} < {self.low}")
        return self


def stretched(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """A map resized to `size` (rows, columns) with bilinear interpolation, then brought to 0..255.

    A constant map has no contrast to stretch: it becomes 0 everywhere, so that nothing stands out.
    """
    resized = cv2.resize(values.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    low, high = float(resized.min()), float(resized.max())
    if not high > low:
        return np.zeros(size, dtype=np.float32)
    return np.asarray((resized - low) * (GREY / (high - low)), dtype=np.float32)


def map_boxes(
    values: NDArray[np.float32], size: tuple[int, int], score: float, config: BoxConfig
) -> NDArray[np.float32]:
    """Boxes of one activation map.

    The paper ranks no boxes. Here the score of a box is the image's score times the share that its cells have
    in the activation of all cells left, so that the first box is the one with most of it.

    Args:
        values: shape (h, w), any range.
        size: rows and columns of the input that the map covers, pixels.
        score: of the image, 0..1.
        config: thresholds.

    Returns:
        Shape (k, 5): x_min, y_min, x_max, y_max in pixels of the input, score; highest score first. k = 0
        where no cell is left.
    """
    grey = stretched(values, size)
    found = [box for mask in _masks(grey, config) for box in _boxes(grey, mask, score, config.regions)]
    boxes = np.array(found, dtype=np.float32).reshape(-1, 5)
    return boxes[np.argsort(-boxes[:, 4], kind="stable")]


def _masks(grey: NDArray[np.float32], config: BoxConfig) -> list[NDArray[np.bool_]]:
    # A threshold of 0 would keep what has no activation at all.
    low, high = (grey >= config.low) & (grey > 0), (grey >= config.high) & (grey > 0)
    band = low & (grey <= config.high)
    return {"band": [band], "low": [low], "high": [high], "both": [low, high]}[config.rule]


def _boxes(
    grey: NDArray[np.float32], mask: NDArray[np.bool_], score: float, regions: Regions
) -> list[tuple[float, ...]]:
    if not mask.any():
        return []
    if regions == "all":
        rows, columns = np.nonzero(mask)
        return [(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, score)]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    mass = np.bincount(labels[mask], grey[mask], minlength=count)
    boxes: list[tuple[float, ...]] = []
    for region in range(1, count):
        left, top, width, height = stats[region][:4].tolist()
        boxes.append((left, top, left + width, top + height, score * float(mass[region] / mass.sum())))
    return boxes
