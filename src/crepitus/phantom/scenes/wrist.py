"""The wrist, frontal and lateral, of adults and children."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.wrist import build_wrist, size_of
from crepitus.phantom.extras.draw import draw_wrist_extras
from crepitus.phantom.injuries.wrist import KINDS, draw_wrist_injury
from crepitus.phantom.scene import Anatomy, Person, SceneKind, Shot
from crepitus.phantom.scenes.common import (
    detector_for,
    draw_adult,
    draw_exposure,
    dressed,
    posed,
    rotation,
)

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

CHILDREN = 0.3
"""Share of children."""

_SOURCE_MM = 1050.0


def draw_wrist_person(generator: Generator) -> Person:
    """An adult, or in `CHILDREN` of cases a child of 4 to 15 years."""
    adult = draw_adult(generator)
    if generator.random() >= CHILDREN:
        return adult
    age = round(float(generator.uniform(4.0, 15.0)), 1)
    quality = float(np.clip(generator.normal(0.95, 0.06), 0.8, 1.08))
    fat = float(np.clip(generator.gamma(4.0, 4.0), 5, 35))
    return replace(adult, age=age, quality=quality, fat_mm=fat)


def _lateral(left: bool) -> FloatArray:
    """Turns the body so that the thumb points to the source and the hand stands on its ulnar edge."""
    side = -1.0 if left else 1.0
    return np.array([[0.0, 0.0, side], [0.0, 1.0, 0.0], [-side, 0.0, 0.0]])


def shoot(generator: Generator, anatomy: Anatomy, view: str, size: int) -> Shot:
    """One exposure: palm down ("PA") or on the ulnar edge ("LM"), never quite straight."""
    left = any(bone.solid.name.endswith("-L") for bone in anatomy.bones)
    k = size_of(anatomy.person)
    field = float(np.clip(generator.uniform(120.0, 160.0) * (0.35 + 0.65 * k), 80.0, 165.0))
    in_plane = float(np.clip(generator.normal(0.0, 8.0), -20, 20))
    pronation = float(np.clip(generator.normal(0.0, 5.0), -14, 14))
    tilt = float(np.clip(generator.normal(0.0, 3.0), -8, 8))
    turn = rotation(tilt, pronation, 0.0)
    if view == "LM":
        turn = turn @ _lateral(left)
    turn = rotation(0.0, 0.0, in_plane) @ turn
    height = generator.uniform(16.0, 30.0) if view == "PA" else generator.uniform(28.0, 42.0)
    at = np.array([*generator.normal(0.0, 0.03 * field, 2), height])
    shot = Shot(
        view,
        "L" if left else "R",
        posed(turn, anatomy.centre_mm, at),
        detector_for(size, field, _SOURCE_MM, (float(generator.normal(0, 6)), float(generator.normal(0, 6)))),
        draw_exposure(generator, size, field, (50.0, 60.0), (0.02, 0.12)),
        step_mm=0.6,
    )
    return dressed(generator, shot, "wrist")


WRIST = SceneKind(
    "wrist",
    ("PA", "LM"),
    build_wrist,
    draw_wrist_injury,
    draw_wrist_extras,
    shoot,
    KINDS,
    draw_wrist_person,
)
"""Two views per study."""
