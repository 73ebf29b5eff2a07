"""Affine maps and the pixels that they move: a bright dot is found where its position is mapped to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.errors import DataSetError
from crepitus.prepare.affine import Affine
from crepitus.prepare.warp import warp

numbers = st.floats(-50, 50)


def test_then_applies_the_second_map_to_the_result_of_the_first():
    # (1, 2) is moved to (4, 2), then doubled along x and tripled along y: (8, 6).
    both = Affine.shift(3, 0).then(Affine.scaling(2, 3))
    assert both.points(np.array([[1.0, 2.0]])).tolist() == [[8.0, 6.0]]


def test_a_positive_turn_is_clockwise_on_the_screen():
    # What lies to the right, (1, 0), lies below, (0, 1), after a quarter turn clockwise; y runs down.
    assert Affine.turn(90).points(np.array([[1.0, 0.0]])).tolist() == [[0.0, 1.0]]


def test_a_turned_box_is_the_box_around_it():
    # A square of side 2 around the origin, turned by 45 degrees: half its diagonal is the root of 2.
    (box,) = Affine.turn(45).boxes(np.array([[-1.0, -1.0, 1.0, 1.0]]))
    np.testing.assert_allclose(box, [-(2**0.5), -(2**0.5), 2**0.5, 2**0.5])


@given(numbers, numbers, st.floats(-180, 180), st.floats(0.1, 10), numbers, numbers)
def test_the_inverse_leads_back(x, y, degrees, scale, dx, dy):
    affine = Affine.turn(degrees).then(Affine.scaling(scale, scale)).then(Affine.shift(dx, dy))
    there = affine.points(np.array([[x, y]]))
    np.testing.assert_allclose(affine.inverse().points(there), [[x, y]], atol=1e-9)


def test_a_map_without_a_way_back_is_refused():
    with pytest.raises(DataSetError, match="reversed"):
        Affine.scaling(0, 1).inverse()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_copy_pixels(turns):
    pixels = np.arange(15, dtype=np.uint16).reshape(3, 5)
    corner = [(0, 0), (3, 0), (5, 3), (0, 5)][turns]
    affine = Affine.turn(90 * turns).then(Affine.shift(*corner))
    shape = (3, 5) if turns == 2 else (5, 3)
    np.testing.assert_array_equal(warp(pixels, affine, *shape), np.rot90(pixels, -turns))


def test_a_move_by_whole_pixels_copies_and_is_black_beyond():
    pixels = np.array([[1, 2], [3, 4]], dtype=np.uint8)
    assert warp(pixels, Affine.shift(1, 0), 2, 2).tolist() == [[0, 1], [0, 3]]


def test_shrinking_to_half_averages():
    pixels = np.array([[10, 20, 0, 0], [30, 40, 0, 8]], dtype=np.uint16)
    # (10 + 20 + 30 + 40) / 4 = 25 and (0 + 0 + 0 + 8) / 4 = 2.
    assert warp(pixels, Affine.scaling(0.5, 0.5), 1, 2).tolist() == [[25, 2]]


@given(st.integers(12, 50), st.integers(12, 50), st.floats(-180, 180), st.sampled_from([0.5, 1.0, 1.7]))
def test_a_dot_is_found_where_its_position_is_mapped_to(column, row, degrees, scale):
    pixels = np.zeros((64, 64), dtype=np.uint16)
    pixels[row - 2 : row + 3, column - 2 : column + 3] = 60000
    centre = Affine.shift(-32, -32).then(Affine.turn(degrees)).then(Affine.scaling(scale, scale))
    affine = centre.then(Affine.shift(80, 80))
    moved = warp(pixels, affine, 160, 160).astype(np.float64)
    rows, columns = np.mgrid[0:160, 0:160] + 0.5
    found = np.array([(columns * moved).sum(), (rows * moved).sum()]) / moved.sum()
    expected = affine.points(np.array([[column + 0.5, row + 0.5]]))[0]
    np.testing.assert_allclose(found, expected, atol=0.2)


def test_masks_are_not_mixed():
    mask = np.array([[1, 1, 4, 4]] * 4, dtype=np.uint8)
    turned = warp(mask, Affine.turn(30).then(Affine.shift(2, 0)), 6, 6, nearest=True)
    assert set(np.unique(turned).tolist()) <= {0, 1, 4}
