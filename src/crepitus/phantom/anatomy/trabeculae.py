"""Strut lines and density inside the proximal femur, on a canonical frontal plane.

Two families of struts cross: the compressive ones fan from the medial cortex into the head, the tensile ones
arch from the lateral cortex through the upper neck into the head (Singh, J Bone Joint Surg Am 52:457, 1970).
Each family is the set of level lines of a coordinate; the coordinate is interpolated between drawn lines.

Canonical plane, mm: p lateral and y down from the centre of the head of a femur of average size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

CENTRE_O = (39.0, 35.5)
"""Where the axes of neck and shaft meet, canonical."""

SHAFT_POINT = (34.65, 85.5)
"""A point on the axis of the shaft farther down, canonical."""

_LOW, _HIGH, _STEP = (-40.0, -45.0), (90.0, 275.0), 2.0

_COMPRESSIVE: dict[float, list[tuple[float, float]]] = {
    -4.0: [(17, 90), (11, 52), (4, 34), (-9, 24), (-22, 14)],
    2.0: [(19, 80), (15, 50), (9, 29), (-4, 14), (-17, -4)],
    8.0: [(20, 84), (18, 50), (12, 24), (2, 2), (-9, -20)],
    15.0: [(21, 88), (21, 56), (17, 22), (8, 0), (1, -23)],
    21.0: [(21, 92), (24, 62), (26, 44), (24, 20), (18, 0), (12, -20)],
    33.0: [(22, 90), (26, 66), (33, 42), (38, 15), (41, -14)],
    46.0: [(24, 104), (31, 78), (41, 52), (49, 25), (53, 2), (54, -14)],
    60.0: [(28, 120), (38, 90), (50, 62), (59, 35), (63, 5)],
    76.0: [(38, 126), (50, 96), (61, 70), (68, 46)],
}
"""Lines of the compressive family by coordinate, from the medial cortex upwards."""

_TENSILE: dict[float, list[tuple[float, float]]] = {
    0.0: [(68, 24), (62, 4), (50, -9), (38, -14), (20, -22), (2, -28), (-20, -26)],
    12.0: [(60, 44), (53, 24), (42, 7), (28, -6), (10, -14), (-8, -14), (-21, -3)],
    26.0: [(57, 64), (49, 40), (38, 21), (24, 7), (8, 1), (-6, 4), (-16, 14)],
    42.0: [(55, 82), (46, 63), (35, 46), (22, 34), (10, 26), (-2, 24)],
    64.0: [(53, 106), (43, 86), (31, 70), (16, 59)],
    86.0: [(50, 128), (38, 109), (26, 97), (14, 90)],
}
"""Lines of the tensile family by coordinate, from the lateral cortex upwards and medially."""


@dataclass(frozen=True)
class Lattice:
    """Tables over the canonical plane, first axis p.

    Attributes:
        tensile: coordinate that is constant along the tensile struts, mm.
        compressive: coordinate that is constant along the compressive struts, mm.
    """

    tensile: FloatArray
    compressive: FloatArray


@lru_cache(maxsize=1)
def lattice() -> Lattice:
    """The coordinates of both families; made once."""
    p = np.arange(_LOW[0], _HIGH[0] + _STEP, _STEP)
    y = np.arange(_LOW[1], _HIGH[1] + _STEP, _STEP)
    grid = np.stack(np.meshgrid(p, y, indexing="ij"), axis=-1).reshape(-1, 2)
    shape = (len(p), len(y))
    return Lattice(_through(_TENSILE, grid).reshape(shape), _through(_COMPRESSIVE, grid).reshape(shape))


def _through(lines: dict[float, list[tuple[float, float]]], grid: FloatArray) -> FloatArray:
    """Smooth interpolation, at `grid` (n, 2), of the values given along lines, shape (n,)."""
    from scipy.interpolate import RBFInterpolator

    points, values = [], []
    for value, line in lines.items():
        knots = np.asarray(line, dtype=np.float64)
        middle = 0.5 * (knots[:-1] + knots[1:])
        points.append(np.concatenate([knots, middle]))
        values.append(np.full(len(points[-1]), value))
    spline = RBFInterpolator(
        np.concatenate(points), np.concatenate(values), kernel="thin_plate_spline", smoothing=1.0
    )
    return np.asarray(spline(grid))


def look_up(table: FloatArray, p: FloatArray, y: FloatArray) -> FloatArray:
    """Bilinear values of a table at canonical coordinates, clamped to its edge, shape of `p`."""
    from scipy.ndimage import map_coordinates

    at = np.stack([(p - _LOW[0]) / _STEP, (y - _LOW[1]) / _STEP])
    return np.asarray(map_coordinates(table, at, order=1, mode="nearest"))


def ramp(value: FloatArray | float, low: float, high: float) -> FloatArray:
    """Smooth step from 0 at `low` to 1 at `high`; `low` may be the larger."""
    x = np.clip((np.asarray(value, dtype=np.float64) - low) / (high - low), 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))


def density(
    p: FloatArray, y: FloatArray, tensile: FloatArray, compressive: FloatArray, quality: float
) -> FloatArray:
    """Volume fraction of bone tissue inside, at canonical coordinates.

    Osteoporosis takes the secondary groups first, then the tensile one; the compressive one stays longest.
    Between the three lies the dark triangle of Ward.
    """
    head = ramp(np.hypot(p, y), 27.0, 17.0)
    main = np.exp(-(((compressive - 9.0) / 6.5) ** 2)) * ramp(y, 80.0, 55.0)
    arch = np.exp(-(((tensile - 19.0) / 7.0) ** 2)) * ramp(p, 66.0, 56.0) * ramp(y, 75.0, 50.0)
    second = np.exp(-(((compressive - 36.0) / 9.0) ** 2)) * ramp(y, 70.0, 45.0) * ramp(y, -20.0, 0.0)
    trochanter = np.exp(-(((tensile - 3.0) / 7.0) ** 2)) * ramp(p, 38.0, 50.0)
    keep_arch = float(ramp(quality, 0.45, 0.95))
    keep_second = float(ramp(quality, 0.55, 1.05))
    value = 0.05 + 0.035 * keep_second + 0.07 * head
    value = value + 0.22 * main + 0.16 * keep_arch * arch
    value = value + 0.06 * keep_second * second + 0.06 * keep_second * trochanter
    canal = ramp(y, 55.0, 88.0)
    return np.asarray(value * (1 - canal) + 0.025 * canal)
