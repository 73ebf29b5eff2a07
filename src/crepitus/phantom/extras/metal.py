"""Which hardware a pelvis or hip holds."""

from __future__ import annotations

import numpy as np

from crepitus.phantom.extras.hardware import Hardware
from crepitus.phantom.extras.hip_metal import cannulated_screws, hip_frame, hip_screw, nail, prosthesis
from crepitus.phantom.extras.pelvis_metal import clips, coil, iliosacral_screw, pubic_plate
from crepitus.phantom.scene import Anatomy

Generator = np.random.Generator

HIP_KINDS = ("cannulated screws", "hip screw", "nail")
"""What holds a broken hip together; a prosthesis would leave no neck to look at."""

PELVIS_KINDS = (*HIP_KINDS, "hemiprosthesis", "total hip", "iliosacral screw", "pubic plate", "clips", "coil")


def make_hardware(generator: Generator, anatomy: Anatomy, kind: str, side: str) -> Hardware | None:
    """Hardware of one of `PELVIS_KINDS`; None if the anatomy lacks the sites or the person does not fit."""
    if kind == "clips":
        return clips(generator, anatomy.person.scale)
    if kind == "coil":
        fits = anatomy.person.sex == "F" and anatomy.person.age < 60
        return coil(generator, anatomy.person.scale) if fits else None
    if kind == "iliosacral screw":
        return iliosacral_screw(generator, anatomy, side)
    if kind == "pubic plate":
        return pubic_plate(generator, anatomy)
    hip = hip_frame(anatomy, side)
    if hip is None:
        return None
    if kind == "cannulated screws":
        return cannulated_screws(generator, hip)
    if kind == "hip screw":
        return hip_screw(generator, hip)
    if kind == "nail":
        return nail(generator, hip)
    return prosthesis(generator, hip, total=kind == "total hip")


def draw_hardware(generator: Generator, anatomy: Anatomy, kinds: tuple[str, ...]) -> Hardware:
    """Hardware of a random kind on a random side; clips where the anatomy names no site for the others."""
    sides = [side for side in ("R", "L") if f"neck-{side}" in anatomy.sites] or ["R", "L"]
    side = sides[int(generator.random() * len(sides))]
    for kind in generator.permutation(np.array(kinds)):
        found = make_hardware(generator, anatomy, str(kind), side)
        if found is not None:
            return found
    return clips(generator, anatomy.person.scale)
