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

from crepitus.data.png import encode_png
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
