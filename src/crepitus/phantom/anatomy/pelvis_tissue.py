"""Soft tissue of the lower trunk and the thighs: skin, fat, muscles with their fat planes, gluteal folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.hip_bone import PelvisShape
from crepitus.phantom.scene import Person
from crepitus.phantom.solid.clay import Clay, Stuff, curve
from crepitus.phantom.solid.field import CORTEX, DISTANCE, FILL, Solid
from crepitus.phantom.solid.textures import smooth_noise
from crepitus.phantom.xray.project import Tissue

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

SPACING_MM = 5.0


def build_tissue(generator: Generator, person: Person, shape: PelvisShape) -> tuple[Tissue, ...]:
    """Trunk and thighs as one solid."""
    k, fat, m = shape.size, person.fat_mm, person.muscle
    hx = shape.half_mm
    clay = Clay(np.array([-245.0, -300.0, -165.0]), np.array([245.0, 290.0, 150.0]), SPACING_MM)
    lean = Stuff(fat, 0.88, 25.0)
    wide = np.array([1.0, 0.0, 0.0])
    trunk = curve(np.array([[0, -300.0, -8], [0, -180, -10], [0, -90, -12], [0, -10, -14], [0, 40, -14]]), 14)
    waist = np.interp(np.linspace(0, 1, 14), [0, 0.3, 0.6, 0.85, 1.0], [138.0, 142.0, 150.0, 150.0, 138.0])
    depth = np.interp(np.linspace(0, 1, 14), [0, 0.3, 0.7, 1.0], [76.0, 78.0, 78.0, 62.0])
    radii = np.stack([waist * k + 0.75 * fat, depth * k * (0.5 + 0.5 * m) + 0.9 * fat], axis=1)
    clay.tube(trunk, radii, lean, wide=wide)
    for sign in (-1.0, 1.0):
        thigh = curve(
            np.array([[sign * (hx + 2), 0, -6], [sign * (hx + 6), 60, -6], [sign * (hx + 4), 160, -4], [sign * (hx - 2), 320, 0.0]]),
            12,
        )
        r = np.linspace(76.0, 66.0, 12) * k * (0.4 + 0.6 * m) + 0.5 * fat
        gap = hx - 4.0
        clay.tube(thigh, np.stack([np.minimum(r, gap), r], axis=1), Stuff(fat * 0.75, 0.9, 14.0), wide=wide)
        hip = np.array([sign * (hx + 26), 25.0, -10.0])
        clay.ball(hip, np.array([58.0 * k + 0.65 * fat, 110.0, 56.0 * k + 0.5 * fat]), Stuff(fat, 0.9, 30.0))
        buttock = np.array([sign * (hx * 0.8), 28.0 + generator.normal(0, 4), -62.0])
        size = np.array([72.0, 82.0, 48.0]) * k + 0.4 * fat
        clay.ball(buttock, size, Stuff(fat * 1.2, 0.92, 6.0))
    clay.roughen(smooth_noise(), 2.0, 18.0, generator.uniform(0, 500, 3))
    _planes(clay, generator, shape, person)
    solid = clay.finish("trunk")
    return (Tissue(solid, 1.8, 6.0),)


def _planes(clay: Clay, generator: Generator, shape: PelvisShape, person: Person) -> None:
    """Lean share inside: muscles near water, fat between them, a mixture in the abdomen."""
    f = clay.field
    x, y, z = (clay.origin_mm[n] + clay.spacing_mm * np.arange(f.shape[n]) for n in range(3))
    x, y, z = np.abs(x)[:, None, None], y[None, :, None], z[None, None, :]
    noise = smooth_noise()
    index = [(np.arange(f.shape[n]) // 1) % noise.shape[0] for n in range(3)]
    wave = noise[np.ix_(*index)]
    belly = np.exp(-((x / 95.0) ** 4) - ((z - 10.0) / 60.0) ** 4) / (1 + np.exp((y - 25.0) / 10.0))
    f[..., FILL] -= (belly * (0.22 + 0.1 * wave)).astype(np.float32)
    f[..., FILL] += (0.04 * wave).astype(np.float32)


__all__ = ["build_tissue"]
_ = (CORTEX, DISTANCE, Solid)
