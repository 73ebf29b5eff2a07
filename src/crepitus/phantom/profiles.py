"""Tables of average shapes: long bones, carpus and the girth of limbs, in mm for an adult of average size.

Rounded from anatomical textbooks; they are meant to look right and to vary, not to be measured from.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """Shape of a bone at relative positions `at`, 0 (proximal) to 1 (distal); all lengths in mm.

    Attributes:
        at: relative positions, increasing from 0 to 1.
        u, v: centre line.
        r1, r2: radii along a and b.
        cortex: cortical thickness.
        triangular: relative size of the third harmonic at mid-shaft, as of the tibia's edges.
    """

    at: tuple[float, ...]
    u: tuple[float, ...]
    v: tuple[float, ...]
    r1: tuple[float, ...]
    r2: tuple[float, ...]
    cortex: tuple[float, ...]
    triangular: float = 0.03


RADIUS = Profile(
    at=(0.0, 0.1, 0.4, 0.7, 0.9, 1.0),
    u=(0.0, -1.0, -2.0, -1.5, 0.0, 1.0),
    v=(0.0, 0.0, 1.0, 2.0, 1.0, 0.0),
    r1=(10.5, 7.0, 6.3, 6.5, 11.2, 15.5),
    r2=(10.0, 6.5, 6.0, 6.0, 8.2, 10.0),
    cortex=(0.8, 2.0, 2.7, 2.6, 1.1, 0.7),
    triangular=0.05,
)
ULNA = Profile(
    at=(0.0, 0.12, 0.35, 0.7, 0.9, 1.0),
    u=(13.5, 16.5, 22.0, 22.4, 22.0, 22.0),
    v=(-5.0, -2.0, 0.0, 0.0, 0.0, 0.0),
    r1=(12.0, 10.5, 6.8, 5.6, 5.4, 7.6),
    r2=(13.0, 12.0, 7.0, 5.6, 5.2, 7.0),
    cortex=(1.0, 1.8, 2.7, 2.4, 1.4, 0.8),
    triangular=0.04,
)
TIBIA = Profile(
    at=(0.0, 0.1, 0.3, 0.68, 0.9, 1.0),
    u=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    v=(0.0, 0.0, 2.0, 3.0, 0.0, 0.0),
    r1=(36.0, 24.0, 14.0, 11.5, 15.5, 23.0),
    r2=(24.0, 21.0, 15.0, 12.5, 14.0, 18.0),
    cortex=(1.2, 2.2, 4.6, 5.2, 2.0, 1.1),
    triangular=0.09,
)
FIBULA = Profile(
    at=(0.0, 0.08, 0.3, 0.7, 0.9, 1.0),
    u=(30.0, 27.0, 25.0, 25.0, 22.0, 24.0),
    v=(-13.0, -12.0, -10.0, -9.0, -6.0, -5.0),
    r1=(10.0, 6.0, 5.8, 5.8, 6.4, 9.0),
    r2=(10.0, 6.0, 6.0, 6.0, 6.4, 8.0),
    cortex=(0.9, 1.8, 2.6, 2.6, 1.7, 0.9),
    triangular=0.07,
)
HUMERUS = Profile(
    at=(0.0, 0.14, 0.4, 0.7, 0.88, 1.0),
    u=(3.0, 1.0, 0.0, 0.0, 0.0, 0.0),
    v=(0.0, 0.0, 0.0, 2.0, 2.0, 4.0),
    r1=(22.0, 15.0, 11.5, 11.0, 17.0, 27.0),
    r2=(22.0, 14.0, 11.0, 10.5, 9.0, 8.5),
    cortex=(1.0, 2.2, 3.8, 3.8, 2.2, 1.1),
    triangular=0.05,
)
FEMUR_END = Profile(
    at=(0.0, 0.72, 1.0),
    u=(0.0, 0.0, 0.0),
    v=(0.0, 0.0, 0.0),
    r1=(15.0, 17.0, 34.0),
    r2=(15.0, 17.0, 24.0),
    cortex=(6.0, 4.0, 1.2),
)
HUMERUS_END = Profile(
    at=(0.0, 0.78, 1.0),
    u=(9.0, 9.0, 8.0),
    v=(0.0, 0.0, 0.0),
    r1=(11.0, 12.0, 24.0),
    r2=(10.0, 9.0, 8.5),
    cortex=(3.0, 3.0, 0.9),
)
FOREARM_START = Profile(
    at=(0.0, 0.12, 1.0),
    u=(0.0, 0.0, 1.0),
    v=(2.0, 0.0, 0.0),
    r1=(10.5, 6.8, 6.0),
    r2=(10.5, 6.5, 6.0),
    cortex=(0.9, 2.2, 2.6),
)
METACARPAL = Profile(
    at=(0.0, 0.5, 1.0),
    u=(0.0, 0.0, 0.0),
    v=(0.0, 1.5, 0.0),
    r1=(6.5, 4.0, 6.8),
    r2=(6.0, 3.8, 6.5),
    cortex=(0.7, 1.9, 0.7),
)
CARPUS = ((8, -9), (8.5, 1), (8, 12), (7, 21), (21, -12), (21, -4), (22, 6), (21, 17))
"""Centres of the carpal bones beyond the wrist joint, (s, a) in mm."""


@dataclass(frozen=True)
class Girth:
    """Muscle of a limb: centre and radii in mm at six positions along it, see `soft_tissue`."""

    u: tuple[float, ...]
    v: tuple[float, ...]
    r1: tuple[float, ...]
    r2: tuple[float, ...]


FOREARM_GIRTH = Girth(u=(9.0,) * 6, v=(0.0,) * 6, r1=(40, 40, 37, 27, 24, 37), r2=(40, 36, 33, 22, 15, 12))
LEG_GIRTH = Girth(
    u=(0, 4, 6, 6, 3, 2), v=(0, -6, -16, -10, -3, 2), r1=(62, 52, 52, 35, 34, 34), r2=(62, 52, 52, 36, 40, 62)
)
ARM_GIRTH = Girth(u=(0.0,) * 6, v=(2.0,) * 6, r1=(66, 55, 44, 39, 40, 38), r2=(66, 52, 44, 39, 34, 34))
