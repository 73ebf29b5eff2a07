"""Where heatmap cells, pixels, boxes and the disks around points lie, decided exactly.

Cell (i, j) of an (h, w) grid covers x in [j W/w, (j+1) W/w) and y in [i H/h, (i+1) H/h) of an image of
H rows and W columns; the pixels are the grid with h = H and w = W. Cell edges are fractions, so that
questions about them are answered in integers or fractions, never by rounded floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.errors import UsageError

Size = tuple[int, int]
"""(rows, columns) of an image or of a grid."""

RADIUS_PX = 50.0
"""Radius of the disk around a point in which a finding is right (paper 001; 2 cm in its images)."""

_TIE = 1e-9
"""Relative distance from the radius below which a comparison is repeated with fractions."""


@dataclass(frozen=True)
class Radius:
    """Radius around a point: in pixels, in millimetres, or relative to the longer side of the image."""

    value: float = RADIUS_PX
    unit: Literal["px", "mm", "rel"] = "px"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.value) and self.value > 0):
            raise UsageError(f"--radius-{self.unit}: expected a number above 0, got {self.value}")

    def in_pixels(self, size: Size, spacing_mm: float | None) -> float:
        """Radius in pixels of an image.

        Raises:
            UsageError: the unit is mm and the image has no spacing.
        """
        if self.unit == "rel":
            return self.value * max(size)
        if self.unit == "mm":
            if spacing_mm is None:
                raise UsageError(
                    "--radius-mm: expected a spacing_mm for every image, at least one has none; "
                    "give --radius-px or --radius-rel"
                )
            return self.value / spacing_mm
        return self.value


def pixel_edges(n_cells: int, n_pixels: int) -> NDArray[np.int64]:
    """First pixel whose centre is not before each cell edge along one axis.

    The centre c + 0.5 lies in the cells a ... b - 1 when edges[a] <= c < edges[b].

    Returns:
        Shape (n_cells + 1,), int64: ceil(j * n_pixels / n_cells - 0.5) in integers.
    """
    edge = np.arange(n_cells + 1, dtype=np.int64)
    return (2 * edge * n_pixels + n_cells - 1) // (2 * n_cells)


def point_cells(points: NDArray[np.float64], size: Size, grid: Size) -> NDArray[np.int64]:
    """Cell (row, column) that holds each point (x, y); shape (n, 2), int64."""
    cells = [
        (int(Fraction(y) * grid[0] // size[0]), int(Fraction(x) * grid[1] // size[1]))
        for x, y in points.tolist()
    ]
    return np.array(cells, dtype=np.int64).reshape(-1, 2)


def within_radius(points: NDArray[np.float64], radius: float, size: Size, grid: Size) -> NDArray[np.bool_]:
    """Which cells have their centre within `radius` pixels (inclusive) of any of the points.

    Args:
        points: (n, 2), (x, y) in pixels of the image.
        radius: in pixels.
        size: (H, W) of the image.
        grid: (h, w) of the cells; the size itself asks about pixels.

    Returns:
        Shape (h, w), bool.
    """
    mask = np.zeros(grid, dtype=np.bool_)
    centre_y, centre_x = (
        (np.arange(cells) + 0.5) * pixels / cells for pixels, cells in zip(size, grid, strict=True)
    )
    reach = radius * (1 + _TIE)
    for x, y in points.tolist():
        top, bottom = np.searchsorted(centre_y, (y - reach, y + reach))
        left, right = np.searchsorted(centre_x, (x - reach, x + reach), side="right")
        # One cell more on each side costs nothing and leaves no border case to think about.
        rows = slice(max(top - 1, 0), bottom + 1)
        columns = slice(max(left - 1, 0), right + 1)
        squared = (centre_y[rows, None] - y) ** 2 + (centre_x[None, columns] - x) ** 2
        inside = squared <= radius**2
        for i, j in np.argwhere(np.abs(squared - radius**2) <= _TIE * radius**2).tolist():
            cell = (i + rows.start, j + columns.start)
            inside[i, j] = _centre_within(cell, (x, y), radius, size, grid)
        mask[rows, columns] |= inside
    return mask


def _centre_within(
    cell: tuple[int, int], point: tuple[float, float], radius: float, size: Size, grid: Size
) -> bool:
    dy = Fraction((2 * cell[0] + 1) * size[0], 2 * grid[0]) - Fraction(point[1])
    dx = Fraction((2 * cell[1] + 1) * size[1], 2 * grid[1]) - Fraction(point[0])
    return dx**2 + dy**2 <= Fraction(radius) ** 2


@dataclass(frozen=True)
class NearPixels:
    """Counts the pixels of a box that lie in a disk, by an integral image over the part with disks.

    Attributes:
        integral: (rows + 1, columns + 1), int32, of the window.
        top, left: where the window starts in the image.
    """

    integral: NDArray[np.int32]
    top: int
    left: int

    @classmethod
    def around(cls, points: NDArray[np.float64], radius: float, size: Size) -> NearPixels:
        """Disks of `radius` pixels around `points` (n, 2) in an image of `size`."""
        mask = within_radius(points, radius, size, size) if len(points) else np.zeros((0, 0), np.bool_)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return cls(np.zeros((1, 1), dtype=np.int32), 0, 0)
        top, left = int(rows[0]), int(columns[0])
        window = mask[top : rows[-1] + 1, left : columns[-1] + 1]
        integral: NDArray[np.int32] = cv2.integral(window.astype(np.uint8), sdepth=cv2.CV_32S)
        return cls(integral, top, left)
