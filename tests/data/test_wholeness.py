"""Files that end early are refused wherever they are cut, whole ones never (row 18)."""

import io

import numpy as np
import pytest
from PIL import Image

from crepitus.data.images import read_image, write_png
from crepitus.data.wholeness import check_whole
from crepitus.errors import Damaged, NotDicom, NotRadiograph, SetAside

JPEG_KINDS = {
    "baseline": {"quality": 90},
    "optimized": {"quality": 60, "optimize": True},
    "progressive": {"quality": 85, "progressive": True},
    "restart markers": {"quality": 85, "restart_marker_rows": 1},
    "restart in rows": {"quality": 85, "restart_marker_blocks": 3},
}
EOI = b"\xff\xd9"


def picture(rows=96, columns=128):
    y, x = np.mgrid[0:rows, 0:columns]
    noise = np.random.default_rng(0).integers(0, 60, size=(rows, columns))
    return (90 + 60 * np.sin(x / 9) * np.cos(y / 7) + noise / 2).astype(np.uint8)


def encoded(pixels, kind="JPEG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def seen(data):
    """What a reader that trusts Pillow alone would get: pixels, or None."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError):
        return None


@pytest.mark.parametrize("options", JPEG_KINDS.values(), ids=JPEG_KINDS)
@pytest.mark.parametrize("pixels", [picture(), np.zeros((96, 128), np.uint8), np.dstack([picture()] * 3)])
def test_whole_jpeg_passes(options, pixels):
    check_whole(encoded(pixels, **options), "a.jpg")
    check_whole(encoded(pixels, **options) + b"trailing bytes of an archive", "a.jpg")


@pytest.mark.parametrize("options", JPEG_KINDS.values(), ids=JPEG_KINDS)
@pytest.mark.parametrize("ending", [b"", EOI, b"\0" * 500], ids=["cut", "closed", "zeros"])
def test_cut_jpeg_is_refused(tmp_path, options, ending):
    data = encoded(picture(), **options)
    whole = seen(data)
    path = tmp_path / "a.jpg"
    refused = 0
    for length in np.linspace(2, len(data) - 40, 60).astype(int):
        cut = data[:length] + ending
        path.write_bytes(cut)
        got = seen(cut)
        if got is not None and np.array_equal(got, whole):
            continue  # nothing of the picture is lost
        with pytest.raises((Damaged, NotDicom)):
            read_image(path)
        refused += 1
    assert refused >= 55


@pytest.mark.parametrize("options", JPEG_KINDS.values(), ids=JPEG_KINDS)
@pytest.mark.parametrize("value", [0x00, 0x55])
def test_an_end_overwritten_with_one_value_is_refused(options, value):
    """As long as the file was, or longer, and closed: the fill is code for blocks that never were."""
    data = encoded(picture(), **options)
    whole = seen(data)
    passed = checked = 0
    for length in np.linspace(len(data) // 2, len(data) - 100, 20).astype(int):
        for more in (0, 400):
            filled = data[:length] + bytes([value]) * (len(data) - len(EOI) - length + more) + EOI
            assert not np.array_equal(seen(filled), whole)
            checked += 1
            try:
                check_whole(filled, "a.jpg")
                passed += 1
            except Damaged:
                continue
    # A fill that happens to end within four bytes of the last block cannot be told from code.
    assert (checked, passed <= 2) == (40, True)


def test_what_was_overwritten_is_named():
    data = encoded(picture())
    with pytest.raises(Damaged, match=r"^a\.jpg: .*bytes of value 0; its end was overwritten$"):
        check_whole(data[:2000] + bytes(len(data)) + EOI, "a.jpg")


@pytest.mark.parametrize("options", JPEG_KINDS.values(), ids=JPEG_KINDS)
@pytest.mark.parametrize("level", [0, 255])
def test_whole_pictures_that_end_in_a_flat_area_pass(options, level):
    """With tables made for the picture, a flat area is coded as zeros, like an overwritten end."""
    zeros = 0
    for rows in range(8, 136, 8):
        for top in (0, 40):
            pixels = np.full((top + rows, 128), level, np.uint8)
            pixels[:top] = picture(40)[:top]
            data = encoded(pixels, **options)
            zeros += data[-5:-2] == bytes(3)
            check_whole(data, "a.jpg")
    assert zeros or "optimize" not in options


def test_pillow_alone_would_take_a_closed_half_image():
    """The reason for the check; should Pillow begin to refuse these, the check may go."""
    data = encoded(picture())
    assert seen(data[: len(data) // 2] + EOI) is not None


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_cut_or_changed_png_is_refused(tmp_path, depth):
    path = tmp_path / "a.png"
    pixels = picture().astype(depth) * (200 if depth == np.uint16 else 1)
    write_png(path, pixels)
    assert np.array_equal(read_image(path), pixels)
    assert read_image(path).dtype == depth
    data = path.read_bytes()
    for length in np.linspace(1, len(data) - 1, 60).astype(int):
        path.write_bytes(data[:length])
        with pytest.raises((Damaged, NotDicom)):
            read_image(path)
    for position in np.linspace(40, len(data) - 1, 40).astype(int):
        changed = bytearray(data)
        changed[position] ^= 0x10
        path.write_bytes(bytes(changed))
        with pytest.raises(SetAside):
            read_image(path)


def test_other_content(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(Damaged, match=r"a\.png: expected an image file, there is none"):
        read_image(path)
    for content in (b"", b"a text", b"\x89PNG\r\n\x1a\n"):
        path.write_bytes(content)
        with pytest.raises((NotDicom, Damaged)):
            read_image(path)
    colours = np.zeros((8, 8, 3), np.uint8)
    colours[..., 0] = 200
    path.write_bytes(encoded(colours, "PNG"))
    with pytest.raises(NotRadiograph, match="colours that differ by 200"):
        read_image(path)
    path.write_bytes(encoded(np.dstack([picture()] * 3), "PNG"))
    assert np.array_equal(read_image(path), picture())
