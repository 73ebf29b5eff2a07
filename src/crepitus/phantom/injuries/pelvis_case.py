"""One broken side of a pelvis: the tools with which its breaks are drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.injuries.fracture import Fracture, Fragment, Motion, Remodelling, Surface
from crepitus.phantom.scene import Anatomy, Severity, Site

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class PelvisCase:
    """One broken side, "L" or "R", of an anatomy."""

    generator: Generator
    anatomy: Anatomy
    severity: Severity
    side: str

    @property
    def out(self) -> float:
        """X of the lateral direction: -1 on the right, 1 on the left."""
        return -1.0 if self.side == "R" else 1.0

    @property
    def hip(self) -> str:
        """Name of the hip bone."""
        return f"hip-bone-{self.side}"

    @property
    def symphysis(self) -> FloatArray:
        """Middle of the symphysis, shape (3,)."""
        names = ("pubis-symphysis-superior", "pubis-symphysis-inferior")
        return np.asarray(np.mean([self.anatomy.landmarks[name][1] for name in names], axis=0))

    def site(self, name: str) -> Site:
        """A site of this side."""
        return self.anatomy.sites[f"{name}-{self.side}"]

    def direction(self, out: float, down: float, forward: float) -> FloatArray:
        """Unit vector outwards, down, forward."""
        v = np.array([self.out * out, down, forward])
        return np.asarray(v / np.linalg.norm(v))

    def surface(
        self,
        site: Site,
        *,
        shift: float = 0.0,
        tilt: float = 0.4,
        gap: float = 1.0,
        reach: float = 2.4,
        side: int = 0,
    ) -> Surface:
        """A rough surface across a bone, `shift` mm along its site; `gap` is a share of the drawn one."""
        g = self.generator
        slopes = np.clip(g.normal(0.0, tilt, 2), -2 * tilt, 2 * tilt)
        offsets = g.integers(0, 128, 2)
        taper = None
        if self.severity.incomplete:
            toward = g.uniform(0, 2 * math.pi)
            taper = (math.cos(toward), math.sin(toward), -0.4 * site.radius_mm, 0.8 * site.radius_mm)
        return Surface(
            site.origin_mm + shift * site.axes[0],
            site.axes,
            gap * self.severity.gap_mm,
            tilt=(float(slopes[0]), float(slopes[1])),
            amplitude_mm=float(g.uniform(0.5, 1.3)) * min(1.6, 0.5 + site.radius_mm / 12.0),
            shift=(int(offsets[0]), int(offsets[1])),
            side=side,
            radius_mm=reach * site.radius_mm + 3.0,
            taper=taper,
        )

    def about_symphysis(self, at: FloatArray, largest_mm: float) -> Motion:
        """A turn about the symphysis that moves `at` by up to `largest_mm`, with a little glide."""
        g, amount = self.generator, self.severity.motion * largest_mm
        pivot = self.symphysis
        arm = at - pivot
        if self.severity.in_plane:
            axis = np.array([0.15 * g.normal(), 0.15 * g.normal(), float(g.choice([-1.0, 1.0]))])
        else:
            axis = np.array([0.5 * g.normal(), float(g.choice([-1.0, 1.0])), 0.2 * g.normal()])
        axis /= np.linalg.norm(axis)
        lever = max(20.0, float(np.linalg.norm(np.cross(axis, arm))))
        angle = min(0.8 * amount / lever, math.radians(14.0))
        glide = self.direction(float(g.uniform(-0.5, 0.2)), float(g.normal(0, 0.6)), float(g.normal(0, 0.4)))
        return Motion(axis * angle, 0.3 * amount * glide, pivot)


@dataclass(frozen=True)
class PelvisBreak:
    """Surfaces and fragments of the hip bone, other bones that break, and what follows."""

    surfaces: tuple[Surface, ...]
    fragments: tuple[Fragment, ...] = ()
    more: tuple[Fracture, ...] = ()
    followers: tuple[tuple[str, Motion], ...] = ()
    dense: tuple[tuple[str, Remodelling], ...] = ()
    bone: str | None = None
