"""Rays through the three-dimensional density: path lengths per material on the detector.

World frame in mm: x right, y down, z towards the source, the detector in the plane z = 0. The integral runs
along the true diverging ray of each detector element, or along z for a parallel beam.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.fracture import Fracture, Motion
from crepitus.phantom.rays import add_piece, tissue_chords
from crepitus.phantom.shapes import R1, R2, Tube

FloatArray = NDArray[np.float64]

CORTICAL, TRABECULAR, OCCUPIED = 0, 1, 2

_NEIGHBOURHOOD_MM = 80.0
_NO_CANAL = np.array([-1e6, 0.0, 0.0, 0.0, 0.0, 0.0])
_WHOLE = np.ones(3)


@dataclass(frozen=True)
class Detector:
    """A grid of detector elements.

    Attributes:
        rows, columns: number of elements.
        pitch_mm: their spacing.
        source_mm: position (x, y, z) of the focal spot, shape (3,); z = inf means a parallel beam along z.
        origin_mm: (x, y) of the outer corner of element (0, 0).
    """

    rows: int
    columns: int
    pitch_mm: float
    source_mm: tuple[float, float, float]
    origin_mm: tuple[float, float]

    def part(self, row: int, column: int, rows: int, columns: int) -> Detector:
        """The grid of a rectangle of the elements."""
        x, y = self.origin_mm[0] + column * self.pitch_mm, self.origin_mm[1] + row * self.pitch_mm
        return Detector(rows, columns, self.pitch_mm, self.source_mm, (x, y))

    def coarser(self, factor: int) -> Detector:
        """The same area with elements `factor` times as wide; rows and columns must be multiples of it."""
        return Detector(
            self.rows // factor,
            self.columns // factor,
            self.pitch_mm * factor,
            self.source_mm,
            self.origin_mm,
        )

    def project(self, points: FloatArray) -> FloatArray:
        """World points (n, 3) in mm to (x, y) in elements, corner convention, shape (n, 2)."""
        x, y, z = self.source_mm
        scale = np.ones(len(points)) if math.isinf(z) else z / (z - points[:, 2])
        sx, sy = (0.0, 0.0) if math.isinf(z) else (x, y)
        flat = np.stack([sx + (points[:, 0] - sx) * scale, sy + (points[:, 1] - sy) * scale], axis=1)
        return np.asarray((flat - np.asarray(self.origin_mm)) / self.pitch_mm)


@dataclass(frozen=True)
class Pose:
    """Where the limb is: world = origin + axes^T (s, a, b); `axes` has shape (3, 3), one axis per row."""

    axes: FloatArray
    origin_mm: FloatArray

    def to_world(self, points: FloatArray) -> FloatArray:
        """Limb coordinates (n, 3) to world coordinates (n, 3), mm."""
        return np.asarray(points @ self.axes + self.origin_mm)


@dataclass(frozen=True)
class Bone:
    """A tube with what happened to it.

    Attributes:
        tube: the unbroken shape.
        fracture: or None.
        motion: of the whole bone, for bones beyond a fracture.
        canal: nutrient canal (s, a, b of its middle; slope along a, b; radius), mm, a and b from the axis.
    """

    tube: Tube
    fracture: Fracture | None = None
    motion: Motion = field(default_factory=Motion)
    canal: FloatArray | None = None


@dataclass(frozen=True)
class Textures:
    """Tables of noise that all bones share.

    Attributes:
        trabeculae: shape (n, n, n) with unit variance, n a power of two.
        roughness: shape (m, m) with unit variance, m a power of two.
    """

    trabeculae: NDArray[np.float32]
    roughness: FloatArray


def bone_paths(
    bones: Sequence[Bone], detector: Detector, pose: Pose, textures: Textures, step_mm: float = 0.75
) -> FloatArray:
    """Path lengths through bones.

    Returns:
        shape (3, rows, columns), float64, mm: compact bone in the cortex; bone tissue in the trabecular part;
        the length occupied by bones altogether. Overlapping fragments add up.
    """
    out = np.zeros((3, detector.rows, detector.columns))
    geometry = np.array([*detector.origin_mm, detector.pitch_mm, *detector.source_mm])
    for bone in bones:
        fracture = bone.fracture
        pieces = [(bone.motion, _WHOLE)] if fracture is None else fracture.pieces()
        packed = np.zeros((3, 8)) if fracture is None else fracture.packed(_widest(bone.tube, fracture))
        canal = _NO_CANAL if bone.canal is None else bone.canal
        for motion, mask in pieces:
            matrix, offset = world_to_rest(pose, motion)
            add_piece(
                out,
                geometry,
                matrix,
                offset,
                bone.tube.table,
                bone.tube.start_mm,
                packed,
                mask,
                fracture is not None,
                canal,
                textures.trabeculae,
                textures.roughness,
                step_mm,
            )
    return out


def _widest(tube: Tube, fracture: Fracture) -> float:
    """Largest distance of the tube's surface from its axis in the neighbourhood of a fracture, mm."""
    near = np.abs(tube.s - fracture.surface.s0_mm) < _NEIGHBOURHOOD_MM
    # The harmonics of the radius add up to less than a fifth.
    return 1.2 * float(tube.table[near][:, [R1, R2]].max())


def world_to_rest(pose: Pose, motion: Motion) -> tuple[FloatArray, FloatArray]:
    """The map from world to the limb frame before a fragment moved: local = matrix @ world + offset."""
    if motion.is_none:
        return pose.axes, -pose.axes @ pose.origin_mm
    back = motion.matrix().T
    matrix = back @ pose.axes
    offset = back @ (-pose.axes @ pose.origin_mm - motion.pivot - motion.translation) + motion.pivot
    return matrix, offset


def tissue_paths(limb: Tube, detector: Detector, pose: Pose) -> FloatArray:
    """Chords through nested soft tissue surfaces, from the closed form for an elliptic cylinder.

    Args:
        limb: centre and radii of the skin's outer surface; the columns `CORTEX` and `TRABECULAR` hold the
            depth of the skin's inner surface and of the muscle fascia under it, mm.
        detector: the grid.
        pose: of the limb.

    Returns:
        shape (5, rows, columns): chord within the outer skin, the inner skin and the fascia, mm; position
        along the limb and distance across it of the ray, mm.
    """
    out = np.zeros((5, detector.rows, detector.columns))
    geometry = np.array([*detector.origin_mm, detector.pitch_mm, *detector.source_mm])
    matrix, offset = world_to_rest(pose, Motion())
    tissue_chords(out, geometry, matrix, offset, limb.table, limb.start_mm)
    return out
