"""Bones that fit each other: solids on one lattice, cut by surfaces and by their neighbours."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.injuries.fracture import Motion
from crepitus.phantom.solid.clay import Clay
from crepitus.phantom.solid.field import CORTEX, DISTANCE, FILL, OUTSIDE_MM, FieldArray, Solid
from crepitus.phantom.solid.textures import smooth_noise

FloatArray = NDArray[np.float64]

_ROUND_MM = 0.9
"""Radius of the edges where a neighbour or a surface cuts a bone."""


@lru_cache(maxsize=1)
def bumps() -> NDArray[np.float32]:
    """The table of noise for surfaces, made once."""
    return smooth_noise()


def smooth_max(a: FieldArray, b: FieldArray, blend: float) -> FieldArray:
    """The larger of two distances, rounded over `blend` mm: the intersection of two bodies."""
    share = np.clip(0.5 + 0.5 * (a - b) / blend, 0.0, 1.0)
    return np.asarray(a * share + b * (1 - share) + blend * share * (1 - share), dtype=np.float32)


class Lump(Clay):
    """Clay on the lattice of multiples of `spacing_mm`, so that neighbours share their cells."""

    def __init__(self, low_mm: FloatArray, high_mm: FloatArray, spacing_mm: float) -> None:
        super().__init__(np.floor(np.asarray(low_mm) / spacing_mm) * spacing_mm, high_mm, spacing_mm)

    @property
    def grid(self) -> tuple[FieldArray, FieldArray, FieldArray]:
        """Coordinates x, y, z of the cells, shapes (nx, 1, 1), (1, ny, 1), (1, 1, nz)."""
        shape = self.field.shape[:3]
        axes = [self.origin_mm[k] + self.spacing_mm * np.arange(shape[k]) for k in range(3)]
        x, y, z = (a.astype(np.float32) for a in axes)
        return x[:, None, None], y[None, :, None], z[None, None, :]

    @property
    def distance(self) -> FieldArray:
        """The signed distance, shape (nx, ny, nz), a view."""
        return self.field[..., DISTANCE]

    def cut(self, distance: FieldArray, blend_mm: float = _ROUND_MM) -> None:
        """Keep only what lies within a body given by its distance on the cells, negative inside."""
        self.distance[...] = smooth_max(self.distance, distance, blend_mm)

    def line(self, near: FieldArray, cortex_mm: float, width_mm: float = 2.5) -> None:
        """Make compact bone at least `cortex_mm` thick within `width_mm` of a surface at distance `near`."""
        share = np.clip(1.5 - np.abs(near) / width_mm, 0.0, 1.0)
        thickness = self.field[..., CORTEX]
        thickness[...] = np.maximum(thickness, cortex_mm * share)

    def sampled(self, other: Lump) -> FieldArray:
        """The distance to a lump of the same lattice on the cells of this one; far where its grid ends."""
        result = np.full(self.field.shape[:3], OUTSIDE_MM, dtype=np.float32)
        shift = np.rint((other.origin_mm - self.origin_mm) / self.spacing_mm).astype(int)
        low = np.maximum(shift, 0)
        high = np.minimum(shift + other.field.shape[:3], self.field.shape[:3])
        if (high > low).all():
            mine = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
            theirs = tuple(slice(int(a), int(b)) for a, b in zip(low - shift, high - shift, strict=True))
            result[mine] = other.distance[theirs]
        return result

    def fit(self, other: Lump, gap_mm: float) -> None:
        """Give way to another bone: its shape, grown by `gap_mm`, is taken away."""
        self.cut(np.asarray(gap_mm - self.sampled(other), dtype=np.float32), 1.1)

    def shrink(self, depth_mm: float) -> None:
        """Move the surface inward, as for a bone that is not yet ossified to its rim."""
        self.distance[...] += depth_mm


def share_border(a: Lump, b: Lump, gap_mm: float) -> None:
    """Cut two overlapping lumps along the surface midway between them, `gap_mm` apart."""
    of_a, of_b = a.distance.copy(), b.distance.copy()
    on_a, on_b = a.sampled(b), b.sampled(a)
    a.cut(np.asarray(0.5 * (of_a - on_a) + 0.5 * gap_mm, dtype=np.float32), 0.7)
    b.cut(np.asarray(0.5 * (of_b - on_b) + 0.5 * gap_mm, dtype=np.float32), 0.7)


def ellipsoid(
    grid: tuple[FieldArray, FieldArray, FieldArray],
    centre: FloatArray,
    radii: FloatArray,
    axes: FloatArray,
) -> FieldArray:
    """Signed distance to an ellipsoid on a grid, to first order; `radii` (3,) along the rows of `axes`."""
    x, y, z = (g - np.float32(c) for g, c in zip(grid, centre, strict=True))
    f = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=np.float32)
    slope = np.zeros_like(f)
    for row, radius in zip(np.asarray(axes, dtype=np.float32), np.asarray(radii, np.float32), strict=True):
        q = (row[0] * x + row[1] * y + row[2] * z) / radius
        f += q * q
        slope += (q / radius) ** 2
    f = np.sqrt(f)
    return np.asarray(f * (f - 1.0) / (np.sqrt(slope) + 1e-6), dtype=np.float32)


def scaled(solid: Solid, factor: float, quality: float = 1.0) -> Solid:
    """A solid `factor` times as large, trabeculae too; `quality` below 1 thins cortex and trabeculae."""
    field = solid.field.copy()
    field[..., DISTANCE] *= factor
    field[..., CORTEX] *= factor * (0.35 + 0.65 * quality)
    field[..., FILL] *= quality
    return replace(
        solid,
        field=field,
        origin_mm=solid.origin_mm * factor,
        spacing_mm=solid.spacing_mm * factor,
        grain=solid.grain / factor,
    )


def after(outer: Motion, inner: Motion) -> Motion:
    """One motion that does `inner` first and `outer` then."""
    from scipy.spatial.transform import Rotation

    if outer.is_none:
        return inner
    if inner.is_none:
        return outer
    first, shift = inner.affine()
    then, more = outer.affine()
    turn = Rotation.from_matrix(then @ first).as_rotvec()
    return Motion(np.asarray(turn), np.asarray(then @ shift + more))
