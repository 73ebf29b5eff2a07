"""Compiled integration along the rays through the solids of a scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.injuries.fracture import kept, part_of
from crepitus.phantom.solid.compiled import compiled
from crepitus.phantom.solid.field import FieldArray, interpolate, locate

FloatArray = NDArray[np.float64]

_BLOCK = 8
"""Side of the blocks of rays that are tested together."""

_SAFE = 0.8
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
def _enter(
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
def _remodel(r: FloatArray, x: float, y: float, z: float) -> tuple[float, float]:
    """How far the surface rises at a point, mm, and the bone tissue added; see `fracture.Remodelling`."""
    dx, dy, dz = x - r[9], y - r[10], z - r[11]
    squared = dx * dx + dy * dy + dz * dz
    if squared > r[17] * r[17]:
        return 0.0, 0.0
    s = (r[0] * dx + r[1] * dy + r[2] * dz) / r[13]
    bell = np.exp(-0.5 * s * s) * (1.0 - squared / (r[17] * r[17]))
    share = 1.0
    if r[14] != 0.0 or r[15] != 0.0:
        a = r[3] * dx + r[4] * dy + r[5] * dz
        b = r[6] * dx + r[7] * dy + r[8] * dz
        share = max(0.0, (a * r[14] + b * r[15]) / (np.sqrt(a * a + b * b) + 1e-9))
    return r[12] * bell * share, r[16] * bell


@compiled
def _grain(flat: NDArray[np.float32], size: int, grain: FloatArray, x: float, y: float, z: float) -> float:
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


@compiled
def _tunnel(tunnels: FloatArray, x: float, y: float, z: float, soft: float) -> float:
    """Share of a point that lies in a tunnel; rows: start (3), end (3), radius."""
    share = 0.0
    for n in range(tunnels.shape[0]):
        along, length2, squared = 0.0, 0.0, 0.0
        p = (x - tunnels[n, 0], y - tunnels[n, 1], z - tunnels[n, 2])
        for a in range(3):
            e = tunnels[n, 3 + a] - tunnels[n, a]
            along += p[a] * e
            length2 += e * e
        w = min(1.0, max(0.0, along / (length2 + 1e-12)))
        for a in range(3):
            q = p[a] - w * (tunnels[n, 3 + a] - tunnels[n, a])
            squared += q * q
        share = max(share, min(1.0, max(0.0, 0.5 - (np.sqrt(squared) - tunnels[n, 6]) / soft)))
    return share


@compiled
def _misses(
    f: FieldArray,
    origin: FloatArray,
    spacing: float,
    o: FloatArray,
    d: FloatArray,
    t: float,
    end: float,
    reach: float,
) -> bool:
    """Whether a ray stays farther than `reach` mm from the surface."""
    flat = f.reshape(-1)
    dz = f.shape[3]
    dy = f.shape[2] * dz
    dx = f.shape[1] * dy
    while t < end:
        n0, wx, wy, wz = locate(f, origin, spacing, o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
        distance = interpolate(flat, n0, dx, dy, dz, wx, wy, wz)
        if distance < reach:
            return False
        t += max(0.7 * distance, 0.5)
    return True


@compiled
def _march(
    sums: FloatArray,
    lines: FloatArray,
    row: int,
    column: int,
    o: FloatArray,
    d: FloatArray,
    t: float,
    end: float,
    f: FieldArray,
    origin: FloatArray,
    spacing: float,
    grain: FloatArray,
    ragged: float,
    surfaces: FloatArray,
    signs: FloatArray,
    mask: FloatArray,
    remodelling: FloatArray,
    tunnels: FloatArray,
    texture: NDArray[np.float32],
    rough: FloatArray,
    step: float,
    near: FloatArray,
    soft: FloatArray,
    heights: FloatArray,
    crossed: bool,
    whole: float,
) -> None:
    """Integrate along one ray from t to end; sums: compact, trabecular, occupied, in steps."""
    flat = f.reshape(-1)
    dz = f.shape[3]
    dy = f.shape[2] * dz
    dx = f.shape[1] * dy
    cells, size = texture.reshape(-1), texture.shape[0]
    count = surfaces.shape[0]
    curved = f.shape[3] > 4
    compact, spongy, occupied = 0.0, 0.0, 0.0
    t += 0.5 * step
    while t < end:
        x, y, z = o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]
        n0, wx, wy, wz = locate(f, origin, spacing, x, y, z)
        distance = interpolate(flat, n0, dx, dy, dz, wx, wy, wz)
        extra = 0.0
        for n in range(remodelling.shape[0]):
            rise, more = _remodel(remodelling[n], x, y, z)
            distance -= rise
            extra += more
        if distance > 1.5 * step:
            t += max(step, _SAFE * distance - step)
            continue
        t += step
        inside = min(1.0, max(0.0, 0.5 - distance / step))
        if inside <= 0.0:
            continue
        inside *= whole
        if crossed:
            share = kept(surfaces, signs, rough, mask, x, y, z, soft, near, heights)
            for n in range(count):
                lines[n, row, column] += step * inside * near[n]
            inside *= share
            if inside <= 0.0:
                continue
        if tunnels.shape[0] > 0:
            inside *= 1.0 - _tunnel(tunnels, x, y, z, step)
        thickness = interpolate(flat, n0 + 1, dx, dy, dz, wx, wy, wz)
        fill = interpolate(flat, n0 + 2, dx, dy, dz, wx, wy, wz)
        if curved:
            u = interpolate(flat, n0 + 3, dx, dy, dz, wx, wy, wz)
            v = interpolate(flat, n0 + 4, dx, dy, dz, wx, wy, wz)
            # Two crossing families of struts, each along the other's coordinate.
            rod = _grain(cells, size, grain, u, v, z) + _grain(cells, size, grain, v + 777.0, u, z)
            rod *= 0.7
        else:
            rod = _grain(cells, size, grain, x, y, z)
        shell = min(1.0, max(0.0, 0.5 + (distance + thickness * (1.0 + 0.18 * rod)) / ragged))
        occupied += inside
        compact += inside * shell * (1.0 - 0.04 * np.abs(rod))
        spongy += inside * (1.0 - shell) * min(1.0, max(0.0, fill * (1.0 + 0.8 * rod)) + extra)
    sums[0], sums[1], sums[2] = compact, spongy, occupied


@compiled
def add_bone(
    out: FloatArray,
    lines: FloatArray,
    area: NDArray[np.int64],
    geometry: FloatArray,
    matrix: FloatArray,
    offset: FloatArray,
    f: FieldArray,
    origin: FloatArray,
    spacing: float,
    grain: FloatArray,
    ragged: float,
    surfaces: FloatArray,
    signs: FloatArray,
    mask: FloatArray,
    clips: FloatArray,
    remodelling: FloatArray,
    tunnels: FloatArray,
    texture: NDArray[np.float32],
    rough: FloatArray,
    step: float,
) -> None:
    """Add the path lengths through the parts in `mask` of one bone.

    Args:
        out: compact bone, trabecular bone tissue and occupied length in mm, shape (3, rows, columns).
        lines: path length near each fracture surface in mm, shape (n, rows, columns), n = 0 if unbroken.
        area: first row, first column, end row, end column of the elements that the piece can reach.
        geometry: x, y of the grid's corner; pitch; x, y, z of the source, mm.
        matrix: rotation from the world to the body frame before the piece moved.
        offset: translation after it.
        f: field of the solid; its texture matrix is `grain`.
        origin: of the field.
        spacing: of the field.
        grain: texture matrix.
        ragged: width of the transition from cortex to interior.
        surfaces: from `Fracture.packed()`, shape (n, 28).
        signs: likewise.
        mask: parts of the piece.
        clips: half-spaces outside of which the piece has no part, from `Fracture.clips()`.
        remodelling: rows of `Remodelling.packed()`.
        tunnels: rows start (3), end (3), radius; mm.
        texture: trabeculae.
        rough: texture of the fracture surface.
        step: of the integration, mm.
    """
    o, d = np.empty(3), np.empty(3)
    low, high = origin.copy(), origin.copy()
    for k in range(3):
        high[k] += spacing * (f.shape[k] - 1)
    count = surfaces.shape[0]
    near, heights, sums = np.zeros(max(1, count)), np.zeros(max(1, count)), np.zeros(3)
    soft = np.full(max(1, count), step)
    rise = 0.0
    for n in range(remodelling.shape[0]):
        rise = max(rise, remodelling[n, 12])
    for top in range(area[0], area[2], _BLOCK):
        for left in range(area[1], area[3], _BLOCK):
            bottom, right = min(top + _BLOCK, area[2]), min(left + _BLOCK, area[3])
            # The ray through the middle of a block decides whether any of its rays can meet the bone.
            t, end = _enter(
                geometry, (top + bottom) // 2, (left + right) // 2, matrix, offset, low, high, o, d
            )
            reach = 0.75 * _BLOCK * geometry[2] + 0.5 * step + rise
            if reach < 6.0 and _misses(f, origin, spacing, o, d, t - reach, end + reach, reach):
                continue
            for row in range(top, bottom):
                for column in range(left, right):
                    t, end = _enter(geometry, row, column, matrix, offset, low, high, o, d)
                    for n in range(clips.shape[0]):
                        across = clips[n, 0] * d[0] + clips[n, 1] * d[1] + clips[n, 2] * d[2]
                        at = clips[n, 0] * o[0] + clips[n, 1] * o[1] + clips[n, 2] * o[2] + clips[n, 3]
                        if across > 1e-9:
                            t = max(t, -at / across)
                        elif across < -1e-9:
                            end = min(end, -at / across)
                        elif at < 0.0:
                            end = t
                    crossed = False
                    for n in range(count):
                        # Along the ray the gap is averaged over a step, across it over an element.
                        along = surfaces[n, 0] * d[0] + surfaces[n, 1] * d[1] + surfaces[n, 2] * d[2]
                        soft[n] = max(step * np.abs(along), 0.9 * geometry[2])
                        start = surfaces[n, 0] * o[0] + surfaces[n, 1] * o[1] + surfaces[n, 2] * o[2]
                        start += surfaces[n, 3] + t * along
                        stop = start + (end - t) * along
                        heights[n] = start
                        margin = surfaces[n, 24] + soft[n]
                        crossed = crossed or not (min(start, stop) > margin or max(start, stop) < -margin)
                    # A ray that stays clear of every surface runs through one part only.
                    share = 1.0
                    if count > 0 and not crossed:
                        share = mask[part_of(signs, heights)]
                        if share == 0.0:
                            continue
                    _march(
                        sums,
                        lines,
                        row,
                        column,
                        o,
                        d,
                        t,
                        end,
                        f,
                        origin,
                        spacing,
                        grain,
                        ragged,
                        surfaces,
                        signs,
                        mask,
                        remodelling,
                        tunnels,
                        texture,
                        rough,
                        step,
                        near,
                        soft,
                        heights,
                        crossed,
                        share,
                    )
                    for n in range(3):
                        out[n, row, column] += step * sums[n]


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
    dz = f.shape[3]
    dy = f.shape[2] * dz
    dx = f.shape[1] * dy
    cells, size = texture.reshape(-1), texture.shape[0]
    grain[0, 1], grain[1, 0], grain[2, 2] = 0.35 / cell, 1.0 / cell, 1.0 / cell
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            t, end = _enter(geometry, row, column, matrix, offset, low, high, o, d)
            lean, fat = 0.0, 0.0
            t += 0.5 * step
            while t < end:
                x, y, z = o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]
                n0, wx, wy, wz = locate(f, origin, spacing, x, y, z)
                distance = interpolate(flat, n0, dx, dy, dz, wx, wy, wz)
                if distance > 1.5 * step:
                    t += max(step, _SAFE * distance - step)
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
                share = interpolate(flat, n0 + 2, dx, dy, dz, wx, wy, wz) + 0.06 * _grain(
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
    dz = f.shape[3]
    dy = f.shape[2] * dz
    dx = f.shape[1] * dy
    o, d = np.empty(3), np.empty(3)
    low, high = origin.copy(), origin.copy()
    for k in range(3):
        high[k] += spacing * (f.shape[k] - 1)
    for row in range(area[0], area[2]):
        for column in range(area[1], area[3]):
            t, end = _enter(geometry, row, column, matrix, offset, low, high, o, d)
            total = 0.0
            t += 0.5 * step
            while t < end:
                n0, wx, wy, wz = locate(f, origin, spacing, o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
                distance = interpolate(flat, n0, dx, dy, dz, wx, wy, wz)
                if distance > 1.5 * step:
                    t += max(step, _SAFE * distance - step)
                    continue
                t += step
                total += min(1.0, max(0.0, 0.5 - distance / step))
            out[row, column] += step * total
