"""One hip from the front: the upper femur in its socket."""

from __future__ import annotations

import numpy as np

from crepitus.phantom.anatomy.femur import build_femur
from crepitus.phantom.anatomy.measures import draw_hip_measures
from crepitus.phantom.injuries.hip import HIP_KINDS, draw_hip_injury
from crepitus.phantom.scene import Anatomy, Extras, Person, SceneKind, Shot
from crepitus.phantom.scenes.common import (
    detector_for,
    draw_adult,
    draw_collimation,
    draw_exposure,
    posed,
    rotation,
)
from crepitus.phantom.solid.clay import Clay, Stuff
from crepitus.phantom.xray.project import Bone, Tissue

Generator = np.random.Generator


def _anatomy(generator: Generator, person: Person) -> Anatomy:
    measures = draw_hip_measures(generator, person)
    side = str(generator.choice(["R", "L"]))
    part = build_femur(generator, person, measures, side)
    t = Clay(np.array([-260.0, -200, -110]), np.array([260.0, 300, 110]), 5.0)
    x = -130 if side == "R" else 130
    t.tube(np.array([[x, -190.0, 0], [x, 290, 0]]), np.array([115.0, 85]), Stuff(person.fat_mm, 0.9, 4))
    head = part.landmarks[f"neck-{side}"][1]
    return Anatomy(
        "HIP",
        person,
        (Bone(part.solids[0]),),
        (Tissue(t.finish("tissue")),),
        part.landmarks,
        part.sites,
        head,
    )


def _shot(generator: Generator, anatomy: Anatomy, view: str, size: int) -> Shot:
    field_mm = generator.uniform(160, 220)
    return Shot(
        view,
        "R" if anatomy.centre_mm[0] < 0 else "L",
        posed(
            rotation(0, float(generator.normal(0, 5)), float(generator.normal(0, 4))),
            anatomy.centre_mm,
            np.array([0, -20, 110.0]),
        ),
        detector_for(size, field_mm, 1150.0),
        draw_exposure(generator, size, field_mm, (70.0, 80.0), (0.1, 0.4)),
        field=draw_collimation(generator, size),
    )


FEMUR = SceneKind(
    "femur",
    ("AP",),
    _anatomy,
    draw_hip_injury,
    lambda g, a, metal: Extras(),
    _shot,
    HIP_KINDS,
    draw_adult,
)
