"""Histogram equalisation: by hand, idempotent to the last level, blind to a black margin."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from crepitus.prepare.equalize import equalized

images = hn.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def test_by_hand():
    # Without the lowest level (two pixels of 5) four remain: 7 has a share of 1/4, 9 of 3/4, 50 of 4/4.
    pixels = np.array([[5, 5, 7], [9, 9, 50]], dtype=np.uint8)
    assert equalized(pixels).tolist() == [[0, 0, 64], [191, 191, 255]]


@given(images)
def test_twice_is_once(pixels):
    once = equalized(pixels)
    np.testing.assert_array_equal(equalized(once), once)


@given(hn.arrays(np.uint16, (6, 5)))
def test_twice_is_once_with_16_bits(pixels):
    once = equalized(pixels)
    assert once.dtype == np.uint16
    np.testing.assert_array_equal(equalized(once), once)


@given(images)
def test_the_order_of_levels_stays(pixels):
    order = np.argsort(pixels, axis=None, kind="stable")
    assert (np.diff(equalized(pixels).ravel()[order].astype(int)) >= 0).all()


@given(images)
def test_a_black_margin_has_no_influence(pixels):
    pixels = np.pad(pixels, 1)
    wide = np.pad(pixels, 3)
    np.testing.assert_array_equal(equalized(wide)[3:-3, 3:-3], equalized(pixels))


def test_one_level_stays():
    pixels = np.full((3, 3), 7, dtype=np.uint8)
    np.testing.assert_array_equal(equalized(pixels), pixels)
