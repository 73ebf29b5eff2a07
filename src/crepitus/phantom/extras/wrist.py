"""Hardware of the wrist, and what is worn on it: plates, wires, casts, bangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.extras.hardware import Hardware, Piece, rod, screw, shaped, strip, unit
from crepitus.phantom.scene import Anatomy, Site
from crepitus.phantom.solid.clay import Clay, Stuff, curve
from crepitus.phantom.solid.field import Solid
from crepitus.phantom.solid.outline import Outline, outline
from crepitus.phantom.xray.physics import BONE, STEEL, TITANIUM

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

_GROWN = 15.0
_HARD = Stuff(0.0, 1.0, 0.3)


def _plate_outline(half_mm: float, length_mm: float) -> Outline:
    """A T with rounded corners: u across to the ulna, v to the fingers, both from the foot of its head."""
    knots = [[-half_mm, 12.0], [0, 13.0], [half_mm, 10.0], [half_mm, 5.0], [4.6, -2.0]]
    knots += [[4.2, -0.5 * length_mm], [4.0, -length_mm], [0, -length_mm - 3]]
    knots += [[-4.0, -length_mm], [-4.2, -0.5 * length_mm], [-4.6, -2.0], [-half_mm, 5.0]]
    return outline(np.array(knots), spacing_mm=0.6, margin_mm=4.0)


def volar_plate(generator: Generator, site: Site) -> Hardware:
    """A T-shaped plate on the palmar side of the distal radius with locking screws.

    Args:
        generator: source of the variation.
        site: "radius-distal": s to the fingers, b dorsal.
    """
    s, a, b = np.asarray(site.axes)
    half, length = 0.8 * site.radius_mm, float(generator.uniform(38, 52))
    flat = _plate_outline(half, length)
    origin = site.origin_mm - (0.62 * site.radius_mm + 1.5) * b
    axes = np.stack([a, s, np.cross(a, s)])
    # The radius flares a little to the palm at its end, and so does the plate.
    shape = np.zeros(10)
    shape[2] = -0.06 * float(np.sign(axes[2] @ b))
    slope = shape[2] * axes[2] + s
    corners = np.array([[u, v] for u in flat.u_range for v in flat.v_range]) @ axes[:2] + origin
    clay = Clay(corners.min(axis=0) - 5.0, corners.max(axis=0) + 5.0, 0.6)
    clay.plate(flat, origin, axes, shape, np.array([2.2, 0, 0, 0, 0, 0, 0]), _HARD)
    # Two rows near the joint, a row down the shaft.
    distal = [(0.75 * half * u, 9.0) for u in (-0.95, -0.35, 0.3, 0.9)] + [
        (0.4 * half * u, 4.5) for u in (-1, 1)
    ]
    shaft = [(0.0, -length + 4.0 + 10.0 * n) for n in range(int(length / 12))]
    pieces: list[Piece] = []
    for n, (u, v) in enumerate([*distal, *shaft]):
        place, far = np.asarray(origin + u * a + v * slope), n >= len(distal)
        clay.tube(
            np.array([place - 3 * b, place + 3 * b]), np.full(2, 1.7 if far else 1.3), _HARD, carve=True
        )
        if generator.random() < 0.12:
            continue
        direction = unit(b + 0.06 * generator.standard_normal(3) + (0.0 if far else 0.08) * s)
        tip = place + float(generator.uniform(12, 15) if far else generator.uniform(16, 21)) * direction
        width = 2.7 if far else 2.4
        one = screw(
            f"plate-screw{n}", place - 0.8 * b, tip, width, core=0.75, pitch_mm=0.9, head_diameter_mm=4.0
        )
        pieces.append((TITANIUM, one))
    return Hardware("volar plate", ((TITANIUM, clay.finish("volar-plate")), *pieces), {})


def shaft_plate(generator: Generator, site: Site) -> Hardware:
    """A straight compression plate on the shaft with 3.5 mm screws."""
    s, a, b = np.asarray(site.axes)
    angle = generator.uniform(-0.7, 0.7)
    out = unit(-np.cos(angle) * b + np.sin(angle) * a)
    count = int(generator.integers(6, 9))
    length = 12.5 * count
    middle = site.origin_mm + (0.95 * site.radius_mm + 1.6) * out
    path = np.array(
        [middle - (0.5 * length - 22.0) * s - 44.0 * s, middle - 22.0 * s, middle + (0.5 * length - 22.0) * s]
    )
    holes = [(n + 0.5) / count for n in range(count)]
    plate, places = strip("shaft-plate", path, out, 10.0, 3.3, holes, 4.3)
    pieces: list[Piece] = []
    for n, place in enumerate(places):
        if n in (count // 2,) and generator.random() < 0.7:
            continue
        tip = place - (2 * site.radius_mm + 4.5) * out
        pieces.append(
            (
                STEEL,
                screw(
                    f"shaft-screw{n}",
                    place + 1.2 * out,
                    tip,
                    3.5,
                    core=0.7,
                    pitch_mm=1.25,
                    head_diameter_mm=6.0,
                ),
            )
        )
    return Hardware("shaft plate", ((STEEL, plate), *pieces), {})


def wires(generator: Generator, site: Site) -> Hardware:
    """Two or three Kirschner wires of 1.6 mm from the styloid across the metaphysis, bent over outside."""
    s, a, b = np.asarray(site.axes)
    r = site.radius_mm
    pieces: list[Piece] = []
    for n in range(int(generator.integers(2, 4))):
        start = (
            site.origin_mm
            + (10.0 + 3.0 * n) * s
            - (1.0 - 0.25 * n) * r * a
            + generator.normal(0, 0.2) * r * b
        )
        end = site.origin_mm - generator.uniform(24, 42) * s + generator.uniform(0.4, 0.75) * r * a
        end = end + generator.normal(0, 0.2) * r * b
        direction = unit(start - end)
        outside = start + generator.uniform(5, 9) * direction
        bent = outside + 5.0 * unit(direction - 1.2 * a + 0.3 * generator.standard_normal(3))
        pieces.append((STEEL, rod(f"wire{n}", np.array([end, outside, bent]), 0.8)))
    return Hardware("wires", tuple(pieces), {})


def draw_wrist_hardware(generator: Generator, anatomy: Anatomy) -> Hardware:
    """A plate or wires on the radius, whichever side there is; a wire through the origin without any site."""
    distal = sorted(name for name in anatomy.sites if name.startswith("radius-distal"))
    shaft = sorted(name for name in anatomy.sites if name.startswith("radius-shaft"))
    # Children hardly ever get a plate.
    shares = [0.5, 0.15, 0.35] if anatomy.person.age >= _GROWN else [0.0, 0.15, 0.85]
    kind = generator.choice(["volar plate", "shaft plate", "wires"], p=shares)
    if kind == "shaft plate" and shaft:
        return shaft_plate(generator, anatomy.sites[shaft[0]])
    if not distal:
        axes = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
        return wires(generator, Site("", anatomy.centre_mm, axes, 10.0))
    if kind == "wires":
        return wires(generator, anatomy.sites[distal[0]])
    return volar_plate(generator, anatomy.sites[distal[0]])


def _skin(anatomy: Anatomy, points: FloatArray) -> FloatArray:
    """Distance to the skin of all tissue together, shape (n,)."""
    layers = [np.minimum(tissue.solid.sample(points)[:, 0], 8.0) for tissue in anatomy.tissue]
    return np.asarray(np.minimum.reduce(layers))


def _around(anatomy: Anatomy, low_y: float, high_y: float) -> tuple[FloatArray, FloatArray]:
    """A box around the arm between two heights."""
    low = np.min([tissue.solid.low_mm for tissue in anatomy.tissue], axis=0)
    high = np.max([tissue.solid.high_mm for tissue in anatomy.tissue], axis=0)
    return np.array([low[0], max(low[1], low_y), low[2]]), np.array([high[0], min(high[1], high_y), high[2]])


def cast(generator: Generator, anatomy: Anatomy) -> Solid:
    """A cast or a splint of plaster around wrist and forearm.

    Plaster holds as much calcium as bone, at half its density: it counts as bone of half its thickness.
    """
    half = bool(generator.random() < 0.5)
    thick, pad = float(generator.uniform(1.8, 3.0)), float(generator.uniform(1.0, 3.0))
    end = anatomy.centre_mm[1] - float(generator.uniform(20, 50))
    turn = generator.uniform(0, 2 * np.pi)
    side = np.array([np.cos(turn), 0.0, np.sin(turn)])
    middle = anatomy.centre_mm
    ripple = generator.uniform(0, 6, 4)

    def distance(points: FloatArray) -> FloatArray:
        skin = _skin(anatomy, points)
        lumps = 0.3 * np.sin(points[:, 1] / 5.0 + ripple[0]) * np.sin(points[:, 0] / 7.0 + ripple[1])
        shell = np.abs(skin - pad - 0.5 * thick) - 0.5 * thick - lumps
        shell = np.maximum(shell, end - points[:, 1])
        return np.asarray(np.maximum(shell, -((points - middle) @ side) - 6.0) if half else shell)

    low, high = _around(anatomy, end - 4.0, np.inf)
    return shaped("cast", low, high, 1.6, distance)


def bangle(generator: Generator, anatomy: Anatomy) -> Solid:
    """A bangle of metal around the forearm, a little loose and tilted."""
    at = anatomy.centre_mm[1] + float(generator.uniform(25, 55))
    slope = generator.normal(0, 0.12, 2)
    low, high = _around(anatomy, at - 25.0, at + 25.0)
    middle = 0.5 * (low + high)
    x, z = np.meshgrid(np.linspace(low[0], high[0], 60), np.linspace(low[2], high[2], 60))
    section = np.column_stack([x.ravel(), np.full(x.size, at), z.ravel()])
    inside = section[_skin(anatomy, section) < 0]
    if len(inside) > 4:
        middle = 0.5 * (inside.min(axis=0) + inside.max(axis=0))
        reach = 0.5 * (inside.max(axis=0) - inside.min(axis=0)) + float(generator.uniform(2, 7))
    else:
        reach = np.array([32.0, 0, 25.0])
    angle = np.linspace(0, 2 * np.pi, 41)
    ring = np.column_stack([reach[0] * np.cos(angle), np.zeros(41), reach[2] * np.sin(angle)]) + middle
    ring[:, 1] = at + (ring[:, [0, 2]] - middle[[0, 2]]) @ slope
    return rod("bangle", curve(ring, 60), float(generator.uniform(0.9, 1.8)), 0.8)


def draw_worn(generator: Generator, anatomy: Anatomy) -> tuple[tuple[Piece, ...], dict[str, object]]:
    """A cast, a bangle or nothing, and columns that say so; they do not count as hardware."""
    chances = generator.random(2)
    pieces: list[Piece] = []
    plaster, jewel = bool(chances[0] < 0.06), bool(chances[1] < 0.05)
    if plaster and anatomy.tissue:
        pieces.append((BONE, cast(generator, anatomy)))
    elif jewel and anatomy.tissue:
        pieces.append((STEEL, bangle(generator, anatomy)))
    material = {m for m, _ in pieces}
    return tuple(pieces), {"cast": int(BONE in material), "bangle": int(STEEL in material)}
