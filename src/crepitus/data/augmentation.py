"""Random views of a training image: the draw, and apart from it its application to pixels and points."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field


class AugmentationConfig(BaseModel):
    """How far a draw may go; zero switches a part off. Paper 001 names the four parts, not their ranges.

    Attributes:
        rotation_deg: largest rotation to either side about the centre of the square.
        scale: largest relative zoom in or out.
        translation: largest shift along each axis, as a fraction of the side.
        flip_probability: of a horizontal flip.
        intensity: largest shift of all grey values, as a fraction of the full range.
        contrast: largest relative change of the distance from the mean grey value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rotation_deg: float = Field(default=10.0, ge=0, le=180)
    scale: float = Field(default=0.0, ge=0, lt=1)
    translation: float = Field(default=0.0, ge=0, lt=0.5)
    flip_probability: float = Field(default=0.5, ge=0, le=1)
    intensity: float = Field(default=0.1, ge=0, le=1)
    contrast: float = Field(default=0.2, ge=0, lt=1)


@dataclass(frozen=True)
class View:
    """One drawn view.

    Attributes:
        matrix: shape (2, 3), maps (x, y, 1) of the square to (x, y) of the view, pixels.
        gain: factor on the distance from the mean grey value.
        shift: added to all grey values, fraction of the full range.
    """

    matrix: NDArray[np.float64]
    gain: float = 1.0
    shift: float = 0.0

    def points(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 2) in the view, also of points that left it: their surroundings may still be seen."""
        return np.asarray(xy @ self.matrix[:, :2].T + self.matrix[:, 2])

    def pixels(self, square: NDArray[np.float32]) -> NDArray[np.float32]:
        """The view of a square (size, size), float32, 0..1; what comes from outside is black."""
        shift_to_centre = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        full = np.vstack([self.matrix, [0, 0, 1]])
        # OpenCV puts the origin at the centre of the first pixel, this project at its corner.
        matrix = (np.linalg.inv(shift_to_centre) @ full @ shift_to_centre)[:2]
        view = square
        if not np.allclose(matrix, np.eye(2, 3)):
            view = cv2.warpAffine(square, matrix, square.shape[::-1], flags=cv2.INTER_LINEAR)
        mean = float(view.mean())
        jittered = (view - mean) * self.gain + mean + self.shift
        return np.asarray(np.clip(jittered, 0.0, 1.0), dtype=np.float32)


def draw_view(config: AugmentationConfig, size: int, generator: np.random.Generator) -> View:
    """Draw one view of a square of `size` pixels; always the same number of random values."""
    angle, zoom, shift_x, shift_y, gain, shift = generator.uniform(-1, 1, size=6)
    flip = generator.random() < config.flip_probability
    radians = np.deg2rad(angle * config.rotation_deg)
    # Zooming in and out by the same factor is equally likely on a logarithmic scale.
    factor = (1 + config.scale) ** zoom
    linear = factor * np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    if flip:
        linear = linear @ np.diag([-1.0, 1.0])
    centre = np.array([size / 2, size / 2])
    offset = centre - linear @ centre + np.array([shift_x, shift_y]) * config.translation * size
    return View(
        matrix=np.column_stack([linear, offset]),
        gain=1 + gain * config.contrast,
        shift=shift * config.intensity,
    )
