"""Flat things in front of the detector, drawn in millimetres into maps of thickness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.scene import Overlay
from crepitus.phantom.solid.compiled import compiled

FloatArray = NDArray[np.float64]


@compiled
def _nearest(
    points: FloatArray, reach: float, spacing: float, distance: FloatArray, along: FloatArray
) -> None:
    """Signed distance to a polyline within `reach`, and the length along it, in mm."""
    done = 0.0
    for n in range(points.shape[0] - 1):
        x0, y0, x1, y1 = points[n, 0], points[n, 1], points[n + 1, 0], points[n + 1, 1]
        ex, ey = x1 - x0, y1 - y0
        length2 = ex * ex + ey * ey + 1e-12
        length = np.sqrt(length2)
        left = max(0, int((min(x0, x1) - reach) / spacing))
        right = min(distance.shape[1], int((max(x0, x1) + reach) / spacing) + 2)
        top = max(0, int((min(y0, y1) - reach) / spacing))
        bottom = min(distance.shape[0], int((max(y0, y1) + reach) / spacing) + 2)
        for i in range(top, bottom):
            y = (i + 0.5) * spacing - y0
            for j in range(left, right):
                x = (j + 0.5) * spacing - x0
                w = min(1.0, max(0.0, (x * ex + y * ey) / length2))
                dx, dy = x - w * ex, y - w * ey
                d = np.sqrt(dx * dx + dy * dy)
                if d < np.abs(distance[i, j]):
                    distance[i, j] = d if ex * y - ey * x >= 0.0 else -d
                    along[i, j] = done + w * length
        done += length


class Canvas:
    """Thickness per material over an image of `size` x `size` pixels of `spacing_mm`."""

    def __init__(self, size: int, spacing_mm: float) -> None:
        self.size = size
        self.spacing_mm = spacing_mm
        self._layers: dict[int, FloatArray] = {}

    @property
    def field_mm(self) -> float:
        """Side of the image."""
        return self.size * self.spacing_mm

    def add(self, material: int, thickness_mm: FloatArray) -> None:
        """Add a map of thickness, shape (size, size)."""
        layer = self._layers.setdefault(material, np.zeros((self.size, self.size)))
        layer += thickness_mm

    def line(self, points_mm: FloatArray, reach_mm: float) -> tuple[FloatArray, FloatArray]:
        """Distance to a polyline and length along it, mm, shapes (size, size).

        Args:
            points_mm: corners (x, y), shape (n, 2), from the image's upper left corner.
            reach_mm: distances beyond are `reach_mm`. The sign is that of the side: positive to the right of
                the line's direction as seen on the image.
        """
        distance: FloatArray = np.empty((self.size, self.size), dtype=np.float64)
        along: FloatArray = np.zeros((self.size, self.size), dtype=np.float64)
        distance[:] = reach_mm
        points = np.ascontiguousarray(points_mm, dtype=np.float64)
        _nearest(points, reach_mm, self.spacing_mm, distance, along)
        return distance, along

    def grid(self) -> tuple[FloatArray, FloatArray]:
        """Coordinates x (1, size) and y (size, 1) of the pixels' middles in mm."""
        at: FloatArray = (np.arange(self.size, dtype=np.float64) + 0.5) * self.spacing_mm
        return at[None, :], at[:, None]

    def edge(self, signed_mm: FloatArray) -> FloatArray:
        """Share of each pixel inside, from a signed distance in mm, negative inside."""
        return np.asarray(np.clip(0.5 - signed_mm / self.spacing_mm, 0.0, 1.0))

    def overlays(self) -> tuple[Overlay, ...]:
        """One overlay per material that has any thickness."""
        return tuple(Overlay(m, layer) for m, layer in sorted(self._layers.items()) if layer.any())


def tube_profile(distance_mm: FloatArray, outer_mm: float, inner_mm: float = 0.0) -> FloatArray:
    """Path length across a tube at these distances from its axis."""
    squared = distance_mm**2
    outer = 2 * np.sqrt(np.maximum(outer_mm**2 - squared, 0.0))
    inner = 2 * np.sqrt(np.maximum(inner_mm**2 - squared, 0.0))
    return np.asarray(outer - inner)
