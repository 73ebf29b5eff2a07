"""The wrist joined: forearm, carpus and hand in the pose of their joints, with soft tissue."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy import carpus as carpals
from crepitus.phantom.anatomy import forearm, hand
from crepitus.phantom.anatomy.forearm import draw_wrist_measures
from crepitus.phantom.anatomy.part import Part, mirrored_solid
from crepitus.phantom.anatomy.sculpt import Lump, after, scaled
from crepitus.phantom.injuries.fracture import Motion
from crepitus.phantom.scene import Anatomy, Person, Site
from crepitus.phantom.solid.clay import Clay, Stuff, curve
from crepitus.phantom.solid.field import FILL, Solid, grain_along
from crepitus.phantom.xray.project import Bone, Tissue

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

_MIDCARPAL = np.array([9.0, -17.5, 0.0])
"""Centre of the capitate's head, about which the distal row turns."""

_TISSUE_MM = 3.0


def _strands(along: float, across: float) -> FloatArray:
    """Texture matrix (3, 3) of struts that run along y, so many times as fine as those of the hip.

    The table of texture repeats after a few millimetres when it is this fine; a lattice that is oblique to
    both views hides that.
    """
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("yxz", [29.0, 7.0, 5.0], degrees=True).as_matrix()
    fine = grain_along(np.array([0.0, 1.0, 0.0])) * np.array([[along], [across], [across]])
    return np.asarray(fine @ turn)


def size_of(person: Person) -> float:
    """Length of a person's hand relative to an average man's; `Person.scale` is relative to an adult's."""
    grown = float(np.interp(person.age, [4, 8, 12, 15, 16], [0.62, 0.75, 0.88, 0.97, 1.0]))
    return person.scale * grown * (0.92 if person.sex == "F" else 1.02)


def build_wrist(generator: Generator, person: Person) -> Anatomy:
    """A person's wrist of a random side; in children with growth plates and carpals as far as ossified."""
    measures = draw_wrist_measures(generator, person)
    left = bool(generator.random() < 0.5)
    rays = hand.draw_rays(generator)
    small = carpals.carpus(generator, measures)
    long = hand.hand(generator, rays, measures, small)
    ulna, ulna_axis = forearm.ulna(generator, measures)
    radius, radius_axis = forearm.radius(generator, measures, ulna)
    k = size_of(person)
    quality = min(1.05, person.quality)
    solids = [_finished("radius", radius), _finished("ulna", ulna)]
    solids += [_finished(name, lump, carpals.mesh()) for name, lump in small.items()]
    solids += [_finished(name, lump) for name, lump in long.items()]
    landmarks = {**forearm.landmarks(measures), **hand.landmarks(rays), **_middles(small)}
    places = {**forearm.sites(radius_axis, ulna_axis, measures), **hand.sites(rays)}
    if "scaphoid" in small:
        places["scaphoid-waist-R"] = _waist()
    # In a child some places are cartilage still: nothing there that an X-ray would show broken.
    lumps = {"radius": radius, "ulna": ulna, **small, **long}
    places = {name: site for name, site in places.items() if _is_bone(lumps[site.bone[:-2]], site)}
    skin = scaled(_skin(generator, person, rays), k)
    part = Part(
        tuple(scaled(solid, k, quality) for solid in solids),
        {name: (bone, point * k) for name, (bone, point) in landmarks.items()},
        {n: Site(s.bone, s.origin_mm * k, s.axes, s.radius_mm * k) for n, s in places.items()},
    )
    part = part.mirrored() if left else part
    motions = _joints(generator, k, -1.0 if left else 1.0)
    bones = tuple(Bone(solid, motion=motions(solid.name)) for solid in part.solids)
    centre = np.array([6.0 * (-1 if left else 1), -9.0, 0.0]) * k
    tissue = Tissue(mirrored_solid(skin) if left else skin, skin_mm=1.2, cell_mm=5.0, step_mm=1.6)
    return Anatomy("WRIST", person, bones, (tissue,), part.landmarks, part.sites, centre)


def _finished(name: str, lump: Lump, grain: FloatArray | None = None) -> Solid:
    matrix = _strands(2.0, 4.0) if grain is None else grain
    return replace(lump.finish(f"{name}-R", matrix), ragged_mm=0.4)


def _middles(bones: dict[str, Lump]) -> dict[str, tuple[str, FloatArray]]:
    """The middle of each carpal as a landmark."""
    result = {}
    for name, lump in bones.items():
        cells = np.argwhere(lump.distance < 0)
        if len(cells):
            middle = lump.origin_mm + lump.spacing_mm * cells.mean(axis=0)
            result[f"{name}-R"] = (f"{name}-R", middle)
    return result


def _is_bone(lump: Lump, site: Site) -> bool:
    cell = np.rint((site.origin_mm - lump.origin_mm) / lump.spacing_mm).astype(int)
    return bool(lump.distance[tuple(cell)] < 0)


def _waist() -> Site:
    s = np.array([-0.5, -0.62, -0.6])
    s /= np.linalg.norm(s)
    a = np.array([0.75, -0.65, 0.0])
    a -= (a @ s) * s
    a /= np.linalg.norm(a)
    return Site("scaphoid-R", np.array([-5.2, -12.6, -2.0]), np.stack([s, a, np.cross(s, a)]), 5.5)


def _joints(generator: Generator, k: float, side: float) -> Callable[[str], Motion]:
    """Motion of each bone by name: the hand deviates and flexes, half in the radiocarpal joint."""
    deviation = math.radians(float(np.clip(generator.normal(1.5, 3.0), -6, 8))) * side
    flexion = math.radians(float(np.clip(generator.normal(-2.0, 4.0), -10, 8)))
    turn = np.array([flexion, 0.0, deviation])
    flip = np.array([side, 1.0, 1.0])
    centre = np.array([6.6, -14.5, -2.0]) * k * flip
    first = Motion(0.45 * turn, pivot=centre)
    second = after(first, Motion(0.55 * turn, pivot=_MIDCARPAL * k * flip))
    half = after(first, Motion(0.35 * turn, pivot=_MIDCARPAL * k * flip))

    def motion(name: str) -> Motion:
        root = name[:-2]
        if root in ("radius", "ulna"):
            return Motion()
        if root == "scaphoid":
            return half
        return first if root in carpals.PROXIMAL else second

    return motion


def _skin(generator: Generator, person: Person, rays: dict[int, hand.Ray]) -> Solid:
    """Soft tissue of forearm and hand as an average man's, before scaling."""
    fat = 1.2 + 0.11 * person.fat_mm * (0.8 if person.age < 16 else 1.0)
    m = person.muscle
    lump = Clay(np.array([-82.0, -150.0, -40.0]), np.array([70.0, 150.0, 40.0]), _TISSUE_MM)
    knots = np.array(
        [
            # y, x, z, half width, half depth
            [-103.0, 7.0, 0.0, 38.0, 12.0],
            [-80.0, 7.5, -1.0, 39.0, 13.5],
            [-50.0, 5.5, -3.0, 36.0, 16.5],
            [-28.0, 5.0, -3.5, 32.0, 18.0],
            [-8.0, 7.5, -2.0, 29.5, 18.0],
            [12.0, 9.5, -1.5, 28.5, 17.5],
            [40.0, 11.0, -3.0, 28.5, 19.5],
            [80.0, 10.5, -4.0, 33.0, 25.0],
            [150.0, 9.0, -5.0, 41.0, 33.0],
        ]
    )
    line = curve(knots, 13)
    extra = fat - 2.5 + 12.0 * (m - 1.0) * np.clip((line[:, 0] - 10) / 60, 0, 1)
    stuff = Stuff(fat, 0.93, 9.0)
    lump.tube(line[:, [1, 0, 2]], line[:, 3:5] + extra[:, None], stuff, wide=np.array([1.0, 0, 0]))
    for number, ray in rays.items():
        end = ray.head + (ray.finger_mm + 20.0) * ray.finger
        wide = 11.0 if number == 1 else 9.2 - 0.6 * (number == 5)
        wide += 0.4 * (fat - 2.5)
        if number == 1:
            # Thenar: from the trapezium to the thumb.
            points = np.stack(
                [ray.base + np.array([9.0, 3.0, -2.0]), ray.base, 0.5 * (ray.base + ray.head), ray.head, end]
            )
            radii = np.array([14.0, 14.5, 14.0, 11.5, 10.0]) + 0.4 * (fat - 2.5)
            lump.tube(points, radii, Stuff(fat, 0.93, 12.0))
            middle = 0.45 * ray.base + 0.55 * np.array([-8.0, -62.0, -8.0])
            lump.ball(middle, np.array([16.0, 22.0, 12.0]), Stuff(fat, 0.93, 12.0))
        else:
            start = ray.head - 22.0 * ray.direction
            lump.tube(np.stack([start, ray.head, end]), np.full(3, wide), Stuff(fat, 0.93, 5.0))
    # Hypothenar.
    lump.tube(
        np.array([[26.0, -22.0, -9.0], [31.0, -45.0, -8.0], [34.0, -70.0, -6.0]]),
        np.array([10.0, 12.5, 10.0]),
        Stuff(fat, 0.93, 12.0),
    )
    solid = lump.finish("skin-R")
    _fat_stripe(solid, generator)
    return solid


def _fat_stripe(solid: Solid, generator: Generator) -> None:
    """The fat stripe over the pronator quadratus, a thin sheet in front of the radius."""
    shape = solid.field.shape[:3]
    x, y, z = (solid.origin_mm[a] + solid.spacing_mm * np.arange(shape[a]) for a in range(3))
    depth = -15.5 - generator.uniform(0, 1.5) + 1.8 * np.cos(np.clip((y - 28) / 26, -1.2, 1.2) * 1.3)
    sheet = np.exp(-(((z[None, :] - depth[:, None]) / 1.6) ** 2)) * ((y > 4) & (y < 62))[:, None]
    across = np.clip(1.6 - np.abs(x - 9.0) / 13.0, 0.0, 1.0)
    strength = generator.uniform(0.3, 0.9)
    share = 1.0 - strength * across[:, None, None] * sheet[None]
    solid.field[..., FILL] *= share.astype(np.float32)
