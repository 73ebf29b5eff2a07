"""Metacarpals and proximal phalanges of a right hand, in the frame of the wrist (see `forearm`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.carpus import SPACING_MM
from crepitus.phantom.anatomy.forearm import WristMeasures
from crepitus.phantom.anatomy.sculpt import Lump, bumps, share_border
from crepitus.phantom.scene import Site
from crepitus.phantom.solid.clay import Stuff, curve

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class Ray:
    """A metacarpal and its finger.

    Attributes:
        base, head: middle of the metacarpal's base and centre of its head, mm, shape (3,).
        base_mm: half widths of the base across and from palm to back.
        shaft_mm: half widths of the shaft.
        head_mm: radius of the head.
        finger: direction of the finger, shape (3,).
        finger_mm: length of the proximal phalanx.
        back: direction of the bone's back, shape (3,).
    """

    base: FloatArray
    head: FloatArray
    base_mm: tuple[float, float]
    shaft_mm: tuple[float, float]
    head_mm: float
    finger: FloatArray
    finger_mm: float
    back: FloatArray

    @property
    def direction(self) -> FloatArray:
        """From base to head, unit vector (3,)."""
        d = self.head - self.base
        return np.asarray(d / np.linalg.norm(d))


def draw_rays(generator: Generator) -> dict[int, Ray]:
    """The five rays: fingers a little spread, thumb splayed, as a hand lies on the detector."""
    spread = float(np.clip(generator.normal(1.0, 0.3), 0.4, 1.7))
    thumb = math.radians(float(np.clip(generator.normal(0.0, 8.0), -16, 14)))
    flex = float(np.clip(generator.normal(0.0, 2.0), -4, 4))

    def ray(
        base: tuple[float, float, float],
        head: tuple[float, float, float],
        sizes: tuple[float, float, float, float, float],
        finger: float,
    ) -> Ray:
        b, h = np.array(base), np.array(head)
        h = h + np.array([(h[0] - b[0]) * 0.35 * (spread - 1.0), 0.0, flex])
        way = (h - b) / np.linalg.norm(h - b) + np.array([0.06 * (spread - 1), 0, -0.12])
        w1, w2, s1, s2, head_mm = sizes
        return Ray(
            b, h, (w1, w2), (s1, s2), head_mm, way / np.linalg.norm(way), finger, np.array([0.0, 0.0, 1.0])
        )

    rays = {
        2: ray((-8.8, -32.5, 1.0), (-22.0, -102.0, 1.5), (9.2, 6.8, 4.3, 4.3, 7.4), 40.0),
        3: ray((5.0, -37.0, 1.5), (1.0, -103.5, 3.0), (8.2, 7.2, 4.3, 4.5, 7.6), 44.0),
        4: ray((16.4, -34.5, -0.5), (19.5, -95.0, -0.5), (7.2, 6.2, 3.5, 3.7, 6.6), 41.0),
        5: ray((25.4, -31.0, -3.0), (36.0, -87.0, -5.0), (7.6, 5.8, 3.6, 3.5, 6.2), 33.0),
    }
    base = np.array([-22.2, -30.5, -11.5])
    direction = np.array([-0.60 * math.cos(thumb) - 0.7 * math.sin(thumb), -0.76, -0.24])
    direction /= np.linalg.norm(direction)
    head = base + 43.0 * direction
    tip = direction + np.array([0.25, -0.2, 0.1])
    # The thumb shows its side: its back looks to the radial side and the source.
    rays[1] = Ray(
        base, head, (7.6, 6.8), (4.9, 4.3), 7.4, tip / np.linalg.norm(tip), 31.0, np.array([-0.55, 0.0, 0.85])
    )
    return rays


def _bone(
    generator: Generator,
    start: FloatArray,
    end: FloatArray,
    base: tuple[float, float],
    shaft: tuple[float, float],
    head: float,
    measures: WristMeasures,
    back: FloatArray,
) -> Lump:
    """A short tubular bone with a wide base, a slightly bowed shaft and a rounded head."""
    d = (end - start) / np.linalg.norm(end - start)
    length = float(np.linalg.norm(end - start))
    up = back - (back @ d) * d
    up /= np.linalg.norm(up)
    wide = np.cross(d, up)
    g = measures.shaft * (1.0 if measures.child is None else 0.95)
    if measures.child is not None:
        # The rims of the bases are cartilage still.
        wide_share = float(np.interp(measures.child, [4, 14], [0.76, 1.0]))
        base = (base[0] * wide_share, base[1] * wide_share)
    at = np.array([-0.02, 0.09, 0.2, 0.36, 0.6, 0.78, 0.9, 0.99])
    bow = np.array([0.0, 0.0, 0.2, 0.8, 1.0, 0.5, 0.0, -0.3]) * 0.022 * length
    first = np.array([base[0], base[0], 0.72 * base[0], shaft[0] * g * 1.02, shaft[0] * g])
    second = np.array([base[1], base[1] * 0.96, 0.75 * base[1], shaft[1] * g * 1.03, shaft[1] * g])
    first = np.concatenate([first, [1.15 * shaft[0] * g, 0.86 * head, 0.92 * head]])
    second = np.concatenate([second, [1.1 * shaft[1] * g, 0.84 * head, 0.98 * head]])
    c = measures.cortex
    cortex = np.array([0.6, 0.6, 1.1, 2.1 * c, 2.5 * c, 1.6 * c, 0.6, 0.6])
    fill = np.array([0.28, 0.26, 0.16, 0.05, 0.02, 0.1, 0.22, 0.26])
    knots = np.column_stack(
        [start + np.outer(at * length, d) + np.outer(bow, up), first, second, cortex, fill]
    )
    line = curve(knots, 13)
    reach = max(*base, head) + 7.0
    lump = Lump(line[:, :3].min(axis=0) - reach, line[:, :3].max(axis=0) + reach, SPACING_MM)
    lump.tube(line[:, :3], line[:, 3:5], Stuff(), wide=wide, cortex=line[:, 5], fill=line[:, 6])
    # The head's palmar condyles, and the tubercles of the collateral ligaments.
    for side in (-1.0, 1.0):
        place = end + side * 0.45 * head * wide - 0.35 * head * up
        lump.ball(place, 0.62 * head, Stuff(0.6, 0.26, 3.0))
        tubercle = end - 0.55 * head * d + side * 0.82 * head * wide + 0.2 * head * up
        lump.ball(tubercle, 0.28 * head, Stuff(0.7, 0.26, 2.5))
    lump.roughen(bumps(), 0.22, 1.0, generator.uniform(0, 500, 3))
    # The base is flat.
    x, y, z = lump.grid
    level = (x - start[0]) * d[0] + (y - start[1]) * d[1] + (z - start[2]) * d[2]
    lump.cut(np.asarray(-level, dtype=np.float32), 1.8)
    return lump


def _growth(lump: Lump, at: FloatArray, d: FloatArray, age: float) -> None:
    """A growth plate across a short bone at a point; the small epiphysis lies beyond it in direction d."""
    x, y, z = lump.grid
    level = (x - at[0]) * d[0] + (y - at[1]) * d[1] + (z - at[2]) * d[2]
    level = np.asarray(level + 0.3 * np.sin(x / 2.0) + 0.3 * np.sin(z / 1.7), dtype=np.float32)
    lump.distance[...] += np.where(level > 0, np.float32(max(0.0, 0.30 * (13.0 - age))), 0).astype(np.float32)
    lump.cut(np.asarray(float(np.interp(age, [4, 15], [0.9, 0.4])) - np.abs(level), dtype=np.float32), 0.5)
    lump.line(level, 0.6, 1.5)


def _sesamoids(generator: Generator, lump: Lump, thumb: Ray) -> None:
    """The two sesamoids in front of the head of the thumb's metacarpal; part of its solid."""
    d = thumb.direction
    up = thumb.back - (thumb.back @ d) * d
    up /= np.linalg.norm(up)
    wide = np.cross(d, up)
    for side in (-1.0, 1.0):
        size = float(generator.uniform(2.0, 2.7))
        front = thumb.head - (0.98 * thumb.head_mm + size) * up + 1.0 * d
        lump.ball(front + side * 4.6 * wide, np.array([size, 1.3 * size, size]), Stuff(0.6, 0.3, 0.4))


def hand(
    generator: Generator, rays: dict[int, Ray], measures: WristMeasures, carpals: dict[str, Lump]
) -> dict[str, Lump]:
    """Metacarpals "metacarpal-1" to "-5", fitted to the carpals, and "phalanx-1" to "-5"."""
    bones: dict[str, Lump] = {}
    for number, ray in rays.items():
        bones[f"metacarpal-{number}"] = _bone(
            generator, ray.base, ray.head, ray.base_mm, ray.shaft_mm, ray.head_mm, measures, ray.back
        )
        start = ray.head + (ray.head_mm + 0.6) * ray.finger
        width = (0.98 * ray.head_mm, 0.86 * ray.head_mm)
        bones[f"phalanx-{number}"] = _bone(
            generator,
            start,
            start + (ray.finger_mm - 4.0) * ray.finger,
            width,
            (0.58 * ray.head_mm, 0.5 * ray.head_mm),
            0.66 * ray.head_mm,
            measures,
            ray.back,
        )
        bones[f"phalanx-{number}"].fit(bones[f"metacarpal-{number}"], 1.5)
    if measures.child is None or measures.child > 12.5:
        _sesamoids(generator, bones["metacarpal-1"], rays[1])
    for a, b in ((2, 3), (3, 4), (4, 5)):
        share_border(bones[f"metacarpal-{a}"], bones[f"metacarpal-{b}"], 0.9)
    for number in rays:
        for carpal in ("trapezium", "trapezoid", "capitate", "hamate"):
            if carpal in carpals:
                bones[f"metacarpal-{number}"].fit(
                    carpals[carpal], (1.35 if number == 1 else 0.95) * measures.carpal_gap_mm
                )
    if measures.child is not None:
        for number, ray in rays.items():
            # The thumb's metacarpal grows at its base, the others at their heads, phalanges at their bases.
            d = -ray.direction if number == 1 else ray.direction
            at = ray.base + 5.5 * ray.direction if number == 1 else ray.head - 4.0 * ray.direction
            _growth(bones[f"metacarpal-{number}"], at, d, measures.child)
            start = ray.head + (ray.head_mm + 4.8) * ray.finger
            _growth(bones[f"phalanx-{number}"], start, -ray.finger, measures.child)
    return bones


def landmarks(rays: dict[int, Ray]) -> dict[str, tuple[str, FloatArray]]:
    """Heads and bases of the metacarpals, right side."""
    result: dict[str, tuple[str, FloatArray]] = {}
    for number, ray in rays.items():
        result[f"metacarpal-head-{number}-R"] = (f"metacarpal-{number}-R", ray.head)
        result[f"metacarpal-base-{number}-R"] = (f"metacarpal-{number}-R", ray.base + 4.0 * ray.direction)
    return result


def sites(rays: dict[int, Ray]) -> dict[str, Site]:
    """The shafts of the metacarpals, right side; s to the fingers."""
    result = {}
    for number, ray in rays.items():
        s = ray.direction
        b = ray.back - (ray.back @ s) * s
        b /= np.linalg.norm(b)
        axes = np.stack([s, np.cross(b, s), b])
        middle = ray.base + 0.55 * (ray.head - ray.base) + 0.02 * 60.0 * b
        result[f"metacarpal-{number}-R"] = Site(f"metacarpal-{number}-R", middle, axes, ray.shaft_mm[0])
    return result
