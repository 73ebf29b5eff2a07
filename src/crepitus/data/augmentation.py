"""Random views of a training image: the draw, and apart from it its application to pixels and points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator


class AugmentationConfig(BaseModel):
    """How far a draw may go; zero switches a part off. Paper 001 names the four parts, not their ranges.

    Attributes:
        rotation_deg: largest rotation to either side about the centre of the input.
        scale: largest relative zoom in or out.
        translation: largest shift along each axis, as a fraction of the side.
        flip_probability: of a horizontal flip.
        intensity: largest shift of all grey values, as a fraction of the full range.
        contrast: largest relative change of the distance from the mean grey value.
        crop: smallest share of each side that a random crop leaves (thesis 004: 0.9); 1 does not crop.
        inversion_probability: of a view with dark bone on a bright background (thesis 004).
        probability: of any change at all; other views are the image as it is.
        rotation_least_deg: smallest rotation to either side (paper 002: 5).
        zoom: ranges of the zoom, one of which is drawn with equal chance, in place of `scale` (paper 002:
            0.4 to 0.9 and 1.3 to 1.9).
        keep_region: shift no farther than the region of interest stays in the view (paper 002); where it does
            not fit, its middle stays in the middle. An image without a region is not held.
        hidden_probability: that something hides a part of the view: a disk of one grey value, like metal or
            gas, or a black strip along one side, like the edge of a plate. What it hides keeps its truth
            (DeVries and Taylor 2017; Zhong et al. 2020, "Random erasing").
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rotation_deg: float = Field(default=10.0, ge=0, le=180)
    scale: float = Field(default=0.0, ge=0, lt=1)
    translation: float = Field(default=0.0, ge=0, lt=0.5)
    flip_probability: float = Field(default=0.5, ge=0, le=1)
    intensity: float = Field(default=0.1, ge=0, le=1)
    contrast: float = Field(default=0.2, ge=0, lt=1)
    crop: float = Field(default=1.0, gt=0, le=1)
    inversion_probability: float = Field(default=0.0, ge=0, le=1)
    probability: float = Field(default=1.0, ge=0, le=1)
    rotation_least_deg: float = Field(default=0.0, ge=0, le=180)
    zoom: tuple[tuple[float, float], ...] = ()
    keep_region: bool = False
    hidden_probability: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> AugmentationConfig:
        if self.rotation_least_deg > self.rotation_deg:
            raise ValueError(
                f"expected rotation_least_deg of at most rotation_deg, got {self.rotation_least_deg} "
                f"and {self.rotation_deg}"
            )
        for low, high in self.zoom:
            if not 0 < low <= high:
                raise ValueError(f"expected ranges of zoom 0 < low <= high, got {low}, {high}")
        return self


HIDING_DISK = (0.03, 0.12)
"""Radius of a disk that hides a part of a view, fraction of its longer side."""

HIDING_STRIP = (0.05, 0.45)
"""Width of a strip that hides a part of a view, fraction of the side that it lies across."""


@dataclass(frozen=True)
class Hiding:
    """Something in front of a part of a view.

    Attributes:
        kind: "disk" or "strip".
        x: middle of a disk, fraction of the columns; below 0.5 a strip lies at the start of its axis.
        y: middle of a disk, fraction of the rows; below 0.5 a strip hides columns, otherwise rows.
        size: radius of a disk or width of a strip, 0..1 of the range of its kind.
        grey: of a disk, 0..1; strips are black.
    """

    kind: Literal["disk", "strip"]
    x: float
    y: float
    size: float
    grey: float

    def over(self, view: NDArray[np.float32]) -> NDArray[np.float32]:
        """A view (rows, columns) with it."""
        hidden = view.copy()
        if self.kind == "disk":
            radius = HIDING_DISK[0] + (HIDING_DISK[1] - HIDING_DISK[0]) * self.size
            rows, columns = np.ogrid[: view.shape[0], : view.shape[1]]
            across, down = columns + 0.5 - self.x * view.shape[1], rows + 0.5 - self.y * view.shape[0]
            hidden[across**2 + down**2 <= (radius * max(view.shape)) ** 2] = self.grey
            return hidden
        axis = 1 if self.y < 0.5 else 0
        width = round((HIDING_STRIP[0] + (HIDING_STRIP[1] - HIDING_STRIP[0]) * self.size) * view.shape[axis])
        strip = slice(0, width) if self.x < 0.5 else slice(view.shape[axis] - width, None)
        hidden[(slice(None), strip) if axis == 1 else (strip, slice(None))] = 0.0
        return hidden


@dataclass(frozen=True)
class View:
    """One drawn view.

    Attributes:
        matrix: shape (2, 3), maps (x, y, 1) of the input to (x, y) of the view, pixels.
        gain: factor on the distance from the mean grey value.
        shift: added to all grey values, fraction of the full range.
        inverted: grey values are turned around.
        hiding: what is in front of a part of it.
    """

    matrix: NDArray[np.float64]
    gain: float = 1.0
    shift: float = 0.0
    inverted: bool = False
    hiding: Hiding | None = None

    def points(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 2) in the view, also of points that left it: their surroundings may still be seen."""
        return np.asarray(xy @ self.matrix[:, :2].T + self.matrix[:, 2])

    def boxes(self, xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Boxes (n, 4) in the view: around the corners, since a turned box is none."""
        if not len(xyxy):
            return xyxy
        corners = self.points(xyxy[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)).reshape(-1, 4, 2)
        return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)

    def regions(self, xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Upright regions (n, 4) in the view: centred on the same place and as much larger as the image.

        Unlike `boxes` a region does not grow when it is turned: it says where to look, not what to enclose.
        """
        centre, half = (xyxy[:, :2] + xyxy[:, 2:]) / 2, (xyxy[:, 2:] - xyxy[:, :2]) / 2
        factor = np.sqrt(abs(np.linalg.det(self.matrix[:, :2])))
        moved = self.points(centre)
        return np.concatenate([moved - factor * half, moved + factor * half], axis=1)

    def pixels(self, fitted: NDArray[np.float32]) -> NDArray[np.float32]:
        """The view of an input (rows, columns), float32, 0..1; what comes from outside is black."""
        shift_to_centre = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        full = np.vstack([self.matrix, [0, 0, 1]])
        # OpenCV puts the origin at the centre of the first pixel, this project at its corner.
        matrix = (np.linalg.inv(shift_to_centre) @ full @ shift_to_centre)[:2]
        view = fitted
        if not np.allclose(matrix, np.eye(2, 3)):
            view = cv2.warpAffine(fitted, matrix, fitted.shape[::-1], flags=cv2.INTER_LINEAR)
        mean = float(view.mean())
        jittered = (view - mean) * self.gain + mean + self.shift
        clipped = np.clip(jittered, 0.0, 1.0)
        finished = np.asarray(1.0 - clipped if self.inverted else clipped, dtype=np.float32)
        return finished if self.hiding is None else self.hiding.over(finished)


def draw_view(
    config: AugmentationConfig,
    shape: tuple[int, int],
    generator: np.random.Generator,
    region: NDArray[np.float64] | None = None,
) -> View:
    """Draw one view; always the same number of random values with one configuration.

    Args:
        config: how far a draw may go.
        shape: rows and columns of the input.
        generator: of the random values.
        region: of interest, (x_min, y_min, x_max, y_max) in pixels of the input; for `keep_region`.
    """
    angle, zoom, shift_x, shift_y, gain, shift = generator.uniform(-1, 1, size=6)
    flip = generator.random() < config.flip_probability
    kept, place_x, place_y, inversion, changed, pick = generator.random(size=6)
    hiding = _draw_hiding(generator, config.hidden_probability) if config.hidden_probability else None
    if changed >= config.probability:
        return View(matrix=np.eye(2, 3))
    turn = np.sign(angle) * (
        config.rotation_least_deg + abs(angle) * (config.rotation_deg - config.rotation_least_deg)
    )
    radians = np.deg2rad(turn)
    share = config.crop + (1 - config.crop) * kept
    factor = _zoom(config, zoom, pick) / share
    linear = factor * np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    if flip:
        linear = linear @ np.diag([-1.0, 1.0])
    side = np.array([shape[1], shape[0]], dtype=np.float64)
    # A crop may lie anywhere in the input: what it leaves on the two sides adds up to 1 - share.
    cropped = (np.array([place_x, place_y]) - 0.5) * (1 - share) / share
    offset = (
        side / 2 - linear @ (side / 2) + (np.array([shift_x, shift_y]) * config.translation + cropped) * side
    )
    view = View(
        matrix=np.column_stack([linear, offset]),
        gain=1 + gain * config.contrast,
        shift=shift * config.intensity,
        inverted=bool(inversion < config.inversion_probability),
        hiding=hiding,
    )
    return view if region is None or not config.keep_region else _held(view, region, side)


def _draw_hiding(generator: np.random.Generator, probability: float) -> Hiding | None:
    there, kind, x, y, size, grey = (float(value) for value in generator.random(size=6))
    return Hiding("disk" if kind < 0.7 else "strip", x, y, size, grey) if there < probability else None


def _zoom(config: AugmentationConfig, zoom: float, pick: float) -> float:
    """The factor of a draw `zoom`, -1..1; `pick`, 0..1, chooses among the ranges."""
    if not config.zoom:
        # Zooming in and out by the same factor is equally likely on a logarithmic scale.
        return float((1 + config.scale) ** zoom)
    low, high = config.zoom[int(pick * len(config.zoom))]
    return low + (high - low) * (zoom + 1) / 2


def _held(view: View, region: NDArray[np.float64], side: NDArray[np.float64]) -> View:
    """The view, moved so that the region is in it."""
    box = view.boxes(region[None])[0]
    low, high = -box[:2], side - box[2:]
    fits = low <= high
    move = np.where(fits, np.clip(0.0, low, np.maximum(low, high)), (low + high) / 2)
    return replace(view, matrix=view.matrix + np.column_stack([np.zeros((2, 2)), move]))
