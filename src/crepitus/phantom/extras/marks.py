"""Side markers of lead, and what the console writes into the image."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.extras.canvas import Canvas
from crepitus.phantom.scene import Text
from crepitus.phantom.xray.physics import LEAD

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

_LEAD_MM = 1.2
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_PLAIN)
_WORDS = {
    "pelvis": ("Pelvis", "PELVIS AP", "AP", "Pelvis AP SUPINE", "PORTABLE"),
    "hip": ("Hip", "HIP AP", "Hip J.B/V", "AP", "XTABLE"),
    "wrist": ("Wrist", "WRIST", "Hand", "AP", "STANDARD"),
}


def letter_mask(text: str, height_px: int, heavy: bool, font: int = cv2.FONT_HERSHEY_SIMPLEX) -> FloatArray:
    """A word as shares of ink, shape (rows, columns), its capitals `height_px` high."""
    over = 4
    scale = cv2.getFontScaleFromHeight(font, height_px * over)
    thick = max(1, round(height_px * over * (0.2 if heavy else 0.09)))
    (width, height), base = cv2.getTextSize(text, font, scale, thick)
    pad = 2 * over + thick
    image = np.zeros((height + base + 2 * pad, width + 2 * pad), dtype=np.uint8)
    cv2.putText(image, text, (pad, pad + height), font, scale, 255, thick, cv2.LINE_AA)
    rows, columns = max(1, image.shape[0] // over), max(1, image.shape[1] // over)
    small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small.astype(np.float64) / 255.0)


def side_place(generator: Generator, side: str) -> FloatArray:
    """Where markers of a side are laid: (x, y) as shares of the image, near its border, shape (2,)."""
    # The patient's right is on the left of the image.
    x = generator.uniform(0.05, 0.17)
    y = generator.choice([generator.uniform(0.06, 0.3), generator.uniform(0.3, 0.9)])
    return np.array([x if side == "R" else 1.0 - x, y])


def draw_marker(generator: Generator, canvas: Canvas, side: str) -> None:
    """Lay a lead letter on the detector, some in a ring, some with balls, a few not straight."""
    at = side_place(generator, side) * canvas.field_mm
    height = float(generator.uniform(0.032, 0.06)) * canvas.field_mm
    heavy = bool(generator.random() < 0.7)
    angle = float(generator.normal(0, 7)) + (
        90.0 * float(generator.choice([-1, 1, 2])) * (generator.random() < 0.06)
    )
    style = generator.choice(["plain", "ring", "balls"], p=[0.6, 0.18, 0.22])
    # Drawn on a canvas of its own, then turned and laid down; the same in mm for every size of image.
    fine = 96
    mask = letter_mask(side, fine // 2, heavy)
    plate = np.zeros((2 * fine, 2 * fine), dtype=np.float32)
    top, left = fine - mask.shape[0] // 2, fine - mask.shape[1] // 2
    plate[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    if style == "ring":
        cv2.circle(plate, (fine, fine), int(0.62 * fine), 0.5, 4, cv2.LINE_AA)
    if style == "balls":
        for n in range(int(generator.integers(1, 5))):
            cv2.circle(plate, (fine - 30 + 20 * n, int(1.55 * fine)), 7, 1.0, -1, cv2.LINE_AA)
    scale = height / (fine / 2) / canvas.spacing_mm
    turn = cv2.getRotationMatrix2D((fine, fine), angle, scale)
    turn[:, 2] += at / canvas.spacing_mm - fine
    # Shrinking needs a blur first, or thin strokes fall between the pixels.
    if scale < 1.0:
        plate = cv2.GaussianBlur(plate, (0, 0), 0.4 / scale)
    laid = cv2.warpAffine(plate, turn, (canvas.size, canvas.size), flags=cv2.INTER_LINEAR)
    canvas.add(LEAD, np.clip(laid, 0, 1).astype(np.float64) * _LEAD_MM)


def _stacked(parts: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """Shade and opacity of parts one under the other, centred."""
    width = max(shade.shape[1] for shade, _ in parts)
    rows = []
    for pair in parts:
        gap = width - pair[0].shape[1]
        rows.append([np.pad(a, ((0, 2), (gap // 2, gap - gap // 2))) for a in pair])
    return np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])


def draw_text(generator: Generator, size: int, laterality: str, region: str) -> tuple[Text, ...]:
    """What the console writes: a letter, the name of the view in a box, now and then a line of numbers.

    Args:
        generator: source of the variation.
        size: rows and columns of the image.
        laterality: "L", "R", "B" or "U".
        region: "pelvis", "hip" or "wrist".
    """
    side = laterality if laterality in ("L", "R") else str(generator.choice(["L", "R"]))
    at = side_place(generator, side)
    letter_share, word_share, line_share = generator.random(3)
    heavy, boxed = bool(generator.random() < 0.7), bool(generator.random() < 0.7)
    words = _WORDS.get(region, ("AP",))
    word = words[int(generator.integers(len(words)))]
    font = _FONTS[int(generator.integers(len(_FONTS)))]
    clock = f"{generator.integers(0, 24):02d}:{generator.integers(0, 60):02d}"
    height = generator.uniform(0.02, 0.034)
    corner = generator.uniform(0.01, 0.03, 2)
    result = []
    parts = []
    if letter_share < 0.42 and laterality != "U":
        ink = letter_mask(side, max(7, round(height * size)), heavy, font)
        parts.append((np.ones_like(ink), ink))
    if word_share < 0.3:
        ink = letter_mask(word, max(6, round(0.5 * height * size)), False, cv2.FONT_HERSHEY_SIMPLEX)
        parts.append((ink, np.ones_like(ink)) if boxed else (np.ones_like(ink), ink))
    if parts:
        shade, alpha = _stacked(parts)
        result.append(_placed(shade, alpha, at * size, size))
    if line_share < 0.15:
        ink = letter_mask(clock, max(6, round(0.45 * height * size)), False)
        result.append(_placed(np.ones_like(ink), ink, corner * size + np.array(ink.shape[::-1]) / 2, size))
    return tuple(result)


def _placed(shade: FloatArray, alpha: FloatArray, middle: FloatArray, size: int) -> Text:
    rows, columns = shade.shape
    row = int(np.clip(math.floor(middle[1] - rows / 2), 0, max(0, size - rows)))
    column = int(np.clip(math.floor(middle[0] - columns / 2), 0, max(0, size - columns)))
    return Text(row, column, shade, alpha)
