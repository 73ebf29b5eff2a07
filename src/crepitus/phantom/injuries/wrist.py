"""Fractures of the wrist: which kind how often, and how each breaks, moves and takes the hand along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from crepitus.phantom.anatomy.sculpt import after
from crepitus.phantom.injuries.fracture import Fracture, Fragment, Motion, Remodelling
from crepitus.phantom.injuries.wrist_places import (
    Place,
    followers,
    has_site,
    injury_of,
    is_child,
    joined,
    place_of,
)
from crepitus.phantom.scene import Anatomy, Injury, Severity

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

_SITES = {"scaphoid-waist": "scaphoid-waist", "ulnar-styloid": "ulna-styloid"}
_INSTEAD = {"torus": "colles", "greenstick": "both-bone", "salter-harris-2": "colles"}
"""What the same fall does to an adult."""


def _metaphyseal(
    generator: Generator, anatomy: Anatomy, severity: Severity, sign: float, kind: str
) -> Injury:
    """The distal radius, broken 2-4 cm from the joint; `sign` 1 tilts it to the back, -1 to the palm."""
    p = place_of(anatomy, "radius-distal", float(generator.uniform(-9.0, 3.0)))
    m = severity.motion
    main, side = (0.45, 1.3) if severity.in_plane else (1.0, 0.4)
    u = generator.uniform(0.75, 1.25, 5)
    turn = p.turn(sign * p.dorsal, 24.0 * m * main * u[0]) + p.turn(-p.ulnar, 9.0 * m * side * u[1])
    go = sign * p.dorsal * (6.0 * main * u[2]) - p.ulnar * (2.6 * side * u[3]) - p.distal * (5.0 * u[4])
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
    result = injury_of(anatomy, fracture, severity, motion, p.origin, changes)
    if generator.random() < 0.5 and has_site(anatomy, "ulna-styloid"):
        result = joined(result, _styloid(generator, anatomy, severity))
    return result


def _colles(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    return _metaphyseal(generator, anatomy, severity, 1.0, "colles")


def _smith(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    return _metaphyseal(generator, anatomy, severity, -1.0, "smith")


def _intraarticular(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """Into the joint: a transverse break with a split between the fossae, or the radial styloid alone."""
    p = place_of(anatomy, "radius-distal", float(generator.uniform(-3.0, 4.0)))
    m = severity.motion
    alone = bool(generator.random() < 0.4)
    slant = float(generator.uniform(0.25, 0.8)) if alone else float(generator.normal(0.0, 0.18))
    normal = (
        -p.ulnar + slant * p.distal * (1.0 if alone else 0.0) + float(generator.normal(0, 0.15)) * p.dorsal
    )
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
            injury_of(anatomy, fracture, severity, step, start), followers=followers(anatomy, half)
        )
    side = 1.0 if generator.random() < 0.7 else -1.0
    whole = Motion(
        p.turn(side * p.dorsal, 18.0 * m), m * p.k * (side * 3.5 * p.dorsal - 3.5 * p.distal), p.origin
    )
    fragments = (Fragment((1, 1), after(whole, step)), Fragment((1, -1), whole))
    fracture = Fracture(p.site.bone, (across, replace(split, side=1)), fragments, "intraarticular")
    result = injury_of(anatomy, fracture, severity, whole, p.origin)
    both = generator.random() < 0.4 and has_site(anatomy, "ulna-styloid")
    return joined(result, _styloid(generator, anatomy, severity)) if both else result


def _styloid(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """The ulnar styloid, at its base or its tip."""
    p = place_of(anatomy, "ulna-styloid", float(generator.uniform(-1.0, 2.2)))
    m = severity.motion
    surface = replace(
        p.surface(generator, severity, 0.1, gap=0.8, rough=0.3),
        tilt=(-float(generator.uniform(0.1, 0.6)), float(generator.normal(0, 0.2))),
    )
    go = (
        1.5 * p.distal
        - float(generator.uniform(0.0, 3.0)) * p.ulnar
        + float(generator.normal(0, 1)) * p.dorsal
    )
    motion = Motion(p.turn(-p.ulnar, 25.0 * m), m * p.k * go, p.origin)
    fracture = Fracture(p.site.bone, (surface,), (Fragment((1,), motion),), "ulnar-styloid")
    return injury_of(anatomy, fracture, severity, motion, p.origin, hand_follows=False)


def _scaphoid(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """The waist of the scaphoid; the distal part tips to the palm."""
    p = place_of(anatomy, "scaphoid-waist", float(generator.normal(0.0, 1.8)))
    m = severity.motion
    surface = p.surface(generator, severity, 0.25, gap=0.7, rough=0.4)
    motion = Motion(
        p.turn(-p.dorsal, 14.0 * m),
        m * p.k * (float(generator.uniform(-1.5, 1.5)) * p.ulnar + 0.8 * p.distal),
        p.origin - 3.0 * p.k * p.dorsal,
    )
    fracture = Fracture(p.site.bone, (surface,), (Fragment((1,), motion),), "scaphoid-waist")
    return injury_of(anatomy, fracture, severity, motion, p.origin, hand_follows=False)


def _shaft(
    generator: Generator, anatomy: Anatomy, severity: Severity, p: Place, motion: Motion, kind: str
) -> Injury:
    fracture = Fracture(p.site.bone, (p.surface(generator, severity, 0.3),), (Fragment((1,), motion),), kind)
    return injury_of(anatomy, fracture, severity, motion, p.origin)


def _both(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """Radius and ulna, a few centimetres above the joint."""
    along = float(generator.uniform(2.0, 18.0))
    p = place_of(anatomy, "radius-shaft", along)
    q = place_of(anatomy, "ulna-shaft", along + float(generator.normal(0, 4.0)))
    m = severity.motion
    toward = (p.ulnar if severity.in_plane else p.dorsal) * generator.choice([-1.0, 1.0])
    other = p.dorsal if severity.in_plane else p.ulnar
    aside = 6.0 * toward + float(generator.normal(0, 1.5)) * other
    go = aside - float(generator.uniform(0, 7.0)) * m * p.distal
    motion = Motion(p.turn(toward, 20.0 * m * float(generator.uniform(0.5, 1.3))), m * p.k * go, p.origin)
    second = Motion(motion.rotation * 0.9, motion.translation * 0.8, q.origin)
    main = _shaft(generator, anatomy, severity, p, motion, "both-bone")
    return joined(main, _shaft(generator, anatomy, severity, q, second, "both-bone"))


def _nightstick(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """The shaft of the ulna alone, as from warding off a blow."""
    p = place_of(anatomy, "ulna-shaft", float(generator.uniform(-4.0, 18.0)))
    m = severity.motion
    toward = -p.ulnar if severity.in_plane else p.dorsal
    motion = Motion(p.turn(toward, 5.0 * m), 3.0 * m * p.k * toward, p.origin)
    result = _shaft(generator, anatomy, severity, p, motion, "ulna-shaft")
    return replace(result, followers={})


def _torus(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """The cortex buckles on the side of compression; nothing gapes."""
    p = place_of(anatomy, "radius-distal", float(generator.uniform(-12.0, -2.0)))
    side = float(generator.choice([1.0, 1.0, 1.0, -1.0]))
    bulge = p.k * min(2.2, 0.8 * severity.gap_mm + 1.2 * severity.motion)
    surface = p.surface(generator, severity, 0.12, gap=0.0)
    b = side * float(np.sign(np.cross(p.distal, p.ulnar) @ p.dorsal))
    width = p.k * float(generator.uniform(2.4, 4.2))
    lean = float(generator.normal(0, 0.5))
    ends = (
        Remodelling(p.origin, surface.axes, bulge, width, (lean, b), 0.03 * bulge, 22.0 * p.k),
        Remodelling(p.origin, surface.axes, 0.4 * bulge, width, (-lean, -b), 0.0, 22.0 * p.k),
    )
    changes = ends if bulge > 0 else ()
    bend = Motion(
        p.turn(side * p.dorsal, 7.0 * severity.motion), pivot=p.origin - side * 8.0 * p.k * p.dorsal
    )
    fracture = Fracture(p.site.bone, (surface,), (Fragment((1,), bend),), "torus")
    return replace(injury_of(anatomy, fracture, severity, bend, p.origin, changes), gap_mm=0.0)


def _greenstick(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """One cortex opens, the other bends: the distal part turns about the cortex that holds."""
    p = place_of(anatomy, "radius-shaft", float(generator.uniform(4.0, 20.0)))
    # The cortex on the side `open_to` fails in tension; the hand turns the other way.
    open_to = p.ulnar * float(generator.choice([-1.0, 1.0])) if severity.in_plane else -p.dorsal
    r = p.site.radius_mm
    angle = 20.0 * severity.motion * float(generator.uniform(0.7, 1.2))
    motion = Motion(p.turn(-open_to, angle), pivot=p.origin - 0.95 * r * open_to)
    axes = np.stack([p.distal, p.ulnar, np.cross(p.distal, p.ulnar)])
    taper = (float(axes[1] @ open_to), float(axes[2] @ open_to), -0.5 * r, 1.2 * r)
    surface = replace(p.surface(generator, severity, 0.25), taper=taper)
    fracture = Fracture(p.site.bone, (surface,), (Fragment((1,), motion),), "greenstick")
    return injury_of(anatomy, fracture, severity, motion, p.origin)


def _salter_harris(generator: Generator, anatomy: Anatomy, severity: Severity) -> Injury:
    """Through the growth plate and out through a corner of the metaphysis, which goes with the epiphysis."""
    p = place_of(anatomy, "radius-distal", 13.5)
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
    return injury_of(anatomy, fracture, severity, motion, p.origin)


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
    child = is_child(anatomy)
    drawn = str(generator.choice(KINDS, p=_CHILD / _CHILD.sum() if child else _ADULT / _ADULT.sum()))
    name = drawn if kind is None else kind
    if not child:
        name = _INSTEAD.get(name, name)
    if name in ("scaphoid-waist", "ulnar-styloid") and not has_site(anatomy, _SITES[name]):
        name = "torus"
    return _DRAW[name](generator, anatomy, severity)
