"""What the bones of one pelvis share: its shape, and reference coordinates of the hip bone.

The coordinates are those of an average man (head centres 176 mm apart) with x counted outwards from the
midline. They were chosen so that the projection agrees with AP films: crest 160 mm above the head centres,
symphysis 22 to 57 mm below, brim, teardrop and obturator foramen in their places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.measures import HipMeasures
from crepitus.phantom.scene import Person

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

REFERENCE_HALF_MM = 88.0
"""From the midline to the centre of a femoral head in reference coordinates."""


@dataclass(frozen=True)
class PelvisShape:
    """What both hip bones and the sacrum share, mm and degrees.

    Attributes:
        half_mm: from the midline to the centre of a femoral head.
        size: of lengths along y and z.
        tall: height of the wing relative to that of an average man.
        flare_mm: how far the wing leans outwards.
        inlet_mm: added to the half width of the brim.
        subpubic_deg: angle between the inferior rami.
        symphysis_mm: width of the symphysis.
        joint_mm: width of the hip joint.
    """

    half_mm: float
    size: float
    tall: float
    flare_mm: float
    inlet_mm: float
    subpubic_deg: float
    symphysis_mm: float
    joint_mm: float


def draw_shape(generator: Generator, person: Person, measures: HipMeasures) -> PelvisShape:
    """Shape of a person's pelvis."""

    def normal(mean: float, sd: float) -> float:
        return float(mean + sd * np.clip(generator.standard_normal(), -2.0, 2.0))

    male = person.sex == "M"
    return PelvisShape(
        half_mm=measures.head_distance_mm / 2,
        size=person.scale * (1.0 if male else 0.95),
        tall=normal(1.0 if male else 0.95, 0.03),
        flare_mm=normal(0.0 if male else 3.0, 4.0),
        inlet_mm=normal(1.5 if male else 4.5, 1.5),
        subpubic_deg=normal(63.0 if male else 87.0, 3.5),
        symphysis_mm=normal(4.2, 0.6),
        joint_mm=normal(4.0, 0.4),
    )


class HipFrame:
    """Reference coordinates to the body frame of one person's side."""

    def __init__(self, shape: PelvisShape, side: str, jitter: FloatArray) -> None:
        self.sign = -1.0 if side == "R" else 1.0
        self.shape = shape
        self.jitter = jitter

    def at(self, x: float, y: float, z: float) -> FloatArray:
        """Body coordinates of a point in reference coordinates."""
        s = self.shape
        up = float(np.clip((-y - 30.0) / 110.0, 0.0, 1.2))
        y = y * (1.0 + (s.tall - 1.0) * min(1.0, up * 3)) + self.jitter[1] * up
        z = z + self.jitter[2] * up
        x = x + s.flare_mm * up * np.clip((x - 60) / 60, 0, 1) + self.jitter[0] * up
        brim = np.exp(-(((x - 64.0) / 14.0) ** 2)) * float(y < 15.0)
        x = x * s.half_mm / REFERENCE_HALF_MM + s.inlet_mm * brim
        return np.array([self.sign * x, y * s.size, z * s.size])

    def path(self, *points: tuple[float, float, float]) -> FloatArray:
        """Body coordinates of several points, shape (n, 3)."""
        return np.array([self.at(*p) for p in points])

    def direction(self, x: float, y: float, z: float) -> FloatArray:
        """Unit vector; x counts outwards."""
        v = np.array([self.sign * x, y, z])
        return np.asarray(v / np.linalg.norm(v))
