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

from crepitus.phantom.compiled import compiled
from crepitus.phantom.fracture import Fracture, Motion, kept
from crepitus.phantom.shapes import R1, R2, Tube, surface_distance

FloatArray = NDArray[np.float64]

CORTICAL, TRABECULAR, OCCUPIED = 0, 1, 2
TEXTURE_CELL_MM = (1.7, 0.55, 0.55)
"""Size of a texture cell along (s, a, b): trabeculae run with the load, along the bone."""

_BLOCK = 8
"""Side of the blocks of rays that are tested together."""

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
            _add_piece(
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


@compiled
def _ray(geometry: FloatArray, row: float, column: float, origin: FloatArray, direction: FloatArray) -> None:
    """Fill in a point of the ray of an element and its unit direction, world frame."""
    x = geometry[0] + (column + 0.5) * geometry[2]
    y = geometry[1] + (row + 0.5) * geometry[2]
    origin[0], origin[1], origin[2] = x, y, 0.0
    if np.isinf(geometry[5]):
        direction[0], direction[1], direction[2] = 0.0, 0.0, 1.0
        return
    dx, dy, dz = geometry[3] - x, geometry[4] - y, geometry[5]
    norm = np.sqrt(dx * dx + dy * dy + dz * dz)
    direction[0], direction[1], direction[2] = dx / norm, dy / norm, dz / norm


@compiled
def _local_ray(
    matrix: FloatArray,
    offset: FloatArray,
    origin: FloatArray,
    direction: FloatArray,
    o: FloatArray,
    d: FloatArray,
) -> None:
    for k in range(3):
        o[k] = matrix[k, 0] * origin[0] + matrix[k, 1] * origin[1] + matrix[k, 2] * origin[2] + offset[k]
        d[k] = matrix[k, 0] * direction[0] + matrix[k, 1] * direction[1] + matrix[k, 2] * direction[2]


@compiled
def _closest(table: FloatArray, start: float, o: FloatArray, d: FloatArray) -> tuple[float, float, int]:
    """Ray parameter nearest to the centre line, squared distance there, and the row of the table."""
    across = d[1] * d[1] + d[2] * d[2]
    last = table.shape[0] - 1
    index = last // 2
    t = 0.0
    for _ in range(3):
        t = -((o[1] - table[index, 0]) * d[1] + (o[2] - table[index, 1]) * d[2]) / across
        index = min(last, max(0, int((o[0] + t * d[0] - start) / 0.5 + 0.5)))
    ca = o[1] + t * d[1] - table[index, 0]
    cb = o[2] + t * d[2] - table[index, 1]
    return t, ca * ca + cb * cb, index


@compiled
def _add_piece(
    out: FloatArray,
    geometry: FloatArray,
    matrix: FloatArray,
    offset: FloatArray,
    table: FloatArray,
    start: float,
    fracture: FloatArray,
    mask: FloatArray,
    broken: bool,
    canal: FloatArray,
    trabeculae: NDArray[np.float32],
    rough: FloatArray,
    step: float,
) -> None:
    """Add the path lengths of the fragments in `mask` of one bone to `out`, shape (3, rows, columns)."""
    rows, columns = out.shape[1], out.shape[2]
    origin, direction, o, d = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    sums = np.empty(3)
    end = start + 0.5 * (table.shape[0] - 1)
    for top in range(0, rows, _BLOCK):
        for left in range(0, columns, _BLOCK):
            # The ray through the middle of a block decides whether any of its rays can meet the bone.
            _ray(geometry, top + 0.5 * (_BLOCK - 1), left + 0.5 * (_BLOCK - 1), origin, direction)
            _local_ray(matrix, offset, origin, direction, o, d)
            t, squared, index = _closest(table, start, o, d)
            reach = table[index, 7] + 0.75 * _BLOCK * geometry[2]
            s = o[0] + t * d[0]
            if squared >= reach * reach or s < start - reach or s > end + reach:
                continue
            for row in range(top, min(top + _BLOCK, rows)):
                for column in range(left, min(left + _BLOCK, columns)):
                    _ray(geometry, row, column, origin, direction)
                    _local_ray(matrix, offset, origin, direction, o, d)
                    t, squared, index = _closest(table, start, o, d)
                    bound = table[index, 7]
                    if squared >= bound * bound:
                        continue
                    half = np.sqrt((bound * bound - squared) / (d[1] * d[1] + d[2] * d[2]))
                    _march(
                        sums,
                        o,
                        d,
                        t - half,
                        2 * half,
                        table,
                        start,
                        fracture,
                        mask,
                        broken,
                        canal,
                        trabeculae,
                        rough,
                        step,
                    )
                    for k in range(3):
                        out[k, row, column] += sums[k]


@compiled
def _march(
    sums: FloatArray,
    o: FloatArray,
    d: FloatArray,
    t0: float,
    length: float,
    table: FloatArray,
    start: float,
    fracture: FloatArray,
    mask: FloatArray,
    broken: bool,
    canal: FloatArray,
    trabeculae: NDArray[np.float32],
    rough: FloatArray,
    step: float,
) -> None:
    """Integrate along one ray in the rest frame of a piece by the midpoint rule."""
    sums[:] = 0.0
    count = int(length / step) + 1
    dt = length / count
    last = table.shape[0] - 1
    for k in range(count):
        t = t0 + (k + 0.5) * dt
        s = o[0] + t * d[0]
        x = (s - start) / 0.5
        if x <= 0.0 or x >= last:
            continue
        a = o[1] + t * d[1]
        b = o[2] + t * d[2]
        i = int(x)
        w = x - i
        u = table[i, 0] + w * (table[i + 1, 0] - table[i, 0])
        v = table[i, 1] + w * (table[i + 1, 1] - table[i, 1])
        r1 = table[i, 2] + w * (table[i + 1, 2] - table[i, 2])
        r2 = table[i, 3] + w * (table[i + 1, 3] - table[i, 3])
        if (a - u) ** 2 > (1.2 * r1 + dt) ** 2 or (b - v) ** 2 > (1.2 * r2 + dt) ** 2:
            continue
        distance, cortex = surface_distance(table, i, u, v, r1, r2, a, b)
        inside = min(1.0, max(0.0, 0.5 - distance / step))
        if inside <= 0.0:
            continue
        if broken:
            inside *= kept(fracture, rough, mask, s, a - u, b - v, step)
            if inside <= 0.0:
                continue
        # The endosteal border is ragged in life: a wider transition than the outer surface has.
        compact = min(1.0, max(0.0, 0.5 + (distance + cortex) / 0.9))
        wrap = trabeculae.shape[0] - 1
        grain = trabeculae[
            int(s / 1.7 + 4096.0) & wrap, int(a / 0.55 + 4096.0) & wrap, int(b / 0.55 + 4096.0) & wrap
        ]
        # Less bone tissue deep in the canal, more near the cortex, and struts at random in between.
        fill = max(0.0, table[i, 6] * (1.0 + 0.85 * grain))
        if abs(s - canal[0]) < 14.0:
            inside *= 1.0 - _in_canal(canal, s, a - u, b - v, step)
        sums[0] += dt * inside * compact * (1.0 - 0.04 * abs(grain))
        sums[1] += dt * inside * (1.0 - compact) * min(1.0, fill)
        sums[2] += dt * inside


@compiled
def _in_canal(canal: FloatArray, s: float, a: float, b: float, soft: float) -> float:
    """Share of a nutrient canal at a point: a thin oblique tunnel through the cortex."""
    ds = s - canal[0]
    da = a - canal[1] - canal[3] * ds
    db = b - canal[2] - canal[4] * ds
    distance = np.sqrt(da * da + db * db) - canal[5]
    share: float = min(1.0, max(0.0, 0.5 - distance / soft))
    return share


@compiled
def _tissue_kernel(
    out: FloatArray,
    geometry: FloatArray,
    matrix: FloatArray,
    offset: FloatArray,
    table: FloatArray,
    start: float,
) -> None:
    origin, direction, o, d = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            _ray(geometry, row, column, origin, direction)
            _local_ray(matrix, offset, origin, direction, o, d)
            t, _, i = _closest(table, start, o, d)
            a = o[1] + t * d[1] - table[i, 0]
            b = o[2] + t * d[2] - table[i, 1]
            for k in range(3):
                inset = 0.0 if k == 0 else table[i, 4 + k]
                r1, r2 = table[i, 2] - inset, table[i, 3] - inset
                qa = (d[1] / r1) ** 2 + (d[2] / r2) ** 2
                qb = a * d[1] / (r1 * r1) + b * d[2] / (r2 * r2)
                qc = (a / r1) ** 2 + (b / r2) ** 2 - 1.0
                out[k, row, column] = 2.0 * np.sqrt(max(0.0, qb * qb - qa * qc)) / qa
            out[3, row, column] = o[0] + t * d[0]
            out[4, row, column] = a * d[2] - b * d[1]


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
    _tissue_kernel(out, geometry, matrix, offset, limb.table, limb.start_mm)
    return out
