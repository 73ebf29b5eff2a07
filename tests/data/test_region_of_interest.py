"""Regions of interest: from boxes, from landmarks by hand, inside the image, and where there is none."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.data.region_of_interest import LANDMARKS, femur_square, regions

IMAGES = pl.DataFrame({"image_id": ["a", "b"], "rows": [200, 200], "columns": [300, 300]})


def landmarks(image_id, side, points):
    names = [f"{name}-{side}" for name in LANDMARKS]
    x, y = zip(*points, strict=True)
    return pl.DataFrame({"image_id": [image_id] * 3, "name": names, "x": x, "y": y}).cast(
        {"x": pl.Float64, "y": pl.Float64}
    )


HIP = [(100.0, 60.0), (140.0, 66.0), (110.0, 120.0)]
# Rectangle 100..140 x 60..120, longer side 60, square of 90 around (120, 90).
SQUARE = [75, 45, 165, 135]


def test_square_by_hand():
    assert femur_square(np.array(HIP), (200, 300)).tolist() == SQUARE


def test_the_square_is_moved_into_the_image_or_made_smaller():
    # Around (20, 90) it would begin at -25.
    assert femur_square(np.array(HIP) - (100, 0), (200, 300)).tolist() == [0, 45, 90, 135]
    assert femur_square(np.array(HIP), (80, 300)).tolist() == [80, 0, 160, 80]


@given(
    st.lists(st.tuples(st.floats(0, 90), st.floats(0, 70)), min_size=3, max_size=3),
    st.integers(71, 200),
    st.integers(91, 200),
)
def test_the_square_is_a_square_inside_the_image(points, rows, columns):
    box = femur_square(np.array(points), (rows, columns))
    assert box[2] - box[0] == pytest.approx(box[3] - box[1])
    assert (box >= 0).all()
    assert box[2] <= columns + 1e-9
    assert box[3] <= rows + 1e-9


def test_from_landmarks_of_either_side():
    for side in ("R", "L"):
        found = regions(IMAGES, None, landmarks("a", side, HIP))
        assert {name: box.tolist() for name, box in found.items()} == {"a": SQUARE}


def test_no_region_with_both_hips_or_with_a_landmark_missing():
    both = pl.concat([landmarks("a", "R", HIP), landmarks("a", "L", HIP)])
    assert regions(IMAGES, None, both) == {}
    assert regions(IMAGES, None, landmarks("a", "R", HIP)[:2]) == {}
    assert regions(IMAGES, None, None) == {}


def test_a_box_labelled_roi_wins_over_landmarks_and_other_boxes_are_none():
    boxes = pl.DataFrame(
        {
            "image_id": ["a", "a", "a", "b"],
            "x_min": [1.0, 10.0, 20.0, 5.0],
            "y_min": [1.0, 10.0, 20.0, 5.0],
            "x_max": [9.0, 60.0, 70.0, 9.0],
            "y_max": [9.0, 60.0, 70.0, 9.0],
            "label": ["fracture", "roi", "roi", "fracture"],
        }
    )
    found = regions(IMAGES, boxes, landmarks("a", "R", HIP))
    assert {name: box.tolist() for name, box in found.items()} == {"a": [10, 10, 60, 60]}
