"""Parts of a body: solids with their landmarks and sites, and their mirror image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.scene import Site
from crepitus.phantom.solid.clay_kernels import displace
from crepitus.phantom.solid.field import Solid
from crepitus.phantom.solid.textures import smooth_noise

FloatArray = NDArray[np.float64]

_MIRROR = np.array([-1.0, 1.0, 1.0])
_VARIATION_MM = 8.0
"""Cells of the noise by which the sides differ; its waves are several times as long."""


@dataclass(frozen=True)
class Part:
    """Bones that are built together.

    Attributes:
        solids: in the body frame.
        landmarks: by name: name of the solid that carries it, body coordinates (3,).
        sites: by name, places where a bone may break.
    """

    solids: tuple[Solid, ...]
    landmarks: Mapping[str, tuple[str, FloatArray]] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)

    def mirrored(self) -> Part:
        """The same part of the other side: x becomes -x, and "-R" in names becomes "-L".

        Axes a and s of a site mirror with the bone; b turns over, so that the frame stays right-handed.
        """
        return Part(
            tuple(mirrored_solid(solid) for solid in self.solids),
            {_other(k): (_other(bone), np.asarray(p) * _MIRROR) for k, (bone, p) in self.landmarks.items()},
            {_other(k): _mirrored_site(site) for k, site in self.sites.items()},
        )

    def varied(self, generator: np.random.Generator, amplitude_mm: float = 0.5) -> Part:
        """The same part with small differences of shape, as between the two sides of one person."""
        return replace(self, solids=tuple(_varied(s, generator, amplitude_mm) for s in self.solids))


def _varied(solid: Solid, generator: np.random.Generator, amplitude_mm: float) -> Solid:
    field = solid.field.copy()
    shift = generator.uniform(0.0, 500.0, 3)
    displace(field, solid.origin_mm, solid.spacing_mm, smooth_noise(), amplitude_mm, _VARIATION_MM, shift)
    return replace(solid, field=field)


def _other(name: str) -> str:
    return name[:-2] + "-L" if name.endswith("-R") else name


def mirrored_solid(solid: Solid) -> Solid:
    """The mirror image of a solid at x = 0."""
    origin = np.array([-solid.high_mm[0], solid.origin_mm[1], solid.origin_mm[2]])
    flipped = np.ascontiguousarray(solid.field[::-1])
    return replace(
        solid, name=_other(solid.name), origin_mm=origin, field=flipped, grain=solid.grain * _MIRROR
    )


def _mirrored_site(site: Site) -> Site:
    axes = np.asarray(site.axes) * _MIRROR
    axes = axes * np.array([[1.0], [1.0], [-1.0]])
    return replace(site, bone=_other(site.bone), origin_mm=site.origin_mm * _MIRROR, axes=axes)
