"""What an operation left, as solids on fine grids: rods, screws, plates with holes, balls, cups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.solid.clay import Clay, Stuff, curve
from crepitus.phantom.solid.field import DISTANCE, FAR_MM, Solid

FloatArray = NDArray[np.float64]
Piece = tuple[int, Solid]
"""A material of `physics` and a solid of it."""

FINE_MM = 0.6
COARSE_MM = 0.9

_HARD = Stuff(0.0, 1.0, 0.4)
_MARGIN_MM = 2.5


@dataclass(frozen=True)
class Hardware:
    """What an operation left.

    Attributes:
        kind: for example "hip screw".
        pieces: material and solid of each.
        removed: bone that was taken away, by the name of the bone, rows as the tunnels of `Bone`.
    """

    kind: str | None
    pieces: tuple[Piece, ...]
    removed: Mapping[str, FloatArray]


NO_HARDWARE = Hardware(None, (), {})


def unit(vector: FloatArray) -> FloatArray:
    """The vector with length 1."""
    return np.asarray(vector / (np.linalg.norm(vector) + 1e-12))


def across(direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two unit vectors that make a frame with `direction`, shapes (3,)."""
    other = np.array([0.0, 0.0, 1.0]) if abs(direction[2]) < 0.9 * np.linalg.norm(direction) else np.eye(3)[0]
    a = unit(np.cross(direction, other))
    return a, unit(np.cross(direction, a))


def _clay(points: FloatArray, reach_mm: float, spacing_mm: float) -> Clay:
    reach = reach_mm + _MARGIN_MM
    return Clay(points.min(axis=0) - reach, points.max(axis=0) + reach, spacing_mm)


def rod(name: str, path: FloatArray, radius_mm: float | FloatArray, spacing_mm: float = FINE_MM) -> Solid:
    """A round rod with rounded ends along `path`, shape (n, 3): wires, nails, smooth screws.

    Args:
        name: of the solid.
        path: its axis.
        radius_mm: one number, or one per point, shape (n,).
        spacing_mm: of the grid.
    """
    points = np.asarray(path, dtype=np.float64)
    radii = np.broadcast_to(np.asarray(radius_mm, dtype=np.float64), (len(points),)).copy()
    clay = _clay(points, float(radii.max()), spacing_mm)
    clay.tube(points, radii, _HARD)
    return clay.finish(name)


def screw(
    name: str,
    head_mm: FloatArray,
    tip_mm: FloatArray,
    diameter_mm: float,
    *,
    core: float = 0.68,
    threaded: float = 1.0,
    pitch_mm: float = 2.2,
    head_diameter_mm: float = 0.0,
    spacing_mm: float = FINE_MM,
) -> Solid:
    """A screw from its head to its tip.

    Args:
        name: of the solid.
        head_mm: body coordinates of the end with the head.
        tip_mm: of the other end.
        diameter_mm: across the threads.
        core: diameter between them, share of `diameter_mm`.
        threaded: share of the length, from the tip, that bears threads.
        pitch_mm: distance of two threads.
        head_diameter_mm: 0 for none.
        spacing_mm: of the grid.
    """
    length = float(np.linalg.norm(tip_mm - head_mm))
    direction = unit(tip_mm - head_mm)
    turns = max(1, round(threaded * length / pitch_mm))
    start = length - turns * pitch_mm
    # Threads are rings here: a crest and a root per turn.
    at = np.concatenate([[0.0, max(0.0, start)], start + 0.5 * pitch_mm * np.arange(1, 2 * turns + 1)])
    outer, inner = 0.5 * diameter_mm, 0.5 * core * diameter_mm
    radii = np.concatenate([[inner, inner], np.where(np.arange(2 * turns) % 2 == 0, outer, inner)])
    radii[-2:] = inner, 0.5 * inner
    points = head_mm + at[:, None] * direction
    clay = _clay(points, max(outer, 0.5 * head_diameter_mm), spacing_mm)
    clay.tube(points, radii, _HARD)
    if head_diameter_mm > 0:
        cap = np.array([head_mm - 1.2 * direction, head_mm + 1.2 * direction])
        clay.tube(cap, np.array([0.46, 0.38]) * head_diameter_mm, _HARD)
    return clay.finish(name)


def strip(
    name: str,
    path: FloatArray,
    normal: FloatArray,
    width_mm: float,
    thickness_mm: float,
    holes: Sequence[float] = (),
    hole_mm: float = 4.0,
    spacing_mm: float = FINE_MM,
) -> tuple[Solid, list[FloatArray]]:
    """A plate along a curve, and where its holes are.

    Args:
        name: of the solid.
        path: middle line, shape (n, 3).
        normal: direction of its thickness, shape (3,).
        width_mm: across.
        thickness_mm: of the plate.
        holes: their places along the line, shares 0..1.
        hole_mm: diameter of the holes.
        spacing_mm: of the grid.
    """
    line = curve(path, 24)
    tangent = np.gradient(line, axis=0)
    wide = np.cross(tangent, normal)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    radii = np.tile([0.5 * width_mm, 0.5 * thickness_mm], (len(line), 1))
    clay = _clay(line, 0.5 * width_mm, spacing_mm)
    clay.tube(line, radii, _HARD, wide=wide)
    places = [line[min(len(line) - 1, round(share * (len(line) - 1)))] for share in holes]
    for place in places:
        through = np.array([place - 2 * thickness_mm * unit(normal), place + 2 * thickness_mm * unit(normal)])
        clay.tube(through, np.full(2, 0.5 * hole_mm), _HARD, carve=True)
    return clay.finish(name), places


def ball(name: str, centre: FloatArray, radius_mm: float, spacing_mm: float = COARSE_MM) -> Solid:
    """A ball."""
    clay = _clay(centre[None], radius_mm, spacing_mm)
    clay.ball(centre, radius_mm, _HARD)
    return clay.finish(name)


def shaped(
    name: str,
    low_mm: FloatArray,
    high_mm: FloatArray,
    spacing_mm: float,
    distance: Callable[[FloatArray], FloatArray],
) -> Solid:
    """A solid by its signed distance at points (n, 3), evaluated on a grid over a box."""
    shape = np.ceil((high_mm - low_mm) / spacing_mm).astype(int) + 1
    axes = [low_mm[k] + spacing_mm * np.arange(shape[k]) for k in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    field = np.zeros((*shape, 3), dtype=np.float32)
    field[..., DISTANCE] = np.minimum(distance(points), FAR_MM).reshape(shape)
    return Solid(name, np.asarray(low_mm, dtype=np.float64), spacing_mm, field)


def cup(name: str, centre: FloatArray, radius_mm: float, wall_mm: float, opening: FloatArray) -> Solid:
    """A hemispherical shell of outer `radius_mm` that opens along the unit vector `opening`."""

    def distance(points: FloatArray) -> FloatArray:
        from_centre = points - centre
        shell = np.abs(np.linalg.norm(from_centre, axis=1) - radius_mm + 0.5 * wall_mm) - 0.5 * wall_mm
        return np.asarray(np.maximum(shell, from_centre @ opening))

    reach = radius_mm + _MARGIN_MM
    return shaped(name, centre - reach, centre + reach, COARSE_MM, distance)
