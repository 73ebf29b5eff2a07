"""The upper half of a femur: head, neck, trochanters and bowed shaft, with cortex and trabeculae."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.femur_frame import (
    SHAFT_MM,
    Frame,
    draw_frame,
    landmarks_of,
    lesser_tip,
    sites_of,
)
from crepitus.phantom.anatomy.measures import HipMeasures
from crepitus.phantom.anatomy.part import Part
from crepitus.phantom.anatomy.trabeculae import CENTRE_O, SHAFT_POINT, density, lattice, look_up, ramp
from crepitus.phantom.scene import Person
from crepitus.phantom.solid.clay import Clay, Stuff, curve
from crepitus.phantom.solid.field import CORTEX, DISTANCE, FILL, Solid
from crepitus.phantom.solid.textures import smooth_noise

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

SPACING_MM = 1.75

_STRUTS = np.diag([1 / 1.1, 1 / 0.23, 1 / 0.4])
"""Texture matrix: cells are long along the struts, thin across, and plates rather than rods in depth."""


def build_femur(generator: Generator, person: Person, measures: HipMeasures, side: str) -> Part:
    """The upper femur of one side.

    Args:
        generator: source of the small differences between the sides.
        person: bone density matters here.
        measures: shared with the pelvis.
        side: "R" (x < 0) or "L".

    Returns:
        one solid "femur-R" or "femur-L" with channels Q1 and Q2; landmarks "head", "greater trochanter",
        "lesser trochanter", "neck" and "shaft" and sites "head", "subcapital", "neck", "trochanteric",
        "lesser", "subtrochanteric" and "shaft", each with "-R" or "-L" behind.
    """
    frame = draw_frame(generator, measures)
    clay = _clay(frame)
    _shaft(clay, frame)
    _neck_and_head(clay, frame)
    _trochanters(clay, frame)
    shift = generator.uniform(0.0, 500.0, 3)
    clay.roughen(smooth_noise(), 0.3, 5.0, shift)
    solid = _filled(clay, frame, person, generator.uniform(0.0, 60.0, 2))
    part = Part((solid,), landmarks_of(frame), sites_of(frame))
    return part if side == "R" else part.mirrored()


def _clay(frame: Frame) -> Clay:
    r = frame.m.head_radius_mm + 5.0
    outside = [
        frame.on_shaft(SHAFT_MM, -26.0, 22.0),
        frame.on_shaft(SHAFT_MM, 28.0, -24.0),
        frame.on_shaft(0.0, 34.0 * frame.size, -30.0 * frame.size),
        frame.on_shaft(0.0, 34.0 * frame.size, 24.0 * frame.size),
    ]
    corners = np.concatenate([[frame.centre - r, frame.centre + r], frame.body(np.array(outside))])
    return Clay(corners.min(axis=0), corners.max(axis=0), SPACING_MM)


def _shaft(clay: Clay, frame: Frame) -> None:
    """Metaphysis and shaft with the linea aspera; the tube goes on below the grid."""
    r = frame.m.shaft_radius_mm
    s = np.array([-6.0, 8, 24, 38, 56, 78, 105, 140, 185, 250])
    wide = np.array([1.10, 1.22, 1.22, 1.13, 1.04, 1.01, 1.0, 0.98, 0.97, 0.97]) * r
    deep = np.array([1.02, 1.16, 1.20, 1.17, 1.09, 1.03, 1.0, 1.0, 1.0, 1.0]) * r
    knots = np.stack([[*frame.body(frame.on_shaft(a)), w, d] for a, w, d in zip(s, wide, deep, strict=True)])
    line = curve(knots, 16)
    clay.tube(line[:, :3], line[:, 3:], Stuff(blend_mm=4.0), wide=frame.axes[0])
    ridge = np.stack([frame.body(frame.on_shaft(a, 1.0, -0.92 * r)) for a in (62.0, 110.0, 170.0, 250.0)])
    clay.tube(ridge, np.array([2.6, 3.6, 4.0, 4.0]), Stuff(blend_mm=6.0))


def _neck_and_head(clay: Clay, frame: Frame) -> None:
    """The neck is higher than deep, narrow in its middle, and flares to the trochanters; then the ball."""
    half, r, n = 0.5 * frame.m.neck_width_mm, frame.m.head_radius_mm, frame.length
    at = np.array([0.10, 0.38, 0.56, 0.78, 1.0]) * n
    up = np.array([0.0, 0.0, 0.0, -0.5, -1.0]) * frame.size
    high = np.array([1.08, 1.0, 0.97, 1.12, 1.28]) * half
    deep = np.array([1.02, 0.90, 0.83, 0.90, 0.98]) * half
    knots = np.stack(
        [[*frame.body(frame.on_neck(a, u)), h, d] for a, u, h, d in zip(at, up, high, deep, strict=True)]
    )
    line = curve(knots, 10)
    over = frame.on_neck(0.0, 1.0) @ frame.axes
    clay.tube(line[:, :3], line[:, 3:], Stuff(blend_mm=8.0 * frame.size), wide=over)
    # The inner arch from the shaft into the neck.
    arch = np.stack(
        [
            frame.body(frame.on_shaft(34.0, -0.80 * frame.m.shaft_radius_mm)),
            frame.body(frame.on_shaft(14.0, -0.86 * frame.m.shaft_radius_mm)),
            frame.body(frame.on_neck(0.74 * n, -0.66 * half)),
        ]
    )
    clay.tube(curve(arch, 6), np.full(6, 0.36 * half), Stuff(blend_mm=8.0))
    clay.ball(frame.centre, r, Stuff(blend_mm=5.0))
    fovea = frame.body(np.array([-0.93 * r, 0.32 * r, -0.1 * r]))
    clay.ball(fovea, 0.17 * r, Stuff(blend_mm=3.0), carve=True)


def _trochanters(clay: Clay, frame: Frame) -> None:
    """Greater trochanter with its fossa, lesser trochanter behind, and the crest between them."""
    k, r = frame.size, frame.m.shaft_radius_mm
    great = np.stack(
        [
            [*frame.body(frame.on_shaft(22.0 * k, 0.42 * r, -1.0)), 10.0 * k, 13.0 * k],
            [*frame.body(frame.on_shaft(2.0 * k, 0.84 * r, -2.0)), 12.5 * k, 17.0 * k],
            [*frame.body(frame.on_shaft(-15.0 * k, 0.84 * r, -5.0)), 11.5 * k, 15.0 * k],
            [*frame.body(frame.on_shaft(-28.0 * k, 0.66 * r, -9.0)), 9.0 * k, 10.5 * k],
        ]
    )
    line = curve(great, 9)
    clay.tube(line[:, :3], line[:, 3:], Stuff(blend_mm=6.0), wide=frame.axes[0])
    # The tip hangs over the fossa, behind the neck.
    tip = np.stack(
        [
            frame.body(frame.on_shaft(-29.0 * k, 0.40 * r, -10.0 * k)),
            frame.body(frame.on_shaft(-30.0 * k, -0.05 * r, -14.0 * k)),
        ]
    )
    clay.tube(tip, np.array([7.0, 5.0]) * k, Stuff(blend_mm=5.0))
    fossa = frame.body(frame.on_shaft(-19.0 * k, -0.42 * r, -13.0 * k))
    clay.ball(fossa, np.array([7.0, 9.0, 7.0]) * k, Stuff(blend_mm=4.0), carve=True)
    less = np.stack(
        [
            frame.body(frame.on_shaft(40.0 * k, -0.55 * r, -0.45 * r)),
            frame.body(frame.on_shaft(34.0 * k, -1.02 * r, -0.80 * r)),
            frame.body(lesser_tip(frame)),
        ]
    )
    clay.tube(less, np.array([10.5, 8.0, 4.6]) * k, Stuff(blend_mm=6.0))
    crest = curve(
        np.stack(
            [
                frame.body(frame.on_shaft(-20.0 * k, 0.25 * r, -17.0 * k)),
                frame.body(frame.on_shaft(4.0 * k, -0.15 * r, -1.20 * r)),
                frame.body(frame.on_shaft(26.0 * k, -0.75 * r, -1.05 * r)),
            ]
        ),
        7,
    )
    clay.tube(crest, np.full(7, 4.2 * k), Stuff(blend_mm=6.0))


def _filled(clay: Clay, frame: Frame, person: Person, shift: FloatArray) -> Solid:
    """The solid with thickness of the cortex, density of the interior and the lines of the struts."""
    shape = clay.field.shape[:3]
    steps = [o + clay.spacing_mm * np.arange(n) for o, n in zip(clay.origin_mm, shape, strict=True)]
    x, y, z = np.meshgrid(*steps, indexing="ij", sparse=True)
    across = (x - frame.centre[0]) * frame.axes[0, 0] + (z - frame.centre[2]) * frame.axes[0, 2]
    forward = (x - frame.centre[0]) * frame.axes[2, 0] + (z - frame.centre[2]) * frame.axes[2, 2]
    p, y, q = np.broadcast_arrays(across, y - frame.centre[1], forward)
    near = clay.field[..., DISTANCE] < 3.0
    p, y, q = p[near], y[near], q[near]
    # The affine map that takes the axes of this femur to the canonical ones.
    ours = np.stack([frame.meet, frame.on_shaft(50.0 * frame.size)[:2]], axis=1)
    to = np.array([CENTRE_O, SHAFT_POINT]).T @ np.linalg.inv(ours)
    cp, cy = to[0, 0] * p + to[0, 1] * y, to[1, 0] * p + to[1, 1] * y
    tables = lattice()
    tensile, compressive = look_up(tables.tensile, cp, cy), look_up(tables.compressive, cp, cy)
    solid = clay.finish("femur-R", _STRUTS / _coarseness(person))
    field = np.zeros((*shape, 5), dtype=np.float32)
    field[..., :3] = solid.field
    field[near, CORTEX] = _cortex(frame, p, y, q)
    inside = density(cp, cy, tensile, compressive, person.quality)
    field[near, FILL] = inside * (0.35 + 0.65 * min(1.1, person.quality))
    field[near, 3] = tensile + shift[0]
    field[near, 4] = compressive + shift[1]
    return replace(solid, field=field)


def _coarseness(person: Person) -> float:
    """Osteoporosis takes the thin struts first."""
    return 1.0 + 0.8 * max(0.0, 1.0 - person.quality)


def _cortex(frame: Frame, p: FloatArray, y: FloatArray, q: FloatArray) -> FloatArray:
    """Thickness of compact bone at local points, mm: thin above, with a strong inner arch below the neck."""
    m, k = frame.m, frame.size
    dp, dy = p - frame.meet[0], y - frame.meet[1]
    s = dp * frame.shaft[0] + dy * frame.shaft[1]
    side = (dp * frame.shaft[1] - dy * frame.shaft[0]) / m.shaft_radius_mm
    n = p * frame.neck[0] + y * frame.neck[1]
    below = -(p * frame.neck[1] - y * frame.neck[0])
    weak = m.shaft_cortex_mm / 7.5
    lateral = ramp(s, 12.0 * k, 68.0 * k)
    medial = ramp(s, -26.0 * k, 48.0 * k)
    inner = ramp(side, 0.5, -0.7)
    # Front and back stay thinner for longer.
    around = 1.0 - 0.4 * ramp(np.abs(side), 0.8, 0.2) * ramp(s, 130.0 * k, 60.0 * k)
    shaft = m.shaft_cortex_mm * (lateral * (1 - inner) + medial * inner) * around
    # The lesser trochanter and the crest are thin-walled.
    r = m.shaft_radius_mm
    knob = np.maximum(ramp(q, -0.6 * r, -1.0 * r), ramp(side, -1.15, -1.4)) * ramp(s, 75.0 * k, 50.0 * k)
    shaft = shaft * (1.0 - 0.7 * knob)
    arch = 3.2 * weak * ramp(n, 0.42 * frame.length, 0.85 * frame.length) * ramp(below, 4.0 * k, 14.0 * k)
    arch = arch * ramp(s, 30.0 * k, 0.0) * ramp(np.abs(q), 16.0 * k, 8.0 * k)
    neck = 0.7 * ramp(n, 0.3 * frame.length, 0.6 * frame.length) * ramp(s, -20.0, -5.0)
    return np.asarray(np.maximum(np.maximum(shaft, arch), 0.95 + neck * weak))
