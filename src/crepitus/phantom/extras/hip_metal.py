"""Hardware of the hip: screws, side plate, nail, prostheses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.extras.hardware import (
    COARSE_MM,
    Hardware,
    Piece,
    across,
    ball,
    cup,
    rod,
    screw,
    strip,
    unit,
)
from crepitus.phantom.scene import Anatomy
from crepitus.phantom.solid.clay import curve
from crepitus.phantom.xray.physics import STEEL, TITANIUM

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class HipFrame:
    """A hip as the surgeon sees it.

    Attributes:
        side: "L" or "R".
        bone: name of the femur.
        head: centre of the femoral head, shape (3,).
        head_radius: of it, mm, estimated.
        neck_radius: half the width of the neck.
        up: unit vector along the neck to the head.
        shaft: a point on the axis of the shaft, 6-10 cm below the neck.
        down: unit vector along the shaft.
        shaft_radius: half the width of the shaft.
    """

    side: str
    bone: str
    head: FloatArray
    head_radius: float
    neck_radius: float
    up: FloatArray
    shaft: FloatArray
    down: FloatArray
    shaft_radius: float

    @property
    def lateral(self) -> FloatArray:
        """Unit vector outward, square to the shaft, in the plane of the neck."""
        return unit(-(self.up - (self.up @ self.down) * self.down))

    @property
    def corner(self) -> FloatArray:
        """Where the axis of the neck passes the axis of the shaft."""
        reach = (self.head - self.shaft) @ self.lateral / (self.up @ self.lateral)
        on_neck = self.head - reach * self.up
        return np.asarray(self.shaft + ((on_neck - self.shaft) @ self.down) * self.down)

    def on_shaft(self, below_mm: float) -> FloatArray:
        """A point of the shaft's axis below the corner."""
        return np.asarray(self.corner + below_mm * self.down)


def hip_frame(anatomy: Anatomy, side: str) -> HipFrame | None:
    """The hip of a side, or None if the anatomy names no neck and shaft there."""
    neck, shaft = (anatomy.sites.get(f"{name}-{side}") for name in ("neck", "shaft"))
    if neck is None or shaft is None:
        return None
    medial = np.array([1.0 if side == "R" else -1.0, -0.7, 0.0])
    up = unit(np.asarray(neck.axes)[0])
    up = up if up @ medial > 0 else -up
    down = unit(np.asarray(shaft.axes)[0])
    down = down if down[1] > 0 else -down
    radius = 1.42 * neck.radius_mm
    mark = anatomy.landmarks.get(f"head-{side}")
    head = neck.origin_mm + 1.75 * neck.radius_mm * up if mark is None else np.asarray(mark[1])
    return HipFrame(side, neck.bone, head, radius, neck.radius_mm, up, shaft.origin_mm, down, shaft.radius_mm)


def _shaft_screws(generator: Generator, hip: HipFrame, places: list[FloatArray], name: str) -> list[Piece]:
    pieces = []
    for n, place in enumerate(places):
        tilt = unit(-hip.lateral + generator.normal(0, 0.04) * hip.down)
        length = 2 * hip.shaft_radius + float(generator.uniform(5, 8))
        head = place + 2.0 * hip.lateral
        pieces.append(
            (
                STEEL,
                screw(
                    f"{name}{n}",
                    head,
                    head + length * tilt,
                    4.5,
                    core=0.7,
                    pitch_mm=1.75,
                    head_diameter_mm=8.0,
                ),
            )
        )
    return pieces


def cannulated_screws(generator: Generator, hip: HipFrame) -> Hardware:
    """Two or three parallel screws of 7.3 mm through the neck."""
    count = int(generator.choice([2, 3], p=[0.25, 0.75]))
    a, b = across(hip.up)
    spread = 0.42 * hip.neck_radius
    turn = generator.uniform(0, 2 * np.pi)
    pieces = []
    for n in range(count):
        angle = turn + 2 * np.pi * n / count
        off = spread * (np.cos(angle) * a + np.sin(angle) * b)
        tip = hip.head + off + float(generator.uniform(0.55, 0.75)) * hip.head_radius * hip.up
        # The heads rest on the lateral cortex below the trochanter.
        reach = ((hip.head + off - hip.corner) @ hip.lateral - hip.shaft_radius - 2.0) / (
            hip.up @ hip.lateral
        )
        head = hip.head + off - reach * hip.up
        length = float(np.linalg.norm(tip - head))
        threads = float(generator.choice([16.0, 32.0])) / length
        wobble = generator.normal(0, 0.8, 3)
        pieces.append(
            (
                TITANIUM,
                screw(
                    f"screw{n}",
                    head,
                    tip + wobble,
                    7.3,
                    core=0.64,
                    threaded=threads,
                    pitch_mm=2.75,
                    head_diameter_mm=8.5,
                ),
            )
        )
    return Hardware("cannulated screws", tuple(pieces), {})


def hip_screw(generator: Generator, hip: HipFrame) -> Hardware:
    """A dynamic hip screw: lag screw in a barrel, side plate with cortical screws."""
    tip = hip.head + float(generator.uniform(0.5, 0.75)) * hip.head_radius * hip.up
    outside = hip.corner + (hip.shaft_radius + 2.5) * hip.lateral
    # The barrel starts where the axis of the neck leaves the lateral cortex.
    start = hip.corner - (hip.shaft_radius + 2.5) / float(hip.up @ -hip.lateral) * hip.up
    length = float(np.linalg.norm(tip - start))
    lag = screw("lag", start, tip, 12.5, core=0.64, threaded=22.0 / length, pitch_mm=3.0, spacing_mm=0.7)
    barrel = rod("barrel", np.array([start, start + 38.0 * hip.up]), 6.4, 0.8)
    count = int(generator.integers(3, 6))
    low = start + (16.0 * count + 24.0) * hip.down
    low += ((hip.shaft - low) @ hip.lateral + hip.shaft_radius + 2.5) * hip.lateral
    path = np.array(
        [start - 6.0 * hip.down, 0.5 * (start + outside) + 10.0 * hip.down, 0.5 * (start + low), low]
    )
    path[1] = start + 10.0 * hip.down
    holes = [(26.0 + 16.0 * n) / (16.0 * count + 30.0) for n in range(count)]
    plate, places = strip("side-plate", path, hip.lateral, 17.0, 5.6, holes, 5.5, 0.8)
    pieces: list[Piece] = [(STEEL, lag), (STEEL, barrel), (STEEL, plate)]
    return Hardware("hip screw", (*pieces, *_shaft_screws(generator, hip, places, "cortical")), {})


def nail(generator: Generator, hip: HipFrame) -> Hardware:
    """A trochanteric nail with its lag screw and a locking screw."""
    top = hip.on_shaft(-float(generator.uniform(24, 32))) + 1.0 * hip.lateral
    length = float(generator.uniform(170, 240))
    knots = np.array([top, hip.on_shaft(25.0), hip.on_shaft(0.6 * length), hip.on_shaft(length - 35.0)])
    radii = np.array([7.7, 7.4, 5.5, 5.4])
    body = rod("nail", knots, np.minimum(radii, 0.62 * hip.shaft_radius), COARSE_MM)
    tip = hip.head + float(generator.uniform(0.5, 0.75)) * hip.head_radius * hip.up
    start = hip.corner - (hip.shaft_radius + 4.0) / float(hip.up @ -hip.lateral) * hip.up
    threads = 25.0 / float(np.linalg.norm(tip - start))
    lag = screw("lag", start, tip, 10.5, core=0.72, threaded=threads, pitch_mm=3.0, spacing_mm=0.7)
    lock = hip.on_shaft(length - 60.0)
    out, inside = lock + (hip.shaft_radius + 2.0) * hip.lateral, lock - (hip.shaft_radius + 2.0) * hip.lateral
    locking = screw("lock", out, inside, 5.0, core=0.85, pitch_mm=1.8, head_diameter_mm=7.5)
    return Hardware("nail", ((TITANIUM, body), (TITANIUM, lag), (TITANIUM, locking)), {})


def _socket(generator: Generator, hip: HipFrame, outer_mm: float) -> list[Piece]:
    """The cup of a total hip, some with a screw into the ilium."""
    inward = 1.0 if hip.side == "R" else -1.0
    inclination, version = np.radians(generator.normal(43, 6)), np.radians(generator.normal(15, 6))
    # The opening faces down and outward, and a little forward.
    opening = unit(np.array([-inward * np.sin(inclination), np.cos(inclination), np.sin(version)]))
    pieces: list[Piece] = [(TITANIUM, cup("cup", hip.head, outer_mm, 3.5, opening))]
    if generator.random() < 0.5:
        away = unit(-opening + np.array([0.0, -0.5, 0.0]))
        first = hip.head + (outer_mm - 3.0) * away
        pieces.append((TITANIUM, screw("cup-screw", first, first + 25.0 * away, 6.5, pitch_mm=2.2)))
    return pieces


def prosthesis(generator: Generator, hip: HipFrame, total: bool) -> Hardware:
    """A stem with neck and head in the place of the bone's own; with a cup if `total`.

    The head and the upper neck of the bone are removed.
    """
    r = hip.shaft_radius
    length = float(generator.uniform(115, 150))
    seat = hip.on_shaft(-4.0) - 0.25 * r * hip.lateral
    # From the shoulder down: narrow, widest below the cut of the neck, then a slender tip.
    knots = np.array(
        [
            [*(hip.on_shaft(-17.0) + 0.1 * r * hip.lateral), 0.42 * r],
            [*hip.on_shaft(2.0), 0.74 * r],
            [*hip.on_shaft(45.0), 0.66 * r],
            [*hip.on_shaft(0.7 * length), 0.52 * r],
            [*hip.on_shaft(length), 0.3 * r],
        ]
    )
    line = curve(knots, 24)
    stem = rod("stem", line[:, :3], line[:, 3], COARSE_MM)
    radius = float(generator.choice([14.0, 16.0, 18.0])) if total else 0.99 * hip.head_radius
    # The new neck leaves the stem at its own angle, and meets the old centre of rotation.
    on_neck = np.array([seat, 0.5 * (seat + hip.head), hip.head])
    neck = rod("neck", on_neck, np.array([9.0, 6.6, 5.8]), COARSE_MM)
    head = ball("head", hip.head, radius)
    metal = STEEL if generator.random() < 0.5 else TITANIUM
    pieces: list[Piece] = [(metal, stem), (metal, neck), (STEEL, head)]
    if total:
        pieces += _socket(generator, hip, max(radius + 9.0, 1.08 * hip.head_radius))
    gone = np.array(
        [
            [*hip.head, *(hip.head - 0.3 * hip.head_radius * hip.up), 1.08 * hip.head_radius],
            [*hip.head, *(hip.head - 1.05 * hip.head_radius * hip.up), 1.2 * hip.neck_radius],
        ]
    )
    return Hardware("total hip" if total else "hemiprosthesis", tuple(pieces), {hip.bone: gone})
