"""What else a body holds, per scene: gas, old bone changes, hardware; none of it knows of the injury."""

from __future__ import annotations

import numpy as np

from crepitus.phantom.extras.bone import draw_bone_extras
from crepitus.phantom.extras.gas import draw_gas, gas_notes
from crepitus.phantom.scene import Anatomy, Extras

Generator = np.random.Generator


def _with_notes(extras: Extras, **notes: object) -> dict[str, object]:
    return {**extras.notes, **notes}


def draw_pelvis_extras(generator: Generator, anatomy: Anatomy, metal: bool) -> Extras:
    """Extras of a pelvis: bowel gas, bone changes, hardware if `metal`.

    Notes: gas, gas_over_pubis, gas_over_sacrum, nutrient_canal, healed_fracture, bone_island, metal_kind.
    """
    return _trunk(generator, anatomy, metal, gas_share=0.9)


def draw_hip_extras(generator: Generator, anatomy: Anatomy, metal: bool) -> Extras:
    """Extras of a hip: as in a pelvis, with gas less often over the part that shows."""
    return _trunk(generator, anatomy, metal, gas_share=0.75)


def _trunk(generator: Generator, anatomy: Anatomy, metal: bool, gas_share: float) -> Extras:
    gas_stream, bone_stream, metal_stream = generator.spawn(3)
    canals = ("shaft-", "subtrochanteric-", "iliac", "wing")
    healed = ("superior-ramus-", "inferior-ramus-", "neck-", "shaft-", "iliac", "ischium-")
    bone = draw_bone_extras(bone_stream, anatomy, canals, healed, 0.08)
    shown = gas_stream.random() < gas_share
    gas = draw_gas(gas_stream, anatomy.person.scale) if shown else ()
    notes = _with_notes(bone, **gas_notes(anatomy, gas), metal_kind=None)
    return Extras(gas, (), bone.remodelling, bone.tunnels, notes)


def draw_wrist_extras(generator: Generator, anatomy: Anatomy, metal: bool) -> Extras:
    """Extras of a wrist: bone changes, hardware if `metal`.

    Notes: nutrient_canal, healed_fracture, bone_island, metal_kind.
    """
    bone_stream, metal_stream = generator.spawn(2)
    healed = ("radius-", "ulna-shaft", "ulna-distal")
    bone = draw_bone_extras(bone_stream, anatomy, ("radius-shaft", "ulna-shaft"), healed, 0.08)
    return Extras((), (), bone.remodelling, bone.tunnels, _with_notes(bone, metal_kind=None))
