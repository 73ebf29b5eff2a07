"""Tubes and wires on the patient: bladder catheter, infusion line, electrodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.extras.canvas import Canvas, tube_profile
from crepitus.phantom.solid.clay import curve
from crepitus.phantom.xray.physics import BONE, SOFT, STEEL

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


def _tube(canvas: Canvas, line: FloatArray, outer_mm: float, inner_mm: float, stripe_mm: float) -> None:
    """A tube of plastic with a radiopaque stripe (barium, counted as mm of compact bone) in its wall."""
    distance, _ = canvas.line(line, outer_mm + 2 * canvas.spacing_mm)
    # A pixel wider than the wall sees its mean: the profile of a slightly thicker tube, same amount.
    wide = max(outer_mm, 0.6 * canvas.spacing_mm)
    share = outer_mm / wide
    canvas.add(SOFT, 1.25 * share * tube_profile(distance, wide, inner_mm * share))
    if stripe_mm > 0:
        off = 0.45 * outer_mm
        true = 0.22 * outer_mm
        half = max(true, 0.5 * canvas.spacing_mm)
        canvas.add(BONE, stripe_mm * true / half * np.exp(-(((distance - off) / half) ** 2)))


def draw_bladder_catheter(generator: Generator, canvas: Canvas) -> None:
    """A catheter of 14-18 French from between the thighs to the bladder, with its balloon."""
    f = canvas.field_mm
    outer = float(generator.uniform(4.7, 6.0)) / 2
    tip = np.array([0.5 + generator.normal(0, 0.025), 0.5 + generator.normal(0, 0.03)]) * f
    side = float(generator.choice([-1.0, 1.0]))
    knots = [
        tip,
        tip + np.array([generator.normal(0, 3), 25.0]),
        tip + np.array([generator.normal(0, 4), 55.0]),
        tip + np.array([side * generator.uniform(4, 18), 95.0]),
        tip + np.array([side * generator.uniform(15, 70), 150.0]),
        tip + np.array([side * generator.uniform(30, 120), 260.0]),
    ]
    line = curve(np.array(knots), 50)
    _tube(canvas, line, outer, 0.45 * outer, float(generator.uniform(0.15, 0.6)))
    x, y = canvas.grid()
    balloon = float(generator.uniform(9, 15))
    squared = (x - tip[0]) ** 2 + ((y - tip[1] - 12.0) / 0.9) ** 2
    # Water among urine hardly shows; its rubber wall does.
    wall = 2 * np.sqrt(np.maximum(balloon**2 - squared, 0)) - 2 * np.sqrt(
        np.maximum((balloon - 0.5) ** 2 - squared, 0)
    )
    canvas.add(SOFT, 0.5 * wall)


def draw_infusion_line(generator: Generator, canvas: Canvas) -> None:
    """A thin line that wanders over a part of the image, with a connector."""
    f = canvas.field_mm
    start = np.array([generator.choice([-0.02, 1.02]), generator.uniform(0, 1)]) * f
    step = np.array([1.0 if start[0] < 0 else -1.0, generator.normal(0, 0.7)]) * 0.13 * f
    knots = [start]
    for _ in range(5):
        step = step + generator.normal(0, 0.06, 2) * f
        knots.append(knots[-1] + step)
    line = curve(np.array(knots), 60)
    outer = float(generator.uniform(1.3, 2.1))
    _tube(canvas, line, outer, 0.6 * outer, float(generator.choice([0.0, 0.2])))
    if generator.random() < 0.5:
        n = int(generator.integers(15, 45))
        direction = (line[n + 1] - line[n]) / np.linalg.norm(line[n + 1] - line[n])
        part = np.array([line[n] - 9 * direction, line[n] + 9 * direction])
        _tube(canvas, part, 3.2, 2.0, 0.0)


def draw_electrodes(generator: Generator, canvas: Canvas) -> None:
    """One to three adhesive electrodes with a metal snap and a wire that leaves the image."""
    f = canvas.field_mm
    x, y = canvas.grid()
    for _ in range(int(generator.integers(1, 4))):
        at = generator.uniform([0.12, 0.04], [0.88, 0.3]) * f
        r = np.hypot(x - at[0], y - at[1])
        canvas.add(SOFT, 0.9 * canvas.edge(r - 17.0) + 0.8 * canvas.edge(r - 8.0))
        canvas.add(STEEL, 0.7 * canvas.edge(r - 4.2) + 0.6 * canvas.edge(np.abs(r - 3.2) - 0.8))
        middle = at + np.array([generator.normal(0, 0.12), generator.uniform(-0.35, -0.1)]) * f
        end = np.array([at[0] + generator.normal(0, 0.25) * f, -0.08 * f])
        line = curve(np.array([at, middle, end]), 40)
        distance, _ = canvas.line(line, 3.0)
        canvas.add(SOFT, tube_profile(distance, 1.1))
        half = max(0.45, 0.5 * canvas.spacing_mm)
        canvas.add(STEEL, 0.35 * 0.45 / half * np.exp(-((distance / half) ** 2)))
