"""Overlays put every mark where the contract's coordinates say, at any size of picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.errors import UsageError
from crepitus.report.overlay import overlay, side_by_side, windowed
from crepitus.structures import Boxes, Detections, Points


def coloured(picture, factor=1):
    """Where the picture is not grey: red and blue differ visibly."""
    return np.abs(picture[:, :, 0].astype(int) - picture[:, :, 2]) > 20 * factor


def centroid(mask):
    rows, columns = np.nonzero(mask)
    return columns.mean() + 0.5, rows.mean() + 0.5


GREY = np.full((200, 400), 128, dtype=np.uint8)
GREY[0, 0], GREY[1, 1] = 0, 255


def test_window_spans_the_range_of_a_12_bit_image_and_ignores_outliers():
    pixels = np.linspace(1000, 3000, 10_000).astype(np.uint16).reshape(100, 100)
    pixels[0, 0], pixels[0, 1] = 65535, 0
    shown = windowed(pixels, 100)
    assert shown.dtype == np.uint8
    assert shown.shape == (100, 100)
    # The middle of the ramp, 2000, is the middle of the window.
    assert abs(int(shown[50, 0]) - 127) <= 2
    assert shown[99, 99] == 255


@pytest.mark.parametrize("value", [0, 7, 255])
def test_blank_image_is_shown_without_error(value):
    assert not windowed(np.full((30, 40), value, dtype=np.uint8), 64).any()


def test_longer_side_is_as_asked():
    assert overlay(GREY, longest=100).shape == (50, 100, 3)
    assert overlay(GREY, longest=800).shape == (400, 800, 3)
    assert overlay(GREY.T, longest=100).shape == (100, 50, 3)


def test_zero_heatmap_leaves_the_radiograph_as_it_is():
    plain = overlay(GREY, longest=400)
    np.testing.assert_array_equal(overlay(GREY, np.zeros((5, 10)), threshold=0.5, longest=400), plain)
    np.testing.assert_array_equal(plain[:, :, 0], windowed(GREY, 400))


def test_one_pixel_heatmap_cell_colours_that_pixel_only():
    heatmap = np.zeros((200, 400))
    heatmap[70, 310] = 1.0
    rows, columns = np.nonzero(coloured(overlay(GREY, heatmap, longest=400)))
    assert (rows.tolist(), columns.tolist()) == ([70], [310])


@settings(max_examples=25, deadline=None)
@given(i=st.integers(0, 4), j=st.integers(0, 7), longest=st.sampled_from([160, 400, 640]))
def test_outline_runs_along_the_edges_of_the_cell(i, j, longest):
    heatmap = np.zeros((5, 8))
    heatmap[i, j] = 0.6
    with_line = overlay(GREY, heatmap, threshold=0.5, longest=longest)
    without = overlay(GREY, heatmap, longest=longest)
    rows, columns = np.nonzero((with_line != without).any(axis=2))
    # Cell (i, j) of 5 x 8 on a picture of longest/2 x longest: 1/8 of the width, 1/5 of the height.
    width, height = longest / 8, longest / 2 / 5
    line = 3  # half the line and its halo
    assert abs(columns.min() - max(j * width - line, 0)) <= line
    assert abs(columns.max() + 1 - min((j + 1) * width + line, longest)) <= line
    assert abs(rows.min() - max(i * height - line, 0)) <= line
    assert abs(rows.max() + 1 - min((i + 1) * height + line, longest / 2)) <= line
    # Half-open rows and columns around an inner cell are hit symmetrically: the centre is exact.
    if 0 < i < 4 and 0 < j < 7:
        assert (columns.min() + columns.max() + 1) / 2 == pytest.approx((j + 0.5) * width, abs=1)
        assert (rows.min() + rows.max() + 1) / 2 == pytest.approx((i + 0.5) * height, abs=1)


def test_threshold_includes_equality_and_a_lower_value_gets_no_line():
    heatmap = np.full((4, 8), 0.25)
    plain = overlay(GREY, heatmap, longest=400)
    assert (overlay(GREY, heatmap, threshold=0.25, longest=400) != plain).any()
    np.testing.assert_array_equal(overlay(GREY, heatmap, threshold=0.26, longest=400), plain)


@settings(max_examples=25, deadline=None)
@given(x=st.floats(60, 340), y=st.floats(60, 140), longest=st.sampled_from([200, 400, 1000]))
def test_ring_is_centred_on_its_point_at_any_size(x, y, longest):
    picture = overlay(GREY, points=Points([[x, y]]), longest=longest)
    at_x, at_y = centroid(coloured(picture))
    scale = longest / 400
    # Half a pixel for where a pixel begins, and as much for the drawing of the ring's edge.
    assert at_x == pytest.approx(x * scale, abs=1.0)
    assert at_y == pytest.approx(y * scale, abs=1.0)


def test_found_missed_and_unknown_points_look_different():
    points = Points([[200, 100]])
    pictures = [overlay(GREY, points=points, found=f, longest=400) for f in (None, [True], [False])]
    ring, dot, cross = (coloured(p) for p in pictures)
    assert not ring[98:102, 198:202].any()
    assert dot[99:101, 199:201].all()
    # The strokes end at 1.9 radii on the diagonals: 1.9 / sqrt 2 = 1.34 radii, with a radius of 8 px.
    assert np.ptp(np.nonzero(cross)[0]) >= np.ptp(np.nonzero(ring)[0]) + 4


def test_solid_box_and_dashed_box_have_the_right_extent():
    box = [[100, 40, 300, 160]]
    dashed = coloured(overlay(GREY, boxes=Boxes(box), longest=800))
    rows, columns = np.nonzero(dashed)
    assert abs(columns.min() - 200) <= 3
    assert abs(columns.max() - 600) <= 3
    assert abs(rows.min() - 80) <= 3
    assert abs(rows.max() - 320) <= 3
    solid = coloured(overlay(GREY, detections=Detections(box, [0.5]), longest=800))
    # Along the lower edge: all of a solid side is drawn, about half of a dashed one.
    assert solid[317:324, 210:590].any(axis=0).mean() > 0.99
    assert 0.35 < dashed[317:324, 210:590].any(axis=0).mean() < 0.75


@pytest.mark.parametrize("box", [[0, 0, 20, 20], [380, 180, 400, 200], [0, 0, 400, 200]])
def test_detection_at_the_border_keeps_its_score_inside(box):
    picture = overlay(GREY, detections=Detections([box], [0.991]), longest=400)
    filled = (picture == (245, 232, 80)).all(axis=2)
    assert filled.sum() > 60  # the label's ground


def test_side_by_side_keeps_the_left_undisturbed():
    both = side_by_side(GREY, np.ones((5, 5)), points=Points([[50, 50]]), longest=400)
    np.testing.assert_array_equal(both[:, :400], overlay(GREY, longest=400))
    np.testing.assert_array_equal(
        both[:, -400:], overlay(GREY, np.ones((5, 5)), points=Points([[50, 50]]), longest=400)
    )


def test_arguments_are_not_changed():
    pixels, heatmap = GREY.copy(), np.full((5, 5), 0.7)
    overlay(pixels, heatmap, points=Points([[50, 50]]), threshold=0.5)
    np.testing.assert_array_equal(pixels, GREY)
    assert (heatmap == 0.7).all()


def test_wrong_shapes_are_refused():
    with pytest.raises(UsageError, match="one 'found' per point"):
        overlay(GREY, points=Points([[1, 1]]), found=[True, False])
    with pytest.raises(UsageError, match="heatmap of shape"):
        overlay(GREY, np.zeros(5))


def test_nan_in_a_heatmap_is_transparent():
    np.testing.assert_array_equal(
        overlay(GREY, np.full((4, 4), np.nan), threshold=0.5, longest=400), overlay(GREY, longest=400)
    )
