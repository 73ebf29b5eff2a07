"""The hip bone: ilium with its wing, acetabulum around the femoral head, pubic rami, ischium."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.hip_places import hip_landmarks, hip_sites, lower_ramus, within
from crepitus.phantom.anatomy.measures import HipMeasures
from crepitus.phantom.anatomy.part import Part
from crepitus.phantom.anatomy.pelvis_shape import REFERENCE_HALF_MM, HipFrame, PelvisShape, draw_shape
from crepitus.phantom.anatomy.plates import fitted_plate
from crepitus.phantom.scene import Person
from crepitus.phantom.solid.clay import Clay, Region, Stuff, curve
from crepitus.phantom.solid.field import CORTEX, DISTANCE, FILL, grain_along
from crepitus.phantom.solid.textures import smooth_noise

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

SPACING_MM = 2.0
_OPENING = np.array([0.70, 0.62, 0.35]) / np.linalg.norm([0.70, 0.62, 0.35])
"""Where the acetabulum opens: outwards, down, forward (inclination 45, anteversion 20 degrees)."""


def build_hip_bone(
    generator: Generator,
    person: Person,
    measures: HipMeasures,
    side: str,
    shape: PelvisShape | None = None,
    region: Region | None = None,
) -> Part:
    """The hip bone of one side, "R" (x < 0) or "L"; `shape` is shared by both sides, drawn if None.

    Only what lies in `region` is built, see `Clay`.
    """
    shape = draw_shape(generator, person, measures) if shape is None else shape
    frame = HipFrame(shape, side, generator.normal(0.0, 1.0, 3))
    low, high = frame.path((-3.0, -182.0, -122.0), (168.0, 88.0, 66.0))
    clay = Clay(np.minimum(low, high), np.maximum(low, high), SPACING_MM, region)
    centre = np.array([frame.sign * shape.half_mm, 0.0, 0.0])
    socket = measures.head_radius_mm + shape.joint_mm
    _wing(clay, frame)
    _socket_shell(clay, frame, centre, socket)
    _columns(clay, frame)
    _pubis_and_ischium(clay, frame)
    _quadrilateral_plate(clay, frame, socket)
    clay.roughen(smooth_noise(), 0.45, 5.0, generator.uniform(0, 150, 3))
    _carve_socket(clay, frame, centre, socket)
    _flat_symphysis(clay, shape)
    quality = person.quality
    grain = grain_along(frame.direction(0.35, 1.0, 0.25), 0.6 + 0.3 * max(0.0, 1.0 - quality))
    name = f"hip-bone-{side}"
    solid = clay.finish(name, grain, cortex=0.5 + 0.5 * quality, fill=quality)
    sites = hip_sites(frame, name, side)
    wing = f"iliac-wing-{side}"
    sites[wing] = within(sites[wing], solid)
    return Part((solid,), hip_landmarks(frame, centre, socket, name, side), sites)


_CREST = (
    (121, -74, 46),
    (134, -97, 37),
    (142, -119, 20),
    (138, -139, 2),
    (118, -157, -22),
    (90, -162, -52),
    (66, -148, -80),
    (46, -118, -101),
)
_BACK = ((43, -98, -104), (47, -78, -94), (60, -62, -66), (66, -48, -38))
_FRONT = ((84, -24, -22), (92, -26, 6), (106, -37, 32), (112, -55, 39))
_FOSSA = ((102, -90, -12), (94, -118, -44), (112, -70, 16), (124, -112, 4), (74, -100, -62))


def _wing(clay: Clay, frame: HipFrame) -> None:
    rim = frame.path(*_CREST, *_BACK, *_FRONT)
    thin = np.array([4.0, 0.0, 0.0, 0.0005, 0.0, 0.0005, 2.0])
    fitted_plate(clay, rim, frame.path(*_FOSSA), thin, Stuff(0.95, 0.16, 4.0))
    crest = curve(frame.path(*_CREST), 14)
    radii = np.interp(np.linspace(0, 1, 14), [0, 0.15, 0.32, 0.5, 0.75, 1.0], [5.0, 4.0, 5.4, 4.4, 4.4, 6.5])
    clay.tube(crest, radii, Stuff(0.9, 0.22, 6.0))
    # The pillar that carries the iliac tubercle, and the thick part behind the sacroiliac joint.
    pillar = curve(frame.path((94, -30, 3), (102, -54, 1), (114, -80, 0), (128, -114, 6), (137, -136, 5)), 9)
    sizes = np.interp(np.linspace(0, 1, 9), [0, 0.2, 0.45, 0.7, 1.0], [17.0, 12.5, 6.0, 3.2, 2.6])
    clay.tube(pillar, sizes, Stuff(1.1, 0.22, 14.0))
    back = curve(frame.path((62, -66, -62), (61, -90, -64), (58, -112, -72), (48, -112, -95)), 8)
    clay.tube(back, np.array([7.5] * 4 + [8.5] * 4), Stuff(1.2, 0.25, 8.0))
    clay.ball(frame.at(47, -98, -97), 9.0, Stuff(1.0, 0.25, 6.0))
    clay.ball(frame.at(120, -73, 45), 6.0, Stuff(1.1, 0.25, 4.0))


def _socket_shell(clay: Clay, frame: HipFrame, centre: FloatArray, socket: float) -> None:
    opening = _OPENING * np.array([frame.sign, 1.0, 1.0])
    clay.ball(centre, socket + 6.0, Stuff(1.4, 0.3, 6.0))
    clay.ball(centre + opening * (70.0 - 4.0), 70.0, Stuff(1.0, 0.2, 2.0), carve=True)


def _columns(clay: Clay, frame: HipFrame) -> None:
    body = curve(frame.path((86, -26, 4), (85, -44, -6), (82, -64, -22), (76, -84, -42)), 7)
    sizes = np.interp(np.linspace(0, 1, 7), [0, 0.4, 0.7, 1.0], [18.0, 12.5, 5.0, 1.5])
    clay.tube(body, sizes, Stuff(1.2, 0.24, 14.0))
    spine = curve(frame.path((93, -34, 16), (102, -38, 30), (106, -43, 37)), 4)
    clay.tube(spine, np.linspace(11.0, 6.0, 4), Stuff(1.2, 0.26, 7.0))
    brim = curve(
        frame.path(
            (61, -84, -56),
            (66, -62, -50),
            (70, -44, -34),
            (71, -28, -8),
            (69, -13, 14),
            (62, 1, 27),
            (49, 11, 36),
            (34, 19, 41),
            (19, 27, 42),
        ),
        18,
    )
    radii = np.interp(
        np.linspace(0, 1, 18), [0, 0.25, 0.45, 0.6, 0.7, 0.82, 0.92, 1], [7, 8, 9, 10, 8.5, 7.2, 7.0, 8]
    )
    cortex = np.interp(np.linspace(0, 1, 18), [0, 0.3, 0.6, 1.0], [1.4, 2.2, 1.6, 1.2])
    clay.tube(brim, radii, Stuff(1.6, 0.24, 5.0), cortex=cortex)
    behind = curve(
        frame.path(
            (66, -58, -52), (74, -36, -40), (81, -10, -32), (79, 10, -31), (73, 32, -33), (67, 52, -36)
        ),
        11,
    )
    radii = np.interp(np.linspace(0, 1, 11), [0, 0.3, 0.6, 1.0], [8.0, 11.0, 13.0, 13.0])
    clay.tube(behind, radii, Stuff(1.5, 0.24, 6.0))


def _pubis_and_ischium(clay: Clay, frame: HipFrame) -> None:
    clay.ball(frame.at(66, 56, -37), np.array([13.0, 14.0, 13.0]), Stuff(1.3, 0.22, 5.0))
    # The corners of the obturator foramen are round.
    corner = curve(frame.path((68, 36, -34), (60, 52, -31), (45, 63, -19), (31, 64, -4)), 6)
    clay.tube(corner, np.linspace(9.5, 4.0, 6), Stuff(1.3, 0.2, 10.0))
    line = curve(lower_ramus(frame), 12)
    radii = np.interp(np.linspace(0, 1, 12), [0, 0.3, 0.6, 0.8, 1.0], [12.0, 8.8, 6.2, 6.8, 9.5])
    flat = np.stack([radii * 1.15, radii * 0.8], axis=1)
    clay.tube(line, flat, Stuff(1.3, 0.18, 12.0), wide=frame.direction(0.5, -0.75, 0.4))
    body = curve(frame.path((14, 29, 42), (14, 37, 37), (13, 45, 30)), 3)
    clay.tube(body, np.array([[14.5, 7.5]] * 3), Stuff(1.2, 0.18, 12.0), wide=np.array([1.0, 0.0, 0.0]))
    corner = frame.path((20, 38, 33), (21, 46, 25), (23, 55, 14))
    clay.tube(corner, np.array([7.0, 6.5, 5.0]), Stuff(1.2, 0.18, 12.0))
    clay.ball(frame.at(24, 22, 46), 5.0, Stuff(1.2, 0.2, 4.0))
    spine = frame.path((72, 0, -38), (62, 4, -46), (56, 7, -51))
    clay.tube(spine, np.array([6.0, 4.0, 2.0]), Stuff(1.2, 0.2, 3.0))


def _quadrilateral_plate(clay: Clay, frame: HipFrame, socket: float) -> None:
    half = frame.shape.half_mm
    x = (half - socket - 1.6) * REFERENCE_HALF_MM / half
    # Low down the wall stays by the socket, however wide the brim is above.
    drawn_in = 0.7 * frame.shape.inlet_mm
    rim = [
        (-44, -48),
        (-42, -20),
        (-40, 4),
        (-36, 24),
        (-20, 28),
        (0, 22),
        (13, 12),
        (20, 0),
        (12, -24),
        (-12, -44),
    ]
    knots = frame.path(
        *[
            (x - drawn_in * min(1.0, (y + 48.0) / 40.0) - 0.05 * y + 0.002 * (z + 4.0) ** 2, y, z)
            for z, y in rim
        ]
    )
    thick = np.array([2.2, 0.0, 0.0, 0.0, 0.0, 0.0, 2.5])
    fitted_plate(clay, knots, knots[:0], thick, Stuff(0.8, 0.2, 4.0))


def _carve_socket(clay: Clay, frame: HipFrame, centre: FloatArray, socket: float) -> None:
    clay.ball(centre, socket, Stuff(1.0, 0.2, 1.0), carve=True)
    fossa = centre + np.array([-frame.sign * 9.0, 7.0, 1.0])
    clay.ball(fossa, socket - 8.0, Stuff(1.0, 0.2, 1.5), carve=True)
    notch = centre + np.array([-frame.sign * 10.0, socket, 8.0])
    clay.ball(notch, 11.0, Stuff(1.0, 0.2, 2.0), carve=True)
    # Subchondral bone is thick in the weight-bearing roof.
    low = np.clip(((centre - socket - 22.0 - clay.origin_mm) / clay.spacing_mm).astype(int), 0, None)
    high = ((centre + socket + 22.0 - clay.origin_mm) / clay.spacing_mm).astype(int)
    spot = tuple(slice(a, max(a, b)) for a, b in zip(low, high, strict=True))
    x, y, z = _coordinates(clay)
    dx = frame.sign * (x[spot[0]] - centre[0])
    dy, dz = y[:, spot[1]] - centre[1], z[:, :, spot[2]] - centre[2]
    r = np.sqrt(dx**2 + dy**2 + dz**2) + 1e-6
    near = np.exp(-(((r - socket) / 6.0) ** 2))
    roof = np.clip((-dy + 0.25 * dx) / r * 1.6 - 0.45, 0.0, 1.0)
    clay.field[spot[0], spot[1], spot[2], CORTEX] += (near * (0.5 + 1.9 * roof)).astype(np.float32)
    dense = 1.0 + 0.7 * np.exp(-(((r - socket - 8.0) / 14.0) ** 2)) * roof
    clay.field[spot[0], spot[1], spot[2], FILL] *= dense.astype(np.float32)


def _coordinates(clay: Clay) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Body coordinates of the grid, to be broadcast."""
    shape = clay.field.shape
    x, y, z = (clay.origin_mm[k] + clay.spacing_mm * np.arange(shape[k]) for k in range(3))
    return x[:, None, None], y[None, :, None], z[None, None, :]


def _flat_symphysis(clay: Clay, shape: PelvisShape) -> None:
    x = np.abs(_coordinates(clay)[0])
    cut = (shape.symphysis_mm / 2 - x).astype(np.float32)
    sign = np.sign(clay.origin_mm[0] + clay.spacing_mm * np.arange(clay.field.shape[0]))
    middle = np.sign(clay.origin_mm[0] + clay.spacing_mm * clay.field.shape[0] / 2)
    wrong = (sign != middle)[:, None, None]
    cut = np.where(wrong, shape.symphysis_mm / 2 + x, cut).astype(np.float32)
    np.maximum(clay.field[..., DISTANCE], cut, out=clay.field[..., DISTANCE])
