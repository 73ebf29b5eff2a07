"""Draws heatmaps, points and boxes over a radiograph for a human reader.

Colours are from Okabe and Ito's set, which colour-blind readers tell apart; every kind of mark also has
a shape of its own, so that a greyscale print stays readable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from crepitus.data.images import GreyPixels
from crepitus.errors import UsageError
from crepitus.structures import Boxes, Detections, Points

Picture: TypeAlias = NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]

HEATMAP_COLOUR: Final[Colour] = (255, 150, 20)
TRUTH_COLOUR: Final[Colour] = (105, 205, 255)
DETECTION_COLOUR: Final[Colour] = (245, 232, 80)
HALO_COLOUR: Final[Colour] = (0, 0, 0)

WINDOW_PERCENTILES: Final = (0.5, 99.5)
HEATMAP_OPACITY: Final = 0.72
"""Opacity where the heatmap is 1; below 1 so that trabeculae stay visible under it."""
HEATMAP_GAMMA: Final = 1.2
"""Above 1: the faint background of a heatmap stays fainter than its values."""
_OUTLINE_SUPERSAMPLING: Final = 3
_SHIFT: Final = 5
"""Fractional bits of the coordinates that OpenCV draws at: 1/32 px."""


def windowed(pixels: GreyPixels, longest: int) -> Picture:
    """The radiograph as a display would show it, resized.

    Args:
        pixels: shape (rows, columns), uint8 or uint16, bone bright.
        longest: length of the longer side of the result in pixels.

    Returns:
        Shape (h, w), uint8; grey levels between robust percentiles of the image fill the range.
    """
    low, high = np.percentile(pixels, WINDOW_PERCENTILES)
    if high <= low:
        # Almost every pixel has one value: the percentiles say nothing, the extremes might.
        low, high = float(pixels.min()), float(pixels.max())
    scale = 255.0 / (high - low) if high > low else 0.0
    grey = np.clip((pixels.astype(np.float32) - np.float32(low)) * np.float32(scale), 0, 255)
    width, height = _size(pixels.shape, longest)
    shrinks = max(width, height) < max(pixels.shape)
    grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    shown: Picture = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return shown


def overlay(
    pixels: GreyPixels,
    heatmap: NDArray[Any] | None = None,
    *,
    points: Points | None = None,
    boxes: Boxes | None = None,
    detections: Detections | None = None,
    found: Sequence[bool] | None = None,
    threshold: float | None = None,
    longest: int = 512,
) -> Picture:
    """Draw what a method says and what is true over a radiograph.

    Args:
        pixels: shape (rows, columns), uint8 or uint16.
        heatmap: shape (h, w), 0..1, covering the whole image; NaN is drawn as 0.
        points: true fracture points in pixels of the image: a ring each.
        boxes: true boxes in pixels of the image: dashed.
        detections: boxes that the method found: solid, with their score.
        found: per point, whether it was found (ring with a dot) or missed (ring with four strokes
            around it); a plain ring without it.
        threshold: a line encloses exactly the cells of the heatmap at or above it; no line without it.
        longest: length of the longer side of the result in pixels.

    Returns:
        Shape (h, w, 3), uint8, RGB.

    Raises:
        UsageError: `found` has another length than `points`, or the heatmap is not a plane.
    """
    if points is not None and found is not None and len(found) != len(points):
        raise UsageError(f"expected one 'found' per point, got {len(found)} for {len(points)} points")
    grey = windowed(pixels, longest)
    picture: Picture = np.repeat(grey[:, :, None], 3, axis=2)
    if heatmap is not None:
        values = np.asarray(heatmap, dtype=np.float64)
        if values.ndim != 2 or values.size == 0:
            raise UsageError(f"expected a heatmap of shape (h, w), got {values.shape}")
        values = np.clip(np.nan_to_num(values), 0.0, 1.0)
        picture = _tint(picture, values)
        if threshold is not None:
            picture = _outline(picture, values >= threshold)
    pen = _Pen(picture, pixels.shape)
    if boxes is not None:
        for box in boxes.xyxy:
            pen.dashed_box(box)
    if detections is not None:
        # The best score last, so that it lies on top.
        for index in np.argsort(detections.scores, kind="stable"):
            pen.solid_box(detections.xyxy[index], f"{detections.scores[index]:.2f}")
    if points is not None:
        for index, xy in enumerate(points.xy):
            pen.ring(xy, None if found is None else found[index])
    return pen.finish()


def side_by_side(
    pixels: GreyPixels, heatmap: NDArray[Any] | None = None, *, longest: int = 512, **marks: Any
) -> Picture:
    """The undisturbed radiograph at the left, the same with `overlay`'s marks at the right.

    Args:
        pixels: as for `overlay`.
        heatmap: as for `overlay`.
        longest: length of the longer side of each of the two in pixels.
        **marks: further arguments of `overlay`.

    Returns:
        Shape (h, 2 w + gap, 3), uint8, RGB; the gap is a dark bar.
    """
    plain = np.repeat(windowed(pixels, longest)[:, :, None], 3, axis=2)
    marked = overlay(pixels, heatmap, longest=longest, **marks)
    gap = np.full((plain.shape[0], max(2, longest // 64), 3), 24, dtype=np.uint8)
    return np.concatenate((plain, gap, marked), axis=1)


def _size(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """Width and height of the picture of an image of `shape` (rows, columns)."""
    if longest < 16:
        raise UsageError(f"expected a picture of at least 16 px, got {longest}")
    scale = longest / max(shape)
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _tint(picture: Picture, values: NDArray[np.float64]) -> Picture:
    """Colour the picture by the heatmap; the tint keeps the light and dark of the bone under it."""
    height, width = picture.shape[:2]
    shrinks = values.shape[0] > height or values.shape[1] > width
    # OpenCV's half-pixel convention is the contract's: both grids share their outer corners.
    smooth = cv2.resize(
        values, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    alpha = (HEATMAP_OPACITY * smooth**HEATMAP_GAMMA)[:, :, None]
    shade = 0.5 + 0.5 * picture.astype(np.float64) / 255.0
    colour = np.array(HEATMAP_COLOUR, dtype=np.float64) * shade
    tinted: Picture = np.rint(picture * (1.0 - alpha) + colour * alpha).astype(np.uint8)
    return tinted


def _outline(picture: Picture, mask: NDArray[np.bool_]) -> Picture:
    """Draw the edge of the cells in `mask` with a dark halo, anti-aliased."""
    if not mask.any():
        return picture
    height, width = picture.shape[:2]
    fine = _OUTLINE_SUPERSAMPLING
    # The cell that holds each fine pixel's centre; a rim of False closes regions at the border.
    rows = ((np.arange(height * fine) + 0.5) * mask.shape[0] / (height * fine)).astype(np.intp)
    columns = ((np.arange(width * fine) + 0.5) * mask.shape[1] / (width * fine)).astype(np.intp)
    inside = np.pad(mask[rows[:, None], columns].astype(np.uint8), fine)
    line = _line_width(picture)
    result = picture.astype(np.float64)
    for thickness, colour, opacity in ((line + 2.0, HALO_COLOUR, 0.45), (line * 1.0, HEATMAP_COLOUR, 1.0)):
        radius = max(1, round(thickness * fine / 2))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        edge = cv2.dilate(inside, kernel) - cv2.erode(inside, kernel)
        edge = edge[fine:-fine, fine:-fine].astype(np.float32) * opacity
        alpha = cv2.resize(edge, (width, height), interpolation=cv2.INTER_AREA)[:, :, None]
        result = result * (1.0 - alpha) + np.array(colour, dtype=np.float64) * alpha
    return np.rint(result).astype(np.uint8)


def _line_width(picture: Picture) -> int:
    return max(1, round(int(max(picture.shape[:2])) / 360))


class _Pen:
    """Draws marks given in pixels of the image onto a picture of another size."""

    def __init__(self, picture: Picture, image_shape: tuple[int, ...]) -> None:
        self._picture = np.ascontiguousarray(picture)
        height, width = picture.shape[:2]
        self._scale = np.array([width / image_shape[1], height / image_shape[0]])
        self._line = _line_width(picture)
        longest = max(height, width)
        self._radius = max(5.0, longest / 42)
        self._font_px = max(10, round(longest / 44))
        self._labels: list[tuple[float, float, str]] = []

    def ring(self, xy: NDArray[np.float64], found: bool | None) -> None:
        """A ring around a true point: with a dot if found, with four strokes around it if missed."""
        centre, radius = xy * self._scale, self._radius
        strokes: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        if found is False:
            for direction in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                unit = np.array(direction) / np.sqrt(2)
                # Outside the ring, so that the fracture itself is not covered.
                strokes.append((centre + unit * radius * 1.15, centre + unit * radius * 1.9))
        for extra, colour in ((2, HALO_COLOUR), (0, TRUTH_COLOUR)):
            self._circle(centre, radius, colour, self._line + extra)
            for start, end in strokes:
                self._segment(start, end, colour, self._line + extra)
            if found:
                self._circle(centre, self._line + extra / 2, colour, cv2.FILLED)

    def dashed_box(self, box: NDArray[np.float64]) -> None:
        """A true box: dashed."""
        x0, y0, x1, y1 = (float(v) for v in box * np.tile(self._scale, 2))
        corners = [np.array(c) for c in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
        for extra, colour in ((2, HALO_COLOUR), (0, TRUTH_COLOUR)):
            for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
                # An odd number of equal parts, every second drawn: each side begins and ends in a dash.
                length = float(np.hypot(*(end - start)))
                parts = max(3, 2 * round(length / (self._line * 10)) + 1)
                for part in range(0, parts, 2):
                    a, b = part / parts, (part + 1) / parts
                    self._segment(
                        start + (end - start) * a, start + (end - start) * b, colour, self._line + extra
                    )

    def solid_box(self, box: NDArray[np.float64], label: str) -> None:
        """A detection: solid, with its score at the top left."""
        x0, y0, x1, y1 = (float(v) for v in box * np.tile(self._scale, 2))
        for extra, colour in ((2, HALO_COLOUR), (0, DETECTION_COLOUR)):
            cv2.rectangle(
                self._picture,
                self._fixed((x0, y0)),
                self._fixed((x1, y1)),
                colour,
                self._line + extra,
                cv2.LINE_AA,
                _SHIFT,
            )
        self._labels.append((x0, y0, label))

    def finish(self) -> Picture:
        """Write the labels and give the picture."""
        if not self._labels:
            return self._picture
        image = Image.fromarray(self._picture)
        draw = ImageDraw.Draw(image)
        font = ImageFont.load_default(size=self._font_px)
        for x, y, text in self._labels:
            left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
            width, height, pad = right - left, bottom - top, self._line + 1
            # Above the box where there is room, else inside it; never beyond the picture.
            above = y - height - 3 * pad
            at_y = above if above >= 0 else min(y + pad, image.height - height - 2 * pad)
            at_x = min(max(x - self._line / 2, 0), image.width - width - 2 * pad)
            draw.rectangle(
                (at_x, at_y, at_x + width + 2 * pad, at_y + height + 2 * pad), fill=DETECTION_COLOUR
            )
            draw.text((at_x + pad - left, at_y + pad - top), text, fill=HALO_COLOUR, font=font)
        return np.asarray(image, dtype=np.uint8).copy()

    def _fixed(self, xy: Sequence[float] | NDArray[np.float64]) -> tuple[int, int]:
        # OpenCV puts the centre of the first pixel at 0; the contract puts its corner there.
        return round((float(xy[0]) - 0.5) * 2**_SHIFT), round((float(xy[1]) - 0.5) * 2**_SHIFT)

    def _circle(self, centre: NDArray[np.float64], radius: float, colour: Colour, thickness: int) -> None:
        at = self._fixed(centre)
        cv2.circle(self._picture, at, round(radius * 2**_SHIFT), colour, thickness, cv2.LINE_AA, _SHIFT)

    def _segment(
        self, start: NDArray[np.float64], end: NDArray[np.float64], colour: Colour, thickness: int
    ) -> None:
        a, b = self._fixed(start), self._fixed(end)
        cv2.line(self._picture, a, b, colour, thickness, cv2.LINE_AA, _SHIFT)
