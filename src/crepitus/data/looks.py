"""What of an image file could betray the label without any anatomy: encoding, borders, markers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crepitus.data.images import GreyPixels

MODES = ("1", "L", "LA", "P", "I;16", "I;16B", "I;16L", "I", "RGB", "RGBA")
BORDER_SHARE = 0.01
"""Width of a border strip as a share of the side, at least one pixel."""
CORNER_SHARE = 0.08
MARKER_CELLS = 6
SATURATED = 0.98
"""Of the brightest pixel of the image; burnt-in letters are that bright."""
THUMBNAIL = 12

FILE, BORDER, MARKER, PICTURE = (
    slice(0, 6),
    slice(6, 22),
    slice(22, 22 + 4 * (MARKER_CELLS - 1)),
    slice(22 + 4 * (MARKER_CELLS - 1), 22 + 4 * (MARKER_CELLS - 1) + THUMBNAIL**2),
)
"""Where the parts lie in the array of `look`."""


def look(path: Path, pixels: GreyPixels) -> NDArray[np.float32]:
    """Features of one image, in four parts that `FILE`, `BORDER`, `MARKER` and `PICTURE` cut out.

    - file: PNG or JPEG, colour mode, bits, JPEG quantization, dots per inch, whether there is EXIF;
    - border: mean and spread of a strip along each side, the constant share at each side, the four corners;
    - marker: share of saturated pixels in each outer cell of a grid of 6 x 6, where letters are burnt in;
    - picture: thumbnail of 12 x 12, in 0..1 of the pixel type.

    Args:
        path: of the file.
        pixels: (rows, columns), uint8 or uint16, as read from it.

    Returns:
        Shape (186,), float32, NaN where the file does not say.
    """
    grey = pixels.astype(np.float32) / float(np.iinfo(pixels.dtype).max)
    thumbnail = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    parts = (_file(path, pixels), _border(grey), _marker(grey), thumbnail.ravel())
    return np.concatenate(parts).astype(np.float32)


def _file(path: Path, pixels: GreyPixels) -> NDArray[np.float32]:
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None) or {}
        quantization = float(sum(sum(table) for table in tables.values())) if tables else np.nan
        dpi = image.info.get("dpi")
        return np.array(
            [
                image.format == "JPEG",
                MODES.index(image.mode) if image.mode in MODES else -1,
                8 * pixels.dtype.itemsize,
                quantization,
                float(dpi[0]) if dpi else np.nan,
                "exif" in image.info,
            ],
            dtype=np.float32,
        )


def _border(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    found: list[float] = []
    for turned in (grey, grey[::-1], grey.T, grey.T[::-1]):
        strip = turned[: max(1, round(BORDER_SHARE * len(turned)))]
        constant = turned.max(axis=1) - turned.min(axis=1) == 0
        padding = len(turned) if constant.all() else int(np.argmin(constant))
        found += [float(strip.mean()), float(strip.std()), padding / len(turned)]
    high, wide = (max(1, round(CORNER_SHARE * side)) for side in grey.shape)
    rows, columns = (slice(0, high), slice(-high, None)), (slice(0, wide), slice(-wide, None))
    found += [float(grey[row, column].mean()) for row in rows for column in columns]
    return np.array(found, dtype=np.float32)


def _marker(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    bright = (grey >= SATURATED * grey.max()).astype(np.float32)
    cells = cv2.resize(bright, (MARKER_CELLS, MARKER_CELLS), interpolation=cv2.INTER_AREA)
    ring = np.ones(cells.shape, dtype=np.bool_)
    ring[1:-1, 1:-1] = False
    outer: NDArray[np.float32] = cells[ring]
    return outer
