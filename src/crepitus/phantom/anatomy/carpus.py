"""The eight carpals of a right wrist: rough lumps first, then cut so that they fit each other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.forearm import WristMeasures
from crepitus.phantom.anatomy.sculpt import Lump, share_border
from crepitus.phantom.solid.clay import Stuff
from crepitus.phantom.solid.textures import smooth_noise

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

SPACING_MM = 0.9
_BODY = Stuff(0.7, 0.3, 3.0)

NAMES = ("scaphoid", "lunate", "triquetrum", "pisiform", "trapezium", "trapezoid", "capitate", "hamate")
PROXIMAL = NAMES[:4]

_OSSIFIED = {
    # Age at which the nucleus appears and at which the bone has its form, years (Greulich and Pyle).
    "capitate": (0.3, 11.0),
    "hamate": (0.4, 11.5),
    "triquetrum": (2.6, 12.5),
    "lunate": (3.8, 12.5),
    "scaphoid": (5.2, 13.5),
    "trapezium": (5.2, 13.0),
    "trapezoid": (5.8, 13.0),
    "pisiform": (10.0, 14.0),
}

_TUBES: dict[str, list[tuple[list[list[float]], list[list[float]], list[float]]]] = {
    # Per bone: points, radii along and across the wide direction, wide direction.
    "scaphoid": [
        (
            [[0.5, -5.5, 2.5], [-3.0, -9.5, 0.5], [-6.0, -13.5, -2.5], [-9.5, -17.5, -6.5], [-10.5, -19, -8]],
            [[6.0, 7.0], [5.6, 6.6], [4.9, 5.2], [5.5, 5.2], [5.3, 4.8]],
            [0.75, -0.65, 0.0],
        )
    ],
    "lunate": [([[10.2, -5.0, -4.0], [10.2, -5.5, 0.5], [10.2, -5.2, 4.5]], [[8.6, 8.4]] * 3, [1, 0, 0])],
    "triquetrum": [([[21.5, -9.5, 0.5], [25.5, -14.5, -0.5]], [[6.3, 7.0], [5.0, 5.5]], [0.8, 0.6, 0])],
    "pisiform": [([[24.5, -9.0, -12.0], [25.2, -12.0, -12.6]], [[4.6, 4.6], [4.4, 4.2]], [1, 0, 0])],
    "trapezium": [([[-15.5, -21.0, -8.5], [-18.5, -25.5, -10.0]], [[6.2, 6.2], [6.6, 6.6]], [0.8, -0.5, 0])],
    "trapezoid": [([[-7.0, -24.0, -2.5], [-8.5, -31.0, -1.0]], [[5.0, 6.0], [6.0, 8.0]], [1, -0.2, 0])],
    "capitate": [
        (
            [[8.6, -17.2, 0.0], [7.8, -22.0, 0.0], [6.2, -27.5, 0.0], [5.5, -33.5, 0.0]],
            [[6.4, 7.4], [6.0, 7.6], [7.0, 8.8], [7.6, 9.4]],
            [1, 0, 0],
        )
    ],
    "hamate": [
        (
            [[15.8, -15.5, 0.5], [17.5, -21.0, 0.0], [20.0, -28.0, -0.5], [20.6, -32.0, -0.5]],
            [[3.6, 5.6], [5.4, 7.2], [7.8, 8.2], [8.2, 8.4]],
            [1, 0, 0],
        ),
        ([[19.5, -28.0, -6.0], [18.6, -28.8, -11.0], [17.6, -29.0, -15.5]], [[3.0, 2.2]] * 3, [0, 1, 0]),
    ],
}
_BORDERS = (
    ("scaphoid", "lunate"),
    ("lunate", "triquetrum"),
    ("capitate", "hamate"),
    ("capitate", "trapezoid"),
    ("trapezoid", "trapezium"),
    ("triquetrum", "pisiform"),
)
_FITS = (
    # The first gives way to the second.
    ("lunate", "capitate"),
    ("scaphoid", "capitate"),
    ("lunate", "hamate"),
    ("triquetrum", "hamate"),
    ("trapezium", "scaphoid"),
    ("trapezoid", "scaphoid"),
)


def _lump(generator: Generator, name: str) -> Lump:
    points = np.concatenate([np.array(p, dtype=float) for p, _, _ in _TUBES[name]])
    reach = max(max(max(r) for r in radii) for _, radii, _ in _TUBES[name]) + 3.0
    lump = Lump(points.min(axis=0) - reach, points.max(axis=0) + reach, SPACING_MM)
    size = 1.0 + 0.03 * float(np.clip(generator.standard_normal(), -2, 2))
    for knots, radii, wide in _TUBES[name]:
        lump.tube(np.array(knots, float), size * np.array(radii, float), _BODY, wide=np.array(wide, float))
    lump.roughen(smooth_noise(), 0.3, 0.9, generator.uniform(0, 500, 3))
    return lump


def carpus(generator: Generator, measures: WristMeasures) -> dict[str, Lump]:
    """The carpals by name; in children those that have begun to ossify."""
    bones = {name: _lump(generator, name) for name in NAMES}
    gap = measures.carpal_gap_mm
    # Flat faces: the distal row ends on the line of the metacarpals' bases.
    for name, level, slope in (("capitate", -37.5, -0.02), ("hamate", -35.2, 0.16), ("trapezoid", -35.0, 0.3)):
        x, y, _ = bones[name].grid
        middle = _TUBES[name][0][0][-1][0]
        bones[name].cut(np.asarray(level + slope * (x - middle) - y, dtype=np.float32), 1.6)
    # The saddle under the first metacarpal.
    x, y, z = bones["trapezium"].grid
    face = (x + 22.0) * -0.62 + (y + 28.5) * -0.78 - 2.2
    bones["trapezium"].cut(np.asarray(face + 0.0 * z, dtype=np.float32), 1.4)
    for a, b in _BORDERS:
        share_border(bones[a], bones[b], gap)
    for a, b in _FITS:
        bones[a].fit(bones[b], gap)
    for name in ("scaphoid", "lunate"):
        body, _ = measures.socket(bones[name].grid, measures.gap_mm)
        bones[name].cut(body, 1.2)
        bones[name].line(body, 0.9)
    if measures.child is None:
        return bones
    young = {}
    for name, lump in bones.items():
        begin, end = _OSSIFIED[name]
        age = measures.child + float(np.clip(generator.normal(0, 0.6), -1.2, 1.2))
        if age > begin + 0.4:
            share = min(1.0, 0.35 + 0.65 * (age - begin) / (end - begin))
            lump.shrink(5.2 * (1.0 - share) + 0.25)
            young[name] = lump
    return young


def grain_direction(name: str) -> FloatArray:
    """Main direction of the trabeculae, shape (3,)."""
    if name == "scaphoid":
        return np.array([-0.5, -0.6, -0.5])
    angle = math.radians(8.0 if name in ("capitate", "hamate") else -10.0)
    return np.array([math.sin(angle), -math.cos(angle), 0.0])
