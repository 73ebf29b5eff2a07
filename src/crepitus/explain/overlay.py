"""Draws a signed relevance map over a radiograph: red speaks for a fracture, blue against it.

Vermilion and blue are those of Okabe and Ito's set, which colour-blind readers tell apart. The tint keeps the
light and dark of the bone under it.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from crepitus.errors import UsageError

Picture: TypeAlias = NDArray[np.uint8]

FOR_COLOUR: Final = (240, 80, 20)
AGAINST_COLOUR: Final = (40, 140, 235)

PERCENTILE: Final = 99.5
"""Of the strengths above 0, the one that gets the full colour: single pixels stand out far above it."""

OPACITY: Final = 0.75
"""Opacity at the full colour; below 1 so that the bone stays visible under it."""

GAMMA: Final = 0.8
"""Of the opacity over the strength. Below 1: what is half as strong is more than half as opaque, as it lies
over a picture that is busy by itself."""


def colour_limit(relevance: NDArray[Any], percentile: float = PERCENTILE) -> float:
    """The strength of relevance that gets the full colour; the scale runs from minus this to plus this.

    Args:
        relevance: any shape, finite, signed. Maps that are to be compared share a limit: give them all.
        percentile: above 0, to 100, of the absolute values that are not 0.

    Returns:
        Above 0, or 0 for a map that is 0 everywhere.

    Raises:
        UsageError: a value is not finite, or the percentile is out of its range.
    """
    if not 0 < percentile <= 100:
        raise UsageError(f"expected a percentile above 0, to 100, got {percentile}")
    strength = np.abs(np.asarray(relevance, dtype=np.float64))
    if not np.isfinite(strength).all():
        raise UsageError(f"expected finite relevance, got {np.count_nonzero(~np.isfinite(strength))} not")
    strength = strength[strength > 0]
    return float(np.percentile(strength, percentile)) if strength.size else 0.0


def overlay(
    image: Picture,
    relevance: NDArray[Any],
    *,
    limit: float | None = None,
    smooth_px: float = 0.0,
    opacity: float = OPACITY,
) -> Picture:
    """Tint a radiograph by its relevance.

    Args:
        image: shape (r, c), uint8, as a display shows it.
        relevance: shape (r, c), finite, signed; 0 leaves the pixel grey.
        limit: strength of the full colour, in both directions; None is `colour_limit` of what is drawn.
        smooth_px: deviation of a Gaussian that gathers scattered relevance for the eye; 0 is none.
        opacity: at the full colour, 0..1.

    Returns:
        Shape (r, c, 3), uint8, RGB.

    Raises:
        UsageError: the image is not a plane of uint8, the map has another shape or values that are not
            finite, or a number is out of its range.
    """
    if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
        raise UsageError(f"expected an image of shape (r, c), uint8, got {image.shape} {image.dtype}")
    values = np.asarray(relevance, dtype=np.float64)
    if values.shape != image.shape:
        raise UsageError(f"expected relevance of shape {image.shape}, got {values.shape}")
    if not (np.isfinite(smooth_px) and smooth_px >= 0 and 0 <= opacity <= 1):
        raise UsageError(f"expected smooth_px >= 0 and opacity 0..1, got {smooth_px} and {opacity}")
    if smooth_px > 0:
        values = cv2.GaussianBlur(values, (0, 0), smooth_px, borderType=cv2.BORDER_REFLECT)
    # Also looks for values that are not finite.
    own = colour_limit(values)
    full = own if limit is None else limit
    if not (np.isfinite(full) and full >= 0):
        raise UsageError(f"expected a limit of at least 0, got {limit}")
    return _tinted(image, values / full if full > 0 else np.zeros_like(values), opacity)


def _tinted(image: Picture, signed: NDArray[np.float64], opacity: float) -> Picture:
    """The image under the colours of `signed`, same shape, -1..1 and beyond, which is cut off."""
    strength = np.clip(np.abs(signed), 0.0, 1.0)
    alpha = (opacity * strength**GAMMA)[..., None]
    grey = image.astype(np.float64)[..., None]
    colour = np.where(signed[..., None] > 0, np.array(FOR_COLOUR), np.array(AGAINST_COLOUR))
    shaded = colour * (0.4 + 0.6 * grey / 255.0)
    return np.rint(grey * (1.0 - alpha) + shaded * alpha).astype(np.uint8)


def legend(rows: int, limit: float, *, signed: bool = True, opacity: float = OPACITY) -> Picture:
    """A bar of the colours over mid grey, with what they mean and the strength of the full colour.

    Args:
        rows: height, at least 64: that of the picture that it stands beside.
        limit: strength of the full colour.
        signed: down to minus `limit`; False ends at 0, of maps that never say against.
        opacity: as given to `overlay`.

    Returns:
        Shape (rows, w, 3), uint8, RGB.

    Raises:
        UsageError: fewer than 64 rows.
    """
    if rows < 64:
        raise UsageError(f"expected a legend of at least 64 rows, got {rows}")
    size = max(10, min(rows // 24, 28))
    font = ImageFont.load_default(size=size)
    top, bottom, bar = 2 * size, rows - 2 * size, size
    texts = [(top, f"+{limit:.2g} for"), (bottom, f"-{limit:.2g} against" if signed else "0")]
    if signed:
        texts.append(((top + bottom) // 2, "0"))
    left = size // 2 + bar + size // 3
    width = max(9 * size, left + math.ceil(max(font.getlength(text) for _, text in texts)) + size // 2)
    image = Image.new("RGB", (width, rows), (24, 24, 24))
    # From + limit at the top to - limit, or 0, at the bottom.
    ramp = np.repeat(np.linspace(1.0, -1.0 if signed else 0.0, bottom - top)[:, None], bar, axis=1)
    grey = np.full(ramp.shape, 128, dtype=np.uint8)
    image.paste(Image.fromarray(_tinted(grey, ramp, opacity)), (size // 2, top))
    draw = ImageDraw.Draw(image)
    for y, text in texts:
        draw.text((left, y), text, fill=(235, 235, 235), font=font, anchor="lm")
    return np.asarray(image, dtype=np.uint8).copy()
