"""Compiled integration along the rays through bones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.injuries.fracture_kernels import kept, part_of
from crepitus.phantom.solid.compiled import compiled
from crepitus.phantom.solid.field import FieldArray, interpolate, locate, strides
from crepitus.phantom.xray.beam import SAFE_STEP, enter, grain_at

FloatArray = NDArray[np.float64]

_BLOCK = 8
"""Side of the blocks of rays that are tested together."""


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
    dx, dy, dz = strides(f)
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
    dx, dy, dz = strides(f)
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
            t += max(step, SAFE_STEP * distance - step)
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
            rod = grain_at(cells, size, grain, u, v, z) + grain_at(cells, size, grain, v + 777.0, u, z)
            rod *= 0.7
        else:
            rod = grain_at(cells, size, grain, x, y, z)
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
            t, end = enter(
                geometry, (top + bottom) // 2, (left + right) // 2, matrix, offset, low, high, o, d
            )
            reach = 0.75 * _BLOCK * geometry[2] + 0.5 * step + rise
            if reach < 6.0 and _misses(f, origin, spacing, o, d, t - reach, end + reach, reach):
                continue
            for row in range(top, bottom):
                for column in range(left, right):
                    t, end = enter(geometry, row, column, matrix, offset, low, high, o, d)
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
