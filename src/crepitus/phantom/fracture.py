"""Fractures: a rough surface splits a bone, the gap removes a band around it, fragments move rigidly.

The bone itself is never changed: a point is moved back by the inverse of its fragment's motion before the
distance function is evaluated. Without gap and motion the result is therefore exactly the unbroken bone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.compiled import compiled
from crepitus.phantom.shapes import R1, R2, Tube, U, V

FloatArray = NDArray[np.float64]

PROXIMAL, DISTAL, BUTTERFLY = 0, 1, 2
ROUGHNESS_CELL_MM = 0.5
_COMPLETE = -1e3
_WIDEST_MM = 45.0


@dataclass(frozen=True)
class Motion:
    """Rigid motion in the limb frame: rotation vector (radians) about a pivot, then a translation (mm).

    Each is an array of shape (3,) along (s, a, b).
    """

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

    def apply(self, points: FloatArray) -> FloatArray:
        """Where points of shape (n, 3) go."""
        if self.is_none:
            return points
        return np.asarray((points - self.pivot) @ self.matrix().T + self.pivot + self.translation)


@dataclass(frozen=True)
class Surface:
    """A fracture surface s = s0 + tilt . (a, b) + pitch * angle / 2 pi + roughness, relative to the axis.

    Attributes:
        s0_mm: where it crosses the centre line.
        tilt: slope along a and b; (0, 0) is transverse, 1 is 45 degrees.
        pitch_mm: rise per turn of a spiral, 0 for a plane.
        amplitude_mm: standard deviation of the roughness.
        shift: offset into the roughness table, cells.
    """

    s0_mm: float
    tilt: tuple[float, float] = (0.0, 0.0)
    pitch_mm: float = 0.0
    amplitude_mm: float = 0.0
    shift: tuple[int, int] = (0, 0)

    def packed(self) -> FloatArray:
        """The numbers that the compiled kernel reads, shape (8,)."""
        steepness = math.hypot(*self.tilt) + self.pitch_mm / 60.0
        return np.array(
            [
                self.s0_mm,
                *self.tilt,
                self.pitch_mm,
                1 / math.sqrt(1 + steepness**2),
                self.amplitude_mm,
                *self.shift,
            ]
        )


def _reach(surface: Surface, widest_mm: float) -> float:
    """Distance along the bone within which a surface stays."""
    tilt = math.hypot(*surface.tilt)
    return widest_mm * tilt + abs(surface.pitch_mm) / 2 + 6 * surface.amplitude_mm


@dataclass(frozen=True)
class Fracture:
    """A break of one bone.

    Attributes:
        bone: name of the tube.
        surface: between the proximal and the distal part.
        gap_mm: width of the band removed around the surface, perpendicular to it.
        distal: motion of the distal fragment.
        second: further surface that cuts a butterfly fragment from the distal part, or None.
        butterfly: motion of that fragment.
        taper: None for a complete fracture; else (a, b, start, width): the gap grows from 0 to `gap_mm` along
            the direction (a, b) from `start` over `width` mm, so that one cortex stays whole.
    """

    bone: str
    surface: Surface
    gap_mm: float
    distal: Motion = field(default_factory=Motion)
    second: Surface | None = None
    butterfly: Motion = field(default_factory=Motion)
    taper: tuple[float, float, float, float] | None = None

    def packed(self, widest_mm: float = _WIDEST_MM) -> FloatArray:
        """The numbers that the compiled kernel reads, shape (3, 8).

        Args:
            widest_mm: no part of the bone is farther from its axis; bounds where surfaces are evaluated.
        """
        second = np.zeros(8) if self.second is None else self.second.packed()
        taper = (1.0, 0.0, _COMPLETE, 1.0) if self.taper is None else self.taper
        surfaces = [self.surface] if self.second is None else [self.surface, self.second]
        reach = max(_reach(surface, widest_mm) for surface in surfaces) + 2 * self.gap_mm + 5.0
        if self.second is not None:
            reach += abs(self.second.s0_mm - self.surface.s0_mm)
        last = [self.gap_mm, self.second is not None, *taper, reach, 0]
        return np.stack([self.surface.packed(), second, last])

    def pieces(self) -> list[tuple[Motion, FloatArray]]:
        """The fragments grouped by motion: (motion, mask over proximal, distal, butterfly).

        Fragments that do not move stay in one group with the rest of the bone and are integrated in one pass.
        """
        keep = np.array([1.0, 0.0, 0.0])
        groups: list[tuple[Motion, FloatArray]] = [(Motion(), keep)]
        for fragment, motion in ((DISTAL, self.distal), (BUTTERFLY, self.butterfly)):
            mask = np.zeros(3)
            mask[fragment] = 1.0
            if motion.is_none:
                groups[0] = (groups[0][0], groups[0][1] + mask)
            elif fragment == DISTAL or self.second is not None:
                groups.append((motion, mask))
        return groups


@compiled
def surface_height(surfaces: FloatArray, k: int, rough: FloatArray, s: float, a: float, b: float) -> float:
    """Signed distance to a packed fracture surface in mm, positive on the distal side, to first order.

    Args:
        surfaces: rows of `Surface.packed()`, shape (n, 8).
        k: which row.
        rough: periodic table of roughness with unit variance, shape (n, n) with n a power of two,
            cells of `ROUGHNESS_CELL_MM`.
        s: position along the bone, mm.
        a: across it, from the centre line, mm.
        b: likewise.
    """
    wrap = rough.shape[0] - 1
    x = a / ROUGHNESS_CELL_MM + surfaces[k, 6] + 4096.0
    y = b / ROUGHNESS_CELL_MM + surfaces[k, 7] + 4096.0
    i, j = int(x), int(y)
    fx, fy = x - i, y - j
    i1, j1 = (i + 1) & wrap, (j + 1) & wrap
    i, j = i & wrap, j & wrap
    bump = (rough[i, j] * (1 - fy) + rough[i, j1] * fy) * (1 - fx) + (
        rough[i1, j] * (1 - fy) + rough[i1, j1] * fy
    ) * fx
    height = s - surfaces[k, 0] - surfaces[k, 1] * a - surfaces[k, 2] * b - surfaces[k, 5] * bump
    if surfaces[k, 3] != 0.0:
        height -= surfaces[k, 3] * np.arctan2(b, a) / (2 * np.pi)
    result: float = height * surfaces[k, 4]
    return result


@compiled
def _band(height: float, gap: float, soft: float) -> float:
    """Share of the interval of length `soft` around `height` that lies in the gap; exactly 0 without one."""
    low = max(height - 0.5 * soft, -0.5 * gap)
    high = min(height + 0.5 * soft, 0.5 * gap)
    share: float = max(0.0, high - low) / soft
    return share


@compiled
def kept(
    fracture: FloatArray, rough: FloatArray, mask: FloatArray, s: float, a: float, b: float, soft: float
) -> float:
    """Share of bone that remains at a point of the unbroken bone, for the fragments of one piece.

    Args:
        fracture: `Fracture.packed()`.
        rough: roughness table, see `surface_height`.
        mask: which fragments belong to the piece, shape (3,), 0 or 1.
        s: position along the bone, mm.
        a: across it, from the centre line, mm.
        b: likewise.
        soft: length in mm over which the gap's edge is averaged.
    """
    gap = fracture[2, 0]
    along = (a * fracture[2, 2] + b * fracture[2, 3] - fracture[2, 4]) / fracture[2, 5]
    gap *= min(1.0, max(0.0, along))
    # Far from the surface no sum is needed: its reach is bounded by slope, pitch and roughness.
    far = s - fracture[0, 0]
    if abs(far) > fracture[2, 6]:
        whole: float = mask[0] if far < 0.0 else mask[1]
        return whole
    height = surface_height(fracture, 0, rough, s, a, b)
    removed = _band(height, gap, soft)
    fragment = 0
    if height >= 0.0:
        fragment = 1
        if fracture[2, 1] != 0.0:
            second = surface_height(fracture, 1, rough, s, a, b)
            removed = max(removed, _band(second, gap, soft))
            if second < 0.0:
                fragment = 2
    share: float = mask[fragment] * (1.0 - removed)
    return share


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


def surface_points(
    fracture: Fracture, tube: Tube, rough: FloatArray, count: int = 25
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Points on the fracture surface(s) within the bone, before any motion.

    Returns:
        positions (n, 3) as (s, a, b) in mm, and the fragment (n,) on the far side of the surface.
    """
    packed = fracture.packed()
    disc = [
        (x, y) for x in np.linspace(-1, 1, count) for y in np.linspace(-1, 1, count) if x * x + y * y <= 1
    ]
    found: list[tuple[float, float, float]] = []
    fragments: list[int] = []
    for number, surface in enumerate((fracture.surface, fracture.second)):
        if surface is None:
            continue
        s0 = surface.s0_mm
        row = tube.at(s0)
        for x, y in disc:
            a, b = x * row[R1], y * row[R2]
            if (
                fracture.taper is not None
                and a * fracture.taper[0] + b * fracture.taper[1] < fracture.taper[2]
            ):
                continue
            s = s0 - float(surface_height(packed, number, rough, s0, a, b)) / packed[number, 4]
            if number == 1 and surface_height(packed, 0, rough, s, a, b) < 0:
                continue
            found.append((s, a, b))
            cuts_off = (
                fracture.second is not None and number == 0 and surface_height(packed, 1, rough, s, a, b) < 0
            )
            fragments.append(BUTTERFLY if cuts_off else DISTAL)
    points = np.array(found, dtype=np.float64).reshape(-1, 3)
    axis = tube.at(points[:, 0])
    points[:, 1:] += axis[:, [U, V]]
    return points, np.array(fragments, dtype=np.int64)
