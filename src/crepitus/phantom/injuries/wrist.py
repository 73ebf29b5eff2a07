"""Fractures of the wrist: which kind how often, and how each breaks, moves and takes the hand along."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.carpus import PROXIMAL
from crepitus.phantom.anatomy.sculpt import after
from crepitus.phantom.injuries.fracture import Fracture, Fragment, Motion, Remodelling, Surface
from crepitus.phantom.scene import Anatomy, Injury, Severity, Site

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

KINDS = (
    "colles",
    "smith",
    "intraarticular",
    "ulnar-styloid",
    "scaphoid-waist",
    "both-bone",
    "ulna-shaft",
    "torus",
    "greenstick",
    "salter-harris-2",
)
_ADULT = np.array([0.42, 0.08, 0.18, 0.06, 0.14, 0.06, 0.06, 0.0, 0.0, 0.0])
_CHILD = np.array([0.1, 0.03, 0.0, 0.03, 0.05, 0.15, 0.04, 0.28, 0.16, 0.16])
_DORSAL = np.array([0.0, 0.0, 1.0])
_GROWN = 16.0
"""Age in years from which there are no growth plates."""

_INSTEAD = {"torus": "colles", "greenstick": "both-bone", "salter-harris-2": "colles"}
"""What the same fall does to an adult."""


@dataclass(frozen=True)
class _Place:
    """A site, with the directions that all kinds use, and the size of the person's bones."""

    site: Site
    origin: FloatArray
    distal: FloatArray
    ulnar: FloatArray
    dorsal: FloatArray
    k: float

    def surface(
        self, generator: Generator, severity: Severity, tilt: float, *, gap: float = 1.0, rough: float = 0.6
    ) -> Surface:
        """A rough break across the bone, `gap` times as wide as the severity says."""
        taper = None
        if severity.incomplete:
            angle = generator.uniform(0, 2 * math.pi)
            r = self.site.radius_mm
            taper = (math.cos(angle), math.sin(angle), -0.5 * r, 0.9 * r)
        slope = (float(generator.normal(0, tilt)), float(generator.normal(0, tilt)))
        shift = tuple(int(n) for n in generator.integers(0, 128, 2))
        axes = np.stack([self.distal, self.ulnar, np.cross(self.distal, self.ulnar)])
        return Surface(
            self.origin,
            axes,
            gap * severity.gap_mm,
            slope,
            amplitude_mm=rough * float(generator.uniform(0.7, 1.3)) * self.k,
            shift=(shift[0], shift[1]),
            taper=taper,
        )

    def turn(self, toward: FloatArray, degrees: float) -> FloatArray:
        """Rotation vector that tips the distal direction toward another."""
        axis = np.cross(self.distal, toward)
        return np.asarray(math.radians(degrees) * axis / (np.linalg.norm(axis) + 1e-12))


def _place(anatomy: Anatomy, name: str, along_mm: float = 0.0) -> _Place:
    """A site of the anatomy's side, `along_mm` (of an average man) towards the fingers."""
    full = next(n for n in anatomy.sites if n[:-2] == name)
    site = anatomy.sites[full]
    distal, ulnar = np.asarray(site.axes[0]), np.asarray(site.axes[1])
    dorsal = _DORSAL - (_DORSAL @ distal) * distal
    # The radius is 13 mm across, half, where it breaks in an average man.
    k = anatomy.sites[next(n for n in anatomy.sites if n.startswith("radius-distal"))].radius_mm / 13.0
    origin = site.origin_mm + along_mm * k * distal
    return _Place(site, origin, distal, ulnar, dorsal / np.linalg.norm(dorsal), k)


def _is_child(anatomy: Anatomy) -> bool:
    return anatomy.person.age < _GROWN


def _followers(anatomy: Anatomy, motion: Motion) -> dict[str, Motion]:
    """How carpals and hand go along when the distal radius moves by `motion`.

    The proximal row stays with the radius. The hand keeps most of its direction: it lies on the detector, and
    the midcarpal joint makes up for the tilt, as in patients.
    """
    if motion.is_none:
        return {}
    centre = anatomy.centre_mm
    moved = motion.apply(centre[None])[0] - centre
    rest = Motion(0.3 * motion.rotation, moved, centre)
    result = {}
    for bone in anatomy.bones:
        root = bone.solid.name[:-2]
        if root in ("radius", "ulna"):
            continue
        result[bone.solid.name] = after(motion if root in PROXIMAL else rest, bone.motion)
    for tissue in anatomy.tissue:
        # One skin for forearm and hand: it takes the middle way.
        result[tissue.solid.name] = after(Motion(translation=0.5 * moved), tissue.motion)
    return result


def _join(main: Injury, *others: Injury) -> Injury:
    """One injury of several; the first gives kind, followers and figures."""
    fractures = main.fractures
    remodelling = dict(main.remodelling)
    for other in others:
        fractures = (*fractures, *other.fractures)
        remodelling.update(other.remodelling)
    return replace(main, fractures=fractures, remodelling=remodelling)


def _injury(
    anatomy: Anatomy,
    fracture: Fracture,
    severity: Severity,
    motion: Motion,
    origin: FloatArray,
    changes: tuple[Remodelling, ...] = (),
    *,
    hand_follows: bool = True,
) -> Injury:
    shift = float(np.linalg.norm(motion.apply(origin[None])[0] - origin))
    return Injury(
        (fracture,),
        _followers(anatomy, motion) if hand_follows else {},
        {fracture.bone: changes} if changes else {},
        kind=fracture.kind,
        region="wrist",
        side=fracture.bone[-1],
        gap_mm=severity.gap_mm,
        displacement_mm=shift,
        angulation_deg=float(np.degrees(np.linalg.norm(motion.rotation))),
    )


def _metaphyseal(generator: Generator, anatomy: Anatomy, severity: Severity, sign: float, kind: str) -> Injury:
    """The distal radius, broken across 2-4 cm from the joint; `sign` 1 tilts it to the back, -1 to the palm."""
    p = _place(anatomy, "radius-distal", float(generator.uniform(-9.0, 3.0)))
    m = severity.motion
    main, side = (0.45, 1.3) if severity.in_plane else (1.0, 0.4)
    u = generator.uniform(0.75, 1.25, 5)
    turn = p.turn(sign * p.dorsal, 32.0 * m * main * u[0]) + p.turn(-p.ulnar, 13.0 * m * side * u[1])
    go = sign * p.dorsal * (6.0 * main * u[2]) - p.ulnar * (4.0 * side * u[3]) - p.distal * (4.0 * u[4])
    pivot = p.origin - 0.6 * sign * p.site.radius_mm * 0.7 * p.dorsal
    motion = Motion(turn, m * p.k * go, pivot)
    surfaces = [p.surface(generator, severity, 0.28)]
    fragments = [Fragment((1,), motion)]
    if generator.random() < 0.5 and not severity.incomplete:
        # A splinter of the cortex that was crushed.
        normal = 0.85 * sign * p.dorsal - 0.5 * p.distal + float(generator.normal(0, 0.3)) * p.ulnar
        normal /= np.linalg.norm(normal)
        start = p.origin + p.k * (sign * 3.5 * p.dorsal + 4.0 * p.distal)
        a = np.cross(normal, p.distal)
        a /= np.linalg.norm(a)
        more = replace(
            surfaces[0],
            origin_mm=start,
            axes=np.stack([normal, a, np.cross(normal, a)]),
            gap_mm=0.7 * severity.gap_mm,
            tilt=(0.0, 0.0),
            side=1,
            taper=None,
        )
        loose = Motion(
            p.turn(sign * p.dorsal, -14.0 * m) + p.turn(p.ulnar, float(generator.normal(0, 12.0)) * m),
            m * p.k * (sign * 1.5 * p.dorsal - 1.5 * p.distal),
            start,
        )
        surfaces.append(more)
        fragments = [Fragment((1, 1), after(motion, loose)), Fragment((1, -1), motion)]
    changes = (
        (Remodelling(p.origin, surfaces[0].axes, 0.0, 2.2 * p.k, density=0.08 * m, radius_mm=18.0 * p.k),)
        if m > 0
        else ()
    )
    fracture = Fracture(p.site.bone, tuple(surfaces), tuple(fragments), kind)
    result = _injury(anatomy, fracture, severity, motion, p.origin, changes)
    if generator.random() < (0.5 if not _is_child(anatomy) else 0.25):
        result = _join(result, _styloid(generator, anatomy, severity))
    return result


def _colles(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    return _metaphyseal(generator, anatomy, severity, 1.0, "colles")


def _smith(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    return _metaphyseal(generator, anatomy, severity, -1.0, "smith")


def _intraarticular(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """Into the joint: a transverse break with a split between the fossae, or the radial styloid alone."""
    p = _place(anatomy, "radius-distal", float(generator.uniform(-3.0, 4.0)))
    m = severity.motion
    alone = bool(generator.random() < 0.4)
    slant = float(generator.uniform(0.25, 0.8)) if alone else float(generator.normal(0.0, 0.18))
    normal = -p.ulnar + slant * p.distal * (1.0 if alone else 0.0) + float(generator.normal(0, 0.15)) * p.dorsal
    normal /= np.linalg.norm(normal)
    a = np.cross(normal, p.distal)
    a /= np.linalg.norm(a)
    start = p.origin + p.k * (15.0 * p.distal + float(generator.uniform(-2.0, 4.0)) * p.ulnar)
    across = p.surface(generator, severity, 0.22)
    split = replace(across, origin_mm=start, axes=np.stack([normal, a, np.cross(normal, a)]), tilt=(0.0, 0.0))
    step = Motion(
        p.turn(-p.ulnar, 5.0 * m),
        m * p.k * (-2.5 * p.ulnar - float(generator.uniform(-1.0, 4.0)) * p.distal),
        start,
    )
    if alone:
        fracture = Fracture(p.site.bone, (split,), (Fragment((1,), step),), "intraarticular")
        half = Motion(0.4 * step.rotation, 0.4 * step.translation, step.pivot)
        return replace(
            _injury(anatomy, fracture, severity, step, start), followers=_followers(anatomy, half)
        )
    side = 1.0 if generator.random() < 0.7 else -1.0
    whole = Motion(
        p.turn(side * p.dorsal, 18.0 * m), m * p.k * (side * 3.5 * p.dorsal - 3.5 * p.distal), p.origin
    )
    fragments = (Fragment((1, 1), after(whole, step)), Fragment((1, -1), whole))
    fracture = Fracture(p.site.bone, (across, replace(split, side=1)), fragments, "intraarticular")
    result = _injury(anatomy, fracture, severity, whole, p.origin)
    return _join(result, _styloid(generator, anatomy, severity)) if generator.random() < 0.4 else result


def _styloid(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """The ulnar styloid, at its base or its tip."""
    p = _place(anatomy, "ulna-styloid", float(generator.uniform(-1.0, 2.2)))
    m = severity.motion
    surface = replace(
        p.surface(generator, severity, 0.1, gap=0.8, rough=0.3),
        tilt=(-float(generator.uniform(0.1, 0.6)), float(generator.normal(0, 0.2))),
    )
    go = 1.5 * p.distal - float(generator.uniform(0.0, 3.0)) * p.ulnar + float(generator.normal(0, 1)) * p.dorsal
    motion = Motion(p.turn(-p.ulnar, 25.0 * m), m * p.k * go, p.origin)
    fracture = Fracture(p.site.bone, (surface,), (Fragment((1,), motion),), "ulnar-styloid")
    return _injury(anatomy, fracture, severity, motion, p.origin, hand_follows=False)


def _scaphoid(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """The waist of the scaphoid; the distal part tips to the palm."""
    p = _place(anatomy, "scaphoid-waist", float(generator.normal(0.0, 1.8)))
    m = severity.motion
    surface = p.surface(generator, severity, 0.25, gap=0.7, rough=0.4)
    motion = Motion(
        p.turn(-p.dorsal, 14.0 * m),
        m * p.k * (float(generator.uniform(-1.5, 1.5)) * p.ulnar + 0.8 * p.distal),
        p.origin - 3.0 * p.k * p.dorsal,
    )
    fracture = Fracture(p.site.bone, (surface,), (Fragment((1,), motion),), "scaphoid-waist")
    return _injury(anatomy, fracture, severity, motion, p.origin, hand_follows=False)


def _shaft(
    generator: Generator, anatomy: Anatomy, severity: Severity, p: _Place, motion: Motion, kind: str
) -> Injury:
    fracture = Fracture(
        p.site.bone, (p.surface(generator, severity, 0.3),), (Fragment((1,), motion),), kind
    )
    return _injury(anatomy, fracture, severity, motion, p.origin)


def _both(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """Radius and ulna, a few centimetres above the joint."""
    along = float(generator.uniform(2.0, 18.0))
    p = _place(anatomy, "radius-shaft", along)
    q = _place(anatomy, "ulna-shaft", along + float(generator.normal(0, 4.0)))
    m = severity.motion
    toward = (p.ulnar if severity.in_plane else p.dorsal) * generator.choice([-1.0, 1.0])
    other = p.dorsal if severity.in_plane else p.ulnar
    aside = 6.0 * toward + float(generator.normal(0, 1.5)) * other
    go = aside - float(generator.uniform(0, 7.0)) * m * p.distal
    motion = Motion(p.turn(toward, 20.0 * m * float(generator.uniform(0.5, 1.3))), m * p.k * go, p.origin)
    second = Motion(motion.rotation * 0.9, motion.translation * 0.8, q.origin)
    main = _shaft(generator, anatomy, severity, p, motion, "both-bone")
    return _join(main, _shaft(generator, anatomy, severity, q, second, "both-bone"))


def _nightstick(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """The shaft of the ulna alone, as from warding off a blow."""
    p = _place(anatomy, "ulna-shaft", float(generator.uniform(-4.0, 18.0)))
    m = severity.motion
    toward = -p.ulnar if severity.in_plane else p.dorsal
    motion = Motion(p.turn(toward, 5.0 * m), 3.0 * m * p.k * toward, p.origin)
    result = _shaft(generator, anatomy, severity, p, motion, "ulna-shaft")
    return replace(result, followers={})


def _torus(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """The cortex buckles on the side of compression; nothing gapes."""
    p = _place(anatomy, "radius-distal", float(generator.uniform(-12.0, -2.0)))
    side = float(generator.choice([1.0, 1.0, 1.0, -1.0]))
    bulge = p.k * min(3.2, 1.1 * severity.gap_mm + 1.6 * severity.motion)
    surface = p.surface(generator, severity, 0.12, gap=0.0)
    b = side * float(np.sign(np.cross(p.distal, p.ulnar) @ p.dorsal))
    width = p.k * float(generator.uniform(1.6, 2.6))
    lean = float(generator.normal(0, 0.5))
    ends = (
        Remodelling(p.origin, surface.axes, bulge, width, (lean, b), 0.03 * bulge, 22.0 * p.k),
        Remodelling(p.origin, surface.axes, 0.4 * bulge, width, (-lean, -b), 0.0, 22.0 * p.k),
    )
    changes = ends if bulge > 0 else ()
    bend = Motion(p.turn(side * p.dorsal, 7.0 * severity.motion), pivot=p.origin)
    fracture = Fracture(p.site.bone, (surface,), (Fragment((1,), bend),), "torus")
    return replace(_injury(anatomy, fracture, severity, bend, p.origin, changes), gap_mm=0.0)


def _greenstick(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """One cortex opens, the other bends: the distal part turns about the cortex that holds."""
    p = _place(anatomy, "radius-shaft", float(generator.uniform(4.0, 20.0)))
    # The cortex on the side `open_to` fails in tension; the hand turns the other way.
    open_to = p.ulnar * float(generator.choice([-1.0, 1.0])) if severity.in_plane else -p.dorsal
    r = p.site.radius_mm
    angle = 20.0 * severity.motion * float(generator.uniform(0.7, 1.2))
    motion = Motion(p.turn(-open_to, angle), pivot=p.origin - 0.95 * r * open_to)
    axes = np.stack([p.distal, p.ulnar, np.cross(p.distal, p.ulnar)])
    taper = (float(axes[1] @ open_to), float(axes[2] @ open_to), -0.5 * r, 1.2 * r)
    surface = replace(p.surface(generator, severity, 0.25), taper=taper)
    fracture = Fracture(p.site.bone, (surface,), (Fragment((1,), motion),), "greenstick")
    return _injury(anatomy, fracture, severity, motion, p.origin)


def _salter_harris(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """Through the growth plate and out through a corner of the metaphysis, which goes with the epiphysis."""
    p = _place(anatomy, "radius-distal", 13.5)
    m = severity.motion
    side = 1.0 if generator.random() < 0.8 else -1.0
    corner = side * p.dorsal if not severity.in_plane else -p.ulnar * side
    whole = replace(severity, incomplete=False)
    # The plate is proximal on the ulnar side, see `forearm`.
    plate = replace(p.surface(generator, whole, 0.0, gap=0.5, rough=0.3), tilt=(-0.22, 0.0))
    slope = float(generator.uniform(0.35, 0.8))
    normal = corner + slope * p.distal
    normal /= np.linalg.norm(normal)
    a = np.cross(normal, p.distal)
    a /= np.linalg.norm(a)
    start = p.origin + 0.25 * p.site.radius_mm * corner
    out = replace(
        p.surface(generator, whole, 0.0),
        origin_mm=start,
        axes=np.stack([normal, a, np.cross(normal, a)]),
        tilt=(0.0, 0.0),
        side=-1,
    )
    motion = Motion(p.turn(corner, 16.0 * m), m * p.k * (6.0 * corner + 0.8 * p.distal), p.origin)
    fragments = (Fragment((1, 0), motion), Fragment((-1, 1), motion))
    fracture = Fracture(p.site.bone, (plate, out), fragments, "salter-harris-2")
    return _injury(anatomy, fracture, severity, motion, p.origin)


_DRAW: dict[str, Callable[[Generator, Anatomy, Severity], Injury]] = {
    "colles": _colles,
    "smith": _smith,
    "intraarticular": _intraarticular,
    "ulnar-styloid": _styloid,
    "scaphoid-waist": _scaphoid,
    "both-bone": _both,
    "ulna-shaft": _nightstick,
    "torus": _torus,
    "greenstick": _greenstick,
    "salter-harris-2": _salter_harris,
}


def draw_wrist_injury(
    generator: Generator, anatomy: Anatomy, severity: Severity, kind: str | None = None
) -> Injury:
    """An injury of a wrist.

    Args:
        generator: source of the variation.
        anatomy: from `build_wrist`.
        severity: how much it shows.
        kind: of `KINDS`, or None for one with its usual frequency at that age. A kind that needs a growing
            bone, or one that has not ossified yet, becomes what the same fall does to this person.
    """
    child = _is_child(anatomy)
    drawn = str(generator.choice(KINDS, p=_CHILD / _CHILD.sum() if child else _ADULT / _ADULT.sum()))
    name = drawn if kind is None else kind
    if not child:
        name = _INSTEAD.get(name, name)
    if name == "scaphoid-waist" and not any(s.startswith(name) for s in anatomy.sites):
        name = "torus"
    return _DRAW[name](generator, anatomy, severity)
