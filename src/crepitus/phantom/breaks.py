"""Drawing fractures of a long bone: kind, place, gap and motion, from a stream that knows nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy import Limb
from crepitus.phantom.fracture import Fracture, Motion, Surface
from crepitus.phantom.project import Bone
from crepitus.phantom.scene import Scene
from crepitus.phantom.shapes import R1, R2, Tube, U, V

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

MARGIN = 0.14
"""Share of the visible length at each end where no fracture is placed."""


@dataclass(frozen=True)
class Preset:
    """How visible fractures are; each pair is a range in the unit of its name.

    Attributes:
        gap_mm, displacement_mm, angulation_deg: ranges of the main fracture.
        undisplaced: share of fractures that show a gap only.
        incomplete: share that leave one cortex whole, of those without motion.
        in_plane: share whose motion is turned into the image plane.
    """

    gap_mm: tuple[float, float]
    displacement_mm: tuple[float, float]
    angulation_deg: tuple[float, float]
    undisplaced: float
    incomplete: float
    in_plane: float


PRESETS: dict[str, Preset] = {
    "easy": Preset((1.2, 4.0), (2.0, 9.0), (2.0, 14.0), 0.1, 0.0, 0.9),
    "default": Preset((0.5, 2.5), (0.5, 6.0), (1.0, 9.0), 0.35, 0.15, 0.5),
    "hard": Preset((0.2, 0.8), (0.0, 1.0), (0.0, 2.0), 0.7, 0.45, 0.2),
}


@dataclass(frozen=True)
class Breaks:
    """All fractures of an image; empty for an unbroken limb.

    Attributes:
        fractures: one per broken bone.
        kind: transverse, oblique, spiral or comminuted; None without a fracture.
        displacement_mm, angulation_deg: of the distal fragments.
    """

    fractures: tuple[Fracture, ...] = ()
    kind: str | None = None
    displacement_mm: float | None = None
    angulation_deg: float | None = None
    carries: bool = field(default=False)

    def of(self, bone: str) -> Fracture | None:
        """The fracture of one bone."""
        return next((f for f in self.fractures if f.bone == bone), None)

    def bones(self, scene: Scene) -> list[Bone]:
        """The bones of a scene with these fractures."""
        limb = scene.limb
        moved = self.fractures[0].distal if self.carries else Motion()
        result = [Bone(limb.main, self.of(limb.main.name), canal=scene.canals[0])]
        if limb.second is not None:
            result.append(Bone(limb.second, self.of(limb.second.name), canal=scene.canals[1]))
        result += [Bone(tube, motion=moved) for tube in limb.beyond]
        return result + [Bone(tube) for tube in limb.before]

    def tissue(self, limb: Limb) -> Tube:
        """Soft tissue that follows the distal fragments smoothly."""
        if not self.carries or self.fractures[0].distal.is_none:
            return limb.tissue
        motion = self.fractures[0].distal
        table = limb.tissue.table.copy()
        beyond = limb.tissue.s - motion.pivot[0]
        arm = 15.0 * np.logaddexp(0.0, beyond / 15.0)
        step = 1 / (1 + np.exp(-beyond / 15.0))
        table[:, U] += motion.rotation[2] * arm + motion.translation[1] * step
        table[:, V] += -motion.rotation[1] * arm + motion.translation[2] * step
        return replace(limb.tissue, table=table)


def draw_breaks(generator: Generator, scene: Scene, preset: Preset) -> Breaks:
    """Draw the fractures of one image.

    Args:
        generator: a stream of its own.
        scene: gives the bones and the visible range.
        preset: ranges.
    """
    limb = scene.limb
    broken, carries = _which(generator, limb)
    low, high = scene.visible_mm
    inset = MARGIN * (high - low)
    tube = broken[0]
    first = max(low + inset, tube.start_mm + 10)
    last = max(first + 1, min(high - inset, tube.end_mm - 10))
    s0 = float(generator.uniform(first, last))
    kind = str(generator.choice(["transverse", "oblique", "spiral", "comminuted"], p=[0.3, 0.34, 0.16, 0.2]))
    still = bool(generator.random() < preset.undisplaced)
    freedom = 1.0 if carries else 0.4
    motion = Motion() if still else _motion(generator, scene, tube, s0, preset, freedom)
    gap = float(generator.uniform(*preset.gap_mm))
    fractures = [_fracture(generator, tube, s0, kind, gap, motion, preset)]
    for other in broken[1:]:
        level = float(
            np.clip(s0 + generator.normal(0, 14), max(low + inset, other.start_mm + 10), other.end_mm - 10)
        )
        simple = str(generator.choice(["transverse", "oblique"]))
        share = gap * float(generator.uniform(0.6, 1.0))
        fractures.append(_fracture(generator, other, level, simple, share, motion, preset))
    return Breaks(
        tuple(fractures),
        kind,
        float(np.linalg.norm(motion.translation)),
        float(np.degrees(np.linalg.norm(motion.rotation))),
        carries,
    )


def _which(generator: Generator, limb: Limb) -> tuple[list[Tube], bool]:
    """Broken bones, and whether everything beyond the fracture goes with the distal fragments."""
    draw = generator.random()
    if limb.second is None:
        return [limb.main], True
    if draw < 0.45:
        return [limb.main, limb.second], True
    if draw < 0.85:
        return [limb.main], False
    return [limb.second], False


def _motion(
    generator: Generator, scene: Scene, tube: Tube, s0: float, preset: Preset, freedom: float
) -> Motion:
    """Translation across the bone and a bend; `freedom` below 1 where a whole neighbour splints the bone."""
    # The direction (a, b) that lies in the image plane.
    sight = scene.pose.axes @ np.array([0.0, 0.0, 1.0])
    plane = math.atan2(sight[1], -sight[2])
    spread = 0.5 if generator.random() < preset.in_plane else np.pi
    shift = plane + generator.choice([0.0, np.pi]) + generator.uniform(-spread, spread)
    bend = plane + generator.choice([0.0, np.pi]) + generator.uniform(-spread, spread)
    row = tube.at(s0)
    size = (
        min(float(generator.uniform(*preset.displacement_mm)), 1.6 * float(row[R1] + row[R2]) / 2) * freedom
    )
    angle = math.radians(float(generator.uniform(*preset.angulation_deg))) * freedom
    # Muscles pull the fragments over each other where the ends have lost contact.
    shortening = -0.35 * size * float(generator.random() < 0.35)
    return Motion(
        rotation=np.array([0.0, -math.sin(bend), math.cos(bend)]) * angle,
        translation=np.array([shortening, size * math.cos(shift), size * math.sin(shift)]),
        pivot=np.array([s0, row[U], row[V]]),
    )


def _fracture(
    generator: Generator, tube: Tube, s0: float, kind: str, gap: float, motion: Motion, preset: Preset
) -> Fracture:
    direction = generator.uniform(0, 2 * np.pi)
    c, s = math.cos(direction), math.sin(direction)
    steep = {
        "transverse": generator.normal(0, 0.14),
        "oblique": generator.uniform(0.45, 1.3),
        "spiral": generator.uniform(0.0, 0.4),
        "comminuted": -generator.uniform(0.5, 1.2),
    }[kind]
    row = tube.at(s0)
    radius = 0.5 * float(row[R1] + row[R2])
    pitch = (
        float(generator.uniform(1.6, 3.6) * radius * generator.choice([-1.0, 1.0]))
        if kind == "spiral"
        else 0.0
    )
    amplitude = float(generator.uniform(0.35, 0.9)) * math.sqrt(radius / 8)
    shift = (int(generator.integers(128)), int(generator.integers(128)))
    surface = Surface(s0, (steep * c, steep * s), pitch, amplitude, shift)
    second, butterfly = None, Motion()
    if kind == "comminuted":
        # The wedge between two oblique surfaces that meet near the axis, pushed out on its side.
        other = generator.uniform(0.5, 1.2)
        second = Surface(s0 - 0.2 * radius, (other * c, other * s), 0.0, amplitude, (shift[1], shift[0]))
        out = 0.5 * gap + generator.uniform(0.3, 1.2) * float(np.linalg.norm(motion.translation)) * 0.6
        turn = generator.normal(0, 0.08) * float(not motion.is_none)
        butterfly = Motion(
            rotation=np.array([0.0, -s, c]) * turn,
            translation=np.array([0.0, c, s]) * out,
            pivot=np.array([s0, row[U] + c * radius, row[V] + s * radius]),
        )
    taper = None
    if motion.is_none and kind != "comminuted" and generator.random() < preset.incomplete:
        angle = generator.uniform(0, 2 * np.pi)
        taper = (math.cos(angle), math.sin(angle), float(generator.uniform(-0.7, 0.2)) * radius, radius)
    return Fracture(tube.name, surface, gap, motion, second, butterfly, taper)
