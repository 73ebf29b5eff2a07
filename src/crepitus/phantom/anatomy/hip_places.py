"""Places on a hip bone: the middle line of its lower ramus, landmarks, sites of fractures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.pelvis_shape import HipFrame
from crepitus.phantom.scene import Site
from crepitus.phantom.solid.clay import curve
from crepitus.phantom.solid.field import DISTANCE, Solid

FloatArray = NDArray[np.float64]


def lower_ramus(frame: HipFrame) -> FloatArray:
    """Middle line of ischial and inferior pubic ramus, from the tuberosity to the pubic body."""
    half = np.sin(np.radians(frame.shape.subpubic_deg) / 2) / np.sin(np.radians(35.0))
    xs = 9.0 + (np.array([60.0, 46.0, 32.0, 20.0, 11.0]) - 9.0) * np.array(
        [0.6 + 0.4 * half, 0.25 + 0.75 * half, half, half, 1.0]
    )
    rest = ((62, -33), (69, -20), (65, -4), (57, 13), (47, 27))
    # A wider arch is also lower.
    drop = 3.0 * (half - 1.0)
    return frame.path(*[(float(x), y - drop, z) for x, (y, z) in zip(xs, rest, strict=True)])


def hip_landmarks(
    frame: HipFrame, centre: FloatArray, socket: float, name: str, side: str
) -> dict[str, tuple[str, FloatArray]]:
    """Landmarks of one side; the right one also carries the two of the symphysis.

    Seven pairs and two in the midline, sixteen for the pelvis. Those of pubis and ischium, by name, span the
    region of the anterior pelvis. "acetabulum-roof" is the outer edge of the roof, "acetabulum-teardrop" the
    lower end of the wall between socket and pelvis, "pubis-obturator" the roof of the obturator foramen,
    "pubis-inferior-ramus" the middle of that ramus, "ischium-lateral" the outer side of the ischium and
    "ischium-inferior" the lowest part of the tuberosity.
    """
    ramus = curve(lower_ramus(frame), 20)
    points = {
        "asis": frame.at(121, -74, 46),
        "acetabulum-roof": centre + frame.direction(0.62, -0.95, -0.05) * (socket + 1.5),
        "acetabulum-teardrop": np.array([frame.sign * (frame.shape.half_mm - socket - 2.4), 17.0, 2.0]),
        "pubis-obturator": frame.at(46, 17, 36),
        "pubis-inferior-ramus": ramus[12],
        "ischium-lateral": frame.at(80, 38, -34),
        "ischium-inferior": ramus[3] + np.array([0.0, 5.0, 0.0]),
    }
    result = {f"{key}-{side}": (name, value) for key, value in points.items()}
    if side == "R":
        # In the midline, where both sides meet.
        result["pubis-symphysis-superior"] = (name, frame.at(0, 22, 45))
        result["pubis-symphysis-inferior"] = (name, frame.at(0, 53, 24))
    return result


def _site(
    frame: HipFrame, name: str, point: FloatArray, along: FloatArray, across: FloatArray, radius: float
) -> Site:
    s = along / np.linalg.norm(along)
    a = across - s * (across @ s)
    a /= np.linalg.norm(a)
    return Site(name, point, np.stack([s, a, np.cross(s, a)]), radius)


def hip_sites(frame: HipFrame, name: str, side: str) -> dict[str, Site]:
    """Sites of one side: rami, ischium, wing, acetabulum."""
    ramus = curve(lower_ramus(frame), 20)
    up = np.array([0.0, -1.0, 0.2])
    sites = {
        "superior-ramus": _site(
            frame, name, frame.at(43, 15, 38), frame.at(32, 20, 41) - frame.at(52, 9, 34), up, 6.5
        ),
        "inferior-ramus": _site(frame, name, ramus[12], ramus[14] - ramus[10], up, 5.0),
        "ischium": _site(
            frame,
            name,
            frame.at(71, 36, -33),
            frame.at(67, 52, -36) - frame.at(75, 20, -31),
            np.array([1.0, 0, 0]),
            13.0,
        ),
        "iliac-wing": _site(
            frame,
            name,
            frame.at(112, -100, -14),
            frame.direction(0.35, -0.9, 0.1),
            frame.direction(0.6, 0.2, 0.75),
            45.0,
        ),
        "acetabulum": _site(
            frame,
            name,
            frame.at(72, -22, 0),
            frame.direction(-0.2, -1.0, 0.1),
            np.array([0.0, 0.0, 1.0]),
            24.0,
        ),
    }
    return {f"{key}-{side}": value for key, value in sites.items()}


def within(site: Site, solid: Solid) -> Site:
    """The site moved across its bone to where it is deepest inside; wings bend differently in each person."""
    steps = np.linspace(-18.0, 18.0, 37)
    points = site.origin_mm + steps[:, None] * site.axes[2]
    deepest = int(np.argmin(solid.sample(points)[:, DISTANCE]))
    return replace(site, origin_mm=points[deepest])
