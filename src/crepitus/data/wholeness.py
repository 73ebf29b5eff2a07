"""Whether a PNG or JPEG file is whole, where its decoder would fill the missing part with grey.

Decoders are lenient: libjpeg paints what is missing grey and only warns, and Pillow hides the warning as
soon as the file ends with an end-of-image marker, as "repaired" downloads do. PNG carries checksums, which
Pillow does not compare inside the pixel data.
"""

from __future__ import annotations

import io
import zlib

import numpy as np
from PIL import Image

from crepitus.dicom.jpeg_whole import check_jpeg_whole
from crepitus.errors import Damaged

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"


def check_whole(data: bytes, name: str) -> None:
    """Raise `Damaged` if `data`, the content of a PNG or JPEG file, lacks a part of its picture.

    Args:
        data: the whole file.
        name: for the message.

    Raises:
        Damaged: it ends early, a checksum differs, or coded data is missing before the end marker.
    """
    if data.startswith(PNG_SIGNATURE):
        _check_png(data, name)
    elif data.startswith(JPEG_SIGNATURE):
        check_jpeg_whole(data, name, _decoded)


def _check_png(data: bytes, name: str) -> None:
    """Walk the chunks (length, type, content, CRC-32; PNG specification, section 5.3) up to IEND."""
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            break
        if zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise Damaged(f"{name}: the checksum of PNG chunk {kind!r} at byte {position} differs")
        if kind == b"IEND":
            return
        position = end
    raise Damaged(f"{name}: the PNG file ends early, after {len(data)} bytes and without its last chunk")


def _decoded(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return np.asarray(image, dtype=np.uint8)
