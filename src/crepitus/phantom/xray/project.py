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

from crepitus.phantom.injuries.fracture import Fracture, Motion, Remodelling
from crepitus.phantom.solid.field import Solid
from crepitus.phantom.xray.chords import add_chord, add_tissue
from crepitus.phantom.xray.rays import add_bone

FloatArray = NDArray[np.float64]

CORTICAL, TRABECULAR, OCCUPIED = 0, 1, 2


@dataclass(frozen=True)
class Detector:
    """A grid of detector elements.

    Attributes:
        rows, columns: number of elements.
        pitch_mm: their spacing.
        source_mm: position (x, y, z) of the focal spot, shape (3,); z = inf means a parallel beam along z.
        origin_mm: (x, y) of the outer corner of element (0, 0).
        per_pixel: elements per pixel and axis of the image; a ray each.
    """

    rows: int
    columns: int
    pitch_mm: float
    source_mm: tuple[float, float, float]
    origin_mm: tuple[float, float]
    per_pixel: int = 1

    def part(self, row: int, column: int, rows: int, columns: int) -> Detector:
        """The grid of a rectangle of the elements."""
        x, y = self.origin_mm[0] + column * self.pitch_mm, self.origin_mm[1] + row * self.pitch_mm
        return Detector(rows, columns, self.pitch_mm, self.source_mm, (x, y), self.per_pixel)

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
    """Where the body is: world = axes^T body + origin; rows of `axes` (3, 3) are the body's axes x, y, z."""

    axes: FloatArray
    origin_mm: FloatArray

    def to_world(self, points: FloatArray) -> FloatArray:
        """Body coordinates (n, 3) to world coordinates (n, 3), mm."""
        return np.asarray(points @ self.axes + self.origin_mm)


@dataclass(frozen=True)
class Bone:
    """A solid of bone with what happened to it.

    Attributes:
        solid: the unbroken shape.
        fracture: or None.
        motion: of the whole bone in the body, for joints and for bones that follow a fragment.
        remodelling: callus, bulges, impaction.
        tunnels: rows start (3), end (3), radius in mm, shape (n, 7): nutrient canals, screw holes.
    """

    solid: Solid
    fracture: Fracture | None = None
    motion: Motion = field(default_factory=Motion)
    remodelling: tuple[Remodelling, ...] = ()
    tunnels: FloatArray = field(default_factory=lambda: np.zeros((0, 7)))


@dataclass(frozen=True)
class Tissue:
    """Soft tissue: a solid whose channels are distance, depth of fat in mm and share of lean tissue.

    Attributes:
        solid: its outer surface is the skin.
        skin_mm: thickness of the skin.
        cell_mm: size of the texture of muscle and fat.
        motion: in the body.
        step_mm: of the integration; edges are as soft as half of it.
    """

    solid: Solid
    skin_mm: float = 1.5
    cell_mm: float = 6.0
    motion: Motion = field(default_factory=Motion)
    step_mm: float = 4.0


@dataclass(frozen=True)
class Textures:
    """Tables of noise that all bones share.

    Attributes:
        trabeculae: shape (n, n, n) with unit variance, n a power of two.
        roughness: shape (m, m) with unit variance, m a power of two.
    """

    trabeculae: NDArray[np.float32]
    roughness: FloatArray


@dataclass(frozen=True)
class BonePaths:
    """Path lengths on the detector, mm.

    Attributes:
        bone: shape (3, rows, columns): compact bone; bone tissue in the trabecular part; the length occupied
            by bones altogether. Overlapping fragments add up.
        lines: per fracture of the bones, in order, and surface: path near the surface, (rows, columns).
    """

    bone: FloatArray
    lines: tuple[tuple[FloatArray, ...], ...]


def bone_paths(
    bones: Sequence[Bone], detector: Detector, pose: Pose, textures: Textures, step_mm: float = 0.75
) -> BonePaths:
    """Path lengths through bones; `lines` has one entry per bone with a fracture."""
    out = np.zeros((3, detector.rows, detector.columns))
    lines = []
    for bone in bones:
        fracture = bone.fracture
        surfaces, signs = (np.zeros((0, 28)), np.zeros((0, 0))) if fracture is None else fracture.packed()
        near = np.zeros((len(surfaces), detector.rows, detector.columns))
        changes = [change.packed() for change in bone.remodelling]
        pieces = [(Motion(), np.ones(1))] if fracture is None else fracture.pieces()
        for motion, mask in pieces:
            matrix, offset = world_to_rest(pose, bone.motion, motion)
            add_bone(
                out,
                near,
                _area(bone.solid, detector, matrix, offset),
                _geometry(detector),
                matrix,
                offset,
                bone.solid.field,
                bone.solid.origin_mm,
                bone.solid.spacing_mm,
                bone.solid.grain,
                bone.solid.ragged_mm,
                surfaces,
                signs,
                mask,
                np.zeros((0, 4)) if fracture is None else fracture.clips(mask),
                np.array(changes).reshape(-1, 18),
                bone.tunnels,
                textures.trabeculae,
                textures.roughness,
                step_mm,
            )
        if fracture is not None:
            lines.append(tuple(near))
    return BonePaths(out, tuple(lines))


def _geometry(detector: Detector) -> FloatArray:
    return np.array([*detector.origin_mm, detector.pitch_mm, *detector.source_mm])


def _area(solid: Solid, detector: Detector, matrix: FloatArray, offset: FloatArray) -> NDArray[np.int64]:
    """First row, first column, end row, end column of the elements whose rays can meet a moved solid."""
    corners = (solid.corners() - offset) @ matrix
    xy = detector.project(corners)
    low, high = np.floor(xy.min(axis=0)).astype(int) - 1, np.ceil(xy.max(axis=0)).astype(int) + 1
    size = np.array([detector.columns, detector.rows])
    low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    return np.array([low[1], low[0], high[1], high[0]], dtype=np.int64)


def world_to_rest(pose: Pose, *motions: Motion) -> tuple[FloatArray, FloatArray]:
    """The map from the world to the body before something moved: body = matrix @ world + offset.

    `motions` go from the outside in: first that of the bone, then that of the fragment within it.
    """
    matrix, offset = pose.axes, -pose.axes @ pose.origin_mm
    for motion in motions:
        if not motion.is_none:
            forward, shift = motion.affine()
            matrix, offset = forward.T @ matrix, forward.T @ (offset - shift)
    return np.ascontiguousarray(matrix), np.asarray(offset)


def tissue_paths(
    tissues: Sequence[Tissue],
    detector: Detector,
    pose: Pose,
    textures: Textures,
    *,
    coarser: int | None = None,
) -> FloatArray:
    """Path lengths through soft tissue, shape (2, rows, columns): lean and adipose, mm.

    They are smooth: integrated on a grid `coarser` times as wide, a divisor of rows and columns; None means
    as wide as the step of the finest tissue allows.
    """
    import cv2

    if coarser is None:
        finest = min((tissue.step_mm for tissue in tissues), default=detector.pitch_mm)
        coarser = max((k for k in (1, 2, 4, 8) if k * detector.pitch_mm <= 0.85 * finest), default=1)
    coarse = detector.coarser(coarser)
    out = np.zeros((2, coarse.rows, coarse.columns))
    for tissue in tissues:
        matrix, offset = world_to_rest(pose, tissue.motion)
        solid = tissue.solid
        add_tissue(
            out,
            _geometry(coarse),
            matrix,
            offset,
            solid.field,
            solid.origin_mm,
            solid.spacing_mm,
            tissue.skin_mm,
            textures.trabeculae,
            tissue.cell_mm,
            tissue.step_mm,
        )
    size = (detector.columns, detector.rows)
    return np.stack([np.maximum(cv2.resize(m, size, interpolation=cv2.INTER_CUBIC), 0.0) for m in out])


def chord_paths(
    solids: Sequence[tuple[Solid, Motion]], detector: Detector, pose: Pose, step_mm: float = 1.0
) -> FloatArray:
    """Path length through homogeneous solids (gas, metal) together, shape (rows, columns), mm."""
    out = np.zeros((detector.rows, detector.columns))
    for solid, motion in solids:
        matrix, offset = world_to_rest(pose, motion)
        add_chord(
            out,
            _area(solid, detector, matrix, offset),
            _geometry(detector),
            matrix,
            offset,
            solid.field,
            solid.origin_mm,
            solid.spacing_mm,
            step_mm,
        )
    return out
