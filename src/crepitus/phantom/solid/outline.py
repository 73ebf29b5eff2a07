"""Outlines of plates: a closed curve in a plane as a signed distance on a small grid."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Outline:
    """Signed distance to a closed curve.

    Attributes:
        distance: shape (nu, nv), float32, mm, negative inside.
        origin: (u, v) of the middle of cell (0, 0), mm.
        spacing_mm: of the grid.
    """

    distance: NDArray[np.float32]
    origin: tuple[float, float]
    spacing_mm: float

    @property
    def u_range(self) -> tuple[float, float]:
        """Range of u that the grid covers, mm."""
        return self.origin[0], self.origin[0] + self.spacing_mm * (self.distance.shape[0] - 1)

    @property
    def v_range(self) -> tuple[float, float]:
        """Range of v, mm."""
        return self.origin[1], self.origin[1] + self.spacing_mm * (self.distance.shape[1] - 1)


def outline(knots: FloatArray, *, spacing_mm: float = 1.0, margin_mm: float = 8.0) -> Outline:
    """The closed smooth curve through `knots`, shape (n, 2), (u, v) in mm, not self-crossing."""
    from scipy.interpolate import CubicSpline

    knots = np.asarray(knots, dtype=np.float64)
    closed = np.concatenate([knots, knots[:1]])
    steps = np.sqrt(np.linalg.norm(np.diff(closed, axis=0), axis=1))
    at = np.concatenate([[0.0], np.cumsum(steps)])
    line = CubicSpline(at, closed, bc_type="periodic")(np.linspace(0, at[-1], 12 * len(knots)))
    low, high = line.min(axis=0) - margin_mm, line.max(axis=0) + margin_mm
    shape = np.ceil((high - low) / spacing_mm).astype(int) + 1
    fine = 4
    mask = np.zeros((shape[0] * fine, shape[1] * fine), dtype=np.uint8)
    polygon = ((line - low) / spacing_mm + 0.5) * fine - 0.5
    # OpenCV's points are (column, row); rows run along u here.
    cv2.fillPoly(mask, [np.rint(polygon[:, ::-1] * 16).astype(np.int32)], 1, shift=4)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
    signed = (outside - inside) * (spacing_mm / fine)
    small = cv2.resize(signed, (int(shape[1]), int(shape[0])), interpolation=cv2.INTER_AREA)
    return Outline(small.astype(np.float32), (float(low[0]), float(low[1])), spacing_mm)
