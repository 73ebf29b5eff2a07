"""Fitting into an input: sizes by hand, positions there and back, and the crop of a map."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.prepare.fit import InputFit


def test_portrait_by_hand():
    # 400 x 200 into 100: content 100 x 50, 25 black columns on either side.
    fit = InputFit(400, 200, 100, 100)
    assert (fit.content_rows, fit.content_columns, fit.top, fit.left) == (100, 50, 0, 25)
    # The corner (0, 0) goes to (25, 0), the far corner (200, 400) to (75, 100).
    assert fit.to_input(np.array([[0.0, 0.0], [200.0, 400.0]])).tolist() == [[25, 0], [75, 100]]
    square = fit.apply(np.full((400, 200), 255, np.uint8))
    assert square.dtype == np.float32
    assert square[:, :25].max() == 0
    assert square[:, 25:75].min() == 1
    assert square[:, 75:].max() == 0


@given(st.integers(1, 300), st.integers(1, 300), st.integers(32, 256), st.integers(32, 256), st.booleans())
def test_positions_come_back(rows, columns, height, width, stretch):
    fit = InputFit(rows, columns, height, width, stretch)
    corners = np.array([[0, 0], [columns, rows], [columns / 3, rows / 7]])
    there = fit.to_input(corners)
    assert (there >= -1e-9).all()
    assert (there <= np.array([width, height]) + 1e-9).all()
    assert fit.to_image(there) == pytest.approx(corners, abs=1e-9)


@pytest.mark.parametrize("shape", [(64, 64), (64, 40), (33, 64), (120, 77)])
def test_a_mark_stays_where_it_was(shape):
    pixels = np.zeros(shape, np.uint16)
    row, column = shape[0] // 3, shape[1] // 2
    pixels[row : row + 4, column : column + 4] = 65535
    fit = InputFit(*shape, 128, 160)
    square = fit.apply(pixels)
    y, x = np.indices(square.shape) + 0.5
    centroid = np.array([[(x * square).sum(), (y * square).sum()]]) / square.sum()
    assert fit.to_image(centroid)[0] == pytest.approx([column + 2, row + 2], abs=0.05)


def test_cropped_map_covers_the_image_and_nothing_else():
    # A map that holds its own x position; the crop must hold the x positions inside the content.
    fit = InputFit(200, 100, 64, 64)
    x = (np.arange(16, dtype=np.float32) + 0.5) * 4
    cropped = fit.crop_map(np.tile(x, (16, 1)))
    assert cropped.shape == (16, 8)
    assert cropped[0] == pytest.approx(fit.left + (np.arange(8) + 0.5) * 4, abs=1e-4)


def test_crop_of_a_constant_map_is_constant():
    cropped = InputFit(90, 77, 100, 100).crop_map(np.full((25, 25), 0.3, np.float32))
    assert cropped == pytest.approx(0.3, abs=1e-6)


def test_one_pixel_image():
    square = InputFit(1, 1, 32, 32).apply(np.array([[255]], np.uint8))
    assert square.min() == 1


def test_a_landscape_in_a_portrait_by_hand():
    # 100 x 200 into 300 x 150: the width decides, factor 0.75; 75 rows, 112 black ones above (225 // 2).
    fit = InputFit(100, 200, 300, 150)
    assert (fit.content_rows, fit.content_columns, fit.top, fit.left) == (75, 150, 112, 0)
    assert fit.to_input(np.array([[200.0, 100.0]])).tolist() == [[150, 187]]


def test_stretching_fills_the_input():
    fit = InputFit(100, 200, 300, 150, stretch=True)
    assert (fit.content_rows, fit.content_columns, fit.top, fit.left) == (300, 150, 0, 0)
    assert fit.to_input(np.array([[200.0, 100.0], [100.0, 50.0]])).tolist() == [[150, 300], [75, 150]]
    assert fit.apply(np.full((100, 200), 255, np.uint8)).min() == 1
    assert fit.crop_map(np.zeros((30, 15), np.float32)).shape == (30, 15)
