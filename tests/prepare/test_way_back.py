"""The way back from a prepared image: positions to the last digit, heatmaps where they belong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.errors import DataSetError
from crepitus.prepare.affine import Affine
from crepitus.prepare.way_back import WayBack


@given(st.floats(0, 3000), st.floats(0, 3000), st.floats(-180, 180), st.floats(0.1, 4))
def test_points_go_there_and_back(x, y, degrees, scale):
    affine = Affine.turn(degrees).then(Affine.scaling(scale, scale)).then(Affine.shift(7, -3))
    back = WayBack("a", 3000, 3000, affine)
    point = np.array([[x, y]])
    np.testing.assert_allclose(back.to_source(back.to_prepared(point)), point, rtol=0, atol=1e-9)


def test_columns_hold_everything():
    back = WayBack("a", 30, 20, Affine.turn(33).then(Affine.shift(4, 5)))
    assert WayBack.of({"image_id": "b", "rows": 9, "columns": 9, **back.columns()}) == back


def test_an_image_that_was_never_prepared_is_its_own_source():
    assert WayBack.of({"image_id": "a", "rows": 4, "columns": 6}) == WayBack("a", 4, 6, Affine())


def test_half_a_way_back_is_refused():
    row = WayBack("a", 4, 6, Affine()).columns() | {"affine_y0": None}
    with pytest.raises(DataSetError, match="affine_y0"):
        WayBack.of({"image_id": "a", "rows": 4, "columns": 6, **row})


def test_a_heatmap_of_a_cropped_half_fills_that_half_of_the_source():
    # The prepared image is the right half of a source of 4 x 8; its heatmap is 1 everywhere.
    back = WayBack("a", 4, 8, Affine.shift(-4, 0))
    source = back.heatmap_to_source(np.ones((2, 2), np.float32), (4, 4))
    assert source.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]] * 4


def test_a_heatmap_turned_with_the_image_is_turned_back():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    affine = Affine.turn(90).then(Affine.shift(3, 0))  # a source of 3 rows and 4 columns, clockwise
    back = WayBack("a", 3, 4, affine)
    np.testing.assert_allclose(back.heatmap_to_source(np.rot90(values, -1), (4, 3)), values, atol=1e-5)


def test_a_heatmap_may_be_coarser_than_the_source():
    back = WayBack("a", 8, 8, Affine.scaling(0.5, 0.5))
    values = np.array([[0, 1], [0, 0]], dtype=np.float32)
    coarse = back.heatmap_to_source(values, (4, 4), (2, 2))
    np.testing.assert_allclose(coarse, values)
