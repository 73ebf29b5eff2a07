"""Boxes from activation maps: the four rules by hand, ties, constant maps, and the paper's resizing."""

import numpy as np
import pytest
from pydantic import ValidationError

from crepitus.methods.femur.boxes import BoxConfig, map_boxes, stretched


def stepped():
    """Values 0, 100, 200, 255 of grey: a ring of 100 around 200 around one cell of 255, and 100 far away."""
    values = np.zeros((8, 8), dtype=np.float32)
    values[1:6, 1:6] = 100
    values[2:5, 2:5] = 200
    values[3, 3] = 255
    values[7, 7] = 100
    return values


def boxes(rule, regions="each", values=None, size=(8, 8), score=1.0):
    config = BoxConfig(rule=rule, regions=regions)
    return map_boxes(stepped() if values is None else values, size, score, config)


def test_the_band_keeps_what_lies_between_the_thresholds():
    found = boxes("band")
    # The ring (16 cells of 100) and the far cell: shares 16/17 and 1/17.
    assert found[:, :4].tolist() == [[1, 1, 6, 6], [7, 7, 8, 8]]
    assert found[:, 4].tolist() == pytest.approx([16 / 17, 1 / 17])


def test_low_high_and_both():
    low = boxes("low")
    # Ring, plateau and peak are one region of 16 * 100 + 8 * 200 + 255 = 3455 beside 100.
    assert low[:, :4].tolist() == [[1, 1, 6, 6], [7, 7, 8, 8]]
    assert low[0, 4] == pytest.approx(3455 / 3555)
    assert boxes("high")[:, :4].tolist() == [[2, 2, 5, 5]]
    assert boxes("high")[0, 4] == 1
    both = boxes("both")
    assert both[:, :4].tolist() == [[2, 2, 5, 5], [1, 1, 6, 6], [7, 7, 8, 8]]


def test_one_box_around_all_regions_has_the_score_of_the_image():
    assert boxes("band", "all", score=0.25).tolist() == [[1, 1, 8, 8, 0.25]]


def test_a_map_without_contrast_has_no_box():
    for rule in ("band", "low", "high", "both"):
        assert boxes(rule, values=np.full((4, 4), 3.0, dtype=np.float32)).shape == (0, 5)
    config = BoxConfig(rule="low", low=0)
    assert map_boxes(np.zeros((4, 4), dtype=np.float32), (8, 8), 1.0, config).shape == (0, 5)


def test_scale_and_offset_of_a_map_do_not_matter():
    assert np.allclose(boxes("both"), boxes("both", values=stepped() * 0.013 - 7))


def test_a_map_is_resized_before_it_is_stretched():
    values = np.zeros((2, 2), dtype=np.float32)
    values[0, 1] = 1
    grey = stretched(values, (16, 24))
    assert grey.shape == (16, 24)
    assert (grey.min(), grey.max()) == (0, 255)
    found = map_boxes(values, (16, 24), 1.0, BoxConfig(rule="high"))
    # Bilinear between cell centres 6 and 18 across, 4 and 12 down: at least 180/255 = 0.706 of the peak.
    # Across at the top row: (x + 0.5 - 6) / 12 >= 0.706 from x = 14 (8.5 / 12 = 0.708) on.
    # Down at the right column: 1 - (y + 0.5 - 4) / 8 >= 0.706 up to y = 5 (1 - 1.5 / 8 = 0.81).
    assert found[0, :4].tolist() == [14, 0, 24, 6]


def test_thresholds_in_the_wrong_order_are_refused():
    with pytest.raises(ValidationError, match="high >= low"):
        BoxConfig(low=200, high=100)
