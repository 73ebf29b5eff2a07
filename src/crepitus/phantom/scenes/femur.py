"""One hip from the front: the upper femur in its socket, with the neighbouring pelvis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crepitus.phantom.anatomy.femur import build_femur
from crepitus.phantom.anatomy.hip_bone import build_hip_bone
from crepitus.phantom.anatomy.measures import draw_hip_measures
from crepitus.phantom.anatomy.pelvis_shape import draw_shape
from crepitus.phantom.anatomy.pelvis_tissue import build_tissue
from crepitus.phantom.anatomy.sacrum import build_sacrum
from crepitus.phantom.extras.draw import draw_hip_extras
from crepitus.phantom.injuries.fracture import Motion
from crepitus.phantom.injuries.hip import HIP_KINDS, draw_hip_injury
from crepitus.phantom.scene import Anatomy, Person, SceneKind, Shot
from crepitus.phantom.scenes.common import (
    detector_for,
    draw_adult,
    draw_exposure,
    dressed,
    posed,
    rotation,
)
from crepitus.phantom.xray.project import Bone

Generator = np.random.Generator

_REGION_MM = np.array([140.0, 140.0, 190.0])
"""Half the size of the box around the hip that the field of the film can show."""

SOURCE_MM = 1150.0


def _person(generator: Generator) -> Person:
    """Hips break in the old, and twice as often in women."""
    person = draw_adult(generator)
    sex = "F" if generator.random() < 2 / 3 else "M"
    age = float(np.clip(generator.normal(73, 13), 25, 99))
    loss = 0.0045 * max(0.0, age - 40) + (0.004 * max(0.0, age - 50) if sex == "F" else 0.0)
    quality = float(np.clip(generator.normal(1.04, 0.09) - loss, 0.5, 1.15))
    return replace(person, sex=sex, age=round(age, 1), quality=quality)


def _anatomy(generator: Generator, person: Person) -> Anatomy:
    measures = draw_hip_measures(generator, person)
    shape = draw_shape(generator, person, measures)
    side = "R" if generator.random() < 0.5 else "L"
    out = -1.0 if side == "R" else 1.0
    middle = np.array([out * (shape.half_mm + 12.0), 20.0, 0.0])
    region = (middle - _REGION_MM, middle + _REGION_MM)
    hip = build_hip_bone(generator, person, measures, side, shape, region)
    sacrum = build_sacrum(generator, person, measures, shape, spine=False, region=region)
    femur = build_femur(generator, person, measures, side)
    # The leg lies turned outwards, or is held inwards so that the neck is seen at full length.
    outward = float(np.clip(generator.normal(-2.0, 9.0), -18.0, 18.0))
    spread, bent = np.clip(generator.normal(0.0, [3.0, 3.0]), -7.0, 7.0)
    turn = np.radians([bent, out * outward, -out * spread])
    leg = Motion(rotation=turn, pivot=femur.sites[f"head-{side}"].origin_mm)
    bones = [Bone(solid) for part in (hip, sacrum) for solid in part.solids]
    bones += [Bone(solid, motion=leg) for solid in femur.solids]
    centre = leg.apply(femur.landmarks[f"neck-{side}"][1][None])[0]
    tissue = build_tissue(generator, person, shape, region)
    return Anatomy("HIP", person, tuple(bones), tissue, femur.landmarks, femur.sites, centre)


def _shot(generator: Generator, anatomy: Anatomy, view: str, size: int) -> Shot:
    """A frontal film of the supine patient, centred on the neck of the femur."""
    field_mm = float(generator.uniform(160.0, 220.0))
    turn = rotation(
        float(np.clip(generator.normal(0, 4.0), -9, 9)),
        float(np.clip(generator.normal(0, 3.0), -8, 8)),
        float(np.clip(generator.normal(0, 2.5), -6, 6)),
    )
    at = np.array([generator.normal(0, 6), generator.normal(-16, 9), generator.uniform(80, 120)])
    exposure = draw_exposure(generator, size, field_mm, (70.0, 80.0), (0.2, 0.5), dose=3.0)
    shot = Shot(
        view,
        "R" if anatomy.centre_mm[0] < 0 else "L",
        posed(turn, anatomy.centre_mm, at),
        detector_for(size, field_mm, SOURCE_MM),
        exposure,
        step_mm=1.1,
    )
    return dressed(generator, shot, "hip")


FEMUR = SceneKind(
    "femur",
    ("AP",),
    _anatomy,
    draw_hip_injury,
    draw_hip_extras,
    _shot,
    HIP_KINDS,
    _person,
)
