"""Measures that neighbouring bones must agree on, drawn with their usual spread.

Body frame of pelvis and hip: the origin lies midway between the centres of the femoral heads; x to the
image's right (the patient's left), y to the feet, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crepitus.phantom.scene import Person

Generator = np.random.Generator


@dataclass(frozen=True)
class HipMeasures:
    """Of one person's hips; lengths in mm, angles in degrees.

    Attributes:
        head_distance_mm: between the centres of the femoral heads, 175 +- 12.
        head_radius_mm: 24 +- 1.5 in men, 21.5 +- 1.5 in women.
        neck_shaft_deg: 127 +- 6.
        anteversion_deg: 12 +- 8.
        offset_mm: from the head's centre to the axis of the shaft, 42 +- 6.
        neck_width_mm: at its narrowest, 30-35.
        shaft_radius_mm: 14 +- 1.5.
        shaft_cortex_mm: at mid-shaft, 6-9 a side, less in osteoporosis.
    """

    head_distance_mm: float
    head_radius_mm: float
    neck_shaft_deg: float
    anteversion_deg: float
    offset_mm: float
    neck_width_mm: float
    shaft_radius_mm: float
    shaft_cortex_mm: float


def draw_hip_measures(generator: Generator, person: Person) -> HipMeasures:
    """Measures of a person's hips."""

    def normal(mean: float, sd: float) -> float:
        return float(mean + sd * np.clip(generator.standard_normal(), -2.2, 2.2))

    k = person.scale
    male = person.sex == "M"
    head = k * normal(24.0 if male else 21.5, 0.9)
    return HipMeasures(
        head_distance_mm=k * normal(176.0 if male else 174.0, 8.0),
        head_radius_mm=head,
        neck_shaft_deg=normal(127.0, 5.0),
        anteversion_deg=normal(12.0, 7.0),
        offset_mm=k * normal(43.0 if male else 40.0, 4.0),
        neck_width_mm=1.37 * head + normal(0.0, 1.0),
        shaft_radius_mm=k * normal(14.6 if male else 13.4, 1.0),
        shaft_cortex_mm=normal(7.5, 0.7) * (0.35 + 0.65 * min(1.0, person.quality)),
    )
