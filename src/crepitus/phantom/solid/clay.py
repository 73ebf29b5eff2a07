"""Sculpting solids: primitives joined by smooth unions and carved by smooth differences on a grid.

Every primitive visits only the cells of its own neighbourhood. Distances of elliptic shapes are exact to
first order near the surface, which is where they matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.solid.clay_kernels import REACH_MM, add_ball, add_balls, add_plate, add_tube, displace
from crepitus.phantom.solid.field import (
    CORTEX,
    DISTANCE,
    FAR_MM,
    FILL,
    OUTSIDE_MM,
    FieldArray,
    Solid,
    grain_along,
)
from crepitus.phantom.solid.outline import Outline

FloatArray = NDArray[np.float64]

IDENTITY = np.eye(3)

Region = tuple[FloatArray, FloatArray]
"""Lower and upper corner of a box in body coordinates, mm."""


@dataclass(frozen=True)
class Stuff:
    """What a primitive is made of.

    Attributes:
        cortex_mm: thickness of compact bone under the surface.
        fill: volume fraction of bone tissue inside, 0..1.
        blend_mm: radius of the smooth union with what is there.
    """

    cortex_mm: float = 1.0
    fill: float = 0.2
    blend_mm: float = 3.0


class Clay:
    """A solid under construction on a grid from `low_mm` to `high_mm`, shapes (3,).

    Only what lies in `region`, a pair of corners, is built: nothing is spent on parts that no ray meets.
    """

    def __init__(
        self, low_mm: FloatArray, high_mm: FloatArray, spacing_mm: float, region: Region | None = None
    ) -> None:
        if region is not None:
            low_mm, high_mm = np.maximum(low_mm, region[0]), np.minimum(high_mm, region[1])
        self.origin_mm = np.asarray(low_mm, dtype=np.float64)
        self.spacing_mm = float(spacing_mm)
        shape = np.ceil((np.asarray(high_mm) - self.origin_mm) / spacing_mm).astype(int) + 1
        self.field: FieldArray = np.zeros((*np.maximum(shape, 2), 3), dtype=np.float32)
        self.field[..., DISTANCE] = OUTSIDE_MM

    def tube(
        self,
        points: FloatArray,
        radii: FloatArray,
        stuff: Stuff,
        *,
        wide: FloatArray | None = None,
        cortex: FloatArray | None = None,
        fill: FloatArray | None = None,
        carve: bool = False,
    ) -> None:
        """Add a generalised cylinder with rounded ends along a polyline.

        Args:
            points: shape (n, 3), mm; give enough for a smooth curve (see `curve`).
            radii: shape (n,) for round, (n, 2) for elliptic sections: along `wide` and across it.
            stuff: material and blending.
            wide: direction of the first radius, shape (3,) or (n, 3); needed for elliptic sections.
            cortex: cortical thickness along the tube, shape (n,), instead of `stuff.cortex_mm`.
            fill: likewise for `stuff.fill`.
            carve: take the shape away instead.
        """
        points = np.ascontiguousarray(points, dtype=np.float64)
        n = len(points)
        r = np.asarray(radii, dtype=np.float64)
        r = np.stack([r, r], axis=1) if r.ndim == 1 else r
        direction = np.array([1.0, 0.0, 0.0]) if wide is None else np.asarray(wide, dtype=np.float64)
        table = np.empty((n, 10))
        table[:, :3], table[:, 3:5] = points, r
        table[:, 5] = stuff.cortex_mm if cortex is None else cortex
        table[:, 6] = stuff.fill if fill is None else fill
        table[:, 7:10] = direction
        reach = r.max() + REACH_MM + stuff.blend_mm
        low, high = self._cells(points.min(axis=0) - reach, points.max(axis=0) + reach)
        add_tube(self.field, self.origin_mm, self.spacing_mm, low, high, table, stuff.blend_mm, carve)

    def ball(
        self,
        centre: FloatArray,
        radii: FloatArray | float,
        stuff: Stuff,
        *,
        axes: FloatArray = IDENTITY,
        carve: bool = False,
    ) -> None:
        """Add an ellipsoid: `radii` (3,) in mm along the rows of `axes` (3, 3); one number is a sphere."""
        r = np.broadcast_to(np.asarray(radii, dtype=np.float64), (3,)).copy()
        c = np.asarray(centre, dtype=np.float64)
        reach = r.max() + REACH_MM + stuff.blend_mm
        low, high = self._cells(c - reach, c + reach)
        numbers = np.array([*c, *r, stuff.cortex_mm, stuff.fill, stuff.blend_mm])
        add_ball(self.field, self.origin_mm, self.spacing_mm, low, high, numbers, axes.copy(), carve)

    def balls(self, centres: FloatArray, radii: FloatArray, axes: FloatArray, stuff: Stuff) -> None:
        """Add many ellipsoids of the same stuff: centres (n, 3) and radii (n, 3) in mm, axes (n, 3, 3)."""
        table = np.empty((len(centres), 9))
        table[:, :3], table[:, 3:6] = centres, radii
        table[:, 6:] = stuff.cortex_mm, stuff.fill, stuff.blend_mm
        reach = REACH_MM + stuff.blend_mm
        add_balls(self.field, self.origin_mm, self.spacing_mm, table, np.ascontiguousarray(axes), reach)

    def plate(
        self,
        outline: Outline,
        origin: FloatArray,
        axes: FloatArray,
        shape: FloatArray,
        thickness: FloatArray,
        stuff: Stuff,
        *,
        carve: bool = False,
    ) -> None:
        """Add a curved plate of varying thickness.

        Args:
            outline: in the plate's plane, coordinates (u, v) in mm.
            origin: body coordinates of u = v = 0, shape (3,).
            axes: rows u, v, w of the plate's frame, orthonormal, shape (3, 3).
            shape: of the middle surface, w = s0 + s1 u + s2 v + s3 u^2 + s4 u v + s5 v^2 + s6 u^3
                + s7 u^2 v + s8 u v^2 + s9 v^3, shape (10,).
            thickness: t = t0 + t1 u + t2 v + t3 u^2 + t4 u v + t5 v^2 + t6 exp(-rim / 6 mm), where rim is the
                distance from the edge, at least 1 mm, shape (7,).
            stuff: material and blending.
            carve: take the shape away instead.
        """
        corners = np.array([[u, v] for u in outline.u_range for v in outline.v_range])
        bend = float(np.abs(shape).max() > 0) * 45.0
        spread = np.concatenate(
            [
                origin + corners @ axes[:2] + sign * (bend + 15.0 + abs(float(shape[0]))) * axes[2]
                for sign in (-1, 1)
            ]
        )
        low, high = self._cells(spread.min(axis=0) - REACH_MM, spread.max(axis=0) + REACH_MM)
        numbers = np.array([stuff.cortex_mm, stuff.fill, stuff.blend_mm])
        add_plate(
            self.field,
            self.origin_mm,
            self.spacing_mm,
            low,
            high,
            outline.distance,
            np.array([*outline.origin, outline.spacing_mm]),
            np.asarray(origin, dtype=np.float64),
            np.ascontiguousarray(axes),
            np.asarray(shape, dtype=np.float64),
            np.asarray(thickness, dtype=np.float64),
            numbers,
            carve,
        )

    def roughen(
        self, noise: NDArray[np.float32], amplitude_mm: float, scale_mm: float, shift: FloatArray
    ) -> None:
        """Move the surface by smooth periodic noise (n, n, n) of unit variance with cells of `scale_mm`."""
        displace(self.field, self.origin_mm, self.spacing_mm, noise, amplitude_mm, scale_mm, shift)

    def finish(
        self, name: str, grain: FloatArray | None = None, *, cortex: float = 1.0, fill: float = 1.0
    ) -> Solid:
        """The solid; `cortex` and `fill` are factors on both channels, for bone density."""
        field = self.field.copy()
        # Cells that no primitive reached are at least this far from every surface; a ray may step that far.
        np.minimum(field[..., DISTANCE], FAR_MM, out=field[..., DISTANCE])
        field[..., CORTEX] *= cortex
        field[..., FILL] *= fill
        matrix = grain_along(np.array([0.0, 1.0, 0.0])) if grain is None else grain
        return Solid(name, self.origin_mm, self.spacing_mm, field, matrix)

    def _cells(self, low_mm: FloatArray, high_mm: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Half-open range of cells that covers a box."""
        shape = np.array(self.field.shape[:3])
        low = np.floor((low_mm - self.origin_mm) / self.spacing_mm).astype(np.int64)
        high = np.ceil((high_mm - self.origin_mm) / self.spacing_mm).astype(np.int64) + 1
        return np.clip(low, 0, shape), np.clip(high, 0, shape)


def curve(knots: FloatArray, count: int) -> FloatArray:
    """`count` points (count, m) on a centripetal cubic spline through `knots` (n, m), equally spread."""
    from scipy.interpolate import CubicSpline

    knots = np.asarray(knots, dtype=np.float64)
    steps = np.sqrt(np.linalg.norm(np.diff(knots[:, :3], axis=0), axis=1))
    at = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-6))])
    return np.asarray(CubicSpline(at, knots, axis=0)(np.linspace(0.0, at[-1], count)))
