"""Compiled pieces that all integrations along rays share: the ray of an element, the look-up of texture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.solid.compiled import compiled

FloatArray = NDArray[np.float64]

SAFE_STEP = 0.8
"""Share of the distance that a ray steps ahead outside: distances are exact near the surface only."""


@compiled
def _ray(geometry: FloatArray, row: int, column: int, origin: FloatArray, direction: FloatArray) -> None:
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
def enter(
    geometry: FloatArray,
    row: int,
    column: int,
    matrix: FloatArray,
    offset: FloatArray,
    low: FloatArray,
    high: FloatArray,
    o: FloatArray,
    d: FloatArray,
) -> tuple[float, float]:
    """The ray of an element in the body frame; where it enters and leaves a box (empty if t0 >= t1)."""
    origin, direction = np.empty(3), np.empty(3)
    _ray(geometry, row, column, origin, direction)
    t0, t1 = -1e9, 1e9
    for k in range(3):
        o[k] = matrix[k, 0] * origin[0] + matrix[k, 1] * origin[1] + matrix[k, 2] * origin[2] + offset[k]
        d[k] = matrix[k, 0] * direction[0] + matrix[k, 1] * direction[1] + matrix[k, 2] * direction[2]
        if np.abs(d[k]) < 1e-12:
            if o[k] < low[k] or o[k] > high[k]:
                return 1.0, 0.0
            continue
        a, b = (low[k] - o[k]) / d[k], (high[k] - o[k]) / d[k]
        t0, t1 = max(t0, min(a, b)), min(t1, max(a, b))
    return t0, t1


@compiled
def grain_at(flat: NDArray[np.float32], size: int, grain: FloatArray, x: float, y: float, z: float) -> float:
    """Trilinear look-up in the periodic texture: the nearest cell would give moire with the rays' steps."""
    wrap = size - 1
    u = grain[0, 0] * x + grain[0, 1] * y + grain[0, 2] * z + 8192.0
    v = grain[1, 0] * x + grain[1, 1] * y + grain[1, 2] * z + 8192.0
    w = grain[2, 0] * x + grain[2, 1] * y + grain[2, 2] * z + 8192.0
    i, j, k = int(u), int(v), int(w)
    a, b, c = u - i, v - j, w - k
    i0, i1 = (i & wrap) * size * size, ((i + 1) & wrap) * size * size
    j0, j1 = (j & wrap) * size, ((j + 1) & wrap) * size
    k0, k1 = k & wrap, (k + 1) & wrap
    low = (flat[i0 + j0 + k0] * (1 - c) + flat[i0 + j0 + k1] * c) * (1 - b)
    low += (flat[i0 + j1 + k0] * (1 - c) + flat[i0 + j1 + k1] * c) * b
    high = (flat[i1 + j0 + k0] * (1 - c) + flat[i1 + j0 + k1] * c) * (1 - b)
    high += (flat[i1 + j1 + k0] * (1 - c) + flat[i1 + j1 + k1] * c) * b
    # Interpolation takes about a third of the spread away.
    value: float = 1.5 * (low * (1 - a) + high * a)
    return value
