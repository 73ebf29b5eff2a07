"""Soft tissue of the lower trunk and the thighs: skin, fat, muscles with their fat planes, gluteal folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.pelvis_shape import PelvisShape
from crepitus.phantom.scene import Person
from crepitus.phantom.solid.clay import Clay, Region, Stuff, curve
from crepitus.phantom.solid.field import FILL
from crepitus.phantom.solid.textures import smooth_noise
from crepitus.phantom.xray.project import Tissue

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

SPACING_MM = 6.0


def build_tissue(
    generator: Generator, person: Person, shape: PelvisShape, region: Region | None = None
) -> tuple[Tissue, ...]:
    """Trunk and thighs as one solid, what lies in `region` of them."""
    k, fat, m = shape.size, person.fat_mm, person.muscle
    hx = shape.half_mm
    low, high = np.array([-245.0, -300.0, -165.0]), np.array([245.0, 290.0, 150.0])
    clay = Clay(low, high, SPACING_MM, region)
    lean = Stuff(fat, 0.88, 25.0)
    wide = np.array([1.0, 0.0, 0.0])
    trunk = curve(np.array([[0, -300.0, -8], [0, -180, -10], [0, -90, -12], [0, -10, -14], [0, 40, -14]]), 8)
    # The wings of the ilium lie well under the skin.
    wing = (143.0 + shape.flare_mm) * hx / 88.0
    levels = np.linspace(0, 1, 8)
    waist = wing + k * np.interp(levels, [0, 0.3, 0.5, 0.7, 0.85, 1.0], [-10.0, -2.0, 6.0, 9.0, 8.0, -4.0])
    depth = np.interp(np.linspace(0, 1, 8), [0, 0.3, 0.7, 1.0], [76.0, 78.0, 78.0, 62.0])
    radii = np.stack([waist + 0.75 * fat, depth * k * (0.5 + 0.5 * m) + 0.9 * fat], axis=1)
    clay.tube(trunk, radii, lean, wide=wide)
    _perineum(clay, generator, person, k)
    between = float(np.clip(generator.normal(4.0, 4.0), -3.0, 14.0))
    for sign in (-1.0, 1.0):
        _thigh(clay, person, shape, sign, between)
        hip = np.array([sign * (hx + 26), 25.0, -10.0])
        clay.ball(hip, np.array([58.0 * k + 0.65 * fat, 110.0, 56.0 * k + 0.5 * fat]), Stuff(fat, 0.9, 30.0))
        buttock = np.array([sign * (hx * 0.8), 28.0 + generator.normal(0, 4), -62.0])
        size = np.array([72.0, 82.0, 48.0]) * k + 0.4 * fat
        clay.ball(buttock, size, Stuff(fat * 1.2, 0.92, 6.0))
    clay.roughen(smooth_noise(), 2.0, 18.0, generator.uniform(0, 500, 3))
    _planes(clay, generator, shape, person)
    solid = clay.finish("trunk")
    return (Tissue(solid, 1.8, 6.0),)


def _thigh(clay: Clay, person: Person, shape: PelvisShape, sign: float, between: float) -> None:
    """One thigh: its inner edge `between` mm from the midline, its outer edge well outside of the femur."""
    k, fat, hx = shape.size, person.fat_mm, shape.half_mm
    share = np.linspace(0.0, 1.0, 6)
    r = np.linspace(76.0, 66.0, 6) * k * (0.4 + 0.6 * person.muscle) + 0.5 * fat
    outer = hx + r - 4.0 * share
    inner = np.interp(share, [0.0, 0.3, 1.0], [14.0, between, between - 2.0])
    line = np.stack([sign * 0.5 * (outer + inner), 320.0 * share, -6.0 + 6.0 * share], axis=1)
    radii = np.stack([0.5 * (outer - inner), r], axis=1)
    clay.tube(line, radii, Stuff(fat * 0.75, 0.9, 8.0), wide=np.array([1.0, 0.0, 0.0]))


def _perineum(clay: Clay, generator: Generator, person: Person, k: float) -> None:
    """What closes the trunk between the thighs."""
    deep = generator.normal(0.0, 6.0)
    clay.ball(np.array([0.0, 46.0 + deep, -12.0]), np.array([44.0, 46.0, 62.0]) * k, Stuff(6.0, 0.9, 20.0))
    if person.sex == "M":
        lower = np.array([generator.normal(0.0, 6.0), 100.0 + deep, 34.0])
        clay.ball(lower, np.array([27.0, 44.0, 24.0]) * k, Stuff(2.0, 0.92, 10.0))


def _planes(clay: Clay, generator: Generator, shape: PelvisShape, person: Person) -> None:
    """Lean share inside: muscles near water, fat between them, a mixture in the abdomen."""
    f = clay.field
    k, hx = shape.size, shape.half_mm
    x, y, z = (
        (clay.origin_mm[n] + clay.spacing_mm * np.arange(f.shape[n])).astype(np.float32) for n in range(3)
    )
    x, y, z = np.abs(x)[:, None, None], y[None, :, None], z[None, None, :]
    noise = smooth_noise()
    starts = generator.integers(0, noise.shape[0], 3)
    wave = noise[np.ix_(*[(np.arange(f.shape[n]) + starts[n]) % noise.shape[0] for n in range(3)])]
    coarse = noise[np.ix_(*[(np.arange(f.shape[n]) // 2 + starts[n]) % noise.shape[0] for n in range(3)])]
    belly = np.exp(-((x / (92.0 * k)) ** 6) - ((z - 15.0) / 58.0) ** 6) / (1 + np.exp((y - 30.0) / 8.0))
    lean = f[..., FILL] + 0.05 * wave - belly * (0.16 + 0.16 * coarse)

    def sheet(distance: FloatArray, width: float, depth: float) -> None:
        """Fat along the zero set of a distance."""
        nonlocal lean
        lean = lean - depth * np.exp(-((distance / width) ** 2))

    wobble = 4.0 * coarse
    # Psoas: from the spine down to the lesser trochanter; its outer edge is seen through the abdomen.
    line = (30.0 + 0.26 * (y + 220.0) * k) + 6.0
    psoas = np.hypot((x - line) / 1.0, (z + 12.0 - 0.16 * (y + 60.0)) / 0.9) - 21.0 * k * person.muscle
    within = (y < 40.0 * k).astype(float)
    lean = np.where((psoas < 0) & (y < 40.0 * k), np.maximum(lean, 0.95), lean)
    sheet(psoas + wobble * 0.5 + 60.0 * (1 - within), 5.0, 0.55)
    # Between gluteus minimus, medius and maximus, and along the front of the joint capsule.
    sheet(np.hypot(x - hx - 4.0, 1.1 * (z - 4.0)) - 52.0 * k - 0.12 * y + wobble, 4.0, 0.45 * 1.0)
    sheet(np.hypot(x - hx - 2.0, 0.95 * (z + 6.0)) - 34.0 * k + 0.1 * y + wobble, 3.5, 0.4)
    # Between the muscles of the thigh.
    thigh = np.clip((y - 30.0) / 40.0, 0.0, 1.0)
    angle = np.arctan2(z + 6.0, x - hx)
    radius = np.hypot(x - hx, z + 6.0)
    rays = np.cos(2.5 * angle + 0.7 + 0.006 * y + 0.25 * coarse)
    lean = lean - 0.5 * thigh * np.exp(-((rays * radius / 4.5) ** 2)) * (radius > 16)
    # Bladder and the fat around it, low in the middle.
    bladder = np.hypot(np.hypot(x, 1.3 * (z - 22.0)), 1.25 * (y - 2.0 * k)) - 34.0 * k
    lean = np.where(bladder < 0, 0.97, lean)
    sheet(bladder - 3.0, 5.0, 0.45)
    # Obturator internus along the side wall of the true pelvis.
    sheet(
        x - hx + 46.0 * k + wobble + 400.0 * (np.abs(y - 5.0) > 38.0) + 400.0 * (np.abs(z) > 45.0), 3.5, 0.5
    )
    f[..., FILL] = np.clip(lean, 0.05, 1.0).astype(np.float32)
