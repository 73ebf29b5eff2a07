"""A region by landmarks: the box by hand, positions there and back, pixels where positions say."""

import numpy as np
import pytest

from crepitus.errors import NotAssessable
from crepitus.prepare.region import Region, region_of
from crepitus.structures import Landmarks

MARKS = Landmarks(
    ("pubis-L", "pubis-R", "ischium-L", "asis-L"),
    np.array([[60.0, 30.0], [20.0, 30.0], [60.0, 40.0], [90.0, 5.0]]),
)


def test_box_by_hand():
    # Pubis and ischium: x 20..60, y 30..40; a quarter more on each side: 60 x 15 about (40, 35). Twice as
    # wide as high: 60 x 30.
    region = region_of(MARKS, ("pubis", "ischium"), rows=32, columns=64, margin=0.25)
    assert region.box.tolist() == [10, 20, 70, 50]
    # 64 px for 60: (40, 35) is in the middle, (10, 20) the corner.
    places = region.to_region(np.array([[40.0, 35.0], [10.0, 20.0]]))
    assert places.tolist() == [[32, 16], [0, 0]]
    assert region.to_image(places) == pytest.approx(np.array([[40.0, 35.0], [10.0, 20.0]]))


@pytest.mark.parametrize("members", [("asis",), ("femur",)])
def test_too_few_landmarks_is_not_assessable(members):
    with pytest.raises(NotAssessable, match="expected at least two landmarks"):
        region_of(MARKS, members, rows=32, columns=64, margin=0.1)
    one_place = Landmarks(("a", "ab"), np.full((2, 2), 7.0))
    with pytest.raises(NotAssessable, match="apart"):
        region_of(one_place, ("a",), rows=32, columns=64, margin=0.1)


@pytest.mark.parametrize("size", [(16, 32), (64, 128)])
def test_pixels_lie_where_positions_say(size):
    # An image whose grey value is 100 times x: the region must show 100 times the x of its pixel centres.
    image = np.tile(((np.arange(100) + 0.5) * 100).astype(np.uint16), (80, 1))
    region = Region(np.array([20.0, 20.0, 60.0, 40.0]), *size)
    centres = np.column_stack([np.arange(size[1]) + 0.5, np.full(size[1], 5.5)])
    expected = region.to_image(centres)[:, 0] * 100
    # OpenCV interpolates in steps of 1/32 px, here 3 grey values; halves of pixels are rounded.
    assert region.pixels(image)[5].astype(float) == pytest.approx(expected, abs=4)


def test_whole_image_stays_itself_and_outside_is_black():
    image = np.random.default_rng(0).integers(1, 255, (20, 40)).astype(np.uint8)
    assert np.array_equal(Region(np.array([0.0, 0.0, 40.0, 20.0]), 20, 40).pixels(image), image)
    beyond = Region(np.array([-40.0, 0.0, 40.0, 40.0]), 40, 80).pixels(image)
    assert (beyond[:, :39] == 0).all()
    assert np.array_equal(beyond[:20, 40:], image)
