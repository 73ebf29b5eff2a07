"""Features that are no anatomy: each sees what was put there."""

import numpy as np
import pytest
from PIL import Image

from crepitus.data.looks import BORDER, FILE, MARKER, MARKER_CELLS, PICTURE, THUMBNAIL, look


def seen(tmp_path, pixels, name="a.png", **options):
    path = tmp_path / name
    Image.fromarray(pixels).save(path, **options)
    found = look(path, pixels)
    assert found.shape == (PICTURE.stop,)
    assert found.dtype == np.float32
    return found


def test_file(tmp_path):
    grey = np.full((40, 60), 100, np.uint8)
    png = seen(tmp_path, grey)[FILE]
    # PNG, mode L (the second), 8 bits, no quantization, no dots per inch, no EXIF.
    assert png[[0, 1, 2, 5]].tolist() == [0, 1, 8, 0]
    assert np.isnan(png[[3, 4]]).all()
    fine = seen(tmp_path, grey, "a.jpg", quality=95, dpi=(300, 300))[FILE]
    coarse = seen(tmp_path, grey, "b.jpg", quality=30)[FILE]
    assert (fine[0], fine[4]) == (1, 300)
    assert fine[3] < coarse[3]
    assert seen(tmp_path, grey.astype(np.uint16))[FILE][2] == 16


def test_border(tmp_path):
    # Padding of 10 of 40 rows above, 15 of 60 columns at the right; noise elsewhere.
    pixels = np.random.default_rng(0).integers(50, 200, (40, 60)).astype(np.uint8)
    pixels[:10] = 0
    pixels[:, 45:] = 255
    pixels[:10] = 0
    top, bottom, left, right = seen(tmp_path, pixels)[BORDER][:12].reshape(4, 3)
    assert top.tolist() == [0, 0, 0.25]
    assert (bottom[2], left[2]) == (0, 0)
    # The columns at the right are not constant, as the padding above crosses them.
    assert right == pytest.approx([0.75, np.std([0] * 10 + [1] * 30), 0], abs=1e-6)
    corners = seen(tmp_path, pixels)[BORDER][12:]
    assert (corners[0], corners[1], corners[3]) == (0, 0, 1)
    assert seen(tmp_path, np.zeros((40, 60), np.uint8))[BORDER][2] == 1


def test_marker_and_picture(tmp_path):
    pixels = np.full((60, 60), 80, np.uint8)
    pixels[:10, 50:] = 255
    marker = seen(tmp_path, pixels)[MARKER]
    # Of the 20 outer cells of 6 x 6, row by row, the sixth is the corner at the top right.
    assert len(marker) == 4 * (MARKER_CELLS - 1)
    assert np.flatnonzero(marker).tolist() == [5]
    picture = seen(tmp_path, pixels)[PICTURE].reshape(THUMBNAIL, THUMBNAIL)
    assert picture[0, -1] == 1
    assert picture[-1, 0] == pytest.approx(80 / 255)
