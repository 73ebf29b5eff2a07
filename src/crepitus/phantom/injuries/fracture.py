"""Fractures: rough surfaces split a bone, a gap removes a band around them, fragments move rigidly.

The bone itself is never changed: a point is moved back by the inverse of its fragment's motion before the
distance function is evaluated. Without gap and motion the result is therefore exactly the unbroken bone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

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
