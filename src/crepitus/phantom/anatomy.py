"""The bones and soft tissue of a forearm, a lower leg and an upper arm, drawn with their usual spread.

Limb frame: s runs from the proximal joint (0) to the distal joint (length), a towards the side of the second bone,
b towards the front. Sizes are adult means with their spread, rounded from anatomical textbooks; they are meant to
look right and to vary, not to be measured from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.shapes import (
    CORTEX,
    CORTEX_COS1,
    CORTEX_COS2,
    CORTEX_SIN1,
    CORTEX_SIN2,
    R1,
    R2,
    RADIUS_COS2,
    RADIUS_COS3,
    RADIUS_SIN2,
    RADIUS_SIN3,
    TRABECULAR,
    Tube,
    U,
    V,
    ellipsoid,
    make_tube,
    positions,
    rounded_ends,
    spline,
)

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


_SPLINE_SD = 0.69
"""Standard deviation of a uniform cubic B-spline whose knots have standard deviation 1, averaged over positions."""


@dataclass(frozen=True)
class Limb:
    """One limb before anything happened to it.

    Attributes:
        body_part: DICOM Body Part Examined (PS3.16 annex L).
        main, second: the long bones; `second` is None in the upper arm.
        beyond: bones distal to the far joint; they follow the distal fragment.
        before: bones proximal to the near joint.
        tissue: skin surface; see `tissue_paths` for its columns.
        length_mm: between the joints.
    """

    body_part: str
    main: Tube
    second: Tube | None
    beyond: tuple[Tube, ...]
    before: tuple[Tube, ...]
    tissue: Tube
    length_mm: float


def wander(generator: Generator, s: FloatArray, scale_mm: float, sd: float) -> FloatArray:
    """Smooth random variation along a bone with correlation length `scale_mm` and standard deviation `sd`."""
    x = (s - s[0]) / scale_mm
    knots = generator.standard_normal(int(x[-1]) + 4)
    i = x.astype(int)
    t = x - i
    # The uniform cubic B-spline: four weights per position, no system to solve.
    weights = np.stack([(1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3]) / 6
    smooth = sum(weights[k] * knots[i + k] for k in range(4))
    return np.asarray(sd / _SPLINE_SD * smooth)


def long_bone(
    generator: Generator,
    name: str,
    length: tuple[float, float],
    centre: tuple[list[float], list[float]],
    radii: tuple[list[float], list[float]],
    at: list[float],
    cortex: list[float],
    triangular: float,
    quality: float,
) -> Tube:
    """A long bone between two joints.

    Args:
        generator: source of the irregularities.
        name: of the bone.
        length: s of both ends in mm.
        centre: u and v at the positions `at`, mm.
        radii: r1 and r2 at the positions `at`, mm.
        at: relative positions along the bone, 0..1.
        cortex: cortical thickness at the positions `at`, mm.
        triangular: relative size of the third harmonic at mid-shaft: the tibia's edges.
        quality: bone density, 1 is a young adult, 0.6 osteoporotic.
    """
    s = positions(*length)
    x = (s - s[0]) / (s[-1] - s[0])
    knots = np.array(at)

    def along(values: list[float]) -> FloatArray:
        return spline(knots, np.array(values), x)

    cap = rounded_ends(s, 0.32 * min(radii[0][0], radii[0][-1]))
    r1, r2 = along(radii[0]), along(radii[1])
    rough = 1 + wander(generator, s, 5.0, 0.006) + wander(generator, s, 22.0, 0.012)
    shaft = np.clip(np.minimum(x, 1 - x) / 0.25, 0, 1)
    angle = generator.uniform(0, 2 * np.pi)
    thickness = along(cortex) * (0.55 + 0.45 * quality)
    ends = np.exp(-((np.minimum(s - s[0], s[-1] - s) / (0.085 * np.ptp(s))) ** 2))
    fill = (0.02 + 0.24 * ends + 0.035 * (1 - shaft)) * quality
    # The scar of the growth plate: a thin dense plate across the metaphysis, still visible in half of adults.
    scar = s[-1] - generator.uniform(9, 15)
    height = generator.choice([0.0, 0.14]) * quality
    fill = fill + height * np.exp(-(((s - scar) / 0.8) ** 2)) + 0.1 * quality * np.exp(-((s[-1] - s) / 2.2))
    return make_tube(
        name,
        s,
        {
            U: along(centre[0]) + wander(generator, s, 45.0, 0.5) + wander(generator, s, 6.0, 0.06),
            V: along(centre[1]) + wander(generator, s, 45.0, 0.5),
            R1: np.maximum(r1 * cap * rough, 0.3),
            R2: np.maximum(r2 * cap * rough, 0.3),
            CORTEX: np.maximum(thickness * (1 + wander(generator, s, 8.0, 0.07)), 0.4),
            TRABECULAR: np.maximum(fill * (1 + wander(generator, s, 7.0, 0.12)), 0.0),
            RADIUS_COS2: wander(generator, s, 18.0, 0.018),
            RADIUS_SIN2: wander(generator, s, 18.0, 0.018),
            RADIUS_COS3: triangular * shaft * np.cos(angle) + wander(generator, s, 12.0, 0.01),
            RADIUS_SIN3: triangular * shaft * np.sin(angle) + wander(generator, s, 12.0, 0.01),
            CORTEX_COS1: wander(generator, s, 30.0, 0.14),
            CORTEX_SIN1: wander(generator, s, 30.0, 0.14),
            CORTEX_COS2: wander(generator, s, 12.0, 0.08),
            CORTEX_SIN2: wander(generator, s, 12.0, 0.08),
        },
    )


def soft_tissue(
    generator: Generator,
    at: list[float],
    length: float,
    centre: tuple[FloatArray, FloatArray],
    radii: tuple[list[float], list[float]],
    fat_mm: float,
) -> Tube:
    """Skin surface, skin and fat depth around a limb; `at` are positions in mm, `centre` u and v there."""
    s = positions(-160.0, length + 160.0)
    knots = np.array(at)
    lean = fat_mm * np.clip(1 + wander(generator, s, 60.0, 0.2), 0.4, 2.0)
    r1 = spline(knots, np.array(radii[0]), s) + lean + wander(generator, s, 40.0, 0.9)
    r2 = spline(knots, np.array(radii[1]), s) + lean + wander(generator, s, 40.0, 0.9)
    skin = generator.uniform(1.2, 2.0)
    return make_tube(
        "tissue",
        s,
        {
            U: spline(knots, centre[0], s) + wander(generator, s, 80.0, 1.5),
            V: spline(knots, centre[1], s),
            R1: r1,
            R2: r2,
            CORTEX: skin,
            TRABECULAR: np.minimum(skin + lean, np.minimum(r1, r2) - 4.0),
        },
    )


def _quality(generator: Generator) -> float:
    return float(generator.uniform(0.62, 1.08))


def forearm(generator: Generator) -> Limb:
    """Radius and ulna with the carpus, the metacarpal bases and the end of the humerus."""
    k = float(np.clip(generator.normal(1.0, 0.07), 0.82, 1.18))
    length = 238 * k
    q = _quality(generator)
    bow = generator.normal(7.0, 2.0)
    wide = generator.normal(15.5, 1.3) * k
    radius = long_bone(
        generator, "radius", (0, length),
        ([0, -2, -bow, -bow * 0.8, 0, 1], [0, 0, 1, 2, 1, 0]),
        ([10.5 * k, 7 * k, 6.3 * k, 6.5 * k, wide * 0.72, wide], [10 * k, 6.5 * k, 6 * k, 6 * k, 8.2 * k, 10 * k]),
        [0, 0.1, 0.4, 0.7, 0.9, 1.0], [0.8, 2.0, 2.7, 2.6, 1.1, 0.7], 0.05, q,
    )  # fmt: skip
    variance = generator.normal(0.0, 1.5)
    gap = generator.normal(22, 1.2) * k
    ulna = long_bone(
        generator, "ulna", (-16 * k, length - 3 + variance),
        ([gap * 0.62, gap * 0.75, gap, gap * 1.02, gap * 1.0, gap], [-5, -2, 0, 0, 0, 0]),
        ([12 * k, 10.5 * k, 6.8 * k, 5.6 * k, 5.4 * k, 7.6 * k], [13 * k, 12 * k, 7 * k, 5.6 * k, 5.2 * k, 7 * k]),
        [0, 0.12, 0.35, 0.7, 0.9, 1.0], [1.0, 1.8, 2.7, 2.4, 1.4, 0.8], 0.04, q,
    )  # fmt: skip
    bones: list[Tube] = []
    for number, (row, a) in enumerate(
        [(8, -9), (8.5, 1), (8, 12), (7, 21), (21, -12), (21, -4), (22, 6), (21, 17)]
    ):
        size = (generator.uniform(5.6, 7.2) * k, generator.uniform(5.4, 6.8) * k, generator.uniform(6, 8) * k)
        where = np.array([length + row * k + generator.normal(0, 0.5), a * k + generator.normal(0, 0.5), 0.0])
        bones.append(ellipsoid(f"carpal-{number}", where, size, 0.8, 0.2 * q))
    for number, a in enumerate([-19, -8, 1, 10, 20]):
        start = length + (29 + abs(a - 1) * 0.1) * k
        bones.append(
            long_bone(
                generator,
                f"metacarpal-{number + 1}",
                (start, start + 62 * k),
                ([a * 0.9, a * 1.25, a * 1.7], [0, 1.5, 0]),
                ([6.5 * k, 4 * k, 6.8 * k], [6 * k, 3.8 * k, 6.5 * k]),
                [0, 0.5, 1.0],
                [0.7, 1.9, 0.7],
                0.03,
                q,
            )  # fmt: skip
        )
    humerus = long_bone(
        generator, "humerus", (-250.0, -3.5),
        ([gap * 0.4, gap * 0.4, gap * 0.35], [0, 0, 0]), ([11 * k, 12 * k, 24 * k], [10 * k, 9 * k, 8.5 * k]),
        [0, 0.78, 1.0], [3.0, 3.0, 0.9], 0.03, q,
    )  # fmt: skip
    fat = generator.uniform(2.5, 9)
    m = generator.normal(1.0, 0.1)
    mid = np.full(6, gap / 2 - 2)
    tissue = soft_tissue(
        generator, [-120, -10, 0.3 * length, 0.75 * length, length, length + 70], length, (mid, np.zeros(6)),
        ([40 * m, 40 * m, 37 * m, 27 * m, 24 * k, 37 * k], [40 * m, 36 * m, 33 * m, 22 * m, 15 * k, 12 * k]), fat,
    )  # fmt: skip
    return Limb("FOREARM", radius, ulna, tuple(bones), (humerus,), tissue, length)


def lower_leg(generator: Generator) -> Limb:
    """Tibia and fibula with the talus, the calcaneus and the femoral condyles."""
    k = float(np.clip(generator.normal(1.0, 0.07), 0.82, 1.18))
    length = 355 * k
    q = _quality(generator)
    bow = generator.normal(2.0, 2.0)
    tibia = long_bone(
        generator, "tibia", (0, length),
        ([0, 0, bow, bow, 0, 0], [0, 0, 2, 3, 0, 0]),
        ([36 * k, 24 * k, 14 * k, 11.5 * k, 15.5 * k, 23 * k], [24 * k, 21 * k, 15 * k, 12.5 * k, 14 * k, 18 * k]),
        [0, 0.1, 0.3, 0.68, 0.9, 1.0], [1.2, 2.2, 4.6, 5.2, 2.0, 1.1], 0.09, q,
    )  # fmt: skip
    gap = generator.normal(25, 2) * k
    fibula = long_bone(
        generator, "fibula", (18 * k, length + 17 * k),
        ([gap + 5, gap + 2, gap, gap, gap - 3, gap - 1], [-13, -12, -10, -9, -6, -5]),
        ([10 * k, 6 * k, 5.8 * k, 5.8 * k, 6.4 * k, 9 * k], [10 * k, 6 * k, 6 * k, 6 * k, 6.4 * k, 8 * k]),
        [0, 0.08, 0.3, 0.7, 0.9, 1.0], [0.9, 1.8, 2.6, 2.6, 1.7, 0.9], 0.07, q,
    )  # fmt: skip
    talus = ellipsoid("talus", np.array([length + 16 * k, 0, 4]), (13 * k, 20 * k, 26 * k), 1.1, 0.24 * q)
    heel = ellipsoid(
        "calcaneus", np.array([length + 43 * k, -2, -12]), (19 * k, 18 * k, 36 * k), 1.1, 0.2 * q
    )
    condyles = tuple(
        ellipsoid(f"condyle-{n}", np.array([-25 * k, a * k, 0]), (23 * k, 19 * k, 27 * k), 1.1, 0.22 * q)
        for n, a in enumerate((-18, 18))
    )
    femur = long_bone(
        generator, "femur", (-300.0, -12.0),
        ([0, 0, 0], [0, 0, 0]), ([15 * k, 17 * k, 34 * k], [15 * k, 17 * k, 24 * k]),
        [0, 0.72, 1.0], [6.0, 4.0, 1.2], 0.03, q,
    )  # fmt: skip
    fat = generator.uniform(3, 14)
    m = generator.normal(1.0, 0.1)
    u = np.array([0, 4, 6, 6, 3, 2]) * k
    v = np.array([0, -6, -16, -10, -3, 2]) * k
    tissue = soft_tissue(
        generator, [-120, -10, 0.28 * length, 0.75 * length, length, length + 70], length, (u, v),
        ([62 * m, 52 * k, 52 * m, 35 * m, 34 * k, 34 * k], [62 * m, 52 * k, 52 * m, 36 * m, 40 * k, 62 * k]), fat,
    )  # fmt: skip
    return Limb("LEG", tibia, fibula, (talus, heel), (*condyles, femur), tissue, length)


def upper_arm(generator: Generator) -> Limb:
    """Humerus with the proximal ends of radius and ulna; the shoulder blade is left to a later scene."""
    k = float(np.clip(generator.normal(1.0, 0.07), 0.82, 1.18))
    length = 305 * k
    q = _quality(generator)
    bow = generator.normal(0.0, 2.0)
    humerus = long_bone(
        generator, "humerus", (0, length),
        ([3, 1, bow, bow, 0, 0], [0, 0, 0, 2, 2, 4]),
        ([22 * k, 15 * k, 11.5 * k, 11 * k, 17 * k, 27 * k], [22 * k, 14 * k, 11 * k, 10.5 * k, 9 * k, 8.5 * k]),
        [0, 0.14, 0.4, 0.7, 0.88, 1.0], [1.0, 2.2, 3.8, 3.8, 2.2, 1.1], 0.05, q,
    )  # fmt: skip
    beyond = tuple(
        long_bone(
            generator, name, (length + start * k, length + 200),
            ([a, a, a * 1.2], [2, 0, 0]), ([r * k, 6.8 * k, 6 * k], [r * k, 6.5 * k, 6 * k]),
            [0, 0.12, 1.0], [0.9, 2.2, 2.6], 0.04, q,
        )
        for name, start, a, r in (("radius", 4.0, -13.0 * k, 10.0), ("ulna", -9.0, 9.0 * k, 11.0))
    )  # fmt: skip
    fat = generator.uniform(3, 14)
    m = generator.normal(1.0, 0.1)
    tissue = soft_tissue(
        generator, [-80, 20, 0.45 * length, 0.8 * length, length, length + 80], length,
        (np.zeros(6), np.full(6, 2.0)),
        ([66 * m, 55 * m, 44 * m, 39 * m, 40 * k, 38 * m], [66 * m, 52 * m, 44 * m, 39 * m, 34 * k, 34 * m]), fat,
    )  # fmt: skip
    return Limb("HUMERUS", humerus, None, beyond, (), tissue, length)


LIMBS: dict[str, Callable[[Generator], Limb]] = {"FOREARM": forearm, "LEG": lower_leg, "HUMERUS": upper_arm}
"""Limbs by DICOM body part."""
