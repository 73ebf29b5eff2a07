"""What a bone carries without being broken: nutrient canals, healed fractures, bone islands."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.injuries.fracture import Remodelling
from crepitus.phantom.scene import Anatomy, Extras, Site

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


def nutrient_canal(generator: Generator, site: Site) -> FloatArray:
    """A slanted canal through the cortex at a site, shape (1, 7): start, end, radius.

    It enters at the surface and runs along the bone into the marrow, 1-1.6 mm wide.
    """
    s, a, b = np.asarray(site.axes)
    angle = generator.uniform(0, 2 * math.pi)
    out = math.cos(angle) * a + math.sin(angle) * b
    length = float(generator.uniform(1.0, 1.7)) * site.radius_mm
    rise = float(generator.choice([-1.0, 1.0])) * length
    start = site.origin_mm + 1.05 * site.radius_mm * out - 0.5 * rise * s
    end = site.origin_mm + 0.45 * site.radius_mm * out + 0.5 * rise * s
    return np.array([[*start, *end, generator.uniform(0.5, 0.8)]])


def healed_fracture(generator: Generator, site: Site) -> tuple[Remodelling, ...]:
    """A healed fracture: callus all around that is no longer fluffy, and the bone a little bent there.

    The bend is a pair of bulges, one outward, one inward on the other side. No gap is left.
    """
    # A wide, flat bone heals with no larger callus than a shaft.
    r = min(site.radius_mm, 14.0)
    angle = generator.uniform(0, 2 * math.pi)
    toward = (math.cos(angle), math.sin(angle))
    away = (-toward[0], -toward[1])
    along = float(generator.uniform(-0.3, 0.3)) * r
    at = site.origin_mm + along * np.asarray(site.axes)[0]
    width = float(generator.uniform(0.5, 0.9)) * r
    callus = float(generator.uniform(0.12, 0.35)) * r
    bend = float(generator.uniform(0.05, 0.3)) * r
    reach = 3.2 * r
    density = float(generator.uniform(0.08, 0.25))
    return (
        Remodelling(at, site.axes, callus, width, density=density, radius_mm=reach),
        Remodelling(at, site.axes, bend, 1.4 * width, toward, radius_mm=reach),
        Remodelling(at, site.axes, -bend, 1.4 * width, away, radius_mm=reach),
    )


def bone_island(generator: Generator, site: Site) -> Remodelling:
    """A dense spot of 4-9 mm in the spongy bone near a site."""
    shift = generator.uniform(-0.5, 0.5, 3) * site.radius_mm
    at = site.origin_mm + shift @ np.asarray(site.axes)
    radius = float(generator.uniform(2.0, 4.5))
    return Remodelling(
        at, site.axes, 0.0, radius, density=float(generator.uniform(0.3, 0.6)), radius_mm=radius
    )


def _picked(generator: Generator, sites: Mapping[str, Site], starts: tuple[str, ...]) -> Site | None:
    """A site whose name begins with one of `starts`, or None without such a site."""
    names = sorted(name for name in sites if name.startswith(starts))
    pick = float(generator.random())
    return sites[names[int(pick * len(names))]] if names else None


def draw_bone_extras(
    generator: Generator,
    anatomy: Anatomy,
    canals: tuple[str, ...],
    healed: tuple[str, ...],
    healed_share: float,
) -> Extras:
    """Canals, healed fractures and islands of a study.

    Args:
        generator: source of the variation.
        anatomy: its sites.
        canals: beginnings of the names of sites where nutrient canals are found.
        healed: likewise for healed fractures.
        healed_share: share of studies with one.
    """
    chances = generator.random(3)
    canal, old, dense = (
        _picked(generator, anatomy.sites, canals),
        _picked(generator, anatomy.sites, healed),
        _picked(generator, anatomy.sites, healed),
    )
    tunnels: dict[str, FloatArray] = {}
    changes: dict[str, tuple[Remodelling, ...]] = {}
    notes = {"nutrient_canal": 0, "healed_fracture": 0, "bone_island": 0}
    if canal is not None and chances[0] < 0.35:
        tunnels[canal.bone] = nutrient_canal(generator, canal)
        notes["nutrient_canal"] = 1
    if old is not None and chances[1] < healed_share:
        changes[old.bone] = healed_fracture(generator, old)
        notes["healed_fracture"] = 1
    if dense is not None and chances[2] < 0.06:
        changes[dense.bone] = (*changes.get(dense.bone, ()), bone_island(generator, dense))
        notes["bone_island"] = 1
    return Extras(remodelling=changes, tunnels=tunnels, notes=notes)
