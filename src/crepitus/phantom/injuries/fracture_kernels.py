"""Compiled geometry of fractures: heights over rough surfaces, gaps, and what remains of the bone.

The packed numbers are those of `fracture.Surface` and `fracture.Fracture`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.solid.compiled import compiled

FloatArray = NDArray[np.float64]

ROUGHNESS_CELL_MM = 0.5
TRACE_MM = 0.35
"""A pixel belongs to the fracture line if its ray comes this close to the edge of the gap."""


@compiled
def _bump(rough: FloatArray, a: float, b: float, shift_a: float, shift_b: float) -> float:
    """Bilinear look-up in the periodic table of roughness."""
    wrap = rough.shape[0] - 1
    x = a / ROUGHNESS_CELL_MM + shift_a + 4096.0
    y = b / ROUGHNESS_CELL_MM + shift_b + 4096.0
    i, j = int(x), int(y)
    fx, fy = x - i, y - j
    i1, j1 = (i + 1) & wrap, (j + 1) & wrap
    i, j = i & wrap, j & wrap
    value: float = (rough[i, j] * (1 - fy) + rough[i, j1] * fy) * (1 - fx) + (
        rough[i1, j] * (1 - fy) + rough[i1, j1] * fy
    ) * fx
    return value


@compiled
def surface_height(
    surface: FloatArray, rough: FloatArray, x: float, y: float, z: float
) -> tuple[float, float]:
    """Signed distance to a packed surface in mm, positive on its far side, and the gap's width there.

    Args:
        surface: `Surface.packed()`.
        rough: periodic table of roughness with unit variance, shape (n, n) with n a power of two,
            cells of `ROUGHNESS_CELL_MM`.
        x: body coordinates of the point, mm.
        y: likewise.
        z: likewise.
    """
    height = surface[0] * x + surface[1] * y + surface[2] * z + surface[3]
    if np.abs(height) > surface[24]:
        return height, 0.0
    dx, dy, dz = x - surface[10], y - surface[11], z - surface[12]
    a = surface[4] * dx + surface[5] * dy + surface[6] * dz
    b = surface[7] * dx + surface[8] * dy + surface[9] * dz
    if surface[13] != 0.0:
        height -= surface[13] * np.arctan2(b, a)
    if surface[14] > 0.0:
        height -= surface[14] * _bump(rough, a, b, surface[15], surface[16])
    gap = surface[23]
    if gap > 0.0:
        along = (a * surface[19] + b * surface[20] - surface[21]) / surface[22]
        gap *= min(1.0, max(0.0, along))
        far = np.sqrt(dx * dx + dy * dy + dz * dz) / surface[18]
        gap *= min(1.0, max(0.0, 4.0 * (1.0 - far)))
    return height, gap


@compiled
def _band(height: float, gap: float, soft: float) -> float:
    """Share of the interval of length `soft` around `height` that lies in the gap; exactly 0 without one."""
    low = max(height - 0.5 * soft, -0.5 * gap)
    high = min(height + 0.5 * soft, 0.5 * gap)
    share: float = max(0.0, high - low) / soft
    return share


@compiled
def part_of(signs: FloatArray, heights: FloatArray) -> int:
    """Number of the part at a point: the first fragment whose signs (m, n) fit the heights (n,), else 0."""
    for m in range(signs.shape[0]):
        fits = True
        for k in range(signs.shape[1]):
            fits = fits and signs[m, k] * heights[k] >= 0.0
        if fits:
            return m + 1
    return 0


@compiled
def kept(
    surfaces: FloatArray,
    signs: FloatArray,
    rough: FloatArray,
    mask: FloatArray,
    x: float,
    y: float,
    z: float,
    soft: FloatArray,
    near: FloatArray,
    heights: FloatArray,
) -> float:
    """Share of bone that remains at a point of the unbroken bone, for the parts of one piece.

    Args:
        surfaces: from `Fracture.packed()`, shape (n, 28).
        signs: likewise, shape (m, n).
        rough: roughness table, see `surface_height`.
        mask: which parts belong to the piece, shape (1 + m,), 0 or 1.
        x: body coordinates of the point before any motion, mm.
        y: likewise.
        z: likewise.
        soft: length in mm, per surface, over which the gap's edge is averaged, shape (n,).
        near: filled with 1 for each surface whose fracture line the point belongs to, else 0, shape (n,).
        heights: filled with the signed distances to the surfaces, mm, shape (n,).
    """
    n = surfaces.shape[0]
    removed = 0.0
    for k in range(n):
        height, gap = surface_height(surfaces[k], rough, x, y, z)
        heights[k] = height
        near[k] = 0.0
        if np.abs(height) > 0.5 * gap + soft[k] + TRACE_MM:
            continue
        if k > 0 and surfaces[k, 17] * heights[0] < 0.0:
            continue
        removed = max(removed, _band(height, gap, soft[k]))
        dx, dy, dz = x - surfaces[k, 10], y - surfaces[k, 11], z - surfaces[k, 12]
        inside = dx * dx + dy * dy + dz * dz < surfaces[k, 18] ** 2
        tapered = surfaces[k, 23] > 0.0 and gap == 0.0
        if np.abs(height) < 0.5 * gap + TRACE_MM and inside and not tapered:
            near[k] = 1.0
    share: float = mask[part_of(signs, heights)]
    if share == 0.0:
        for k in range(n):
            near[k] = 0.0
    return share * (1.0 - removed)
