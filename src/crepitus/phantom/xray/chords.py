"""Compiled integration through soft tissue, gas and metal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.solid.compiled import compiled
from crepitus.phantom.solid.field import FieldArray, interpolate, locate, strides
from crepitus.phantom.xray.beam import SAFE_STEP, enter, grain_at

FloatArray = NDArray[np.float64]


@compiled
def add_tissue(
    out: FloatArray,
    geometry: FloatArray,
    matrix: FloatArray,
    offset: FloatArray,
    f: FieldArray,
    origin: FloatArray,
    spacing: float,
    skin: float,
    texture: NDArray[np.float32],
    cell: float,
    step: float,
) -> None:
    """Add the path lengths through soft tissue: lean and adipose, shape (2, rows, columns), mm.

    The field's channels are the distance, the depth of the subcutaneous fat (mm) and the share of lean tissue
    under it; `skin` is its thickness in mm and `cell` the size in mm of the texture of muscle and fat.
    """
    o, d = np.empty(3), np.empty(3)
    low, high = origin.copy(), origin.copy()
    for k in range(3):
        high[k] += spacing * (f.shape[k] - 1)
    grain = np.zeros((3, 3))
    flat = f.reshape(-1)
    dx, dy, dz = strides(f)
    cells, size = texture.reshape(-1), texture.shape[0]
    grain[0, 1], grain[1, 0], grain[2, 2] = 0.35 / cell, 1.0 / cell, 1.0 / cell
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            t, end = enter(geometry, row, column, matrix, offset, low, high, o, d)
            lean, fat = 0.0, 0.0
            t += 0.5 * step
            while t < end:
                x, y, z = o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]
                n0, wx, wy, wz = locate(f, origin, spacing, x, y, z)
                distance = interpolate(flat, n0, dx, dy, dz, wx, wy, wz)
                if distance > 1.5 * step:
                    t += max(step, SAFE_STEP * distance - step)
                    continue
                t += step
                inside = min(1.0, max(0.0, 0.5 - distance / step))
                if inside <= 0.0:
                    continue
                depth = -distance
                hide = min(1.0, max(0.0, (skin - depth) / step + 0.5))
                flesh = min(
                    1.0, max(0.0, (depth - skin - interpolate(flat, n0 + 1, dx, dy, dz, wx, wy, wz)) / step)
                )
                share = interpolate(flat, n0 + 2, dx, dy, dz, wx, wy, wz) + 0.06 * grain_at(
                    cells, size, grain, x, y, z
                )
                muscle = (1.0 - hide) * flesh * min(1.0, max(0.0, share))
                lean += inside * (hide + muscle)
                fat += inside * (1.0 - hide - muscle)
            out[0, row, column] += step * lean
            out[1, row, column] += step * fat


@compiled
def add_chord(
    out: FloatArray,
    area: NDArray[np.int64],
    geometry: FloatArray,
    matrix: FloatArray,
    offset: FloatArray,
    f: FieldArray,
    origin: FloatArray,
    spacing: float,
    step: float,
) -> None:
    """Add the path length through a homogeneous solid, as gas or metal, shape (rows, columns), mm."""
    flat = f.reshape(-1)
    dx, dy, dz = strides(f)
    o, d = np.empty(3), np.empty(3)
    low, high = origin.copy(), origin.copy()
    for k in range(3):
        high[k] += spacing * (f.shape[k] - 1)
    for row in range(area[0], area[2]):
        for column in range(area[1], area[3]):
            t, end = enter(geometry, row, column, matrix, offset, low, high, o, d)
            total = 0.0
            t += 0.5 * step
            while t < end:
                n0, wx, wy, wz = locate(f, origin, spacing, o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
                distance = interpolate(flat, n0, dx, dy, dz, wx, wy, wz)
                if distance > 1.5 * step:
                    t += max(step, SAFE_STEP * distance - step)
                    continue
                t += step
                total += min(1.0, max(0.0, 0.5 - distance / step))
            out[row, column] += step * total
