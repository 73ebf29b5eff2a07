"""The bones and soft tissue of a forearm, a lower leg and an upper arm, drawn with their usual spread.

Limb frame: s runs from the proximal joint (0) to the distal joint (length), a towards the side of the second
bone, b towards the front.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.profiles import (
    ARM_GIRTH,
    CARPUS,
    FEMUR_END,
    FIBULA,
    FOREARM_GIRTH,
    FOREARM_START,
    HUMERUS,
    HUMERUS_END,
    LEG_GIRTH,
    METACARPAL,
    RADIUS,
    TIBIA,
    ULNA,
    Girth,
    Profile,
)
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
"""Standard deviation of a uniform cubic B-spline with knots of standard deviation 1: sqrt(151 / 315)."""


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


@dataclass(frozen=True)
class Build:
    """What the bones of one person share.

    Attributes:
        scale: size relative to the tables.
        quality: bone density; 1 is a young adult, 0.6 osteoporotic.
        fat_mm: subcutaneous fat.
        muscle: girth relative to the tables.
    """

    scale: float
    quality: float
    fat_mm: float
    muscle: float


def knobbly(generator: Generator, tube: Tube, sd: float) -> Tube:
    """A short bone with relative irregularities of standard deviation `sd` around its surface."""
    table = tube.table.copy()
    for column in (RADIUS_COS2, RADIUS_SIN2, RADIUS_COS3, RADIUS_SIN3):
        table[:, column] = np.clip(
            generator.normal(0, sd) + wander(generator, tube.s, 4.0, sd / 2), -0.14, 0.14
        )
    table[:, R1] *= 1 + wander(generator, tube.s, 4.0, sd)
    return replace(tube, table=table)


def _build(generator: Generator, leanest_mm: float, fattest_mm: float) -> Build:
    return Build(
        scale=float(np.clip(generator.normal(1.0, 0.07), 0.82, 1.18)),
        quality=float(generator.uniform(0.62, 1.08)),
        fat_mm=float(generator.uniform(leanest_mm, fattest_mm)),
        muscle=float(np.clip(generator.normal(1.0, 0.1), 0.8, 1.3)),
    )


def long_bone(
    generator: Generator,
    name: str,
    profile: Profile,
    ends: tuple[float, float],
    build: Build,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
    slant: float = 0.0,
    bow_mm: float = 0.0,
) -> Tube:
    """A long bone between two joints.

    Args:
        generator: source of the irregularities.
        name: of the bone.
        profile: average shape.
        ends: s of both ends in mm, not scaled.
        build: size and density.
        shift: added to the centre line (u, v) in mm, not scaled.
        slant: shift along a per mm of length.
        bow_mm: further bending of the shaft along a.
    """
    s = positions(*ends)
    x = (s - s[0]) / (s[-1] - s[0])
    knots = np.array(profile.at)
    k = build.scale

    def along(values: tuple[float, ...]) -> FloatArray:
        return spline(knots, np.array(values), x)

    r1, r2 = k * along(profile.r1), k * along(profile.r2)
    girth = rounded_ends(s, 0.32 * min(r1[0], r1[-1])) * (
        1 + wander(generator, s, 5.0, 0.006) + wander(generator, s, 22.0, 0.012)
    )
    shaft = np.clip(np.minimum(x, 1 - x) / 0.25, 0, 1)
    edge = generator.uniform(0, 2 * np.pi)
    edges = profile.triangular * shaft
    thickness = along(profile.cortex) * (0.55 + 0.45 * build.quality)
    centre = k * along(profile.u) + shift[0] + slant * (s - s[0]) + bow_mm * np.sin(np.pi * x)
    return make_tube(
        name,
        s,
        {
            U: centre + wander(generator, s, 45.0, 0.5) + wander(generator, s, 6.0, 0.06),
            V: k * along(profile.v) + shift[1] + wander(generator, s, 45.0, 0.5),
            R1: np.maximum(r1 * girth, 0.3),
            R2: np.maximum(r2 * girth, 0.3),
            CORTEX: np.maximum(thickness * (1 + wander(generator, s, 8.0, 0.07)), 0.4),
            TRABECULAR: _trabecular(generator, s, shaft, build.quality),
            RADIUS_COS2: wander(generator, s, 18.0, 0.018),
            RADIUS_SIN2: wander(generator, s, 18.0, 0.018),
            RADIUS_COS3: edges * np.cos(edge) + wander(generator, s, 12.0, 0.01),
            RADIUS_SIN3: edges * np.sin(edge) + wander(generator, s, 12.0, 0.01),
            CORTEX_COS1: wander(generator, s, 30.0, 0.14),
            CORTEX_SIN1: wander(generator, s, 30.0, 0.14),
            CORTEX_COS2: wander(generator, s, 12.0, 0.08),
            CORTEX_SIN2: wander(generator, s, 12.0, 0.08),
        },
    )


def _trabecular(generator: Generator, s: FloatArray, shaft: FloatArray, quality: float) -> FloatArray:
    """Volume fraction of trabecular bone along a bone: much at the ends, hardly any in the canal."""
    from_end = np.minimum(s - s[0], s[-1] - s)
    ends = np.exp(-((from_end / (0.085 * np.ptp(s))) ** 2))
    fill = 0.02 + 0.24 * ends + 0.035 * (1 - shaft)
    # The scar of the growth plate: a thin dense plate across the metaphysis, still visible in half of adults.
    scar = s[-1] - generator.uniform(9, 15)
    height = generator.choice([0.0, 0.14])
    fill = fill + height * np.exp(-(((s - scar) / 0.8) ** 2)) + 0.1 * np.exp(-from_end / 2.2)
    return np.asarray(np.maximum(quality * fill * (1 + wander(generator, s, 7.0, 0.12)), 0.0))


def soft_tissue(
    generator: Generator, girth: Girth, at: tuple[float, ...], length: float, build: Build
) -> Tube:
    """Skin surface, with the depth of skin and fat, around a limb; `at` are the positions of `girth`, mm."""
    s = positions(-160.0, length + 160.0)
    knots = np.array(at)

    def along(values: tuple[float, ...]) -> FloatArray:
        return spline(knots, np.array(values), s)

    lean = build.fat_mm * np.clip(1 + wander(generator, s, 60.0, 0.2), 0.4, 2.0)
    # Muscle varies where there is muscle; at the joints the bones decide.
    belly = np.clip(np.minimum(s, length - s) / (0.25 * length), 0, 1)
    size = build.scale * (1 + (build.muscle - 1) * belly)
    r1 = size * along(girth.r1) + lean + wander(generator, s, 40.0, 0.9)
    r2 = size * along(girth.r2) + lean + wander(generator, s, 40.0, 0.9)
    skin = generator.uniform(1.2, 2.0)
    return make_tube(
        "tissue",
        s,
        {
            U: build.scale * along(girth.u) + wander(generator, s, 80.0, 1.5),
            V: build.scale * along(girth.v),
            R1: r1,
            R2: r2,
            CORTEX: skin,
            TRABECULAR: np.minimum(skin + lean, np.minimum(r1, r2) - 4.0),
        },
    )


def forearm(generator: Generator) -> Limb:
    """Radius and ulna with the carpus, the metacarpals and the end of the humerus."""
    build = _build(generator, 2.5, 9.0)
    k = build.scale
    length = 238 * k
    bow = -generator.normal(6.0, 2.0)
    radius = long_bone(generator, "radius", RADIUS, (0, length), build, bow_mm=bow)
    apart = (generator.normal(0, 1.2), 0.0)
    # Ulnar variance: the ulna ends about where the radius does, less its styloid.
    variance = generator.normal(0.0, 1.5)
    ulna = long_bone(generator, "ulna", ULNA, (-16 * k, length - 3 + variance), build, shift=apart)
    elbow = long_bone(generator, "humerus", HUMERUS_END, (-250.0, -3.5), build)
    at = (-120, -10, 0.3 * length, 0.75 * length, length, length + 70)
    tissue = soft_tissue(generator, FOREARM_GIRTH, at, length, build)
    return Limb("FOREARM", radius, ulna, _hand(generator, length, build), (elbow,), tissue, length)


def _hand(generator: Generator, wrist: float, build: Build) -> tuple[Tube, ...]:
    k = build.scale
    bones: list[Tube] = []
    for number, (s, a) in enumerate(CARPUS):
        size = k * generator.uniform((6.4, 6.0, 6.0), (8.2, 8.0, 8.5))
        centre = np.array([wrist + s * k, a * k, 0.0]) + generator.normal(0, 0.5, 3)
        radii = (float(size[0]), float(size[1]), float(size[2]))
        carpal = ellipsoid(f"carpal-{number + 1}", centre, radii, 0.8, 0.2 * build.quality)
        bones.append(knobbly(generator, carpal, 0.09))
    for number, a in enumerate((-19, -8, 1, 10, 20)):
        start = wrist + (29 + 0.1 * abs(a - 1)) * k
        ends = (start, start + 62 * k)
        name = f"metacarpal-{number + 1}"
        shift = (0.9 * a * k, 0.0)
        bones.append(long_bone(generator, name, METACARPAL, ends, build, shift=shift, slant=0.013 * a))
    return tuple(bones)


def lower_leg(generator: Generator) -> Limb:
    """Tibia and fibula with the talus, the calcaneus and the end of the femur."""
    build = _build(generator, 3.0, 14.0)
    k, q = build.scale, build.quality
    length = 355 * k
    tibia = long_bone(generator, "tibia", TIBIA, (0, length), build, bow_mm=generator.normal(2.0, 2.0))
    apart = (generator.normal(0, 2.0), 0.0)
    fibula = long_bone(generator, "fibula", FIBULA, (18 * k, length + 17 * k), build, shift=apart)
    talus = ellipsoid("talus", np.array([length + 16 * k, 0, 4]), (13 * k, 20 * k, 26 * k), 1.1, 0.24 * q)
    heel = ellipsoid(
        "calcaneus", np.array([length + 46 * k, -2, -12]), (16 * k, 18 * k, 36 * k), 1.1, 0.2 * q
    )
    condyles = tuple(
        ellipsoid(f"condyle-{n + 1}", np.array([-26 * k, a * k, 0]), (23 * k, 19 * k, 27 * k), 1.1, 0.22 * q)
        for n, a in enumerate((-18, 18))
    )
    femur = long_bone(generator, "femur", FEMUR_END, (-300.0, -14.0 * k), build)
    at = (-120, -10, 0.28 * length, 0.75 * length, length, length + 70)
    tissue = soft_tissue(generator, LEG_GIRTH, at, length, build)
    return Limb("LEG", tibia, fibula, (talus, heel), (*condyles, femur), tissue, length)


def upper_arm(generator: Generator) -> Limb:
    """Humerus with the proximal ends of radius and ulna; the shoulder blade is left to a later scene."""
    build = _build(generator, 3.0, 14.0)
    k = build.scale
    length = 305 * k
    bow = generator.normal(0.0, 2.0)
    humerus = long_bone(generator, "humerus", HUMERUS, (0, length), build, bow_mm=bow)
    beyond = tuple(
        long_bone(generator, name, FOREARM_START, (length + s * k, length + 200), build, shift=(a * k, 0.0))
        for name, s, a in (("radius", 4.0, -13.0), ("ulna", -9.0, 9.0))
    )
    at = (-80, 20, 0.45 * length, 0.8 * length, length, length + 80)
    tissue = soft_tissue(generator, ARM_GIRTH, at, length, build)
    return Limb("HUMERUS", humerus, None, beyond, (), tissue, length)


LIMBS: dict[str, Callable[[Generator], Limb]] = {"FOREARM": forearm, "LEG": lower_leg, "HUMERUS": upper_arm}
"""Limbs by DICOM body part."""
