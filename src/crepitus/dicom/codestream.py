"""Size, depth and completeness of a compressed picture, from its own header, before anything is decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crepitus.errors import Damaged

_SOI, _SOC = b"\xff\xd8", b"\xff\x4f"
_SOS, _EOI, _SOF_LS = 0xDA, 0xD9, 0xF7
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SIZ, _SOT, _SOD, _EOC = 0xFF51, 0xFF90, 0xFF93, 0xFFD9
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "
_NEXT_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")


@dataclass(frozen=True)
class Announced:
    """What the header of a codestream says about the picture in it.

    Attributes:
        rows, columns: size in pixels.
        samples: components per pixel.
        precision: bits per sample.
    """

    rows: int
    columns: int
    samples: int
    precision: int


def jpeg_header(stream: bytes) -> Announced:
    """Frame header of a JPEG or JPEG-LS stream (T.81 B.2.2, T.87 C.2.2).

    Raises:
        Damaged: no start of image, or no frame header before the first scan.
    """
    if not stream.startswith(_SOI):
        raise Damaged(f"codestream: expected a JPEG start of image, got {stream[:2].hex() or 'nothing'}")
    position = 2
    while found := _NEXT_MARKER.match(stream, position):
        marker, position = found.group(1)[0], found.end()
        length = int.from_bytes(stream[position : position + 2], "big")
        if marker in (_SOS, _EOI) or length < 2:
            break
        if marker in _JPEG_FRAMES or marker == _SOF_LS:
            body = stream[position + 2 : position + length]
            if len(body) < 6:
                break
            rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            return Announced(rows, columns, body[5], body[0])
        position += length
    raise Damaged("codestream: expected a JPEG frame header, there is none")


def jpeg2000_header(stream: bytes) -> Announced:
    """SIZ marker segment of a JPEG 2000 codestream (T.800 A.5.1).

    Raises:
        Damaged: no SIZ segment, or components of different sizes or depths.
    """
    head = stream[:6]
    if not head.startswith(_SOC) or int.from_bytes(head[2:4], "big") != _SIZ:
        raise Damaged(f"codestream: expected JPEG 2000 (FF4F FF51), got {head[:4].hex() or 'nothing'}")
    body = stream[6 : 4 + int.from_bytes(head[4:6], "big")]
    if len(body) < 36:
        raise Damaged("codestream: the JPEG 2000 size segment ends early")
    x_size, y_size, x_start, y_start = (int.from_bytes(body[2 + 4 * i : 6 + 4 * i], "big") for i in range(4))
    samples = int.from_bytes(body[34:36], "big")
    parts = [body[36 + 3 * i : 39 + 3 * i] for i in range(samples)]
    if not parts or any(part != parts[0] for part in parts) or parts[0][1:] != b"\x01\x01":
        raise Damaged("codestream: expected components of one size and depth without subsampling")
    return Announced(y_size - y_start, x_size - x_start, samples, (parts[0][0] & 0x7F) + 1)


def plain_jpeg2000(stream: bytes) -> bytes:
    """The codestream without the boxes of a JP2 file, which some devices wrap around it (T.800 I.4)."""
    return stream[stream.find(b"jp2c") + 4 :] if stream.startswith(_JP2_SIGNATURE) else stream


def check_jpeg2000_parts(stream: bytes) -> None:
    """Refuse a JPEG 2000 codestream whose last tile-part is longer than what there is (T.800 A.4.2).

    Raises:
        Damaged: it ends early; decoders may fill the missing part in silence.
    """
    position, seen = 2, False
    while position + 4 <= len(stream):
        marker = int.from_bytes(stream[position : position + 2], "big")
        if marker == _EOC:
            return
        if marker == _SOT:
            length = int.from_bytes(stream[position + 6 : position + 10], "big")
            if length == 0:
                # The last tile-part reaches to the end marker, which is then the only sign of completeness.
                check_end(stream)
                return
            if length < 14:
                raise Damaged("codestream: a JPEG 2000 tile-part has an impossible length")
            position, seen = position + length, True
        else:
            position += 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
    if position > len(stream) or not seen:
        raise Damaged(f"codestream: JPEG 2000 data ends early, after {len(stream)} bytes")


def check_end(stream: bytes) -> None:
    """Refuse a codestream of the JPEG family that lacks its end marker (FFD9 in all of them).

    Raises:
        Damaged: it is not there.
    """
    # Pixel data is padded to an even length, by some devices with FF.
    if not stream.rstrip(b"\0\xff").endswith(b"\xff\xd9"):
        raise Damaged(f"codestream: ends early, after {len(stream)} bytes and without its end marker")
