"""Solids as signed distance functions on a grid: the bones, soft tissues, gas and metal of a scene.

A grid of 1-2 mm holds a smooth distance function well, and the distance then gives surfaces and shells far
thinner than the grid: the cortex is the band between distance 0 and minus its thickness.

Body frame, mm: x to the image's right, y down the image (towards the feet, or the elbow of a hand), z towards
the X-ray source, for an unrotated patient. All solids of a scene share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as default

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.solid.compiled import compiled

FloatArray = NDArray[np.float64]
FieldArray = NDArray[np.float32]

DISTANCE, CORTEX, FILL, Q1, Q2 = range(5)
"""Channels of a field: signed distance in mm, negative inside; cortical thickness in mm; volume fraction of
bone tissue in the interior (for soft tissue: depth of fat in mm, share of lean tissue); and, only where the
trabeculae follow curves, two curvilinear coordinates in mm."""

TEXTURE_CELL_MM = (1.9, 0.6, 0.6)
"""Size of a texture cell along and across the trabeculae."""

OUTSIDE_MM = 1e3
FAR_MM = 8.0
"""Largest distance that a finished field holds."""


def grain_along(direction: FloatArray, scale: float = 1.0) -> FloatArray:
    """Texture matrix (3, 3), body mm to texture cells, for trabeculae that run along `direction`, shape (3,).

    `scale` above 1 makes the texture coarser, as osteoporosis does when it takes the thin struts first.
    """
    d = np.asarray(direction, dtype=np.float64)
    d = d / np.linalg.norm(d)
    other = np.array([1.0, 0.0, 0.0]) if abs(d[0]) < 0.7 else np.array([0.0, 1.0, 0.0])
    a = np.cross(d, other)
    a /= np.linalg.norm(a)
    rows = np.stack([d, a, np.cross(d, a)])
    return np.asarray(rows / (np.array(TEXTURE_CELL_MM)[:, None] * scale))


@dataclass(frozen=True)
class Solid:
    """A body given by its distance function on a grid.

    Attributes:
        name: for example "femur-R".
        origin_mm: body coordinates of the middle of cell (0, 0, 0), shape (3,).
        spacing_mm: of the grid.
        field: shape (nx, ny, nz, 3) or (nx, ny, nz, 5), float32; channels as above.
        grain: texture matrix (3, 3), see `grain_along`.
        ragged_mm: width of the transition between cortex and interior.
    """

    name: str
    origin_mm: FloatArray
    spacing_mm: float
    field: FieldArray
    grain: FloatArray = default(default_factory=lambda: grain_along(np.array([0.0, 1.0, 0.0])))
    ragged_mm: float = 0.9

    @property
    def low_mm(self) -> FloatArray:
        """Lower corner of the grid, shape (3,)."""
        return self.origin_mm

    @property
    def high_mm(self) -> FloatArray:
        """Upper corner of the grid, shape (3,)."""
        shape = np.array(self.field.shape[:3], dtype=np.float64)
        return np.asarray(self.origin_mm + self.spacing_mm * (shape - 1))

    def corners(self) -> FloatArray:
        """The eight corners of the grid, shape (8, 3), mm."""
        low, high = self.low_mm, self.high_mm
        picks = np.array([[(k >> a) & 1 for a in range(3)] for k in range(8)], dtype=bool)
        return np.asarray(np.where(picks, high, low))

    def sample(self, points: FloatArray) -> FloatArray:
        """All channels at body points (n, 3), trilinear, shape (n, channels); `OUTSIDE_MM` off the grid."""
        out = np.empty((len(points), self.field.shape[3]))
        _sample_many(self.field, self.origin_mm, self.spacing_mm, np.ascontiguousarray(points), out)
        return out


@compiled
def strides(f: FieldArray) -> tuple[int, int, int]:
    """Steps from a cell to its neighbours along x, y and z in the flat field."""
    dz = f.shape[3]
    dy = f.shape[2] * dz
    return f.shape[1] * dy, dy, dz


@compiled
def locate(
    f: FieldArray, origin: FloatArray, spacing: float, x: float, y: float, z: float
) -> tuple[int, float, float, float]:
    """Flat index of the cell of a field that holds a point, clamped to the grid, and the place within it."""
    u, v, w = (x - origin[0]) / spacing, (y - origin[1]) / spacing, (z - origin[2]) / spacing
    u = min(f.shape[0] - 1.001, max(0.0, u))
    v = min(f.shape[1] - 1.001, max(0.0, v))
    w = min(f.shape[2] - 1.001, max(0.0, w))
    i, j, k = int(u), int(v), int(w)
    return ((i * f.shape[1] + j) * f.shape[2] + k) * f.shape[3], u - i, v - j, w - k


@compiled
def interpolate(
    flat: FieldArray, n: int, dx: int, dy: int, dz: int, wx: float, wy: float, wz: float
) -> float:
    """Trilinear interpolation of a channel in the cell that starts at `flat[n]`; dx, dy, dz are strides.

    Flat, because the compiler checks each index of an array with four axes for negative values.
    """
    c00 = flat[n] + wz * (flat[n + dz] - flat[n])
    c01 = flat[n + dy] + wz * (flat[n + dy + dz] - flat[n + dy])
    c10 = flat[n + dx] + wz * (flat[n + dx + dz] - flat[n + dx])
    c11 = flat[n + dx + dy] + wz * (flat[n + dx + dy + dz] - flat[n + dx + dy])
    low, high = c00 + wy * (c01 - c00), c10 + wy * (c11 - c10)
    value: float = low + wx * (high - low)
    return value


@compiled
def _sample_many(
    f: FieldArray, origin: FloatArray, spacing: float, points: FloatArray, out: FloatArray
) -> None:
    flat = f.reshape(-1)
    dx, dy, dz = strides(f)
    for n in range(points.shape[0]):
        cell, wx, wy, wz = locate(f, origin, spacing, points[n, 0], points[n, 1], points[n, 2])
        off = False
        for axis in range(3):
            end = origin[axis] + spacing * (f.shape[axis] - 1)
            off = off or points[n, axis] < origin[axis] or points[n, axis] > end
        for channel in range(f.shape[3]):
            out[n, channel] = interpolate(flat, cell + channel, dx, dy, dz, wx, wy, wz)
        if off:
            out[n, 0] = OUTSIDE_MM
