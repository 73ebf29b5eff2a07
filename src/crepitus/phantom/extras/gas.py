"""Gas in the bowel: haustrated colon, bubbles, rectal gas, and stool mottled by small bubbles."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.scene import Anatomy
from crepitus.phantom.solid.clay import Clay, Stuff, curve
from crepitus.phantom.solid.field import DISTANCE, Solid
from crepitus.phantom.solid.textures import smooth_noise

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

_STUFF = Stuff(0.0, 0.0, 3.0)
_SPACING_MM = 3.0
_FINE_MM = 2.0

PUBIS_MM = (0.0, 48.0)
SACRUM_MM = (0.0, -75.0)
"""Where these lie in the frontal image of an average pelvis, if the anatomy names no site there."""

_NEAR_MM = 22.0
"""Gas this close to a site, in the frontal image, lies over it."""


@lru_cache(maxsize=1)
def _noise() -> NDArray[np.float32]:
    return smooth_noise()


def _clay(points: FloatArray, reach_mm: float, spacing_mm: float) -> Clay:
    return Clay(points.min(axis=0) - reach_mm, points.max(axis=0) + reach_mm, spacing_mm)


def colon(generator: Generator, path: FloatArray, radius_mm: float, name: str) -> Solid:
    """A gas-filled piece of colon along `path`, shape (n, 3), with haustra of about its own width."""
    length = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
    beads = max(2, round(length / (1.5 * radius_mm)))
    line = curve(path, 6 * beads + 1)
    along = np.arange(len(line)) / 6.0
    # Haustral folds cut in to half; each sacculation has its own size, and some are almost empty.
    size = generator.uniform(0.6, 1.15, beads + 1)
    depth = np.repeat(generator.uniform(0.08, 0.45, beads + 2), 6)[: len(line)]
    pinch = 1.0 - depth * np.abs(np.cos(np.pi * along)) ** 8
    radii = radius_mm * pinch * np.interp(along, np.arange(beads + 1), size)
    radii[[0, -1]] *= 0.6
    clay = _clay(line, 1.5 * radius_mm + 4.0, _SPACING_MM)
    # Gas lies in the front of the gut of a supine patient: the cross-section is flat.
    section = np.stack([radii, radii * generator.uniform(0.55, 0.8)], axis=1)
    tangent = np.gradient(line, axis=0)
    wide = np.cross(tangent, [0.0, 0.0, 1.0])
    wide /= np.linalg.norm(wide, axis=1, keepdims=True) + 1e-9
    clay.tube(line, section, _STUFF, wide=wide)
    clay.roughen(_noise(), 0.16 * radius_mm, 0.55 * radius_mm, generator.uniform(0, 500, 3))
    return clay.finish(name)


def bubbles(
    generator: Generator,
    centre: FloatArray,
    spread_mm: FloatArray,
    count: int,
    radius_mm: tuple[float, float],
    name: str,
) -> Solid:
    """Separate bubbles of various sizes around `centre`; small ones are more frequent."""
    small, large = radius_mm
    radii = small * (large / small) ** (generator.random(count) ** 1.7)
    centres = centre + generator.uniform(-1, 1, (count, 3)) * spread_mm
    spacing = _FINE_MM if small < 4.0 else _SPACING_MM
    clay = _clay(centres, large * 1.5 + 4.0, spacing)
    shapes = radii[:, None] * generator.uniform(0.7, 1.35, (count, 3))
    turns = np.linalg.qr(generator.standard_normal((count, 3, 3)))[0]
    clay.balls(centres, shapes, turns, Stuff(0.0, 0.0, 1.0))
    clay.roughen(_noise(), 0.14 * radius_mm[1], 0.9 * radius_mm[1], generator.uniform(0, 500, 3))
    return clay.finish(name)


def stool(generator: Generator, path: FloatArray, radius_mm: float, name: str) -> Solid:
    """Stool along `path`, shape (n, 3): a crowd of crevices of gas in a mass like soft tissue."""
    line = curve(path, 40)
    length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
    clay = _clay(line, 1.1 * radius_mm + 6.0, _FINE_MM)
    count = int(np.clip(length * radius_mm / 26.0, 12, 70))
    middles = line[generator.integers(len(line), size=count)]
    points = middles + np.clip(generator.normal(0, 0.5, (count, 3)), -1, 1) * radius_mm
    radii = 1.2 + 3.2 * generator.random(count) ** 2
    turns = np.linalg.qr(generator.standard_normal((count, 3, 3)))[0]
    # Crevices between lumps are flat or long rather than round.
    clay.balls(points, radii[:, None] * np.array([1.8, 1.1, 0.65]), turns, Stuff(0.0, 0.0, 1.0))
    clay.roughen(_noise(), 0.8, 5.0, generator.uniform(0, 500, 3))
    return clay.finish(name)


def _colon_piece(generator: Generator, path: FloatArray, scale: float, name: str) -> list[Solid]:
    """What a piece of colon holds: gas, stool, both or nothing that shows."""
    kind = generator.choice(["none", "gas", "stool", "both"], p=[0.25, 0.35, 0.22, 0.18])
    radius = scale * float(generator.uniform(11, 24))
    share = float(generator.uniform(0.4, 1.0))
    line = curve(path, 24)
    first = int(generator.integers(0, 12))
    piece = line[first : first + max(6, int(12 * share)) + 1]
    result = []
    if kind in ("gas", "both"):
        result.append(colon(generator, piece, radius, f"gas-{name}"))
    if kind in ("stool", "both"):
        result.append(
            stool(generator, piece if kind == "stool" else line[first:], 0.9 * radius, f"stool-{name}")
        )
    return result


def draw_gas(generator: Generator, scale: float) -> tuple[Solid, ...]:
    """The gas of a pelvis in the body frame of the hips, lengths times `scale`."""
    jitter = generator.normal(0, 8, (4, 3))
    parts: list[Solid] = []
    # Caecum and ascending colon on the patient's right, descending colon on the left, sigmoid, rectum.
    caecum = np.array([[-84.0, -50, 10], [-98, -85, 15], [-104, -130, 10], [-106, -175, 5]])
    left = np.array([[108.0, -180, -5], [104, -130, 0], [92, -90, 10], [72, -62, 15]])
    sigmoid = np.array([[74.0, -60, 15], [40, -25, 10], [-5, -30, 0], [-25, -58, -10], [4, -62, -35]])
    rectum = np.array([[3.0, -60, -45], [2, -35, -55], [0, -5, -52], [0, 18, -40]])
    for n, (name, path) in enumerate(
        {"caecum": caecum, "left": left, "sigmoid": sigmoid, "rectum": rectum}.items()
    ):
        parts += _colon_piece(generator, scale * (path + jitter[n] * [1.0, 1.0, 0.3]), scale, name)
    loops = int(generator.poisson(1.4))
    for n in range(loops):
        at = np.array([generator.uniform(-70, 70), generator.uniform(-150, -25), generator.uniform(-5, 30)])
        reach = np.array([25.0, 18.0, 12.0])
        count = int(generator.integers(2, 7))
        parts.append(bubbles(generator, scale * at, scale * reach, count, (4.0, 11.0), f"gas-loop{n}"))
    if generator.random() < 0.16:
        # Rectal gas or a loop that hangs low lies over the pubic bones.
        at = np.array([generator.uniform(-32, 32), generator.uniform(36, 58), generator.uniform(-25, 10)])
        count = int(generator.integers(1, 4))
        low = bubbles(generator, scale * at, np.array([14.0, 9.0, 8.0]), count, (5.0, 12.0), "gas-low")
        parts.append(low)
    return tuple(parts)


def covers(solids: tuple[Solid, ...], point_mm: FloatArray, near_mm: float = _NEAR_MM) -> bool:
    """Whether gas lies within `near_mm` of a body point in the frontal image."""
    for solid in solids:
        inside = (solid.field[..., DISTANCE] < 0).any(axis=2)
        i, j = np.nonzero(inside)
        x = solid.origin_mm[0] + solid.spacing_mm * i - point_mm[0]
        y = solid.origin_mm[1] + solid.spacing_mm * j - point_mm[1]
        if len(x) and float(np.min(x**2 + y**2)) < near_mm**2:
            return True
    return False


def gas_notes(anatomy: Anatomy, solids: tuple[Solid, ...]) -> Mapping[str, object]:
    """Columns: gas, gas_over_pubis, gas_over_sacrum, each 0 or 1."""
    sites = anatomy.sites
    pubis = [site.origin_mm for name, site in sites.items() if name.startswith("superior-ramus-")]
    sacrum = [site.origin_mm for name, site in sites.items() if name.startswith("sacrum-")]
    pubis = pubis or [np.array([*PUBIS_MM, 0.0])]
    sacrum = sacrum or [np.array([*SACRUM_MM, 0.0])]
    return {
        "gas": int(len(solids) > 0),
        "gas_over_pubis": int(any(covers(solids, np.asarray(p)) for p in pubis)),
        "gas_over_sacrum": int(any(covers(solids, np.asarray(p)) for p in sacrum)),
    }
