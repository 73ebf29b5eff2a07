"""The eight carpals of a right wrist: rough lumps first, then cut so that they fit each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.forearm import WristMeasures
from crepitus.phantom.anatomy.sculpt import Lump, bumps, ellipsoid, share_border
from crepitus.phantom.solid.clay import Stuff

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

SPACING_MM = 0.95
"""Of the lattice that carpals and metacarpals share."""
_BODY = Stuff(1.0, 0.28, 3.0)

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
            [
                [-0.4, -5.8, 2.5],
                [-3.2, -9.4, 0.5],
                [-5.6, -13.4, -2.5],
                [-7.8, -17.2, -5.5],
                [-9.6, -18.0, -7.5],
            ],
            [[7.8, 7.4], [7.6, 7.0], [7.2, 5.6], [7.6, 6.0], [5.8, 5.4]],
            [0.75, -0.65, 0.0],
        )
    ],
    "lunate": [([[10.4, -4.8, -4.5], [10.4, -5.6, 0.5], [10.4, -5.1, 5.0]], [[10.6, 9.6]] * 3, [1, 0, 0])],
    "triquetrum": [([[23.0, -9.2, 0.5], [28.0, -15.2, -0.5]], [[7.8, 7.8], [6.0, 6.4]], [0.8, 0.6, 0])],
    "pisiform": [([[25.0, -9.0, -12.0], [25.4, -12.0, -12.8]], [[4.4, 4.6], [4.2, 4.2]], [1, 0, 0])],
    "trapezium": [([[-15.6, -22.8, -8.5], [-19.2, -26.8, -9.5]], [[7.4, 7.0], [7.8, 7.2]], [0.8, -0.5, 0])],
    "trapezoid": [([[-7.2, -23.5, -2.5], [-8.7, -31.0, -1.0]], [[6.6, 6.8], [7.4, 8.0]], [1, -0.2, 0])],
    "capitate": [
        (
            [[8.8, -17.0, 0.0], [7.6, -22.0, 0.0], [5.8, -27.5, 0.0], [5.2, -33.5, 0.0]],
            [[6.9, 7.4], [6.8, 7.6], [8.2, 8.6], [9.0, 9.0]],
            [1, 0, 0],
        )
    ],
    "hamate": [
        (
            [[16.6, -14.8, 0.5], [18.0, -21.0, 0.0], [20.4, -28.0, -0.5], [21.0, -32.0, -0.5]],
            [[4.4, 5.6], [6.4, 7.2], [9.0, 8.2], [9.4, 8.4]],
            [1, 0, 0],
        ),
        ([[19.5, -28.0, -6.0], [18.6, -28.8, -11.0], [17.6, -29.0, -15.5]], [[3.2, 2.4]] * 3, [0, 1, 0]),
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
    lump.roughen(bumps(), 0.3, 0.9, generator.uniform(0, 500, 3))
    return lump


def carpus(generator: Generator, measures: WristMeasures) -> dict[str, Lump]:
    """The carpals by name; in children those that have begun to ossify."""
    bones = {name: _lump(generator, name) for name in NAMES}
    shares = _ossified(generator, measures.child)
    for name, lump in bones.items():
        if shares[name] < 1.0:
            _nucleus(lump, name, shares[name])
    gap = measures.carpal_gap_mm
    # Flat faces: the distal row ends on the line of the metacarpals' bases.
    for name, level, slope in (
        ("capitate", -37.8, 0.12),
        ("hamate", -34.8, 0.3),
        ("trapezoid", -32.2, 0.22),
    ):
        x, y, _ = bones[name].grid
        middle = _TUBES[name][0][0][-1][0]
        bones[name].cut(np.asarray(level + slope * (x - middle) - y, dtype=np.float32), 1.6)
    # The saddle under the first metacarpal.
    x, y, z = bones["trapezium"].grid
    face = (x + 22.0) * -0.62 + (y + 29.5) * -0.78 - 2.2
    bones["trapezium"].cut(np.asarray(face + 0.0 * z, dtype=np.float32), 1.4)
    for a, b in _BORDERS:
        share_border(bones[a], bones[b], gap)
    for a, b in _FITS:
        bones[a].fit(bones[b], gap)
    # Round the corner that is left between scaphoid and trapezoid.
    rounded = ellipsoid(
        bones["trapezium"].grid, np.array([-17.2, -25.2, -9.0]), np.array([8.2, 7.8, 8.4]), np.eye(3)
    )
    bones["trapezium"].cut(rounded, 2.5)
    for name in ("scaphoid", "lunate"):
        body, _ = measures.socket(bones[name].grid, measures.gap_mm)
        bones[name].cut(body, 1.2)
        bones[name].line(body, 0.9)
    if measures.child is None:
        return bones
    for name, lump in bones.items():
        lump.shrink(1.5 * (1.0 - shares[name]))
    return {name: bones[name] for name in NAMES if shares[name] > 0}


def _nucleus(lump: Lump, name: str, share: float) -> None:
    """Leave what has ossified: round in the middle of the cartilage at first, the whole bone at last."""
    middle = np.concatenate([np.array(p) for p, _, _ in _TUBES[name][:1]]).mean(axis=0)
    x, y, z = lump.grid
    away = np.sqrt((x - middle[0]) ** 2 + (y - middle[1]) ** 2 + (z - middle[2]) ** 2)
    lump.shrink(4.5 * (1.0 - share))
    lump.cut(np.asarray(away - (3.0 + 10.5 * share * share), dtype=np.float32), 2.5)


def _ossified(generator: Generator, age: float | None) -> dict[str, float]:
    """Share of each carpal that is bone at an age, 0 for none, 1 in adults."""
    if age is None:
        return dict.fromkeys(NAMES, 1.0)
    result = {}
    for name, (begin, end) in _OSSIFIED.items():
        stage = age + float(np.clip(generator.normal(0, 0.6), -1.2, 1.2))
        share = float(np.clip(0.3 + 0.7 * (stage - begin) / (end - begin), 0.0, 1.0))
        result[name] = 0.0 if stage < begin + 0.3 else share
    return result


def mesh() -> FloatArray:
    """Texture matrix (3, 3): the trabeculae of carpals form a mesh without much of a direction."""
    turn = np.array([[0.8, 0.6, 0.0], [-0.48, 0.64, 0.6], [0.36, -0.48, 0.8]])
    return np.asarray(turn / np.array([[0.34], [0.24], [0.24]]))
