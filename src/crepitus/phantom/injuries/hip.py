"""Fractures of the proximal femur by AO/OTA class 31-A1 to 31-B3.

A1 is a simple trochanteric break, A2 one with a fragment of the lesser trochanter, A3 a reverse or transverse
one; B1 is subcapital and impacted, B2 transcervical, B3 subcapital and displaced (Mueller AO classification,
femur, proximal segment).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.injuries.fracture import Fracture, Fragment, Motion, Remodelling, Surface
from crepitus.phantom.scene import Anatomy, Injury, Severity, Site

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

HIP_FREQUENCY = {"A1": 192.0, "A2": 120.0, "A3": 15.0, "B1": 71.0, "B2": 241.0, "B3": 141.0}
"""Of 780 fractures (Jimenez-Sanchez et al.): A 327, B 453, with A3 15 and B2 241; the other splits are
assumed. An undisplaced subcapital break is a B1, so that some of the B3 become B1."""

HIP_KINDS = tuple(HIP_FREQUENCY)
"""Names of the injuries that `draw_hip_injury` knows."""


@dataclass(frozen=True)
class _Case:
    """One broken hip: where, how much, and which way is outwards.

    Attributes:
        generator: source of the variation.
        sites: by name without the side.
        out: x of the lateral direction, -1 on the right, 1 on the left.
        severity: how much shows.
        name: of the bone.
    """

    generator: Generator
    sites: dict[str, Site]
    out: float
    severity: Severity
    name: str

    @property
    def amount(self) -> float:
        """Motion in the plane of the image, 0..1."""
        return self.severity.motion * (1.0 if self.severity.in_plane else 0.35)

    def spread(self, low: float, high: float) -> float:
        """A number between two bounds."""
        return float(self.generator.uniform(low, high))

    def turned(self, varus_deg: float, outward_deg: float, forward_deg: float = 0.0) -> FloatArray:
        """Rotation vector: the neck towards the horizontal, the front outwards, the lower end forwards."""
        degrees = np.array([-forward_deg, self.out * outward_deg, -self.out * varus_deg])
        return np.asarray(np.radians(degrees))

    def shifted(self, outward: float, up: float, forward: float = 0.0) -> FloatArray:
        """Translation in mm."""
        return np.array([self.out * outward, -up, forward])

    def surface(
        self, site: Site, tilt: tuple[float, float], *, gap: float = 1.0, side: int = 0, shift: float = 0.0
    ) -> Surface:
        """A rough surface at a site, `shift` mm along its axis; `gap` is a share of the severity's gap."""
        shifts = self.generator.integers(0, 128, 2)
        taper = None
        if self.severity.incomplete and side == 0:
            toward = math.radians(self.spread(20.0, 160.0))
            taper = (math.cos(toward), math.sin(toward), -0.5 * site.radius_mm, 0.9 * site.radius_mm)
        return Surface(
            site.origin_mm + shift * site.axes[0],
            site.axes,
            gap * self.severity.gap_mm,
            tilt=tilt,
            amplitude_mm=self.spread(0.7, 1.7),
            shift=(int(shifts[0]), int(shifts[1])),
            side=side,
            taper=taper,
        )


_Parts = tuple[Fragment, Fragment]
"""Lower and upper."""

_Broken = tuple[tuple[Surface, ...], tuple[Fragment, ...]]


def draw_hip_injury(
    generator: Generator, anatomy: Anatomy, severity: Severity, kind: str | None = None
) -> Injury:
    """A fracture of one upper femur.

    Args:
        generator: source of the variation.
        anatomy: has the sites of `build_femur` for at least one side.
        severity: gap and motion; without motion the fragments stay where they are.
        kind: one of `HIP_KINDS`, or None for the usual frequency.
    """
    sides = [s for s in ("L", "R") if f"neck-{s}" in anatomy.sites]
    side = sides[int(generator.integers(len(sides)))]
    names = np.array(HIP_KINDS)
    weights = np.array(list(HIP_FREQUENCY.values()))
    drawn = str(generator.choice(names, p=weights / weights.sum()))
    if drawn == "B3" and severity.motion == 0.0:
        drawn = "B1"
    kind = drawn if kind is None else kind
    case = _Case(
        generator,
        {k[:-2]: site for k, site in anatomy.sites.items() if k.endswith(f"-{side}")},
        -1.0 if side == "R" else 1.0,
        severity,
        f"femur-{side}",
    )
    surfaces, fragments = _DRAW[kind](case)
    if severity.motion == 0.0:
        fragments = tuple(Fragment(f.signs) for f in fragments)
    shift, angle = _measured(surfaces[0].origin_mm, fragments)
    return Injury(
        fractures=(Fracture(case.name, surfaces, fragments, kind),),
        remodelling={case.name: _impaction(case)} if kind == "B1" else {},
        kind=kind,
        region="hip",
        ao_class=kind,
        side=side,
        gap_mm=surfaces[0].gap_mm,
        displacement_mm=shift,
        angulation_deg=angle,
    )


def _measured(origin: FloatArray, fragments: tuple[Fragment, ...]) -> tuple[float, float]:
    """Offset (mm) and frontal angle (degrees) of the last two fragments, lower and upper, at the break."""
    below, above = fragments[-2].motion, fragments[-1].motion
    offset = below.apply(origin[None])[0] - above.apply(origin[None])[0]
    turn = below.matrix() @ above.matrix().T
    return float(np.linalg.norm(offset)), abs(math.degrees(math.atan2(turn[1, 0], turn[0, 0])))


def _pair(case: _Case, pivot: FloatArray, below: FloatArray, shift: FloatArray, above: FloatArray) -> _Parts:
    """Lower fragment (positive side) and upper fragment of a simple break."""
    lower = Fragment((1,), Motion(below, shift, pivot))
    return lower, Fragment((-1,), Motion(above, np.zeros(3), case.sites["head"].origin_mm))


def _trochanteric_motion(case: _Case) -> _Parts:
    """The shaft slides up and turns outwards; the head tips into varus in its socket."""
    m, way = case.amount, case.severity.motion
    pivot = case.sites["trochanteric"].origin_mm
    turn = case.turned(case.spread(0, 5) * m, case.spread(10, 32) * way)
    shift = case.shifted(case.spread(-5, 3) * m, case.spread(7, 17) * m, -case.spread(2, 9) * way)
    return _pair(case, pivot, turn, shift, case.turned(case.spread(12, 26) * m, 0.0))


def _trochanteric(case: _Case) -> Surface:
    """From the fossa down to the inner cortex just above the lesser trochanter."""
    site = case.sites["trochanteric"]
    tilt = (float(case.generator.normal(0, 0.14)), float(case.generator.normal(0, 0.2)))
    return case.surface(site, tilt, shift=case.spread(-6, 3))


def _simple(case: _Case) -> _Broken:
    return (_trochanteric(case),), _trochanteric_motion(case)


def _multifragmentary(case: _Case) -> _Broken:
    """A2: the lesser trochanter comes off, pulled up and inwards; often the greater one too."""
    main, (lower, upper) = _trochanteric(case), _trochanteric_motion(case)
    way = case.severity.motion
    inner, end = _lesser_cuts(case)
    pulled = Motion(
        case.turned(-case.spread(0, 25) * way, 0.0, case.spread(-12, 12) * way),
        lower.motion.translation + case.shifted(-case.spread(4, 13) * way, case.spread(2, 14) * way),
        inner.origin_mm,
    )
    if case.generator.random() < 0.5:
        return (main, inner, end), _padded((Fragment((1, 1, 1), pulled), lower, upper), 3)
    great = _great(case)
    lifted = Motion(
        case.turned(-case.spread(0, 14) * way, 0.0),
        0.4 * lower.motion.translation + case.shifted(case.spread(0, 5) * way, case.spread(0, 8) * way),
        great.origin_mm,
    )
    fragments = (Fragment((1, 1, 1), pulled), Fragment((1, 0, 0, 1), lifted), lower, upper)
    return (main, inner, end, great), _padded(fragments, 4)


def _padded(fragments: tuple[Fragment, ...], count: int) -> tuple[Fragment, ...]:
    """Fragments with a sign for each of `count` surfaces; 0 for those that do not matter."""
    return tuple(Fragment((*f.signs, *([0] * (count - len(f.signs)))), f.motion) for f in fragments)


def _lesser_cuts(case: _Case) -> tuple[Surface, Surface]:
    """The breaks around the lesser trochanter: along the shaft under it, and out through the inner wall."""
    site = case.sites["lesser"]
    out, up = site.axes[0], site.axes[1]
    tilt = (case.spread(-0.3, 0.1), case.spread(-0.3, 0.3))
    inner = case.surface(site, tilt, gap=0.9, side=1, shift=case.spread(-8, -2))
    angle = math.radians(case.spread(25, 60))
    along = math.cos(angle) * out + math.sin(angle) * up
    across = math.cos(angle) * up - math.sin(angle) * out
    origin = site.origin_mm - case.spread(0.6, 1.2) * site.radius_mm * up
    low = Site(site.bone, origin, np.stack([along, across, np.cross(along, across)]), site.radius_mm)
    end = case.surface(low, (0.0, case.spread(-0.3, 0.3)), gap=0.9, side=1)
    return replace(inner, radius_mm=2.2 * site.radius_mm), replace(end, radius_mm=1.6 * site.radius_mm)


def _great(case: _Case) -> Surface:
    """The break that takes off the greater trochanter, across the end of the main one."""
    site = case.sites["trochanteric"]
    lateral, up = site.axes[0], site.axes[1]
    angle = math.radians(case.spread(48, 72))
    along = math.sin(angle) * up + math.cos(angle) * lateral
    across = math.cos(angle) * up - math.sin(angle) * lateral
    axes = np.stack([along, across, np.cross(along, across)])
    place = Site(site.bone, site.origin_mm + site.radius_mm * (0.38 * up + 0.30 * lateral), axes, 0.0)
    tilt = (case.spread(-0.15, 0.15), case.spread(-0.25, 0.25))
    cut = case.surface(place, tilt, gap=0.8, side=1)
    return replace(cut, radius_mm=1.2 * site.radius_mm)


def _reverse(case: _Case) -> _Broken:
    """A3: from the inner side above the lesser trochanter down to the outer cortex, or straight across."""
    site, below = case.sites["trochanteric"], case.sites["subtrochanteric"]
    down = below.axes[0]
    level = float((case.sites["lesser"].origin_mm - below.origin_mm) @ down)
    slope = case.spread(0.35, 1.0) if case.generator.random() < 0.65 else float(case.generator.normal(0, 0.1))
    start = Site(
        site.bone, below.origin_mm + (level + case.spread(-6, 6)) * down, below.axes, below.radius_mm
    )
    main = case.surface(start, (slope, float(case.generator.normal(0, 0.2))))
    m, way = case.amount, case.severity.motion
    return (main,), _pair(
        case,
        start.origin_mm,
        case.turned(case.spread(0, 10) * m, case.spread(5, 25) * way),
        case.shifted(-case.spread(4, 15) * m, case.spread(2, 12) * m, -case.spread(2, 8) * way),
        case.turned(case.spread(8, 22) * m, case.spread(0, 12) * way, case.spread(0, 12) * way),
    )


def _impacted(case: _Case) -> _Broken:
    """B1: the neck is driven into the head, which tips outwards onto it."""
    site = case.sites["subcapital"]
    tilt = (case.spread(-0.3, 0.25), float(case.generator.normal(0, 0.15)))
    main = case.surface(site, tilt, gap=0.0, shift=case.spread(-2, 3))
    m, way = case.amount, case.severity.motion
    driven = -case.spread(1.5, 4.5) * m * site.axes[0]
    valgus = case.turned(-case.spread(9, 24) * m, 0.0, case.spread(-14, 6) * way)
    return (main,), _pair(case, site.origin_mm, np.zeros(3), driven, valgus)


def _impaction(case: _Case) -> tuple[Remodelling, ...]:
    """The dense band of an impacted break: crushed bone, unevenly along the surface."""
    site = case.sites["subcapital"]
    strength = min(1.0, 0.35 * case.severity.gap_mm + 1.2 * case.severity.motion)
    if strength == 0.0:
        return ()
    spots = []
    for place in np.linspace(-0.8, 0.8, 5):
        at = site.origin_mm + place * site.radius_mm * site.axes[1] + case.spread(-1.5, 1.5) * site.axes[0]
        density = strength * case.spread(0.03, 0.26)
        width, radius = case.spread(0.9, 2.0), site.radius_mm * case.spread(0.6, 1.0)
        spots.append(Remodelling(at, site.axes, 0.0, width, density=density, radius_mm=radius))
    return tuple(spots)


def _cervical_motion(case: _Case, site: Site, power: float, strength: float) -> _Parts:
    """The shaft turns outwards and moves up; the head stays, and tips as far as the neck still leads it."""
    m, way = (strength * amount**power for amount in (case.amount, case.severity.motion))
    pivot = 0.5 * (site.origin_mm + case.sites["trochanteric"].origin_mm)
    return _pair(
        case,
        pivot,
        case.turned(case.spread(0, 8) * m, case.spread(25, 60) * way),
        case.shifted(case.spread(-2, 5) * m, case.spread(13, 29) * m, -case.spread(0, 6) * way),
        case.turned(case.spread(-6, 28) * m, case.spread(-8, 8) * way, case.spread(-8, 8) * way),
    )


def _transcervical(case: _Case) -> _Broken:
    site = case.sites["neck"]
    # Pauwels: from nearly across the load to nearly along it.
    tilt = (case.spread(-0.45, 0.35), float(case.generator.normal(0, 0.25)))
    return (case.surface(site, tilt, shift=case.spread(-4, 6)),), _cervical_motion(case, site, 1.0, 0.8)


def _displaced(case: _Case) -> _Broken:
    # Once it moves it moves far: nothing holds a subcapital break that is not impacted.
    site = case.sites["subcapital"]
    tilt = (case.spread(-0.3, 0.3), float(case.generator.normal(0, 0.2)))
    return (case.surface(site, tilt, shift=case.spread(-2, 4)),), _cervical_motion(case, site, 0.6, 1.0)


_DRAW: dict[str, Callable[[_Case], _Broken]] = {
    "A1": _simple,
    "A2": _multifragmentary,
    "A3": _reverse,
    "B1": _impacted,
    "B2": _transcervical,
    "B3": _displaced,
}
