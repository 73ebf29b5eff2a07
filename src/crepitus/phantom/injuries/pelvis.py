"""Fractures of the pelvic ring and the acetabulum, and hip fractures with their usual frequency beside them.

Two breaks of one ring free a piece of bone between them, and only such a piece moves; a single break of a
ramus stays in place. Motions turn the piece about the symphysis, which holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from crepitus.phantom.injuries.fracture import Fracture, Fragment, Motion, Remodelling, Surface
from crepitus.phantom.injuries.hip import HIP_KINDS, draw_hip_injury
from crepitus.phantom.injuries.pelvis_case import PelvisBreak, PelvisCase
from crepitus.phantom.scene import Anatomy, Injury, Severity, Site

Generator = np.random.Generator

HIP_SHARE = 1975 / 2776
"""Hip fractures among all of hip and pelvis (Wang et al. 2019: 1,975 and 801)."""

PELVIS_FREQUENCY = {
    "rami": 0.40,
    "superior-ramus": 0.10,
    "inferior-ramus": 0.06,
    "parasymphyseal": 0.06,
    "ischium": 0.06,
    "iliac-wing": 0.07,
    "acetabulum-transverse": 0.05,
    "acetabulum-anterior": 0.05,
    "acetabulum-posterior": 0.05,
    "sacrum-alar": 0.06,
    "sacrum-foraminal": 0.04,
}
"""Share of each kind among pelvic fractures; assumed, with the rami in front as after falls."""

PELVIS_KINDS = (*PELVIS_FREQUENCY, *HIP_KINDS)
"""Names of the injuries that `draw_pelvis_injury` knows."""

_RAMI_WITH_SACRUM = 0.65
"""Share of sacral fractures that come with broken rami of the same side: lateral compression."""

_LARGEST_MM = 14.0
"""Largest offset of a ramus."""


def draw_pelvis_injury(
    generator: Generator, anatomy: Anatomy, severity: Severity, kind: str | None = None
) -> Injury:
    """A fracture of hip or pelvis.

    Args:
        generator: source of the variation.
        anatomy: from `build_pelvis`.
        severity: gap and motion; without motion all pieces stay where they are.
        kind: one of `PELVIS_KINDS`, or None for the usual frequency of hip and pelvic fractures.
    """
    hip = generator.random() < HIP_SHARE
    names = list(PELVIS_FREQUENCY)
    weights = np.array(list(PELVIS_FREQUENCY.values()))
    drawn = str(generator.choice(names, p=weights / weights.sum()))
    side = str(generator.choice(["R", "L"]))
    if kind in HIP_KINDS or (kind is None and hip):
        return draw_hip_injury(generator, _with_heads(anatomy), severity, kind)
    kind = drawn if kind is None else kind
    case = PelvisCase(generator, anatomy, severity, side)
    return _injury(case, kind, _DRAW[kind](case))


def _with_heads(anatomy: Anatomy) -> Anatomy:
    """The anatomy with the centres of the femoral heads among its landmarks."""
    heads = {
        f"head-{side}": (f"femur-{side}", anatomy.sites[f"head-{side}"].origin_mm) for side in ("R", "L")
    }
    return replace(anatomy, landmarks={**anatomy.landmarks, **heads})


def _injury(case: PelvisCase, kind: str, broken: PelvisBreak) -> Injury:
    bone = case.hip if broken.bone is None else broken.bone
    fragments, followers = broken.fragments, dict(broken.followers)
    if case.severity.motion == 0.0:
        fragments, followers = tuple(Fragment(f.signs) for f in fragments), {}
    main = broken.surfaces[0]
    motion = fragments[0].motion if fragments else Motion()
    moved = motion.apply(main.origin_mm[None])[0] - main.origin_mm
    turn = motion.matrix()
    return Injury(
        fractures=(Fracture(bone, broken.surfaces, fragments, kind), *broken.more),
        followers=followers,
        remodelling={name: (change,) for name, change in broken.dense},
        kind=kind,
        region="pelvis",
        side=case.side,
        gap_mm=main.gap_mm,
        displacement_mm=float(np.linalg.norm(moved)),
        angulation_deg=abs(math.degrees(math.atan2(turn[1, 0], turn[0, 0]))),
    )


def _upper(case: PelvisCase) -> Surface:
    return case.surface(case.site("superior-ramus"), shift=float(case.generator.uniform(-11, 8)), tilt=0.45)


def _lower(case: PelvisCase, low: float = -7.0, high: float = 7.0) -> Surface:
    gap = float(case.generator.uniform(0.5, 1.0))
    return case.surface(case.site("inferior-ramus"), shift=float(case.generator.uniform(low, high)), gap=gap)


def _rami(case: PelvisCase) -> PelvisBreak:
    upper, lower = _upper(case), _lower(case)
    motion = case.about_symphysis(upper.origin_mm, _LARGEST_MM)
    return PelvisBreak((upper, lower), (Fragment((1, 1), motion),))


def _superior(case: PelvisCase) -> PelvisBreak:
    return PelvisBreak((_upper(case),))


def _inferior(case: PelvisCase) -> PelvisBreak:
    return PelvisBreak((_lower(case),))


def _parasymphyseal(case: PelvisCase) -> PelvisBreak:
    """Through the pubic body, nearly parallel to the symphysis."""
    g, middle = case.generator, case.symphysis
    s = case.direction(1.0, float(g.normal(0, 0.25)), float(g.normal(0, 0.15)))
    a = np.array([0.0, 1.0, 0.0]) - s[1] * s
    a /= np.linalg.norm(a)
    site = Site(
        case.hip,
        middle + np.array([case.out * g.uniform(11, 19), 0, 0]),
        np.stack([s, a, np.cross(s, a)]),
        20.0,
    )
    surface = case.surface(site, tilt=0.2, reach=1.6)
    amount = case.severity.motion * 6.0
    across = case.direction(-0.3, float(g.choice([-1.0, 1.0])), 0.4)
    small = np.array([0.0, 0.0, math.radians(3.0) * case.severity.motion * g.normal()])
    return PelvisBreak((surface,), (Fragment((-1,), Motion(small, amount * across, middle)),))


def _ischium(case: PelvisCase) -> PelvisBreak:
    g = case.generator
    upper = case.surface(case.site("ischium"), shift=float(g.uniform(-8, 8)), tilt=0.35, reach=1.9)
    lower = _lower(case, -10.0, 2.0)
    amount = case.severity.motion * 9.0
    way = case.direction(float(g.normal(0, 0.5)), 1.0, -0.5 if case.severity.in_plane else -1.5)
    angle = math.radians(4.0) * case.severity.motion * float(np.clip(g.normal(), -1.2, 1.2))
    turn = np.array([0.0, 0.0, angle])
    return PelvisBreak((upper, lower), (Fragment((1, -1), Motion(turn, amount * way, lower.origin_mm)),))


def _iliac_wing(case: PelvisCase) -> PelvisBreak:
    """A piece of the wing, from the crest to the front edge or right across (Duverney)."""
    g, site = case.generator, case.site("iliac-wing")
    angle = math.radians(g.uniform(-10, 60))
    s = math.cos(angle) * site.axes[0] + math.sin(angle) * site.axes[1]
    a = -math.sin(angle) * site.axes[0] + math.cos(angle) * site.axes[1]
    turned = replace(site, axes=np.stack([s, a, site.axes[2]]))
    surface = case.surface(turned, shift=float(g.uniform(-12, 14)), tilt=0.25, reach=2.4)
    amount = case.severity.motion * 10.0
    way = case.direction(0.5 + 0.4 * g.normal(), 0.5 * g.normal(), 0.4 * g.normal())
    turn = (
        np.array([0.3 * g.normal(), 0.3 * g.normal(), g.normal()]) * math.radians(5.0) * case.severity.motion
    )
    return PelvisBreak((surface,), (Fragment((1,), Motion(turn, amount * way, site.origin_mm)),))


def _transverse(case: PelvisCase) -> PelvisBreak:
    """Through both columns; the lower half turns inwards about the symphysis and takes the femur along."""
    g, site = case.generator, case.site("acetabulum")
    surface = case.surface(site, shift=float(g.uniform(-14, 10)), tilt=0.3, reach=2.6)
    angle = case.severity.motion * 8.0 / 75.0
    if not case.severity.in_plane:
        angle *= 0.35
    axis = np.array([0.2 * g.normal(), 0.2 * g.normal(), -case.out])
    motion = Motion(axis / np.linalg.norm(axis) * angle, np.zeros(3), case.symphysis)
    return PelvisBreak((surface,), (Fragment((-1,), motion),), followers=((f"femur-{case.side}", motion),))


def _anterior(case: PelvisCase) -> PelvisBreak:
    """The front column: from the brim through the front of the socket, and the inferior ramus."""
    g, ramus, socket = case.generator, case.site("superior-ramus"), case.site("acetabulum")
    origin = 0.45 * ramus.origin_mm + 0.55 * socket.origin_mm + np.array([0.0, 0.0, 4.0])
    s = case.direction(-0.5, 0.55 + 0.15 * g.normal(), 0.65)
    a = case.direction(0.6, 0.8, 0.0)
    a = a - (a @ s) * s
    a /= np.linalg.norm(a)
    upper = case.surface(Site(case.hip, origin, np.stack([s, a, np.cross(s, a)]), 20.0), tilt=0.25, reach=1.7)
    motion = case.about_symphysis(upper.origin_mm, 9.0)
    return PelvisBreak((upper, _lower(case)), (Fragment((1, 1), motion),))


def _posterior(case: PelvisCase) -> PelvisBreak:
    """The rear column: from the sciatic notch down through the socket, and the ischial ramus."""
    g, socket = case.generator, case.site("acetabulum")
    s = case.direction(0.45, 0.25 + 0.1 * g.normal(), -0.85)
    a = np.array([0.0, 1.0, 0.0]) - s[1] * s
    a /= np.linalg.norm(a)
    behind = socket.origin_mm + np.array([case.out * 4.0, 14.0, -14.0])
    main = case.surface(Site(case.hip, behind, np.stack([s, a, np.cross(s, a)]), 26.0), tilt=0.15, reach=2.2)
    down = np.array([0.0, 1.0, 0.0])
    frame = np.stack([down, np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])])
    notch = socket.origin_mm + np.array([0.0, g.uniform(-22, -8), -38.0])
    top = case.surface(Site(case.hip, notch, frame, 14.0), tilt=0.4, reach=2.2, side=1)
    lower = _lower(case, -10.0, 2.0)
    amount = case.severity.motion * 9.0
    way = case.direction(-0.8, float(g.normal(0, 0.3)), -0.5)
    motion = Motion(np.zeros(3), amount * way)
    return PelvisBreak((main, top, lower), (Fragment((1, 1, -1), motion),))


def _alar(case: PelvisCase) -> PelvisBreak:
    return _sacrum(case, float(case.generator.uniform(5.0, 12.0)), 0.15)


def _foraminal(case: PelvisCase) -> PelvisBreak:
    return _sacrum(case, float(case.generator.uniform(-8.0, -5.0)), 0.1)


def _sacrum(case: PelvisCase, shift: float, tilt: float) -> PelvisBreak:
    """Along the sacrum, pressed together by the blow from the side; the half pelvis may shift with it."""
    g, site = case.generator, case.site("sacrum")
    surface = case.surface(site, shift=shift, tilt=tilt, reach=2.2)
    surface = replace(surface, amplitude_mm=1.6 * surface.amplitude_mm)
    pressed = Remodelling(
        surface.origin_mm,
        site.axes,
        0.0,
        2.5,
        density=0.12 * float(g.uniform(0.2, 1.0)) * case.severity.motion,
        radius_mm=60.0,
    )
    dense = (("sacrum", pressed),)
    if g.random() > _RAMI_WITH_SACRUM:
        nudge = case.direction(-0.6, float(g.normal(0, 0.5)), 0.5) * 2.0 * case.severity.motion
        return PelvisBreak(
            (surface,), (Fragment((1,), Motion(translation=nudge)),), dense=dense, bone="sacrum"
        )
    upper, lower = _upper(case), _lower(case)
    amount = case.severity.motion * 9.0
    shift_mm = case.direction(-0.6, float(g.normal(-0.5, 0.4)), float(g.normal(0.2, 0.3))) * amount
    whole = Motion(translation=shift_mm)
    back = Motion(translation=-shift_mm)
    still = case.severity.motion == 0.0
    rami = Fracture(case.hip, (upper, lower), (Fragment((1, 1), Motion() if still else back),), "rami")
    followers = ((case.hip, whole), (f"femur-{case.side}", whole))
    return PelvisBreak(
        (surface,), (Fragment((1,), whole),), more=(rami,), followers=followers, dense=dense, bone="sacrum"
    )


_DRAW: dict[str, Callable[[PelvisCase], PelvisBreak]] = {
    "rami": _rami,
    "superior-ramus": _superior,
    "inferior-ramus": _inferior,
    "parasymphyseal": _parasymphyseal,
    "ischium": _ischium,
    "iliac-wing": _iliac_wing,
    "acetabulum-transverse": _transverse,
    "acetabulum-anterior": _anterior,
    "acetabulum-posterior": _posterior,
    "sacrum-alar": _alar,
    "sacrum-foraminal": _foraminal,
}
