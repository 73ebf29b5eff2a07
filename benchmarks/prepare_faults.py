"""Faults planted in radiographs: grey backgrounds, frames, inverted polarity, two parts on a plate."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Generator = np.random.Generator


def grey_background(generator: Generator, pixels: Picture) -> Picture:
    """Air that is not black: a level of 15 to 45 %, with a slope and noise, as the thesis describes."""
    rows, columns = pixels.shape
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    slope = generator.uniform(-0.08, 0.08) * x + generator.uniform(-0.08, 0.08) * y
    level = generator.uniform(0.15, 0.45) + slope
    value = level + (1.0 - level) * pixels / 255.0 + generator.normal(0, 0.01, pixels.shape)
    return np.rint(np.clip(value, 0, 1) * 255).astype(np.uint8)


def framed(generator: Generator, pixels: Picture) -> tuple[Picture, tuple[int, int]]:
    """A white, black or grey frame, uneven, not on every side; and where the picture lies: left, top."""
    rows, columns = pixels.shape
    widths = [
        round(generator.uniform(0.02, 0.12) * max(rows, columns)) if generator.random() < 0.8 else 0
        for _ in range(4)
    ]
    if not any(widths):
        widths[int(generator.integers(4))] = 20
    top, bottom, left, right = widths
    level = int(generator.choice([255, 255, 255, 0, 0, int(generator.integers(60, 200))]))
    result = cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=level)
    return np.asarray(result), (left, top)


def inverted(pixels: Picture) -> Picture:
    """Dark and bright exchanged."""
    return np.asarray(255 - pixels)


def joined(generator: Generator, first: Picture, second: Picture) -> tuple[Picture, list[tuple[int, int]]]:
    """Two finished images side by side or one below the other, perhaps with a gap; places (left, top)."""
    gap = int(generator.choice([0, 0, 4, 12]))
    level = int(generator.choice([0, 0, 255]))
    rows, columns = first.shape
    if generator.random() < 0.75:
        between = np.full((rows, gap), level, dtype=np.uint8)
        return np.hstack([first, between, second]), [(0, 0), (columns + gap, 0)]
    between = np.full((gap, columns), level, dtype=np.uint8)
    return np.vstack([first, between, second]), [(0, 0), (0, rows + gap)]


def one_plate(
    generator: Generator, first: Picture, second: Picture, bones: tuple[Picture, Picture]
) -> tuple[Picture, list[tuple[int, int]]]:
    """Two upright limbs exposed together on one plate, both touching its edges; offsets (left, top)."""
    parts, starts, shifts, at = [], [], [], 0
    for pixels, bone in zip((first, second), bones, strict=True):
        used = np.flatnonzero((bone & 1).any(axis=0))
        low, high = max(0, int(used[0]) - 18), min(pixels.shape[1], int(used[-1]) + 19)
        air = np.quantile(pixels, 0.1)
        parts.append(np.clip(pixels[:, low:high] - air, 0, 255))
        starts.append(at)
        shifts.append((at - low, 0))
        at += high - low + int(generator.integers(8, 40))
    plate = np.zeros((first.shape[0], at + 10))
    for part, start in zip(parts, starts, strict=True):
        plate[:, start : start + part.shape[1]] = part
    return plate.astype(np.uint8), shifts
