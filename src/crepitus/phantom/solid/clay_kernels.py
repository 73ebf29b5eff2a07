"""Compiled loops that write primitives into the grid of a solid; see `clay` for their arguments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.solid.compiled import compiled
from crepitus.phantom.solid.field import FieldArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

REACH_MM = 9.0
"""How far around a primitive its distance is written; farther off only the sign and a bound matter."""


@compiled
def _join(
    field: FieldArray, i: int, j: int, k: int, d: float, cortex: float, fill: float, blend: float, carve: bool
) -> None:
    """Smooth union (quadratic, over `blend` mm) of a cell with a primitive, or the smooth difference."""
    old = field[i, j, k, 0]
    if carve:
        # Difference: the larger of the old distance and minus the new one.
        share = min(1.0, max(0.0, 0.5 - 0.5 * (old + d) / blend))
        field[i, j, k, 0] = old * (1 - share) - d * share + blend * share * (1 - share)
        return
    share = min(1.0, max(0.0, 0.5 + 0.5 * (old - d) / blend))
    if share == 0.0:
        return
    field[i, j, k, 0] = old * (1 - share) + d * share - blend * share * (1 - share)
    field[i, j, k, 1] = field[i, j, k, 1] * (1 - share) + cortex * share
    field[i, j, k, 2] = field[i, j, k, 2] * (1 - share) + fill * share


@compiled
def add_ball(
    field: FieldArray,
    origin: FloatArray,
    spacing: float,
    low: IntArray,
    high: IntArray,
    numbers: FloatArray,
    axes: FloatArray,
    carve: bool,
) -> None:
    """Write an ellipsoid; numbers: centre (3), radii (3), cortex, fill, blend."""
    for i in range(low[0], high[0]):
        x = origin[0] + spacing * i - numbers[0]
        for j in range(low[1], high[1]):
            y = origin[1] + spacing * j - numbers[1]
            for k in range(low[2], high[2]):
                z = origin[2] + spacing * k - numbers[2]
                f, g = 0.0, 0.0
                for m in range(3):
                    q = (axes[m, 0] * x + axes[m, 1] * y + axes[m, 2] * z) / numbers[3 + m]
                    f += q * q
                    g += (q / numbers[3 + m]) ** 2
                f = np.sqrt(f)
                # First order: (f - 1) / |gradient of f|.
                d = f * (f - 1.0) / (np.sqrt(g) + 1e-9) if f > 1e-6 else -numbers[3:6].min()
                _join(field, i, j, k, d, numbers[6], numbers[7], numbers[8], carve)


@compiled
def add_balls(
    field: FieldArray,
    origin: FloatArray,
    spacing: float,
    table: FloatArray,
    axes: FloatArray,
    reach: float,
) -> None:
    """Write many ellipsoids; rows of the table as `numbers` of `add_ball`, axes (n, 3, 3)."""
    low, high = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    for n in range(table.shape[0]):
        most = max(table[n, 3], table[n, 4], table[n, 5]) + reach
        for a in range(3):
            first = int(np.floor((table[n, a] - most - origin[a]) / spacing))
            last = int(np.ceil((table[n, a] + most - origin[a]) / spacing)) + 1
            low[a] = min(max(first, 0), field.shape[a])
            high[a] = min(max(last, 0), field.shape[a])
        add_ball(field, origin, spacing, low, high, table[n], axes[n], False)


@compiled
def add_tube(
    field: FieldArray,
    origin: FloatArray,
    spacing: float,
    low: IntArray,
    high: IntArray,
    table: FloatArray,
    blend: float,
    carve: bool,
) -> None:
    """Write a tube; rows of the table: point (3), radii (2), cortex, fill, wide direction (3)."""
    n = table.shape[0]
    p, best_p = np.empty(3), np.empty(3)
    # Segments that come near enough to a line of cells along k to matter for them.
    chosen = np.empty(n, dtype=np.int64)
    edges = np.empty((n, 4))
    for m in range(n - 1):
        edges[m, 3] = 1e-12
        for a in range(3):
            edges[m, a] = table[m + 1, a] - table[m, a]
            edges[m, 3] += edges[m, a] ** 2
    reach = table[:, 3:5].max() + REACH_MM + blend
    for i in range(low[0], high[0]):
        p[0] = origin[0] + spacing * i
        for j in range(low[1], high[1]):
            p[1] = origin[1] + spacing * j
            count, near, far = 0, 1e18, -1e18
            for m in range(n - 1):
                off = 0.0
                for a in range(2):
                    least = min(table[m, a], table[m + 1, a]) - p[a]
                    most = p[a] - max(table[m, a], table[m + 1, a])
                    off += max(0.0, least, most) ** 2
                if off < reach * reach:
                    chosen[count] = m
                    count += 1
                    near = min(near, table[m, 2], table[m + 1, 2])
                    far = max(far, table[m, 2], table[m + 1, 2])
            if count == 0:
                continue
            first = max(low[2], int((near - reach - origin[2]) / spacing))
            last = min(high[2], int((far + reach - origin[2]) / spacing) + 2)
            for k in range(first, last):
                p[2] = origin[2] + spacing * k
                best, row, share = 1e18, 0, 0.0
                for c in range(count):
                    m = chosen[c]
                    qx, qy, qz = p[0] - table[m, 0], p[1] - table[m, 1], p[2] - table[m, 2]
                    along = qx * edges[m, 0] + qy * edges[m, 1] + qz * edges[m, 2]
                    w = min(1.0, max(0.0, along / edges[m, 3]))
                    # |q - w e|^2, with e the segment.
                    distance2 = qx * qx + qy * qy + qz * qz - w * (2.0 * along - w * edges[m, 3])
                    if distance2 < best:
                        best, row, share = distance2, m, w
                if best > reach * reach:
                    continue
                d = _section(table, row, share, p, best_p)
                cortex = table[row, 5] + share * (table[row + 1, 5] - table[row, 5])
                fill = table[row, 6] + share * (table[row + 1, 6] - table[row, 6])
                _join(field, i, j, k, d, cortex, fill, blend, carve)


@compiled
def _section(table: FloatArray, row: int, share: float, p: FloatArray, q: FloatArray) -> float:
    """Distance of p to the tube's surface in the elliptic section at its nearest point, to first order."""
    r1 = table[row, 3] + share * (table[row + 1, 3] - table[row, 3])
    r2 = table[row, 4] + share * (table[row + 1, 4] - table[row, 4])
    wide, norm, radial2 = 0.0, 0.0, 0.0
    tx = table[row + 1, 0] - table[row, 0]
    ty = table[row + 1, 1] - table[row, 1]
    tz = table[row + 1, 2] - table[row, 2]
    t2 = tx * tx + ty * ty + tz * tz + 1e-12
    wx = table[row, 7] + share * (table[row + 1, 7] - table[row, 7])
    wy = table[row, 8] + share * (table[row + 1, 8] - table[row, 8])
    wz = table[row, 9] + share * (table[row + 1, 9] - table[row, 9])
    # The wide direction within the section.
    dot = (wx * tx + wy * ty + wz * tz) / t2
    wx, wy, wz = wx - dot * tx, wy - dot * ty, wz - dot * tz
    for a in range(3):
        q[a] = p[a] - table[row, a] - share * (table[row + 1, a] - table[row, a])
        radial2 += q[a] * q[a]
    norm = np.sqrt(wx * wx + wy * wy + wz * wz) + 1e-12
    wide = (q[0] * wx + q[1] * wy + q[2] * wz) / norm
    across2 = max(0.0, radial2 - wide * wide)
    f = np.sqrt((wide / r1) ** 2 + across2 / (r2 * r2))
    gradient = np.sqrt((wide / (r1 * r1)) ** 2 + across2 / (r2 * r2 * r2 * r2))
    if f < 1e-6:
        return float(-min(r1, r2))
    value: float = f * (f - 1.0) / (gradient + 1e-12)
    return value


@compiled
def _flat_distance(distance: NDArray[np.float32], place: FloatArray, u: float, v: float) -> float:
    """Bilinear look-up in an outline; grows linearly off its grid."""
    x, y = (u - place[0]) / place[2], (v - place[1]) / place[2]
    cx = min(distance.shape[0] - 1.001, max(0.0, x))
    cy = min(distance.shape[1] - 1.001, max(0.0, y))
    i, j = int(cx), int(cy)
    wx, wy = cx - i, cy - j
    low = distance[i, j] * (1 - wy) + distance[i, j + 1] * wy
    high = distance[i + 1, j] * (1 - wy) + distance[i + 1, j + 1] * wy
    off = place[2] * np.sqrt((x - cx) ** 2 + (y - cy) ** 2)
    value: float = low * (1 - wx) + high * wx + off
    return value


@compiled
def add_plate(
    field: FieldArray,
    origin: FloatArray,
    spacing: float,
    low: IntArray,
    high: IntArray,
    distance: NDArray[np.float32],
    place: FloatArray,
    start: FloatArray,
    axes: FloatArray,
    s: FloatArray,
    t: FloatArray,
    numbers: FloatArray,
    carve: bool,
) -> None:
    """Write a curved plate; numbers: cortex, fill, blend."""
    for i in range(low[0], high[0]):
        x = origin[0] + spacing * i - start[0]
        for j in range(low[1], high[1]):
            y = origin[1] + spacing * j - start[1]
            for k in range(low[2], high[2]):
                z = origin[2] + spacing * k - start[2]
                u = axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z
                v = axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z
                w = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z
                rim = _flat_distance(distance, place, u, v)
                if rim > 25.0:
                    continue
                middle = s[0] + s[1] * u + s[2] * v + s[3] * u * u + s[4] * u * v + s[5] * v * v
                middle += s[6] * u * u * u + s[7] * u * u * v + s[8] * u * v * v + s[9] * v * v * v
                du = s[1] + 2 * s[3] * u + s[4] * v + 3 * s[6] * u * u + 2 * s[7] * u * v + s[8] * v * v
                dv = s[2] + s[4] * u + 2 * s[5] * v + s[7] * u * u + 2 * s[8] * u * v + 3 * s[9] * v * v
                thick = t[0] + t[1] * u + t[2] * v + t[3] * u * u + t[4] * u * v + t[5] * v * v
                thick = max(1.0, thick + t[6] * np.exp(min(0.0, rim) / 6.0))
                across = np.abs(w - middle) / np.sqrt(1.0 + du * du + dv * dv) - 0.5 * thick
                # A rounded rim: half the thickness is the radius of the edge.
                edge = rim + 0.5 * thick
                inner = max(across + 0.5 * thick, 0.0)
                outer = max(edge, 0.0)
                d = np.sqrt(outer * outer + inner * inner) - 0.5 * thick if edge > 0.0 else across
                _join(field, i, j, k, d, numbers[0], numbers[1], numbers[2], carve)


@compiled
def displace(
    field: FieldArray,
    origin: FloatArray,
    spacing: float,
    noise: NDArray[np.float32],
    amplitude: float,
    scale: float,
    shift: FloatArray,
) -> None:
    """Add periodic noise, trilinear, to the distance of every cell near the surface."""
    wrap = noise.shape[0] - 1
    for i in range(field.shape[0]):
        x = (origin[0] + spacing * i + shift[0]) / scale + 4096.0
        for j in range(field.shape[1]):
            y = (origin[1] + spacing * j + shift[1]) / scale + 4096.0
            for k in range(field.shape[2]):
                if np.abs(field[i, j, k, 0]) > 8.0:
                    continue
                z = (origin[2] + spacing * k + shift[2]) / scale + 4096.0
                a, b, c = int(x), int(y), int(z)
                wx, wy, wz = x - a, y - b, z - c
                total = 0.0
                for corner in range(8):
                    da, db, dc = corner & 1, (corner >> 1) & 1, (corner >> 2) & 1
                    weight = (wx if da else 1 - wx) * (wy if db else 1 - wy) * (wz if dc else 1 - wz)
                    total += weight * noise[(a + da) & wrap, (b + db) & wrap, (c + dc) & wrap]
                field[i, j, k, 0] += amplitude * total
