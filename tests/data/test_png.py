"""PNG files: every decoder gives back the pixels, and the bytes are those of the specification."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from crepitus.data.images import read_image
from crepitus.data.png import decode_png, encode_png
from crepitus.data.wholeness import check_whole
from crepitus.errors import Damaged

PICTURES = st.sampled_from([np.uint8, np.uint16]).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=2, max_dims=2, max_side=9))
)


@given(PICTURES)
def test_other_decoders_give_back_the_pixels(pixels):
    before = pixels.copy()
    data = encode_png(pixels)
    check_whole(data, "a.png")
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == ("L" if pixels.dtype == np.uint8 else "I;16")
        assert np.array_equal(np.asarray(image), pixels)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.dtype == pixels.dtype
    assert np.array_equal(decoded, pixels)
    assert np.array_equal(before, pixels)


def test_bytes_are_those_of_the_specification():
    data = encode_png(np.array([[1, 258], [2, 256]], dtype=np.uint16))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    # 2 columns, 2 rows, 16 bits, grey, deflate, adaptive filters, not interlaced.
    assert data[8:29] == struct.pack(">I4sIIBBBBB", 13, b"IHDR", 2, 2, 16, 0, 0, 0, 0)
    assert data[29:33] == struct.pack(">I", zlib.crc32(data[12:29]))
    (length,) = struct.unpack(">I", data[33:37])
    # Big endian 00 01 01 02 as it is; then 00 02 01 00 minus it, modulo 256: 0, 1, 0, 254. Filter "up" is 2.
    assert data[37:41] == b"IDAT"
    assert zlib.decompress(data[41 : 41 + length]) == bytes([2, 0, 1, 1, 2, 2, 0, 1, 0, 254])
    assert data[45 + length :] == struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))


def test_pixels_that_do_not_lie_in_one_piece_are_written_as_they_are_seen():
    whole = np.arange(80, dtype=np.uint16).reshape(8, 10) * 700
    for pixels in (whole[::2, 3:], whole.T, whole[:, ::-1]):
        with Image.open(io.BytesIO(encode_png(pixels))) as image:
            assert np.array_equal(np.asarray(image), pixels)


def test_one_wrong_bit_is_found():
    data = bytearray(encode_png(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    data[50] ^= 1
    with pytest.raises(Damaged, match="checksum"):
        check_whole(bytes(data), "a.png")


@given(PICTURES)
def test_own_files_are_read_as_they_were_written(pixels):
    again = decode_png(encode_png(pixels), 1 << 20)
    assert again.dtype == pixels.dtype
    assert again.flags.writeable
    assert np.array_equal(again, pixels)


SMALL = encode_png(np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000)


def test_nothing_but_whole_own_files_takes_the_short_way():
    for place in range(len(SMALL)):
        changed = bytearray(SMALL)
        changed[place] ^= 0x10
        assert decode_png(bytes(changed), 100) is None, place
        assert decode_png(SMALL[:place], 100) is None, place
    assert decode_png(SMALL + b"x", 100) is None
    assert decode_png(SMALL, 11) is None, "of 12 pixels"
    assert decode_png(SMALL, 12) is not None


def rebuilt(header, content):
    """A file with right checksums of this header (columns, rows, bits, ...) and this compressed content."""
    parts = ((b"IHDR", struct.pack(">IIBBBBB", *header)), (b"IDAT", content), (b"IEND", b""))
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


LINES = bytes([2, 1, 2, 2, 1, 1])
"""Two lines of two pixels of 8 bits, filter "up": 1, 2 and, each 1 more, 2, 3."""


def test_lines_by_hand():
    whole = rebuilt((2, 2, 8, 0, 0, 0, 0), zlib.compress(LINES))
    assert decode_png(whole, 100).tolist() == [[1, 2], [2, 3]]


@pytest.mark.parametrize(
    ("header", "content"),
    [
        ((2, 2, 8, 0, 0, 0, 1), zlib.compress(LINES)),  # interlaced
        ((2, 2, 8, 2, 0, 0, 0), zlib.compress(LINES)),  # colours
        ((2, 2, 4, 0, 0, 0, 0), zlib.compress(LINES)),  # 4 bits
        ((2, 0, 8, 0, 0, 0, 0), zlib.compress(b"")),  # no rows
        ((2, 3, 8, 0, 0, 0, 0), zlib.compress(LINES)),  # a row too few
        ((2, 1, 8, 0, 0, 0, 0), zlib.compress(LINES)),  # a row too many
        ((2, 1, 8, 0, 0, 0, 0), zlib.compress(bytes(1 << 24))),  # far too many
        ((2, 2, 8, 0, 0, 0, 0), zlib.compress(LINES)[:-1] + b"!"),  # wrong checksum of the content
        ((2, 2, 8, 0, 0, 0, 0), zlib.compress(LINES)[:-4]),  # none
        ((2, 2, 8, 0, 0, 0, 0), zlib.compress(LINES) + b"x"),
        ((2, 2, 8, 0, 0, 0, 0), b"nothing"),
        ((2, 2, 8, 0, 0, 0, 0), zlib.compress(bytes([1, 1, 2, 2, 1, 1]))),  # another filter
    ],
)
def test_what_was_made_in_another_way_or_contradicts_itself_is_left_to_others(header, content):
    assert decode_png(rebuilt(header, content), 100) is None


def test_files_of_others_are_read_as_before(tmp_path):
    rng = np.random.default_rng(0)
    for dtype in (np.uint8, np.uint16):
        pixels = (rng.random((20, 30)) * np.iinfo(dtype).max).astype(dtype)
        Image.fromarray(pixels).save(tmp_path / "a.png")
        assert np.array_equal(read_image(tmp_path / "a.png"), pixels)
        (tmp_path / "b.png").write_bytes(encode_png(pixels))
        for verify in (False, True):
            again = read_image(tmp_path / "b.png", verify=verify)
            assert again.dtype == dtype
            assert np.array_equal(again, pixels)
