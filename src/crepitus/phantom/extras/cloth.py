"""Cloth, sheets and folds of skin as thin layers in front of the detector."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.extras.canvas import Canvas
from crepitus.phantom.solid.clay import curve
from crepitus.phantom.xray.physics import SOFT, STEEL

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

_SEGMENTS = 40


def _wander(generator: Generator, start: FloatArray, end: FloatArray, sway_mm: float) -> FloatArray:
    """A smooth line from start to end that strays by about `sway_mm`, shape (n, 2)."""
    share = np.linspace(0, 1, 5)[:, None]
    knots = start + share * (end - start)
    across = np.array([-(end - start)[1], (end - start)[0]])
    across /= np.linalg.norm(across) + 1e-9
    knots[1:-1] += generator.normal(0, sway_mm, (3, 1)) * across
    return curve(knots, _SEGMENTS)


def _ends(generator: Generator, field_mm: float, length_mm: float) -> tuple[FloatArray, FloatArray]:
    middle = generator.uniform(0.05, 0.95, 2) * field_mm
    angle = generator.uniform(0, math.pi)
    half = 0.5 * length_mm * np.array([math.cos(angle), math.sin(angle)])
    return middle - half, middle + half


def _faded(along: FloatArray, length: float) -> FloatArray:
    """1 in the middle of a line, falling smoothly to 0 at both ends."""
    return np.asarray(np.sin(np.pi * np.clip(along / length, 0, 1)) ** 0.7)


def _length(line: FloatArray) -> float:
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def draw_creases(generator: Generator, canvas: Canvas, count: int, thickness_mm: tuple[float, float]) -> None:
    """Creases and folds of sheets and gowns: a sharp edge on one side, a slow slope on the other."""
    for _ in range(count):
        start, end = _ends(generator, canvas.field_mm, float(generator.uniform(0.15, 0.7)) * canvas.field_mm)
        line = _wander(generator, start, end, 0.025 * canvas.field_mm)
        width = float(generator.uniform(3, 22))
        height = float(generator.uniform(*thickness_mm))
        sharp = float(generator.uniform(0.4, 2.0))
        distance, along = canvas.line(line, width)
        fold = np.where(distance >= 0, 1 - distance / width, np.clip(1 + distance / sharp, 0, 1))
        canvas.add(SOFT, height * np.clip(fold, 0, 1) * _faded(along, _length(line)))


def draw_fabric(generator: Generator, canvas: Canvas) -> None:
    """A garment: its weave, an edge with a hem, a waistband with ribs."""
    f = canvas.field_mm
    coarse = generator.standard_normal((24, 24)).astype(np.float32)
    wrinkles = cv2.resize(
        cv2.GaussianBlur(coarse, (0, 0), 1.2), (canvas.size, canvas.size), interpolation=cv2.INTER_CUBIC
    )
    x, y = canvas.grid()
    top = float(generator.uniform(-0.1, 0.35)) * f
    sag = float(generator.normal(0, 0.03)) * f
    tilt = float(generator.normal(0, 0.03))
    edge = top + tilt * (x - f / 2) + sag * ((x - f / 2) / (f / 2)) ** 2
    below = canvas.edge(edge - y)
    cloth = float(generator.uniform(0.2, 0.7))
    canvas.add(SOFT, np.maximum(below * (cloth + 0.35 * cloth * wrinkles), 0.0))
    kind = generator.choice(["hem", "band", "none"])
    height = float(generator.uniform(18, 40)) if kind == "band" else float(generator.uniform(5, 12))
    if kind != "none":
        inside = below * canvas.edge(y - edge - height)
        ribs = 1.0 + 0.25 * np.sin(2 * math.pi * x / float(generator.uniform(1.6, 3.0))) * (kind == "band")
        canvas.add(SOFT, float(generator.uniform(0.4, 1.3)) * inside * ribs)
        stitch = np.exp(-(((y - edge - height) / 0.5) ** 2))
        canvas.add(SOFT, 0.6 * below * stitch * (np.sin(2 * math.pi * x / 2.5) > -0.3))


def draw_seam(generator: Generator, canvas: Canvas) -> None:
    """A seam: several layers of cloth in a narrow band with a line of stitches on each side."""
    f = canvas.field_mm
    x = float(generator.choice([generator.uniform(0.05, 0.3), generator.uniform(0.7, 0.95)])) * f
    start, end = np.array([x, -0.05 * f]), np.array([x + generator.normal(0, 0.07) * f, 1.05 * f])
    line = _wander(generator, start, end, 0.012 * f)
    distance, along = canvas.line(line, 6.0)
    width = float(generator.uniform(1.5, 3.5))
    band = float(generator.uniform(0.6, 1.6)) * canvas.edge(np.abs(distance) - width)
    stitches = 0.7 * np.exp(-(((np.abs(distance) - width) / 0.45) ** 2)) * (np.sin(along * 2.2) > -0.2)
    canvas.add(SOFT, band + stitches)


def draw_buttons(generator: Generator, canvas: Canvas) -> None:
    """Buttons of plastic with holes, or snaps with a metal ring, in a row."""
    f = canvas.field_mm
    count = int(generator.integers(1, 4))
    start = generator.uniform([0.25, 0.02], [0.75, 0.3]) * f
    step = np.array([generator.normal(0, 0.02) * f, generator.uniform(45, 85)])
    radius = float(generator.uniform(5, 8))
    snap = bool(generator.random() < 0.3)
    x, y = canvas.grid()
    for n in range(count):
        at = start + n * step + generator.normal(0, 3, 2)
        r = np.hypot(x - at[0], y - at[1])
        disc = canvas.edge(r - radius)
        if snap:
            canvas.add(STEEL, 0.25 * disc + 0.5 * canvas.edge(np.abs(r - 0.75 * radius) - 0.8))
            continue
        holes = np.zeros_like(r)
        for sx in (-1.3, 1.3):
            for sy in (-1.3, 1.3):
                holes = np.maximum(holes, canvas.edge(np.hypot(x - at[0] - sx, y - at[1] - sy) - 0.9))
        rim = 1.0 + 0.5 * canvas.edge(np.abs(r - radius + 0.9) - 0.8)
        canvas.add(SOFT, 2.4 * disc * rim * (1 - holes))


def draw_zip(generator: Generator, canvas: Canvas) -> None:
    """A zip of metal teeth in two rows that interlock, with its tape."""
    f = canvas.field_mm
    x = float(generator.uniform(0.35, 0.65)) * f
    start = np.array([x, float(generator.uniform(-0.1, 0.25)) * f])
    end = start + np.array([generator.normal(0, 12), generator.uniform(90, 170)])
    line = _wander(generator, start, end, 1.0)
    distance, along = canvas.line(line, 14.0)
    inside = (along > 0) & (along < _length(line))
    canvas.add(SOFT, 0.8 * canvas.edge(np.abs(distance) - 11.0) * inside)
    shifted = along + np.where(distance > 0, 1.1, 0.0)
    teeth = (np.sin(2 * math.pi * shifted / 2.2) > 0) & (np.abs(distance) < 2.6) & inside
    canvas.add(STEEL, 0.8 * cv2.GaussianBlur(teeth.astype(np.float64), (0, 0), 0.5))


def draw_skin_folds(generator: Generator, canvas: Canvas) -> None:
    """The lower edge of a pannus, and the gluteal folds: tissue that doubles, with air caught under it."""
    f = canvas.field_mm
    pannus, gluteal = generator.random(2)
    depth = float(generator.uniform(6, 30))
    low = float(generator.uniform(0.42, 0.72)) * f
    sag = float(generator.uniform(0.02, 0.13)) * f
    sides = generator.normal(0, 0.02, 2) * f
    if pannus < 0.6:
        knots = [[0.08 * f, low - sag + sides[0]], [0.3 * f, low - 0.2 * sag], [0.5 * f, low]]
        knots += [[0.7 * f, low - 0.2 * sag], [0.92 * f, low - sag + sides[1]]]
        _fold(generator, canvas, curve(np.array(knots), _SEGMENTS), depth, 0.3 * f)
    if gluteal < 0.5:
        for sign in (-1, 1):
            y = float(generator.uniform(0.75, 0.9)) * f
            inner, outer = (
                0.5 + sign * generator.uniform(0.05, 0.1),
                0.5 + sign * generator.uniform(0.25, 0.36),
            )
            knots = [
                [inner * f, y - 0.01 * f],
                [(inner + outer) / 2 * f, y + 0.015 * f],
                [outer * f, y - 0.02 * f],
            ]
            knots = knots if sign > 0 else knots[::-1]
            _fold(generator, canvas, curve(np.array(knots), _SEGMENTS), 0.4 * depth, 0.12 * f)


def _fold(generator: Generator, canvas: Canvas, line: FloatArray, depth_mm: float, wide_mm: float) -> None:
    """Tissue above a line drawn left to right: thickest a little above its edge, gone `wide_mm` up."""
    distance, along = canvas.line(line, wide_mm)
    up = -distance
    fade = _faded(along, _length(line))
    rise = np.clip(up / (0.35 * depth_mm + 2.0), 0, 1)
    slope = np.clip(1 - up / wide_mm, 0, 1)
    body = depth_mm * np.sqrt(rise) * slope**1.5 * (up > 0)
    air = float(generator.uniform(0, 5)) * np.exp(-(((up + 1.2) / 1.1) ** 2))
    # Air takes the place of tissue: less than nothing is cut off when the layers are added up.
    canvas.add(SOFT, (body - air) * fade)
