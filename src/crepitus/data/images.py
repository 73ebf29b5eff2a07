"""Reading one image file as grey pixels, refusing whatever is not whole."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from crepitus.data.png import decode_png, encode_png
from crepitus.data.wholeness import check_whole
from crepitus.errors import Damaged, NotDicom, NotRadiograph, TooLarge

GreyPixels = NDArray[np.uint8] | NDArray[np.uint16]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
MAX_PIXELS = 30_000 * 30_000 // 4
"""Larger than any detector by an order of magnitude; refused from the header, before any allocation."""
MAX_BYTES = 1 << 30
"""A file of this size is no single radiograph; refused before it is read."""

COLOUR_TOLERANCE = 24
"""Grey levels of 255 by which the channels of a grey picture stored as colour JPEG may differ."""

_DEPTH16 = frozenset({"I;16", "I;16B", "I;16L", "I"})


def read_image(path: Path, *, verify: bool = True) -> GreyPixels:
    """Read a PNG or JPEG file.

    Args:
        path: an 8- or 16-bit file, grey, or colour with equal channels.
        verify: also find pictures that are cut short and yet closed by an end marker, see `wholeness`
            (a JPEG is decoded three times then); wanted wherever files enter, not in every epoch.

    Returns:
        Pixels of shape (rows, columns), uint8 or uint16, as stored.

    Raises:
        NotDicom: it is no image at all.
        Damaged: it is missing, ends early or does not decode.
        TooLarge: the header announces more than `MAX_PIXELS`, or the file has more than `MAX_BYTES`.
        NotRadiograph: it has true colours.
    """
    try:
        if not path.is_file():
            raise Damaged(f"{path.name}: expected an image file, there is none")
        if path.stat().st_size > MAX_BYTES:
            raise TooLarge(f"{path.name}: {path.stat().st_size} bytes, the limit is {MAX_BYTES}")
        data = path.read_bytes()
        own = decode_png(data, MAX_PIXELS)  # its checksums are right, so it is whole
        if own is not None:
            return own
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            columns, rows = image.size
            if rows * columns > MAX_PIXELS:
                raise TooLarge(f"{path.name}: {rows} x {columns} pixels, the limit is {MAX_PIXELS}")
            # Pillow raises for a file that just ends; a half-grey picture would leak the label.
            image.load()
            if verify:
                check_whole(data, path.name)
            return _grey(image, path.name)
    except UnidentifiedImageError as error:
        raise NotDicom(f"{path.name}: expected a PNG or JPEG file, its content is neither") from error
    except Image.DecompressionBombError as error:
        raise TooLarge(f"{path.name}: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise Damaged(f"{path.name}: {error}") from error


def _grey(image: Image.Image, name: str) -> GreyPixels:
    if image.mode == "L":
        return np.asarray(image, dtype=np.uint8)
    if image.mode in _DEPTH16:
        return np.asarray(image).astype(np.uint16)
    if image.mode in ("1", "LA"):
        return np.asarray(image.convert("L"), dtype=np.uint8)
    if image.mode in ("RGB", "RGBA", "P"):
        colours = np.asarray(image.convert("RGB"), dtype=np.uint8)
        spread = colours.max(axis=2).astype(np.int16) - colours.min(axis=2)
        if int(spread.max(initial=0)) > COLOUR_TOLERANCE:
            raise NotRadiograph(f"{name}: expected a grey picture, got colours that differ by {spread.max()}")
        return np.asarray(image.convert("L"), dtype=np.uint8)
    raise NotRadiograph(f"{name}: expected a grey picture, got mode {image.mode}")


def write_png(path: Path, pixels: GreyPixels) -> None:
    """Write grey pixels (rows, columns), uint8 or uint16, as PNG; whole or not at all."""
    partial = path.with_name(path.name + ".tmp")
    partial.write_bytes(encode_png(pixels))
    partial.replace(path)
