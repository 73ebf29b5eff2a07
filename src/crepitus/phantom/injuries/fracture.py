"""Fractures: rough surfaces split a bone, a gap removes a band around them, fragments move rigidly.

The bone itself is never changed: a point is moved back by the inverse of its fragment's motion before the
distance function is evaluated. Without gap and motion the result is therefore exactly the unbroken bone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.solid.compiled import compiled

FloatArray = NDArray[np.float64]

ROUGHNESS_CELL_MM = 0.5
TRACE_MM = 0.35
"""A pixel belongs to the fracture line if its ray comes this close to the edge of the gap."""

_EVERYWHERE_MM = 1e6


@dataclass(frozen=True)
class Motion:
    """Rigid motion in the body frame: rotation vector (radians) about a pivot, then a translation (mm)."""

    rotation: FloatArray = field(default_factory=lambda: np.zeros(3))
    translation: FloatArray = field(default_factory=lambda: np.zeros(3))
    pivot: FloatArray = field(default_factory=lambda: np.zeros(3))

    @property
    def is_none(self) -> bool:
        """Whether nothing moves."""
        return not (self.rotation.any() or self.translation.any())

    def matrix(self) -> FloatArray:
        """Rotation matrix, shape (3, 3)."""
        from scipy.spatial.transform import Rotation

        return np.asarray(Rotation.from_rotvec(self.rotation).as_matrix())

    def affine(self) -> tuple[FloatArray, FloatArray]:
        """Matrix (3, 3) and offset (3,): moved = matrix @ point + offset."""
        matrix = self.matrix()
        return matrix, np.asarray(self.pivot + self.translation - matrix @ self.pivot)

    def apply(self, points: FloatArray) -> FloatArray:
        """Where points of shape (n, 3) go."""
        if self.is_none:
            return points
        matrix, offset = self.affine()
        return np.asarray(points @ matrix.T + offset)


@dataclass(frozen=True)
class Surface:
    """A fracture surface in its own frame (s, a, b): s = tilt . (a, b) + pitch * angle / 2 pi + roughness.

    Attributes:
        origin_mm: where the frame's origin lies in the body, shape (3,).
        axes: rows s, a, b of the frame, orthonormal, shape (3, 3); s points to the positive side.
        gap_mm: width of the band removed around the surface, perpendicular to it.
        tilt: slope along a and b; (0, 0) is transverse to s, 1 is 45 degrees.
        pitch_mm: rise per turn of a spiral, 0 for a plane.
        amplitude_mm: standard deviation of the roughness.
        shift: offset into the roughness table, cells.
        side: 0 if it cuts everywhere; 1 or -1 if it cuts only on the positive or negative side of the
            fracture's first surface.
        radius_mm: it cuts within this distance of the origin; the gap closes over the last quarter.
        taper: None for a complete break; else (a, b, start, width): the gap grows from 0 along the direction
            (a, b) from `start` over `width` mm, so that one cortex stays whole.
    """

    origin_mm: FloatArray
    axes: FloatArray
    gap_mm: float
    tilt: tuple[float, float] = (0.0, 0.0)
    pitch_mm: float = 0.0
    amplitude_mm: float = 0.0
    shift: tuple[int, int] = (0, 0)
    side: int = 0
    radius_mm: float = _EVERYWHERE_MM
    taper: tuple[float, float, float, float] | None = None

    def packed(self) -> FloatArray:
        """The numbers that the compiled kernels read, shape (28,).

        0-2 normal of the mean plane, 3 its offset, 4-9 axes a and b, 10-12 origin, 13 rise per radian,
        14 amplitude, 15-16 shift, 17 side, 18 radius, 19-22 taper, 23 gap, 24 height beyond which only the
        plane matters.
        """
        axes = np.asarray(self.axes, dtype=np.float64)
        steepness = math.hypot(*self.tilt) + abs(self.pitch_mm) / 60.0
        scale = 1 / math.sqrt(1 + steepness**2)
        normal = (axes[0] - self.tilt[0] * axes[1] - self.tilt[1] * axes[2]) * scale
        taper = (1.0, 0.0, -1e3, 1.0) if self.taper is None else self.taper
        rise = self.pitch_mm * scale / (2 * math.pi)
        amplitude = self.amplitude_mm * scale
        limit = 0.5 * self.gap_mm + 5.0 * amplitude + 0.5 * abs(self.pitch_mm) * scale + 1.5
        return np.array(
            [
                *normal,
                -float(normal @ self.origin_mm),
                *axes[1],
                *axes[2],
                *self.origin_mm,
                rise,
                amplitude,
                *self.shift,
                self.side,
                self.radius_mm,
                *taper,
                self.gap_mm,
                limit,
                0.0,
                0.0,
                0.0,
            ]
        )


@dataclass(frozen=True)
class Fragment:
    """A part that moves: the points on the given side (1, -1; 0 for any) of each surface."""

    signs: tuple[int, ...]
    motion: Motion = field(default_factory=Motion)


@dataclass(frozen=True)
class Remodelling:
    """A change of the bone around a place: callus of a healed fracture, a torus fracture's bulge, impaction.

    Attributes:
        origin_mm: shape (3,).
        axes: rows s, a, b, shape (3, 3); s along the bone.
        bulge_mm: how far the surface rises.
        width_mm: extent along s (standard deviation).
        toward: (a, b) direction in which the bulge is largest; (0, 0) for all around.
        density: volume fraction of bone tissue added.
        radius_mm: nothing changes farther than this from the origin.
    """

    origin_mm: FloatArray
    axes: FloatArray
    bulge_mm: float
    width_mm: float
    toward: tuple[float, float] = (0.0, 0.0)
    density: float = 0.0
    radius_mm: float = 40.0

    def packed(self) -> FloatArray:
        """The numbers that the compiled kernels read, shape (18,)."""
        numbers = (self.bulge_mm, self.width_mm, *self.toward, self.density, self.radius_mm)
        return np.array([*np.asarray(self.axes).ravel(), *self.origin_mm, *numbers])


@dataclass(frozen=True)
class Fracture:
    """A break of one bone.

    Attributes:
        bone: name of the solid.
        surfaces: in order; later ones may cut on one side of the first only.
        fragments: parts that move; what belongs to none stays.
        kind: for example "A1", "colles", "superior ramus".
    """

    bone: str
    surfaces: tuple[Surface, ...]
    fragments: tuple[Fragment, ...] = ()
    kind: str = ""

    def packed(self) -> tuple[FloatArray, FloatArray]:
        """Surfaces (n, 28) and the signs of the fragments (m, n) for the compiled kernels."""
        surfaces = np.stack([surface.packed() for surface in self.surfaces])
        signs = np.array([f.signs for f in self.fragments], dtype=np.float64)
        return surfaces, signs.reshape(len(self.fragments), len(self.surfaces))

    def clips(self, mask: FloatArray) -> FloatArray:
        """Half-spaces that hold the parts of `mask`: rows normal (3), offset; inside where the sum is >= 0.

        An empty array, shape (0, 4), means that the parts may be anywhere.
        """
        moving = [n for n, share in enumerate(mask) if share > 0]
        if len(self.fragments) == 1 and len(moving) == 1:
            sides = [s if moving[0] == 1 else -s for s in self.fragments[0].signs]
            if moving[0] == 0 and sum(s != 0 for s in sides) != 1:
                return np.zeros((0, 4))
        elif len(moving) == 1 and moving[0] > 0:
            sides = list(self.fragments[moving[0] - 1].signs)
        else:
            return np.zeros((0, 4))
        packed = self.packed()[0]
        rows = [
            np.append(side * plane[:3], side * plane[3] + plane[24])
            for side, plane in zip(sides, packed, strict=True)
            if side
        ]
        return np.array(rows).reshape(-1, 4)

    def pieces(self) -> list[tuple[Motion, FloatArray]]:
        """The parts grouped by motion: (motion, mask over rest and fragments).

        Parts that do not move stay in one group with the rest of the bone and are integrated in one pass.
        """
        count = 1 + len(self.fragments)
        keep = np.zeros(count)
        keep[0] = 1.0
        groups: list[tuple[Motion, FloatArray]] = [(Motion(), keep)]
        for number, fragment in enumerate(self.fragments, start=1):
            mask = np.zeros(count)
            mask[number] = 1.0
            if fragment.motion.is_none:
                groups[0] = (groups[0][0], groups[0][1] + mask)
            else:
                groups.append((fragment.motion, mask))
        return groups


@compiled
def _bump(rough: FloatArray, a: float, b: float, shift_a: float, shift_b: float) -> float:
    """Bilinear look-up in the periodic table of roughness."""
    wrap = rough.shape[0] - 1
    x = a / ROUGHNESS_CELL_MM + shift_a + 4096.0
    y = b / ROUGHNESS_CELL_MM + shift_b + 4096.0
    i, j = int(x), int(y)
    fx, fy = x - i, y - j
    i1, j1 = (i + 1) & wrap, (j + 1) & wrap
    i, j = i & wrap, j & wrap
    value: float = (rough[i, j] * (1 - fy) + rough[i, j1] * fy) * (1 - fx) + (
        rough[i1, j] * (1 - fy) + rough[i1, j1] * fy
    ) * fx
    return value


@compiled
def surface_height(
    surface: FloatArray, rough: FloatArray, x: float, y: float, z: float
) -> tuple[float, float]:
    """Signed distance to a packed surface in mm, positive on its far side, and the gap's width there.

    Args:
        surface: `Surface.packed()`.
        rough: periodic table of roughness with unit variance, shape (n, n) with n a power of two,
            cells of `ROUGHNESS_CELL_MM`.
        x: body coordinates of the point, mm.
        y: likewise.
        z: likewise.
    """
    height = surface[0] * x + surface[1] * y + surface[2] * z + surface[3]
    if np.abs(height) > surface[24]:
        return height, 0.0
    dx, dy, dz = x - surface[10], y - surface[11], z - surface[12]
    a = surface[4] * dx + surface[5] * dy + surface[6] * dz
    b = surface[7] * dx + surface[8] * dy + surface[9] * dz
    if surface[13] != 0.0:
        height -= surface[13] * np.arctan2(b, a)
    if surface[14] > 0.0:
        height -= surface[14] * _bump(rough, a, b, surface[15], surface[16])
    gap = surface[23]
    if gap > 0.0:
        along = (a * surface[19] + b * surface[20] - surface[21]) / surface[22]
        gap *= min(1.0, max(0.0, along))
        far = np.sqrt(dx * dx + dy * dy + dz * dz) / surface[18]
        gap *= min(1.0, max(0.0, 4.0 * (1.0 - far)))
    return height, gap


@compiled
def _band(height: float, gap: float, soft: float) -> float:
    """Share of the interval of length `soft` around `height` that lies in the gap; exactly 0 without one."""
    low = max(height - 0.5 * soft, -0.5 * gap)
    high = min(height + 0.5 * soft, 0.5 * gap)
    share: float = max(0.0, high - low) / soft
    return share


@compiled
def part_of(signs: FloatArray, heights: FloatArray) -> int:
    """Number of the part at a point: the first fragment whose signs (m, n) fit the heights (n,), else 0."""
    for m in range(signs.shape[0]):
        fits = True
        for k in range(signs.shape[1]):
            fits = fits and signs[m, k] * heights[k] >= 0.0
        if fits:
            return m + 1
    return 0


@compiled
def kept(
    surfaces: FloatArray,
    signs: FloatArray,
    rough: FloatArray,
    mask: FloatArray,
    x: float,
    y: float,
    z: float,
    soft: FloatArray,
    near: FloatArray,
    heights: FloatArray,
) -> float:
    """Share of bone that remains at a point of the unbroken bone, for the parts of one piece.

    Args:
        surfaces: from `Fracture.packed()`, shape (n, 28).
        signs: likewise, shape (m, n).
        rough: roughness table, see `surface_height`.
        mask: which parts belong to the piece, shape (1 + m,), 0 or 1.
        x: body coordinates of the point before any motion, mm.
        y: likewise.
        z: likewise.
        soft: length in mm, per surface, over which the gap's edge is averaged, shape (n,).
        near: filled with 1 for each surface whose fracture line the point belongs to, else 0, shape (n,).
        heights: filled with the signed distances to the surfaces, mm, shape (n,).
    """
    n = surfaces.shape[0]
    removed = 0.0
    for k in range(n):
        height, gap = surface_height(surfaces[k], rough, x, y, z)
        heights[k] = height
        near[k] = 0.0
        if np.abs(height) > 0.5 * gap + soft[k] + TRACE_MM:
            continue
        if k > 0 and surfaces[k, 17] * heights[0] < 0.0:
            continue
        removed = max(removed, _band(height, gap, soft[k]))
        dx, dy, dz = x - surfaces[k, 10], y - surfaces[k, 11], z - surfaces[k, 12]
        inside = dx * dx + dy * dy + dz * dz < surfaces[k, 18] ** 2
        tapered = surfaces[k, 23] > 0.0 and gap == 0.0
        if np.abs(height) < 0.5 * gap + TRACE_MM and inside and not tapered:
            near[k] = 1.0
    share: float = mask[part_of(signs, heights)]
    if share == 0.0:
        for k in range(n):
            near[k] = 0.0
    return share * (1.0 - removed)


def roughness_table(generator: np.random.Generator, size: int = 128, exponent: float = 1.6) -> FloatArray:
    """Periodic self-affine noise with zero mean and unit variance, shape (size, size)."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = 1.0
    shape = frequency**-exponent
    shape[0, 0] = 0.0
    # Nothing longer than half of the table: that would only tilt the surface.
    shape[frequency < 2.5 / size] = 0.0
    noise = np.fft.ifft2(np.fft.fft2(generator.standard_normal((size, size))) * shape).real
    return np.asarray(noise / noise.std())
