"""The pelvis, frontal."""

from __future__ import annotations

import numpy as np

from crepitus.phantom.anatomy.pelvis import build_pelvis
from crepitus.phantom.extras.draw import draw_pelvis_extras
from crepitus.phantom.injuries.pelvis import PELVIS_KINDS, draw_pelvis_injury
from crepitus.phantom.scene import Anatomy, SceneKind, Shot
from crepitus.phantom.scenes.common import (
    detector_for,
    draw_adult,
    draw_exposure,
    dressed,
    posed,
    rotation,
)

Generator = np.random.Generator

SOURCE_MM = 1150.0


def _shot(generator: Generator, anatomy: Anatomy, view: str, size: int) -> Shot:
    """A frontal film of the supine patient: slightly turned, tilted and off centre."""
    field = float(generator.uniform(380, 430))
    turn = rotation(
        float(np.clip(generator.normal(0, 5.0), -11, 11)),
        float(np.clip(generator.normal(0, 2.5), -6, 6)),
        float(np.clip(generator.normal(0, 2.0), -5, 5)),
    )
    at = np.array([generator.normal(0, 7), generator.normal(0, 9), generator.uniform(75, 115)])
    shot = Shot(
        view,
        "B",
        posed(turn, anatomy.centre_mm, at),
        detector_for(size, field, SOURCE_MM),
        draw_exposure(generator, size, field, (70.0, 85.0), (0.25, 0.6), dose=1.5),
        step_mm=float(np.clip(1.3 * field / size, 0.6, 1.1)),
    )
    return dressed(generator, shot, "pelvis")


PELVIS = SceneKind(
    "pelvis",
    ("AP",),
    build_pelvis,
    draw_pelvis_injury,
    draw_pelvis_extras,
    _shot,
    PELVIS_KINDS,
    draw_adult,
)
