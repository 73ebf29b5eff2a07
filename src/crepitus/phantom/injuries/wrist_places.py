"""What all fractures of the wrist share: their places, and how the hand goes along."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.carpus import PROXIMAL
from crepitus.phantom.anatomy.sculpt import after
from crepitus.phantom.injuries.fracture import Fracture, Motion, Remodelling, Surface
from crepitus.phantom.scene import Anatomy, Injury, Severity, Site

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

GROWN = 16.0
"""Age in years from which there are no growth plates."""

_DORSAL = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Place:
    """A site, with the directions that all kinds use, and the size of the person's bones."""

    site: Site
    origin: FloatArray
    distal: FloatArray
    ulnar: FloatArray
    dorsal: FloatArray
    k: float

    def surface(
        self, generator: Generator, severity: Severity, tilt: float, *, gap: float = 1.0, rough: float = 0.8
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


def place_of(anatomy: Anatomy, name: str, along_mm: float = 0.0) -> Place:
    """A site of the anatomy's side, `along_mm` (of an average man) towards the fingers."""
    full = next(n for n in anatomy.sites if n[:-2] == name)
    site = anatomy.sites[full]
    distal, ulnar = np.asarray(site.axes[0]), np.asarray(site.axes[1])
    dorsal = _DORSAL - (_DORSAL @ distal) * distal
    # The radius is 13 mm across, half, where it breaks in an average man.
    k = anatomy.sites[next(n for n in anatomy.sites if n.startswith("radius-distal"))].radius_mm / 13.0
    origin = site.origin_mm + along_mm * k * distal
    return Place(site, origin, distal, ulnar, dorsal / np.linalg.norm(dorsal), k)


def has_site(anatomy: Anatomy, name: str) -> bool:
    """Whether the anatomy has a site of that name without its side."""
    return any(full[:-2] == name for full in anatomy.sites)


def is_child(anatomy: Anatomy) -> bool:
    """Whether the bones still grow."""
    return anatomy.person.age < GROWN


def followers(anatomy: Anatomy, motion: Motion) -> dict[str, Motion]:
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
        # One skin for forearm and hand: it takes a middle way.
        result[tissue.solid.name] = after(Motion(translation=0.65 * moved), tissue.motion)
    return result


def joined(main: Injury, *others: Injury) -> Injury:
    """One injury of several; the first gives kind, followers and figures."""
    fractures = main.fractures
    remodelling = dict(main.remodelling)
    for other in others:
        fractures = (*fractures, *other.fractures)
        remodelling.update(other.remodelling)
    return replace(main, fractures=fractures, remodelling=remodelling)


def injury_of(
    anatomy: Anatomy,
    fracture: Fracture,
    severity: Severity,
    motion: Motion,
    origin: FloatArray,
    changes: tuple[Remodelling, ...] = (),
    *,
    hand_follows: bool = True,
) -> Injury:
    """The injury with one broken bone; `motion` is that of the part that carries the hand.

    Args:
        anatomy: whose it is.
        fracture: of one bone.
        severity: as drawn.
        motion: of the main fragment.
        origin: where the break is measured, shape (3,), mm.
        changes: bulges and impaction of the bone.
        hand_follows: whether carpals and hand go along.
    """
    shift = float(np.linalg.norm(motion.apply(origin[None])[0] - origin))
    return Injury(
        (fracture,),
        followers(anatomy, motion) if hand_follows else {},
        {fracture.bone: changes} if changes else {},
        kind=fracture.kind,
        region="wrist",
        side=fracture.bone[-1],
        gap_mm=severity.gap_mm,
        displacement_mm=shift,
        angulation_deg=float(np.degrees(np.linalg.norm(motion.rotation))),
    )
