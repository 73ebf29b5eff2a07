"""What all scenes share: persons, exposure, collimation, pose, the severity of a fracture."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.extras.marks import draw_text
from crepitus.phantom.extras.overlays import draw_grid, draw_things, overlay_notes
from crepitus.phantom.scene import Person, Severity, Shot
from crepitus.phantom.xray.physics import Exposure
from crepitus.phantom.xray.project import Detector, Pose

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


FINEST_RAYS_MM = 0.85
"""Rays are not set closer than images need: trabeculae and cortices are about this wide."""


@dataclass(frozen=True)
class Preset:
    """How visible fractures are.

    Attributes:
        gap_mm: range of the main gap; drawn evenly in its logarithm.
        motion: range of the motion, 0..1 of what the site knows.
        undisplaced: share of fractures that show a gap only.
        incomplete: share of those that leave one cortex whole.
        in_plane: share whose motion lies in the plane of the frontal image.
    """

    gap_mm: tuple[float, float]
    motion: tuple[float, float]
    undisplaced: float
    incomplete: float
    in_plane: float


PRESETS: dict[str, Preset] = {
    "easy": Preset((1.2, 4.0), (0.35, 1.0), 0.05, 0.0, 0.9),
    "default": Preset((0.3, 2.5), (0.0, 0.9), 0.3, 0.25, 0.5),
    "hard": Preset((0.2, 0.8), (0.0, 0.15), 0.7, 0.4, 0.2),
}


def draw_severity(generator: Generator, preset: Preset) -> Severity:
    """How much a fracture shows."""
    low, high = preset.gap_mm
    gap = float(math.exp(generator.uniform(math.log(low), math.log(high))))
    undisplaced = bool(generator.random() < preset.undisplaced)
    # Small motions are more frequent than large ones.
    motion = preset.motion[0] + (preset.motion[1] - preset.motion[0]) * float(generator.random()) ** 1.5
    incomplete = bool(generator.random() < preset.incomplete) and undisplaced
    in_plane = bool(generator.random() < preset.in_plane)
    return Severity(gap, 0.0 if undisplaced else motion, incomplete, in_plane)


def draw_adult(generator: Generator) -> Person:
    """An adult of any age; bone density falls with age, faster in women after 50."""
    sex = str(generator.choice(["F", "M"]))
    age = float(np.clip(generator.normal(64, 17), 20, 97))
    loss = 0.0045 * max(0.0, age - 40) + (0.004 * max(0.0, age - 50) if sex == "F" else 0.0)
    return Person(
        sex=sex,
        age=round(age, 1),
        scale=float(np.clip(generator.normal(1.0, 0.05), 0.86, 1.14)),
        quality=float(np.clip(generator.normal(1.02, 0.09) - loss, 0.5, 1.15)),
        fat_mm=float(np.clip(generator.gamma(4.0, 5.0), 6, 55)),
        muscle=float(np.clip(generator.normal(1.0, 0.1), 0.75, 1.25)),
    )


def detector_for(
    size: int, field_mm: float, source_mm: float, centre_mm: tuple[float, float] = (0.0, 0.0)
) -> Detector:
    """A square detector of `field_mm` around the origin, the focal spot `source_mm` above `centre_mm`.

    Rays are at most `FINEST_RAYS_MM` apart; what lies between two of them is averaged by the integration.
    """
    rays = math.ceil(field_mm / size / FINEST_RAYS_MM)
    corner = (-field_mm / 2, -field_mm / 2)
    pitch = field_mm / (size * rays)
    return Detector(size * rays, size * rays, pitch, (*centre_mm, source_mm), corner, rays)


def rotation(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> FloatArray:
    """Rotation matrix (3, 3): first about z (in the image plane), then y (axial turn), then x (tilt)."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_euler("zyx", [z_deg, y_deg, x_deg], degrees=True).as_matrix())


def posed(turn: FloatArray, point_mm: FloatArray, at_mm: FloatArray) -> Pose:
    """The pose that turns the body by `turn` (3, 3) and brings its point `point_mm` to `at_mm`, world."""
    axes = np.ascontiguousarray(turn.T)
    return Pose(axes, np.asarray(at_mm - np.asarray(point_mm) @ axes))


def draw_exposure(
    generator: Generator,
    size: int,
    field_mm: float,
    kilovolt: tuple[float, float],
    scatter: tuple[float, float],
    dose: float = 1.0,
) -> Exposure:
    """Beam, detector and processing.

    Args:
        generator: source of the variation.
        size: rows and columns.
        field_mm: side of the detector's area.
        kilovolt: range of the tube voltage.
        scatter: range of the scattered share, relative to the primary.
        dose: factor on the quanta of a thin part; automatic exposure gives thick ones more.
    """
    pixel = field_mm / size
    # The dose is that of the area: quanta per native pixel of 0.15 mm, collected by larger pixels.
    quanta = dose * math.exp(generator.uniform(math.log(1500), math.log(9000))) * (pixel / 0.15) ** 2
    bands = float(generator.choice([0.0, generator.uniform(0.2, 1.0)]))
    return Exposure(
        kilovolt=generator.uniform(*kilovolt),
        quanta=quanta,
        scatter_fraction=generator.uniform(*scatter),
        # Light spreads 0.1-0.2 mm in the screen; the reduction to larger pixels blurs a little more.
        blur_px=math.hypot(generator.uniform(0.1, 0.2) / pixel, generator.uniform(0.25, 0.5)),
        electronic=generator.uniform(3, 9) * pixel / 0.15,
        contrast=generator.uniform(0.85, 1.15),
        toe=generator.uniform(0, 0.9),
        local_contrast=float(max(0.0, generator.uniform(-0.3, 0.7))),
        black=generator.uniform(0.0, 0.12),
        white=generator.uniform(0.62, 0.95),
        depth_bits=int(generator.integers(10, 15)),
        multiscale=bands,
        gamma=generator.uniform(1.0, 1.9),
        metal_room=generator.uniform(0, 1) ** 1.5,
        window=(generator.uniform(4, 24), generator.uniform(99.0, 99.8)),
        row_noise=float(generator.choice([0.0, generator.uniform(0.0, 0.25)])),
    )


def draw_collimation(generator: Generator, size: int, share: float = 0.55) -> FloatArray | None:
    """Corners (x, y) of the collimated field in pixels, shape (4, 2), or None for `1 - share` of images."""
    chance = generator.random()
    low = generator.uniform(-0.08, 0.08, 2)
    high = generator.uniform(0.92, 1.08, 2)
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]) - 0.5
    angle = math.radians(generator.normal(0, 2.0))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return None if chance > share else np.asarray((corners @ turn.T + 0.5) * size)


def dressed(generator: Generator, shot: Shot, region: str) -> Shot:
    """The shot with what an image has besides the body: marker, text, cloth, folds, tubes, grid, field.

    Args:
        generator: source of the variation; streams of its own are spawned for each kind of thing.
        shot: pose, detector and exposure.
        region: "pelvis", "hip" or "wrist".
    """
    flat, text, grid, collimation = generator.spawn(4)
    level = collimation.choice([0.0, 1.0, np.nan], p=[0.5, 0.1, 0.4])
    overlays, shown = draw_things(flat, shot.size, shot.spacing_mm, shot.laterality, region)
    return replace(
        shot,
        overlays=overlays,
        notes=overlay_notes(shown),
        burned_text=draw_text(text, shot.size, shot.laterality, region),
        grid_lines=draw_grid(grid),
        field=draw_collimation(collimation, shot.size),
        # Without a shutter the console shows what the detector saw outside: scatter alone.
        field_level=None if np.isnan(level) else float(level),
    )
