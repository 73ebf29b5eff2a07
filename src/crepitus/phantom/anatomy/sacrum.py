"""Sacrum with coccyx, and the lower lumbar vertebrae."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.measures import HipMeasures
from crepitus.phantom.anatomy.part import Part
from crepitus.phantom.anatomy.pelvis_shape import PelvisShape, draw_shape
from crepitus.phantom.scene import Person, Site
from crepitus.phantom.solid.clay import Clay, Region, Stuff, curve
from crepitus.phantom.solid.field import Solid, grain_along
from crepitus.phantom.solid.outline import outline
from crepitus.phantom.solid.textures import smooth_noise

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

SPACING_MM = 2.0
_HALF_OUTLINE = (
    (0, -17), (14, -18), (25, -15), (31, -6), (42, -7), (52, -3), (56, 8), (55, 22), (51, 36), (45, 47),
    (37, 57), (30, 67), (25, 80), (19, 92), (10, 100), (0, 103),
)  # fmt: skip
"""Outline of the right half from the front: outwards, down along the sacrum, mm."""
_FORAMINA = ((22.0, 15.0, 6.4), (19.5, 36.0, 5.8), (17.0, 56.0, 4.8), (14.5, 73.0, 3.6))
"""Middle of the anterior sacral foramina: outwards, down, radius, mm."""


class _Frame:
    """The sacrum's frame: u to the patient's left, v down along it, w forward."""

    def __init__(self, shape: PelvisShape, tilt_deg: float) -> None:
        self.wide = 0.5 * (shape.half_mm / 88.0 + shape.size) + shape.inlet_mm / 60.0
        self.size = shape.size
        self.origin = np.array([0.0, -106.0 * (0.75 + 0.25 * shape.tall), -32.0]) * shape.size
        t = np.radians(tilt_deg)
        self.axes = np.array([[1.0, 0, 0], [0, np.cos(t), -np.sin(t)], [0, np.sin(t), np.cos(t)]])

    def bend(self, v: float) -> float:
        """Depth of the hollow of the sacrum."""
        return -0.0042 * v * (100.0 - v) / 1.0

    def at(self, u: float, v: float, w: float) -> FloatArray:
        local = np.array([u * self.wide, v * self.size, (w + self.bend(v)) * self.size])
        return np.asarray(self.origin + local @ self.axes)

    def path(self, *points: tuple[float, float, float]) -> FloatArray:
        return np.array([self.at(*p) for p in points])


def build_sacrum(
    generator: Generator,
    person: Person,
    measures: HipMeasures,
    shape: PelvisShape | None = None,
    *,
    spine: bool = True,
    region: Region | None = None,
) -> Part:
    """Sacrum with coccyx ("sacrum") and, with `spine`, L3 to L5 ("lumbar"); `shape` is drawn if None.

    Only what lies in `region` is built of the sacrum, see `Clay`.
    """
    shape = draw_shape(generator, person, measures) if shape is None else shape
    frame = _Frame(shape, float(36.0 + 5.0 * np.clip(generator.standard_normal(), -2, 2)))
    ends = frame.path((-60, -24, 30), (60, -24, 30), (-60, 135, -35), (60, 150, 35), (0, -20, -40))
    clay = Clay(ends.min(axis=0) - 4.0, ends.max(axis=0) + 4.0, SPACING_MM, region)
    _mass(clay, frame)
    _bodies(clay, frame)
    clay.roughen(smooth_noise(), 1.1, 5.0, generator.uniform(0, 150, 3))
    _holes(clay, frame, generator)
    _coccyx(clay, frame, generator)
    quality = person.quality
    grain = grain_along(frame.axes[1] + np.array([0.3, 0.0, 0.0]), 0.6 + 0.3 * max(0.0, 1.0 - quality))
    sacrum = clay.finish("sacrum", grain, cortex=0.5 + 0.5 * quality, fill=quality)
    lumbar = (_lumbar(generator, person, frame),) if spine else ()
    return Part((sacrum, *lumbar), {}, _sites(frame))


def _mass(clay: Clay, frame: _Frame) -> None:
    """The whole as a curved, wedge-shaped plate: thick at the promontory, thin at the apex."""
    half = np.array(_HALF_OUTLINE, dtype=np.float64)
    knots = np.concatenate([half, half[-2:0:-1] * [-1.0, 1.0]]) * [frame.wide, frame.size]
    k, n = frame.size, frame.size
    shape = np.array([-3.0, 0, -0.42, 0.0016, 0, 0.0042 / k, 0, 0, 0, 0]) * [n] + 0.0
    thick = np.array([28.0, 0.0, -0.185, -0.0016, 0.0, 0.0, -9.0])
    flat = outline(knots, spacing_mm=1.5)
    clay.plate(flat, frame.origin, frame.axes, shape, thick, Stuff(0.8, 0.12, 4.0))


def _bodies(clay: Clay, frame: _Frame) -> None:
    top = frame.path((0, -15, 2), (0, 8, 1))
    radii = np.array([[25.0, 15.5], [20.0, 14.0]]) * frame.size
    clay.tube(top, radii, Stuff(1.1, 0.2, 4.0), wide=np.array([1.0, 0, 0]))
    # Dense endplate of S1, and the fused discs as faint bars.
    plate = frame.path((-18, -17, 2), (18, -17, 2))
    clay.tube(plate, np.array([[11.0, 2.2]] * 2), Stuff(2.2, 0.35, 3.0), wide=frame.axes[2])
    for v, half in ((25.0, 13.0), (46.0, 11.0), (65.0, 9.0)):
        bar = frame.path((-half, v, 2), (half, v, 2))
        clay.tube(bar, np.array([[6.0, 1.6]] * 2), Stuff(1.2, 0.22, 3.0), wide=frame.axes[2])
    crest = curve(frame.path((0, -6, -22), (0, 22, -17), (0, 48, -13), (0, 74, -9)), 12)
    clay.tube(crest, np.linspace(4.0, 2.5, 12), Stuff(1.3, 0.2, 5.0))
    for sign in (-1.0, 1.0):
        facet = frame.path((21 * sign, -12, -21), (24 * sign, -24, -22))
        clay.tube(facet, np.array([7.0, 5.5]), Stuff(1.3, 0.2, 5.0))
        lateral = curve(frame.path((25 * sign, 4, -13), (26 * sign, 36, -11), (22 * sign, 66, -8)), 10)
        clay.tube(lateral, np.linspace(4.0, 2.5, 10), Stuff(1.2, 0.2, 5.0))


def _holes(clay: Clay, frame: _Frame, generator: Generator) -> None:
    canal = curve(frame.path((0, -30, -17), (0, 10, -13), (0, 45, -9), (0, 80, -6)), 12)
    radii = np.stack([np.linspace(12.0, 3.0, 12), np.linspace(6.5, 2.0, 12)], axis=1)
    clay.tube(canal, radii, Stuff(1.0, 0.2, 2.0), wide=np.array([1.0, 0, 0]), carve=True)
    for u, v, radius in _FORAMINA:
        for sign in (-1.0, 1.0):
            du, dv = generator.normal(0.0, 0.6, 2)
            p = (sign * (u + du), v + dv)
            # From the canal forward, nearly along the rays of a frontal film, flaring outwards in front.
            line = frame.path(
                (p[0] * 0.9, p[1] + 4.5, -8),
                (*p, 1),
                (p[0] * 1.08, p[1] - 3.5, 9),
                (p[0] * 1.3, p[1] - 5, 24),
            )
            flare = radius * np.array([[0.85, 0.7], [1.0, 0.8], [1.15, 0.9], [2.0, 1.2]])
            wide = np.array([1.0, 0.25, 0.0])
            clay.tube(line, flare, Stuff(1.8, 0.2, 1.0), wide=wide, carve=True)
            behind = frame.path((p[0] * 0.9, p[1], -4), (p[0], p[1] + 1, -26))
            clay.tube(behind, np.array([radius * 0.6] * 2), Stuff(1.0, 0.2, 1.5), carve=True)


def _coccyx(clay: Clay, frame: _Frame, generator: Generator) -> None:
    w, turn = 0.0, generator.normal(0.0, 1.5)
    for number, (v, wide, long) in enumerate(((105, 10, 5), (115, 8, 4.6), (123.5, 6, 3.8), (130, 4, 3.2))):
        w = 1.0 + 0.9 * number**2
        clay.ball(
            frame.at(turn * number * 0.6, v - number * 1.2, w + 4.0),
            np.array([wide, long, 4.5]),
            Stuff(0.8, 0.15, 0.8),
            axes=frame.axes,
        )


def _lumbar(generator: Generator, person: Person, frame: _Frame) -> Solid:
    """The vertebrae L5 to L3 on the sacrum, from the steep lumbosacral disc upwards."""
    k = frame.size
    top = frame.at(0, -18, 2)
    low = top + np.array([-50.0, -112.0, -62.0]) * k
    high = top + np.array([50.0, 8.0, 40.0]) * k
    clay = Clay(low, high, SPACING_MM)
    tilt, place = np.radians(34.0), top
    for level in range(3):
        turned = np.array([0.0, -np.cos(tilt), np.sin(tilt)])
        disc = (11.0, 11.0, 10.5)[level] * k
        place = place + turned * disc
        next_tilt = np.radians((17.0, 5.0, -3.0)[level])
        middle = 0.5 * (tilt + next_tilt)
        up = np.array([0.0, -np.cos(middle), np.sin(middle)])
        _vertebra(clay, generator, place, up, k, level)
        place, tilt = place + up * 27.0 * k, next_tilt
    quality = person.quality
    clay.roughen(smooth_noise(), 0.4, 4.0, generator.uniform(0, 150, 3))
    return clay.finish(
        "lumbar", grain_along(np.array([0.0, 1.0, 0.1]), 0.6), cortex=0.5 + 0.5 * quality, fill=quality
    )


def _vertebra(
    clay: Clay, generator: Generator, base: FloatArray, up: FloatArray, k: float, level: int
) -> None:
    """One vertebra whose lower endplate has its middle at `base`."""
    x = np.array([1.0, 0.0, 0.0])
    back = np.cross(x, up)
    back = back if back[2] < 0 else -back

    def at(side: float, height: float, behind: float) -> FloatArray:
        return np.asarray(base + k * (side * x + height * up + behind * back))

    wide = 26.0 - 0.8 * level
    for low, high in ((1.0, 3.0), (24.0, 26.0)):
        clay.ball(
            at(0, (low + high) / 2, 0),
            k * np.array([wide - 0.5, 2.4, 17.0]),
            Stuff(0.9, 0.3, 4.0),
            axes=np.stack([x, up, back]),
        )
    clay.ball(
        at(0, 13.0, 0),
        k * np.array([wide - 2.5, 15.5, 16.0]),
        Stuff(0.9, 0.17, 3.0),
        axes=np.stack([x, up, back]),
    )
    reach = (44.0, 43.0, 46.0)[level]
    for sign in (-1.0, 1.0):
        s = sign * (17.0 - 1.5 * level)
        clay.tube(
            np.stack([at(s, 19, 12), at(s, 19, 24)]),
            k * np.array([[4.5, 6.5]] * 2),
            Stuff(1.4, 0.2, 2.0),
            wide=x,
        )
        tip = at(sign * reach * (1 + 0.04 * generator.normal()), 21 + 2 * generator.normal(), 26)
        line = curve(np.stack([at(s, 19, 22), at(sign * 30, 19, 24), tip]), 8)
        clay.tube(
            line,
            k
            * np.array(
                [[7.0, 5.0], [6, 4.5], [5, 3.5], [4.0, 3], [3.5, 2.8], [3.8, 2.8], [4.2, 2.6], [2.6, 2.0]]
            ),
            Stuff(1.0, 0.18, 3.0),
            wide=up,
        )
        joint = np.stack(
            [at(sign * 16, 31, 25), at(sign * 16, 17, 28), at(sign * 17, 1, 31), at(sign * 17, -6, 31)]
        )
        clay.tube(joint, k * np.array([5.0, 5.0, 5.0, 4.5]), Stuff(1.3, 0.2, 3.0))
        lamina = np.stack([at(sign * 15, 12, 29), at(sign * 3, 8, 39)])
        clay.tube(lamina, k * np.array([[8.0, 3.0]] * 2), Stuff(1.2, 0.18, 3.0), wide=up)
    spine = np.stack([at(0, 8, 38), at(generator.normal() * 0.8, 5, 58)])
    clay.tube(spine, k * np.array([[8.0, 3.0], [9.0, 3.5]]), Stuff(1.2, 0.18, 3.0), wide=up)


def _sites(frame: _Frame) -> dict[str, Site]:
    sites = {}
    for side, sign in (("R", -1.0), ("L", 1.0)):
        s = np.array([sign, 0.0, 0.0])
        axes = np.stack([s, frame.axes[1], np.cross(s, frame.axes[1])])
        sites[f"sacrum-{side}"] = Site("sacrum", frame.at(sign * 27, 20, 0), axes, 35.0)
    return sites
