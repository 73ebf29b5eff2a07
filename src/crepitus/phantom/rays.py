"""Compiled integration along rays: bones by the midpoint rule, soft tissue by the closed form.

The columns of a tube's table are those of `shapes`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.compiled import compiled
from crepitus.phantom.fracture import kept
from crepitus.phantom.shapes import TABLE_STEP_MM, surface_distance

FloatArray = NDArray[np.float64]

TEXTURE_CELL_MM = (1.7, 0.55, 0.55)
"""Size of a texture cell along (s, a, b): trabeculae run with the load, along the bone."""

_S_CELL, _A_CELL, _B_CELL = TEXTURE_CELL_MM

_BLOCK = 8
"""Side of the blocks of rays that are tested together."""


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
        index = min(last, max(0, int((o[0] + t * d[0] - start) / TABLE_STEP_MM + 0.5)))
    ca = o[1] + t * d[1] - table[index, 0]
    cb = o[2] + t * d[2] - table[index, 1]
    return t, ca * ca + cb * cb, index


@compiled
def add_piece(
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
    """Add the path lengths of the fragments in `mask` of one bone to `out`, shape (3, rows, columns).

    Args:
        out: compact bone, trabecular bone tissue and occupied length in mm.
        geometry: x, y of the grid's corner; pitch; x, y, z of the source, mm.
        matrix: rotation from the world to the rest frame of the piece.
        offset: translation after it.
        table: of the tube.
        start: s of its first row.
        fracture: `Fracture.packed()`.
        mask: fragments of the piece.
        broken: whether there is a fracture at all.
        canal: nutrient canal, see `Bone`.
        trabeculae: texture.
        rough: texture of the fracture surface.
        step: of the integration, mm.
    """
    rows, columns = out.shape[1], out.shape[2]
    origin, direction, o, d = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    sums = np.empty(3)
    end = start + TABLE_STEP_MM * (table.shape[0] - 1)
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
        x = (s - start) / TABLE_STEP_MM
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
            int(s / _S_CELL + 4096.0) & wrap,
            int(a / _A_CELL + 4096.0) & wrap,
            int(b / _B_CELL + 4096.0) & wrap,
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
def tissue_chords(
    out: FloatArray,
    geometry: FloatArray,
    matrix: FloatArray,
    offset: FloatArray,
    table: FloatArray,
    start: float,
) -> None:
    """Fill `out`, shape (5, rows, columns), see `project.tissue_paths`; arguments as in `add_piece`."""
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
