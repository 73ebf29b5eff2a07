"""The frame of a femur: its axes and lengths, landmarks, and the places where it breaks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.measures import HipMeasures
from crepitus.phantom.scene import Site

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

SHAFT_MM = 225.0
"""Length of the shaft that is built, from where the axes of neck and shaft meet."""

_ADDUCTION_DEG = 5.0
"""The shaft runs down and inwards by this angle."""


@dataclass(frozen=True)
class Frame:
    """Directions and lengths of a right femur.

    Local coordinates (p, y, q), mm: lateral, down and forward from the centre of the head, in the plane of
    the neck.

    Attributes:
        centre: of the head, body coordinates.
        axes: rows p, y, q in the body, shape (3, 3).
        neck: direction (p, y) from the head to the shaft.
        shaft: direction (p, y) down the shaft.
        length: from the centre of the head to the axis of the shaft along the neck, mm.
        m: the measures of this side.
        size: relative to an average femur.
        bow: forward bow of the shaft, mm.
    """

    centre: FloatArray
    axes: FloatArray
    neck: FloatArray
    shaft: FloatArray
    length: float
    m: HipMeasures
    size: float
    bow: float

    @property
    def meet(self) -> FloatArray:
        """Local (p, y) of the point where the axes meet."""
        return self.neck * self.length

    def body(self, local: FloatArray) -> FloatArray:
        """Local (..., 3) to body coordinates."""
        return np.asarray(self.centre + np.asarray(local, dtype=np.float64) @ self.axes)

    def on_shaft(self, s: float, across: float = 0.0, forward: float = 0.0) -> FloatArray:
        """Local point `s` mm down the shaft from `meet`, `across` mm lateral and `forward` mm of its axis."""
        lateral = np.array([self.shaft[1], -self.shaft[0]])
        p, y = self.meet + s * self.shaft + across * lateral
        bow = self.bow * (1.0 - ((s - 160.0) / 160.0) ** 2) if s > 0 else 0.0
        return np.array([p, y, bow + forward])

    def on_neck(self, n: float, up: float = 0.0, forward: float = 0.0) -> FloatArray:
        """Local point `n` mm along the neck from the head's centre, `up` mm above its axis."""
        over = np.array([self.neck[1], -self.neck[0]])
        p, y = n * self.neck + up * over
        return np.array([p, y, forward])


def draw_frame(generator: Generator, measures: HipMeasures) -> Frame:
    """The frame of one side: the measures with the small differences between the sides."""
    jitter = np.clip(generator.standard_normal(6), -2.0, 2.0)
    m = replace(
        measures,
        neck_shaft_deg=measures.neck_shaft_deg + 0.8 * jitter[0],
        anteversion_deg=measures.anteversion_deg + 1.5 * jitter[1],
        offset_mm=measures.offset_mm + 0.7 * jitter[2],
        neck_width_mm=measures.neck_width_mm + 0.4 * jitter[3],
        shaft_radius_mm=measures.shaft_radius_mm + 0.25 * jitter[4],
    )
    turn, lean = math.radians(m.anteversion_deg), math.radians(_ADDUCTION_DEG)
    angle = lean + math.radians(m.neck_shaft_deg)
    axes = np.array(
        [[-math.cos(turn), 0.0, -math.sin(turn)], [0.0, 1.0, 0.0], [-math.sin(turn), 0.0, math.cos(turn)]]
    )
    return Frame(
        centre=np.array([-m.head_distance_mm / 2, 0.0, 0.0]),
        axes=axes,
        neck=np.array([math.sin(angle), -math.cos(angle)]),
        shaft=np.array([-math.sin(lean), math.cos(lean)]),
        length=m.offset_mm / math.sin(math.radians(m.neck_shaft_deg)),
        m=m,
        size=m.head_radius_mm / 23.0,
        bow=7.0 + 1.5 * jitter[5],
    )


def lesser_tip(frame: Frame) -> FloatArray:
    """Local tip of the lesser trochanter."""
    r = frame.m.shaft_radius_mm
    return frame.on_shaft(30.0 * frame.size, -1.32 * r, -1.05 * r)


def landmarks_of(frame: Frame) -> dict[str, tuple[str, FloatArray]]:
    """Landmarks by name: bone and body coordinates."""
    k, r = frame.size, frame.m.shaft_radius_mm
    local = {
        "head": np.zeros(3),
        "neck": frame.on_neck(0.56 * frame.length),
        "greater trochanter": frame.on_shaft(-33.0 * k, 0.35 * r, -10.0 * k),
        "lesser trochanter": lesser_tip(frame),
        "shaft": frame.on_shaft(90.0 * k),
    }
    return {f"{name}-R": ("femur-R", frame.body(point)) for name, point in local.items()}


def _axes(frame: Frame, along: FloatArray) -> FloatArray:
    """Rows s along the local direction (p, y), a across it in the plane of the neck, b forward."""
    s = np.array([along[0], along[1], 0.0]) @ frame.axes
    a = np.array([along[1], -along[0], 0.0]) @ frame.axes
    return np.stack([s, a, np.cross(s, a)])


def sites_of(frame: Frame) -> dict[str, Site]:
    """Sites by name; see `build_femur`."""
    m, k, r = frame.m, frame.size, frame.m.shaft_radius_mm
    half = 0.5 * m.neck_width_mm
    junction = math.sqrt(max(m.head_radius_mm**2 - half**2, 1.0))
    # From the fossa to just above the lesser trochanter.
    top, bottom = frame.on_shaft(-24.0 * k, 0.5 * r)[:2], frame.on_shaft(16.0 * k, -1.3 * r)[:2]
    line = (bottom - top) / np.linalg.norm(bottom - top)
    inter = np.array([line[1], -line[0]])
    centre = np.array([*(0.5 * (top + bottom)), 0.0])
    out = frame.body(lesser_tip(frame)) - frame.body(frame.on_shaft(36.0 * k))
    out = out / np.linalg.norm(out)
    down = np.array([*frame.shaft, 0.0]) @ frame.axes
    up = -(down - (down @ out) * out)
    up = up / np.linalg.norm(up)
    base = frame.body(lesser_tip(frame)) - 11.0 * k * out
    places = {
        "head": (frame.centre, _axes(frame, frame.neck), m.head_radius_mm),
        "subcapital": (frame.body(frame.on_neck(junction)), _axes(frame, frame.neck), half),
        "neck": (frame.body(frame.on_neck(0.56 * frame.length)), _axes(frame, frame.neck), half),
        "trochanteric": (frame.body(centre), _axes(frame, inter), 1.9 * half),
        "lesser": (base, np.stack([out, up, np.cross(out, up)]), 0.8 * half),
        "subtrochanteric": (frame.body(frame.on_shaft(62.0 * k)), _axes(frame, frame.shaft), 1.1 * r),
        "shaft": (frame.body(frame.on_shaft(140.0 * k)), _axes(frame, frame.shaft), r),
    }
    return {f"{name}-R": Site("femur-R", *place) for name, place in places.items()}
