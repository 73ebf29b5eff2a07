"""The distal two thirds of radius and ulna, right side, palm down.

Frame of the wrist: the origin lies on the middle of the radius' articular surface; x to the ulna, y to the
elbow, z to the back of the hand, which faces the X-ray source. Lengths are those of an average man and are
scaled in `wrist`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.sculpt import Lump, bumps, ellipsoid
from crepitus.phantom.scene import Person, Site
from crepitus.phantom.solid.clay import Stuff, curve
from crepitus.phantom.solid.field import FILL, FieldArray

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

SPACING_MM = 1.15
LENGTH_MM = 132.0


@dataclass(frozen=True)
class WristMeasures:
    """Measures that the bones of a wrist must agree on; lengths in mm of an average man, angles in degrees.

    Attributes:
        inclination_deg: of the radius' articular surface in the frontal view, 23 +- 4.
        tilt_deg: palmar tilt of it in the lateral view, 11 +- 5.
        variance_mm: how far the ulna reaches beyond the radius' ulnar corner, 0 +- 1.5.
        gap_mm: width of the joint between radius and carpals (cartilage), 2.2 +- 0.2.
        carpal_gap_mm: between carpals, 1.8 +- 0.2.
        shaft: girth of the shafts relative to the average.
        cortex: thickness of the shafts' cortex relative to the average.
        child: age of a child in years, None in an adult.
    """

    inclination_deg: float
    tilt_deg: float
    variance_mm: float
    gap_mm: float
    carpal_gap_mm: float
    shaft: float
    cortex: float
    child: float | None

    @property
    def condyle(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The ellipsoid on which the joint turns: centre (3,), radii (3,) and axes (3, 3) at the radius.

        Axes are u along the articular surface to the ulna, n to the fingers, w to the back of the hand.
        """
        i, t = math.radians(self.inclination_deg), math.radians(self.tilt_deg)
        u = np.array([math.cos(i), math.sin(i), 0.0])
        n = np.array([math.sin(i), -math.cos(i), 0.0])
        w = np.array([0.0, 0.0, 1.0])
        # The surface looks to the palm: its normal turns away from the back of the hand.
        n, w = math.cos(t) * n - math.sin(t) * w, math.sin(t) * n + math.cos(t) * w
        radii = np.array([24.0, 17.0, 15.5])
        return np.array([0.7, 0.2, 0.0]) + radii[1] * n, radii, np.stack([u, n, w])

    def socket(
        self, grid: tuple[FieldArray, FieldArray, FieldArray], margin_mm: float
    ) -> tuple[FieldArray, FieldArray]:
        """Distance to the condyle reduced by `margin_mm`, and to the plane of the radius' rim, on a grid."""
        centre, radii, axes = self.condyle
        body = ellipsoid(grid, centre, radii - margin_mm, axes)
        x, y, z = grid
        i, t = math.radians(self.inclination_deg), math.radians(self.tilt_deg)
        rim = -2.9 + math.tan(i) * x - math.tan(t) * z
        return body, np.asarray((rim - y) * math.cos(i), dtype=np.float32)


def draw_wrist_measures(generator: Generator, person: Person) -> WristMeasures:
    """Measures of one person's wrist."""

    def normal(mean: float, sd: float) -> float:
        return float(mean + sd * np.clip(generator.standard_normal(), -2.2, 2.2))

    child = person.age if person.age < 16 else None
    return WristMeasures(
        inclination_deg=normal(23.0, 2.8),
        tilt_deg=normal(10.0, 3.5),
        variance_mm=normal(0.0, 1.3),
        gap_mm=normal(2.2, 0.2),
        carpal_gap_mm=normal(1.45, 0.12),
        shaft=normal(1.0, 0.05),
        cortex=normal(1.0, 0.08),
        child=child,
    )


def _noise(generator: Generator, lump: Lump, amplitude_mm: float) -> None:
    lump.roughen(bumps(), amplitude_mm, 1.9, generator.uniform(0, 500, 3))


def _girth(measures: WristMeasures, y: FloatArray) -> FloatArray:
    """Factor on the radius of shafts: the given girth away from the joint, thinner in children."""
    away = np.clip((y - 15.0) / 25.0, 0.0, 1.0)
    child = 1.0 if measures.child is None else 0.94
    return np.asarray(1.0 + away * (measures.shaft * child - 1.0))


def _plate(lump: Lump, generator: Generator, at: FieldArray, age: float, width_mm: float) -> None:
    """Open a growth plate: a wavy gap where `at` (mm along the bone, towards the joint negative) is 0.

    The part towards the joint has ossified less the younger the child is.
    """
    x, _, z = lump.grid
    a, b, c = generator.uniform(0, 2 * math.pi, 3)
    waves = 0.5 * np.sin(x / 2.6 + a) + 0.35 * np.sin(x / 1.4 + z / 2.0 + b) + 0.5 * np.sin(z / 2.8 + c)
    level = np.asarray(at + waves, dtype=np.float32)
    # At 4 years the nucleus is a small lens, at 14 as wide as the shaft.
    lump.distance[...] += np.where(level < 0, np.float32(max(0.0, 0.36 * (13.0 - age))), 0).astype(np.float32)
    lump.cut(np.asarray(0.5 * width_mm - np.abs(level), dtype=np.float32), 0.6)
    lump.line(level, 0.75, 2.0)


def radius(generator: Generator, measures: WristMeasures, ulna: Lump) -> tuple[Lump, FloatArray]:
    """The radius, with room for the ulna's head, and its axis (n, 3)."""
    lump = Lump(np.array([-24.0, -19.0, -19.0]), np.array([24.0, LENGTH_MM, 20.0]), SPACING_MM)
    knots = np.array(
        [
            # y, x, z, radius along x, across it, cortex, fill
            [-14.0, 0.2, 0.0, 16.2, 10.6, 0.7, 0.36],
            [2.0, 0.2, 0.0, 16.0, 10.6, 0.7, 0.36],
            [9.0, 0.1, 0.2, 15.3, 10.3, 0.7, 0.33],
            [18.0, -0.6, 0.6, 12.6, 9.2, 1.0, 0.27],
            [28.0, -1.0, 1.0, 10.2, 7.9, 1.3, 0.20],
            [40.0, -0.8, 1.2, 8.6, 6.9, 2.3, 0.09],
            [60.0, -0.5, 0.9, 7.7, 6.3, 2.9, 0.03],
            [95.0, -1.2, -0.2, 7.6, 6.3, 3.3, 0.02],
            [LENGTH_MM + 4, -3.0, -1.2, 7.8, 6.6, 3.4, 0.02],
        ]
    )
    line = curve(knots, 15)
    y = line[:, 0]
    points = line[:, [1, 0, 2]]
    girth = _girth(measures, y)[:, None]
    cortex = np.where(y > 25, line[:, 5] * measures.cortex, line[:, 5])
    wide = np.array([1.0, 0.0, 0.06])
    lump.tube(points, line[:, 3:5] * girth, Stuff(1.0, 0.2, 3.0), wide=wide, cortex=cortex, fill=line[:, 6])
    # Palmar concavity above the rim, the ridge of Lister between the extensor grooves, and the styloid.
    lump.tube(
        np.array([[-11.0, -1.0, -8.8], [0.0, 1.5, -10.0], [11.0, 4.0, -8.8]]),
        np.array([2.0, 2.4, 2.0]),
        Stuff(0.6, 0.3, 5.0),
    )
    lump.tube(
        np.array([[-1.5, -1.0, 9.4], [-1.8, 5.0, 10.4], [-2.2, 13.0, 9.2]]),
        np.array([2.0, 2.2, 1.6]),
        Stuff(0.8, 0.3, 3.0),
    )
    lump.tube(
        np.array([[-11.5, 4.0, -1.0], [-14.0, -4.5, -1.5], [-14.3, -11.5, -2.0]]),
        np.array([4.8, 3.6, 2.0]),
        Stuff(0.7, 0.3, 5.0),
    )
    _noise(generator, lump, 0.3)
    body, rim = measures.socket(lump.grid, 0.0)
    lump.cut(rim, 2.2)
    lump.cut(-body, 1.4)
    lump.line(body, 1.25)
    lump.fit(ulna, 1.9)
    if measures.child is not None:
        x, yy, z = lump.grid
        at = np.asarray(yy - (6.5 + 0.22 * x - 0.08 * z), dtype=np.float32)
        _plate(lump, generator, at, measures.child, _plate_width(measures.child))
    else:
        _scar(lump, generator)
    return lump, points


def _scar(lump: Lump, generator: Generator) -> None:
    """What remains of the radius' growth plate in many adults: a thin, wavy, denser sheet."""
    x, y, z = lump.grid
    a, b = generator.uniform(0, 2 * math.pi, 2)
    level = y - (7.5 + 0.2 * x - 0.08 * z) + 0.5 * np.sin(x / 3.0 + a) + 0.4 * np.sin(z / 2.5 + b)
    strength = np.float32(max(0.0, generator.uniform(-0.1, 0.22)))
    lump.field[..., FILL] += strength * np.exp(-((level / 1.5) ** 2))


def _plate_width(age: float) -> float:
    """Width of a growth plate, mm: 2.4 at 4 years, 1.2 just before it closes."""
    return float(np.interp(age, [4, 10, 15], [2.5, 2.0, 1.1]))


def ulna(generator: Generator, measures: WristMeasures) -> tuple[Lump, FloatArray]:
    """The ulna and its axis (n, 3)."""
    lump = Lump(np.array([10.0, -10.0, -17.0]), np.array([42.0, LENGTH_MM, 20.0]), SPACING_MM)
    corner = 3.6 - measures.variance_mm
    top = corner + 7.0
    knots = np.array(
        [
            # y, x, z, radius, cortex, fill
            [top - 0.5, 24.2, 1.2, 7.0, 0.6, 0.26],
            [top + 4.5, 24.3, 1.2, 6.8, 0.6, 0.22],
            [top + 13.0, 25.0, 1.2, 5.9, 0.9, 0.12],
            [top + 25.0, 25.6, 1.0, 5.5, 1.5, 0.06],
            [60.0, 25.6, 0.8, 5.7, 2.5, 0.03],
            [95.0, 24.2, 1.2, 6.3, 3.0, 0.02],
            [LENGTH_MM + 4, 22.2, 2.0, 6.9, 3.2, 0.02],
        ]
    )
    line = curve(knots, 12)
    y = line[:, 0]
    points = line[:, [1, 0, 2]]
    girth = _girth(measures, y)
    cortex = np.where(y > 25, line[:, 4] * measures.cortex, line[:, 4])
    lump.tube(points, line[:, 3] * girth, Stuff(1.0, 0.2, 3.0), cortex=cortex, fill=line[:, 5])
    _noise(generator, lump, 0.22)
    # The head's distal face is flat; the styloid stands beside it, dorsally.
    x, yy, z = lump.grid
    lump.cut(np.asarray(corner + 0.04 * (x - 24.0) ** 2 * (x < 24.0) - yy, dtype=np.float32), 1.6)
    tip = [30.0 + generator.normal(0, 0.4), corner - 5.2 + generator.normal(0, 0.8), 2.2]
    lump.tube(
        np.array([[28.0, top + 1.0, 2.2], [29.4, corner - 0.5, 2.6], tip]),
        np.array([3.2, 2.5, 1.5]),
        Stuff(0.7, 0.25, 2.5),
    )
    lump.line(np.asarray(corner - yy + 0 * x + 0 * z, dtype=np.float32), 0.9, 2.0)
    if measures.child is not None:
        at = np.asarray(yy - (corner + 6.0) + 0 * x + 0 * z, dtype=np.float32)
        _plate(lump, generator, at, measures.child - 1.5, _plate_width(measures.child))
    return lump, points


def _frame(points: FloatArray, y: float) -> tuple[FloatArray, FloatArray]:
    """Point of an axis at height y, and rows s (to the fingers), a (to the ulna), b (dorsal)."""
    at = np.array([np.interp(y, points[:, 1], points[:, k]) for k in range(3)])
    step = np.array([np.interp(y - 4.0, points[:, 1], points[:, k]) for k in range(3)]) - at
    s = step / np.linalg.norm(step)
    a = np.array([1.0, 0.0, 0.0]) - s[0] * s
    a /= np.linalg.norm(a)
    return at, np.stack([s, a, np.cross(s, a)])


def sites(radius_axis: FloatArray, ulna_axis: FloatArray, measures: WristMeasures) -> dict[str, Site]:
    """Places where radius and ulna break, right side."""
    result = {}
    corner = 3.6 - measures.variance_mm
    for name, bone, axis, y, half in (
        ("radius-distal", "radius-R", radius_axis, 20.0, 13.0),
        ("radius-shaft", "radius-R", radius_axis, 48.0, 8.2),
        ("ulna-distal", "ulna-R", ulna_axis, 26.0, 6.0),
        ("ulna-shaft", "ulna-R", ulna_axis, 50.0, 5.7),
    ):
        at, axes = _frame(axis, y)
        result[name + "-R"] = Site(bone, at, axes, half)
    _, axes = _frame(ulna_axis, 24.0)
    result["ulna-styloid-R"] = Site("ulna-R", np.array([29.2, corner - 0.6, 2.6]), axes, 3.0)
    return result


def landmarks(measures: WristMeasures) -> dict[str, tuple[str, FloatArray]]:
    """Landmarks of radius and ulna, right side."""
    corner = 3.6 - measures.variance_mm
    return {
        "radial-styloid-R": ("radius-R", np.array([-14.0, -8.2, -1.5])),
        "lunate-fossa-R": ("radius-R", np.array([9.0, 6.4, 0.0])),
        "lister-R": ("radius-R", np.array([-1.8, 5.0, 11.4])),
        "ulnar-styloid-R": ("ulna-R", np.array([29.9, corner - 4.6, 2.2])),
        "ulnar-head-R": ("ulna-R", np.array([24.2, corner + 1.5, 1.2])),
    }
