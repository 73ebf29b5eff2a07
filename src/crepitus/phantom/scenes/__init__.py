"""One file per scene: its anatomy, views and injuries joined."""

from crepitus.phantom.scene import SceneKind
from crepitus.phantom.scenes.femur import FEMUR
from crepitus.phantom.scenes.pelvis import PELVIS
from crepitus.phantom.scenes.wrist import WRIST

SCENES: dict[str, SceneKind] = {kind.name: kind for kind in (PELVIS, FEMUR, WRIST)}
"""Scenes by name."""
