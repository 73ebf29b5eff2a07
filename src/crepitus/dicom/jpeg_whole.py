"""Whether a JPEG stream is whole, where its decoder would fill the missing part with grey.

JPEG has no checksum, and decoders only warn. But in a whole stream nothing that follows the last coded block
can change a pixel, and nothing but an end marker follows it; both is tested by changing it. The second finds
streams whose end was overwritten with one value, as file systems leave them after a crash: zeros are valid
code, and rarely as many blocks as the picture lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crepitus.errors import Damaged

_SOS, _EOI = 0xDA, 0xD9
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NEXT_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""A marker that ends coded data: no stuffed zero (FF 00), no restart (FF D0 to FF D7); T.81 B.1.1."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")

_CONSTANT_TAIL = 4
"""Equal bytes at the end of the coded data that are worth a second look; code of flat areas may end so."""

Decoder = Callable[[bytes], NDArray[Any]]


def check_jpeg_whole(data: bytes, name: str, decode: Decoder) -> NDArray[Any]:
    """Decode a JPEG stream, raising `Damaged` if it lacks a part of its picture.

    Args:
        data: the stream; what follows its end marker is ignored.
        name: for the message.
        decode: the decoder that fills what is missing; it is called twice, and three times more where the
            end looks overwritten.

    Returns:
        what `decode` gives for `data`.

    Raises:
        Damaged: it ends early, or coded data is missing or overwritten before the end marker.
    """
    start, end, bits_left = _walk_jpeg(data, name)
    if bits_left:
        raise Damaged(f"{name}: the progressive JPEG ends early, its last refinements are missing")
    pixels = decode(data)
    if not np.array_equal(pixels, decode(data[:end] + _filler(data[:end]))):
        raise Damaged(f"{name}: the JPEG's coded data ends early, the rest of the picture would be grey")
    if _is_overwritten(data, start, end, pixels, decode):
        raise Damaged(
            f"{name}: the JPEG's coded data goes on after the picture's last block, with bytes of value "
            f"{data[end - 1]}; its end was overwritten"
        )
    return pixels


def _is_overwritten(data: bytes, start: int, end: int, pixels: NDArray[Any], decode: Decoder) -> bool:
    """Whether the last scan ends with equal bytes that no block of the picture needs.

    A scan of nothing else is the code of one flat area, in tables so small that not every filler has a
    meaning in them; and one filler alone could by chance mean the same blocks as the code of a flat area.
    """
    coded = data[start:end]
    run = len(coded) - len(coded.rstrip(coded[-1:]))
    if run < _CONSTANT_TAIL or run == len(coded):
        return False
    head = data[: end - _CONSTANT_TAIL].rstrip(b"\xff")
    return all(np.array_equal(pixels, decode(head + _filler(head, seed))) for seed in range(3))


def _walk_jpeg(data: bytes, name: str) -> tuple[int, int, bool]:
    """Where the last scan's coded data starts and ends, and whether refinements are missing."""
    position, progressive, start = 2, False, 2
    reached: dict[tuple[int, int], int] = {}
    while found := _NEXT_MARKER.search(data, position):
        marker, position = found.group(1)[0], found.end()
        if marker == _EOI:
            missing = progressive and (not reached or any(reached.values()))
            return start, found.start(), missing
        length = int.from_bytes(data[position : position + 2], "big")
        if marker in _FRAMES:
            progressive = marker in _PROGRESSIVE
        if marker == _SOS and progressive:
            _note_scan(data[position : position + length], reached)
        position += length
        if marker == _SOS:
            start = position
    raise Damaged(f"{name}: the JPEG file ends early, after {len(data)} bytes and without its end marker")


def _note_scan(header: bytes, reached: dict[tuple[int, int], int]) -> None:
    """Note the bit position (Al) that a progressive scan reaches for each coefficient (T.81 G.1.1.1)."""
    count = header[2] if len(header) > 2 else 0
    if len(header) < 6 + 2 * count:
        return
    first, last, low_bit = header[3 + 2 * count], header[4 + 2 * count], header[5 + 2 * count] & 15
    for index in range(count):
        component = header[3 + 2 * index]
        # A component that has been announced needs all its 64 coefficients, not only those seen so far.
        for coefficient in range(64):
            reached.setdefault((component, coefficient), 1)
        for coefficient in range(first, min(last, 63) + 1):
            reached[component, coefficient] = low_bit


def _filler(coded: bytes, seed: int = 0) -> bytes:
    """Coded data that a decoder in want of data takes for its blocks, and a finished one passes over.

    A decoder at the end of a restart interval waits for the restart marker after the last one, modulo 8;
    each of them is in the filler, in that order.
    """
    restarts = _RESTART.findall(coded)
    following = restarts[-1][1] - 0xD0 + 1 if restarts else 0
    noise = np.random.default_rng(seed).integers(1, 255, size=(9, 32), dtype=np.uint8)
    parts = [noise[0].tobytes()]
    for index in range(8):
        parts += [bytes((0xFF, 0xD0 + (following + index) % 8)), noise[index + 1].tobytes()]
    return b"".join(parts) + bytes((0xFF, _EOI))
