"""Hardware of the pelvis, and small metal in it: screws, plates, clips, an intrauterine device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.extras.hardware import Hardware, Piece, across, rod, screw, strip, unit
from crepitus.phantom.scene import Anatomy
from crepitus.phantom.xray.physics import STEEL, TITANIUM

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


def iliosacral_screw(generator: Generator, anatomy: Anatomy, side: str) -> Hardware | None:
    """One or two screws of 7.3 mm with washers from the ilium into the sacrum."""
    site = anatomy.sites.get(f"sacrum-{side}")
    if site is None:
        return None
    out = -1.0 if side == "R" else 1.0
    pieces: list[Piece] = []
    for n in range(int(generator.integers(1, 3))):
        middle = site.origin_mm + np.array([0.0, -8.0 + 16.0 * n, 4.0])
        head = middle + np.array([out * 46.0, -3.0 + generator.normal(0, 2), -6.0])
        tip = middle - np.array([out * float(generator.uniform(25, 45)), generator.normal(0, 2), -4.0])
        share = 32.0 / float(np.linalg.norm(tip - head))
        pieces.append(
            (
                TITANIUM,
                screw(
                    f"sacral{n}",
                    head,
                    tip,
                    7.3,
                    core=0.66,
                    threaded=share,
                    pitch_mm=2.75,
                    head_diameter_mm=8.5,
                ),
            )
        )
        washer = np.array([head, head + 1.2 * unit(tip - head)])
        pieces.append((TITANIUM, rod(f"washer{n}", washer, 6.2)))
    return Hardware("iliosacral screw", tuple(pieces), {})


def pubic_plate(generator: Generator, anatomy: Anatomy) -> Hardware | None:
    """A reconstruction plate on top of the pubic bones across the symphysis, with its screws."""
    right, left = (anatomy.sites.get(f"superior-ramus-{side}") for side in ("R", "L"))
    if right is None or left is None:
        return None
    top = np.array([0.0, -1.0, 0.35])
    share = float(generator.uniform(0.5, 0.95))
    middle = 0.5 * (right.origin_mm + left.origin_mm) + np.array([0.0, 0.6 * right.radius_mm, 3.0])
    ends = [middle + share * (site.origin_mm - middle) for site in (right, left)]
    lift = 1.15 * right.radius_mm * unit(top)
    path = np.array([ends[0] + lift, middle + lift, ends[1] + lift])
    count = 2 * int(generator.integers(2, 4))
    holes = [(n + 0.6) / (count + 0.2) for n in range(count)]
    plate, places = strip("pubic-plate", path, unit(top), 9.5, 3.0, holes, 4.2)
    pieces: list[Piece] = [(STEEL, plate)]
    for n, place in enumerate(places):
        down = unit(np.array([generator.normal(0, 0.08), 1.0, -0.35]))
        tip = place + float(generator.uniform(22, 42)) * down
        pieces.append(
            (STEEL, screw(f"pubic{n}", place - 1.5 * down, tip, 3.5, pitch_mm=1.25, head_diameter_mm=6.0))
        )
    return Hardware("pubic plate", tuple(pieces), {})


def clips(generator: Generator, scale: float) -> Hardware:
    """Clips of 5-7 mm that an operation on bowel or vessels left, in a loose chain."""
    at = (
        np.array([generator.uniform(-60, 60), generator.uniform(-90, 20), generator.uniform(-40, 30)]) * scale
    )
    step = generator.normal(0, 12, 3)
    pieces: list[Piece] = []
    for n in range(int(generator.integers(2, 9))):
        at = at + step + generator.normal(0, 6, 3)
        direction = unit(generator.standard_normal(3))
        a, _ = across(direction)
        half = float(generator.uniform(2.3, 3.4))
        path = np.array(
            [at - half * direction + 0.9 * a, at + half * direction, at - half * direction - 0.9 * a]
        )
        pieces.append((TITANIUM, rod(f"clip{n}", path, 0.45, 0.45)))
    return Hardware("clips", tuple(pieces), {})


def coil(generator: Generator, scale: float) -> Hardware:
    """An intrauterine device: a T with copper on its stem."""
    at = scale * np.array([generator.normal(0, 12), generator.uniform(-55, -10), generator.uniform(0, 25)])
    tilt = generator.normal(0, 0.35, 3)
    stem = unit(np.array([0.0, 1.0, 0.0]) + tilt)
    side = unit(np.cross(stem, [0.0, 0.0, 1.0]) + 0.3 * generator.standard_normal(3))
    top = at - 16.0 * stem
    arms = np.array([top - 16.0 * side + 2.0 * stem, top, top + 16.0 * side + 2.0 * stem])
    pieces = (
        (STEEL, rod("coil-stem", np.array([top, at + 16.0 * stem]), 0.75, 0.5)),
        (TITANIUM, rod("coil-arms", arms, 0.8, 0.5)),
    )
    return Hardware("coil", pieces, {})
