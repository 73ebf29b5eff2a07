"""What else a body holds, per scene: gas, old bone changes, hardware; none of it knows of the injury."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.extras.bone import draw_bone_extras
from crepitus.phantom.extras.gas import draw_gas, gas_notes
from crepitus.phantom.extras.hardware import NO_HARDWARE
from crepitus.phantom.extras.metal import HIP_KINDS, PELVIS_KINDS, draw_hardware
from crepitus.phantom.extras.wrist import draw_worn, draw_wrist_hardware
from crepitus.phantom.scene import Anatomy, Extras

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


def draw_pelvis_extras(generator: Generator, anatomy: Anatomy, metal: bool) -> Extras:
    """Extras of a pelvis: bowel gas, bone changes, hardware if `metal`.

    Notes: gas, gas_over_pubis, gas_over_sacrum, nutrient_canal, healed_fracture, bone_island, metal_kind.
    """
    return _trunk(generator, anatomy, metal, 0.9, PELVIS_KINDS)


def draw_hip_extras(generator: Generator, anatomy: Anatomy, metal: bool) -> Extras:
    """Extras of a hip: as in a pelvis, with hardware of the hip only, which is in the picture."""
    return _trunk(generator, anatomy, metal, 0.8, HIP_KINDS)


def _trunk(
    generator: Generator, anatomy: Anatomy, metal: bool, gas_share: float, kinds: tuple[str, ...]
) -> Extras:
    gas_stream, bone_stream, metal_stream = generator.spawn(3)
    canals = ("shaft-", "subtrochanteric-", "iliac", "wing")
    healed = ("superior-ramus-", "inferior-ramus-", "shaft-", "iliac", "ischium-", "subtrochanteric-")
    bone = draw_bone_extras(bone_stream, anatomy, canals, healed, 0.08)
    shown = gas_stream.random() < gas_share
    gas = draw_gas(gas_stream, anatomy.person.scale) if shown else ()
    hardware = draw_hardware(metal_stream, anatomy, kinds) if metal else NO_HARDWARE
    notes = {**bone.notes, **gas_notes(anatomy, gas), "metal_kind": hardware.kind}
    return Extras(gas, hardware.pieces, bone.remodelling, _joined(bone.tunnels, hardware.removed), notes)


def _joined(first: Mapping[str, FloatArray], second: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Tunnels of both, by bone."""
    none = np.zeros((0, 7))
    return {
        name: np.concatenate([first.get(name, none), second.get(name, none)])
        for name in sorted({*first, *second})
    }


def draw_wrist_extras(generator: Generator, anatomy: Anatomy, metal: bool) -> Extras:
    """Extras of a wrist: bone changes, a cast or a bangle, hardware if `metal`.

    Notes: nutrient_canal, healed_fracture, bone_island, cast, bangle, metal_kind.
    """
    bone_stream, wear_stream, metal_stream = generator.spawn(3)
    healed = ("radius-", "ulna-shaft", "ulna-distal")
    bone = draw_bone_extras(bone_stream, anatomy, ("radius-shaft", "ulna-shaft"), healed, 0.08)
    worn, worn_notes = draw_worn(wear_stream, anatomy)
    hardware = draw_wrist_hardware(metal_stream, anatomy) if metal else NO_HARDWARE
    notes = {**bone.notes, **worn_notes, "metal_kind": hardware.kind}
    return Extras((), (*hardware.pieces, *worn), bone.remodelling, bone.tunnels, notes)
