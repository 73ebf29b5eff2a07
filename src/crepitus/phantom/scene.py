"""A long bone scene: limb, pose, exposure and surroundings, drawn without knowledge of any fracture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy import LIMBS, Limb
from crepitus.phantom.fracture import roughness_table
from crepitus.phantom.physics import Exposure
from crepitus.phantom.project import Detector, Pose, Textures

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

SUPERSAMPLING = 2
"""Rays per pixel and axis."""

_LIMB_SHARES = {"FOREARM": 0.45, "LEG": 0.4, "HUMERUS": 0.15}
_FIELD_MM = {"FOREARM": (135.0, 175.0), "LEG": (170.0, 220.0), "HUMERUS": (160.0, 200.0)}
_KILOVOLT = {"FOREARM": (50.0, 58.0), "LEG": (56.0, 66.0), "HUMERUS": (60.0, 70.0)}
_SOURCE_MM = 1050.0


@dataclass(frozen=True)
class Scene:
    """Everything about an image but the fracture and the noise.

    Attributes:
        limb: its bones and soft tissue.
        pose: where it lies.
        detector: the grid of rays, `SUPERSAMPLING` per pixel and axis.
        exposure: beam, detector and processing.
        view, laterality: DICOM codes.
        visible_mm: range of s that the image shows.
        canals: nutrient canal of the main and the second bone, see `Bone`.
        field: collimated field as (x, y) corners in pixels, shape (4, 2), or None for the whole detector.
        field_level: what is shown outside the field, 0 (blackened by the console) to 1 (unexposed).
        marker: (text, x, y, height_px), or None.
        muscle: noise of the muscles' thickness over (s, across), periodic, shape (64, 64).
        textures: trabeculae and roughness, shifted for this image.
    """

    limb: Limb
    pose: Pose
    detector: Detector
    exposure: Exposure
    view: str
    laterality: str
    visible_mm: tuple[float, float]
    canals: tuple[FloatArray, FloatArray]
    field: FloatArray | None
    field_level: float
    marker: tuple[str, float, float, float] | None
    muscle: FloatArray
    textures: Textures

    @property
    def size(self) -> int:
        """Rows and columns of the image."""
        return self.detector.rows // SUPERSAMPLING

    @property
    def spacing_mm(self) -> float:
        """Pixel size in the detector plane."""
        return self.detector.pitch_mm * SUPERSAMPLING


def trabecular_texture(size: int = 64) -> NDArray[np.float32]:
    """Band-limited periodic noise, shape (size,) * 3, zero mean, unit variance, clipped to +-2.5."""
    generator = np.random.default_rng(20240229)
    f = np.fft.fftfreq(size)
    radius = np.sqrt(f[:, None, None] ** 2 + f[None, :, None] ** 2 + f[None, None, :] ** 2)
    band = np.exp(-(((radius - 0.13) / 0.1) ** 2)) * (radius > 0)
    noise = np.fft.ifftn(np.fft.fftn(generator.standard_normal((size,) * 3)) * band).real
    return np.asarray(np.clip(noise / noise.std(), -2.5, 2.5), dtype=np.float32)


def base_textures() -> Textures:
    """The tables that every image shifts; made once per process."""
    return Textures(trabecular_texture(), roughness_table(np.random.default_rng(7)))


def draw_scene(generator: Generator, size: int, base: Textures) -> Scene:
    """Draw a scene.

    Args:
        generator: a stream of its own, so that nothing in the scene depends on the fracture.
        size: rows and columns of the image.
        base: from `base_textures`.
    """
    part = str(generator.choice(list(_LIMB_SHARES), p=list(_LIMB_SHARES.values())))
    limb = LIMBS[part](generator)
    field_mm = generator.uniform(*_FIELD_MM[part])
    pitch = field_mm / (size * SUPERSAMPLING)
    detector = Detector(
        size * SUPERSAMPLING,
        size * SUPERSAMPLING,
        pitch,
        (generator.normal(0, 12), generator.normal(0, 12), _SOURCE_MM),
        (-field_mm / 2, -field_mm / 2),
    )
    view, turn = _view(generator)
    laterality = str(generator.choice(["L", "R"]))
    middle = generator.uniform(field_mm / 2 - 22, limb.length_mm - field_mm / 2 + 22)
    pose = _pose(generator, limb, middle, turn, mirrored=laterality == "L")
    shift = tuple(int(n) for n in generator.integers(0, 64, 3))
    textures = Textures(np.ascontiguousarray(np.roll(base.trabeculae, shift, axis=(0, 1, 2))), base.roughness)
    half = field_mm / 2 * 0.97
    return Scene(
        limb=limb,
        pose=pose,
        detector=detector,
        exposure=_exposure(generator, part, size),
        view=view,
        laterality=laterality,
        visible_mm=(middle - half, middle + half),
        canals=(_canal(generator, limb), _canal(generator, limb)),
        field=_collimation(generator, size),
        field_level=float(generator.choice([0.0, 0.0, 0.9])),
        marker=_marker(generator, size, laterality),
        muscle=roughness_table(generator, 64, 1.3),
        textures=textures,
    )


def _view(generator: Generator) -> tuple[str, float]:
    """DICOM view position and rotation about the limb's axis in radians."""
    kind = generator.choice(3, p=[0.55, 0.33, 0.12])
    name = ("AP", "LL", "OBL")[kind]
    return name, math.radians((0.0, 90.0, 42.0)[kind] + generator.normal(0, 8))


def _pose(generator: Generator, limb: Limb, middle: float, turn: float, mirrored: bool) -> Pose:
    """Limb axes in the world: along the image's columns, rotated in plane, tilted, turned about itself."""
    tilt, plane = math.radians(generator.normal(0, 3.0)), math.radians(generator.uniform(-20, 20))
    # Half of the images show the distal end on top, as technicians place the cassette either way.
    if generator.random() < 0.5:
        plane += math.pi
    along = np.array([math.sin(plane) * math.cos(tilt), math.cos(plane) * math.cos(tilt), math.sin(tilt)])
    across = np.array([math.cos(plane), -math.sin(plane), 0.0])
    front = np.cross(along, across)
    side = -1.0 if mirrored else 1.0
    a = side * (math.cos(turn) * across + math.sin(turn) * front)
    b = -math.sin(turn) * across + math.cos(turn) * front
    axes = np.stack([along, a, b])
    row = limb.tissue.at(middle)
    centre = np.array([middle, row[0], row[1]])
    depth = 0.5 * (row[2] + row[3]) * 0.9 + generator.uniform(4, 20)
    target = np.array([generator.normal(0, 9), generator.normal(0, 4), depth])
    return Pose(axes, target - centre @ axes)


def _canal(generator: Generator, limb: Limb) -> FloatArray:
    """A nutrient canal in the shaft's middle third; it enters obliquely."""
    s = limb.length_mm * generator.uniform(0.3, 0.6)
    row = limb.main.at(s)
    angle = generator.uniform(0, 2 * np.pi)
    depth = 0.8 * min(row[2], row[3]) * 0.75
    slope = generator.uniform(0.08, 0.2)
    c, d = math.cos(angle), math.sin(angle)
    radius = generator.uniform(0.3, 0.75) if generator.random() < 0.7 else -5.0
    return np.array([s, depth * c, depth * d, slope * c, slope * d, radius])


def _exposure(generator: Generator, part: str, size: int) -> Exposure:
    # The dose is that of the area: halving the pixel's side quarters its quanta.
    quanta = math.exp(generator.uniform(math.log(5000), math.log(30000))) * (256 / size) ** 2
    return Exposure(
        kilovolt=generator.uniform(*_KILOVOLT[part]),
        quanta=quanta,
        scatter_fraction=generator.uniform(0.1, 0.45),
        blur_px=generator.uniform(0.35, 0.75) * size / 256,
        electronic=generator.uniform(3, 9),
        contrast=generator.uniform(0.85, 1.15),
        toe=generator.uniform(0, 0.7),
        local_contrast=float(max(0.0, generator.uniform(-0.3, 0.7))),
        black=generator.uniform(0.0, 0.12),
        white=generator.uniform(0.72, 1.0),
    )


def _collimation(generator: Generator, size: int) -> FloatArray | None:
    if generator.random() < 0.45:
        return None
    low = generator.uniform(-0.1, 0.1, 2)
    high = generator.uniform(0.9, 1.1, 2)
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]) - 0.5
    angle = math.radians(generator.normal(0, 2.5))
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.asarray((corners @ rotation.T + 0.5) * size)


def _marker(generator: Generator, size: int, laterality: str) -> tuple[str, float, float, float] | None:
    wanted = generator.random() < 0.4
    x = generator.choice([0.06, 0.84]) + generator.uniform(0, 0.05)
    y = generator.uniform(0.1, 0.92)
    height = generator.uniform(0.045, 0.07)
    return (laterality, x * size, y * size, height * size) if wanted else None
