"""Views of paper 002: ranges of zoom and rotation, unchanged views, and a region that stays in the view."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from crepitus.data.augmentation import AugmentationConfig, View, draw_view

PAPER = AugmentationConfig(
    probability=1,
    rotation_deg=15,
    rotation_least_deg=5,
    zoom=((0.4, 0.9), (1.3, 1.9)),
    translation=0.49,
    keep_region=True,
    flip_probability=0,
)
REGION = np.array([60.0, 10.0, 90.0, 40.0])


def views(config, count=300, region=REGION):
    return [draw_view(config, (100, 100), np.random.default_rng([3, k]), region) for k in range(count)]


def parts(view):
    linear = view.matrix[:, :2]
    zoom = np.sqrt(np.linalg.det(linear))
    return zoom, np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))


def test_zoom_and_rotation_stay_in_the_papers_ranges_and_use_all_of_them():
    zooms, angles = np.array([parts(view) for view in views(PAPER)]).T
    out, inside = zooms < 1, zooms > 1
    assert zooms[out].min() >= 0.4
    assert zooms[out].max() <= 0.9
    assert zooms[inside].min() >= 1.3
    assert zooms[inside].max() <= 1.9
    # Of 300 draws each range gets about half: 150 +- 4 standard deviations of 8.7.
    assert abs(int(out.sum()) - 150) < 35
    assert (np.abs(angles) >= 5 - 1e-9).all()
    assert (np.abs(angles) <= 15 + 1e-9).all()
    assert angles.min() < -10
    assert angles.max() > 10


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0, 70), st.floats(0, 70), st.floats(5, 30))
def test_the_region_stays_in_the_view_or_in_its_middle(seed, x, y, side):
    region = np.array([x, y, x + side, y + side])
    view = draw_view(PAPER, (100, 100), np.random.default_rng(seed), region)
    box = view.boxes(region[None])[0]
    for low, high in ((box[0], box[2]), (box[1], box[3])):
        if high - low <= 100:
            assert low >= -1e-6
            assert high <= 100 + 1e-6
        else:
            assert (low + high) / 2 == pytest.approx(50)


def test_without_a_region_nothing_is_held():
    free = PAPER.model_copy(update={"keep_region": False})
    for held, moved in zip(views(PAPER, 20, None), views(free, 20), strict=True):
        assert np.array_equal(held.matrix, moved.matrix)


def test_a_share_of_the_views_is_the_image_as_it_is():
    unchanged = [
        np.array_equal(v.matrix, np.eye(2, 3)) for v in views(PAPER.model_copy(update={"probability": 0.25}))
    ]
    # 225 of 300 expected, standard deviation 7.5.
    assert abs(sum(unchanged) - 225) < 30
    assert not any(np.array_equal(view.matrix, np.eye(2, 3)) for view in views(PAPER, 20))


def test_a_turned_region_keeps_its_size_and_its_centre():
    # Turned by 90 degrees about the origin and doubled: (x, y) becomes (-2 y, 2 x).
    view = View(matrix=np.array([[0.0, -2.0, 100.0], [2.0, 0.0, 0.0]]))
    assert view.regions(np.array([[10.0, 20.0, 20.0, 30.0]]))[0].tolist() == pytest.approx([40, 20, 60, 40])
    # Turned by 45 degrees the box grows, the region does not.
    turned = View(matrix=np.column_stack([np.array([[1, -1], [1, 1]]) * 0.5**0.5, [50.0, 0.0]]))
    region = turned.regions(np.array([[10.0, 10.0, 20.0, 20.0]]))[0]
    assert region[2:] - region[:2] == pytest.approx([10, 10])


@pytest.mark.parametrize("values", [{"rotation_deg": 5, "rotation_least_deg": 6}, {"zoom": [[0.9, 0.4]]}])
def test_impossible_ranges_are_refused(values):
    with pytest.raises(ValidationError, match="expected"):
        AugmentationConfig.model_validate(values)
