"""FROC and modified FROC: by hand, against the slow references, and their properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.evaluate.area_froc import AreaFroc, area_froc_of_image
from crepitus.evaluate.bootstrap import point_estimates
from crepitus.evaluate.components import THRESHOLDS, threshold_levels
from crepitus.evaluate.froc import Froc, froc_of_image
from reference import area_froc as slow_area
from reference import froc as slow


def xy(*points):
    return np.array(points, dtype=np.float64).reshape(-1, 2)


def fast(images, radius, kind=(Froc, froc_of_image)):
    gather, of_image = kind
    parts = [
        of_image(threshold_levels(heatmap.astype(np.float64)), points, (rows, columns), radius)
        for heatmap, points, rows, columns in images
    ]
    return gather.of(parts, np.arange(len(parts)))


def figures(statistic):
    return point_estimates([statistic], len(statistic.patients))


def rates(statistic):
    rate, recall = statistic.rates(np.ones((1, len(statistic.patients))))
    return rate[0], recall[0]


def heatmap_of(shape, cells):
    heatmap = np.zeros(shape, dtype=np.float32)
    for cell, value in cells.items():
        heatmap[cell] = value
    return heatmap


AREA = (AreaFroc, area_froc_of_image)


class TestByHand:
    # A 16 x 16 image, cells of 4 x 4 px, radius 2 px.
    # Point (5, 5) lies in cell (1, 1), value 0.8: found up to t = 0.80.
    # Cell (3, 3), value 0.6, is [12, 16) x [12, 16), nowhere near: a false positive up to t = 0.60.
    HIT_AND_FALSE = (heatmap_of((4, 4), {(1, 1): 0.8, (3, 3): 0.6}), xy((5, 5)), 16, 16)

    def test_hit_above_false_positive(self):
        rate, recall = rates(fast([self.HIT_AND_FALSE], 2))
        # float32(0.8) is 0.800000012: it reaches 0.80. float32(0.6) is 0.600000024: it reaches 0.60.
        np.testing.assert_array_equal(recall, THRESHOLDS <= 0.8)
        np.testing.assert_array_equal(rate, THRESHOLDS <= 0.6)
        # At rates of 0.1 to 0.5 the thresholds 0.61 ... 0.80 are allowed: recall 1.
        assert figures(fast([self.HIT_AND_FALSE], 2))["localization.froc_score"] == 1

    def test_recall_rises_with_the_rate(self):
        # Four images with a point each. Image 1: the point at 0.9. Image 2: a false positive at 0.8.
        # Image 3: the point at 0.7. Image 4: a false positive at 0.6, the point never.
        # t <= 0.9: recall 1/4, rate 0; t <= 0.8: rate 1/4; t <= 0.7: recall 2/4; t <= 0.6: rate 2/4.
        # Recall at 0.1 and 0.2: 1/4; at 0.3, 0.4 and 0.5: 2/4. Score (2 * 0.25 + 3 * 0.5) / 5 = 0.4.
        point, near, far = xy((5, 5)), (1, 1), (3, 3)
        cells = ({near: 0.9}, {far: 0.8}, {near: 0.7}, {far: 0.6})
        images = [(heatmap_of((4, 4), c), point, 16, 16) for c in cells]
        result = figures(fast(images, 2))
        assert [result[f"localization.recall_at_fp_0.{n}"] for n in range(1, 6)] == [
            0.25,
            0.25,
            0.5,
            0.5,
            0.5,
        ]
        assert result["localization.froc_score"] == pytest.approx(0.4, abs=1e-12)

    def test_a_rate_equal_to_the_limit_is_allowed(self):
        # Ten images, one false positive at 0.9, the point at 0.5: at t <= 0.5 the rate is exactly 0.1.
        empty = (np.zeros((4, 4), np.float32), xy(), 16, 16)
        images = [(heatmap_of((4, 4), {(1, 1): 0.5, (3, 3): 0.9}), xy((5, 5)), 16, 16), *[empty] * 9]
        assert figures(fast(images, 2))["localization.recall_at_fp_0.1"] == 1

    def test_a_box_is_the_box_around_its_cells(self):
        # Three diagonal cells touch by corners: one component, its box [0, 12) x [0, 12) holds the
        # point (9, 1) although no cell of it does. With 0.4 in the middle the parts join at t <= 0.4 only.
        heatmap = heatmap_of((4, 4), {(0, 0): 0.9, (1, 1): 0.4, (2, 2): 0.9})
        _, recall = rates(fast([(heatmap, xy((9, 1)), 16, 16)], 2))
        np.testing.assert_array_equal(recall, THRESHOLDS <= 0.4)
        # The modified FROC looks at the cell alone, which is 0.
        assert rates(fast([(heatmap, xy((9, 1)), 16, 16)], 2, AREA))[1].max() == 0

    @pytest.mark.parametrize(("point", "found"), [((4, 4), 1), ((8, 5), 0), ((7.999, 4), 1), ((5, 8), 0)])
    def test_boxes_are_half_open(self, point, found):
        heatmap = heatmap_of((4, 4), {(1, 1): 0.9})  # [4, 8) x [4, 8)
        assert rates(fast([(heatmap, xy(point), 16, 16)], 2))[1].max() == found
        assert rates(fast([(heatmap, xy(point), 16, 16)], 2, AREA))[1].max() == found

    @pytest.mark.parametrize(("radius", "false"), [(0.5, 1), (0.70, 1), (0.71, 0)])
    def test_ten_percent_of_the_pixels(self, radius, false):
        # The box [0, 4) x [0, 10) has 40 pixels; around (2, 5) the four pixel centres at distance
        # sqrt(0.5) = 0.7071 lie within 0.71: 4 / 40 is 10 %, not less. Below that none does.
        heatmap = heatmap_of((2, 3), {(0, 0): 0.9})
        assert rates(fast([(heatmap, xy((2, 5)), 20, 12)], radius))[0].max() == false

    def test_a_box_without_pixel_centres(self):
        # 8 x 8 cells on 2 x 2 pixels: cell (0, 0) is [0, 0.25) x [0, 0.25) and holds no centre, so that
        # it is no false positive, but it finds the point (0.1, 0.1).
        heatmap = heatmap_of((8, 8), {(0, 0): 0.9})
        rate, recall = rates(fast([(heatmap, xy((0.1, 0.1)), 2, 2)], 0.01))
        assert (rate.max(), recall.max()) == (0, 1)
        # Cell (2, 2) is [0.5, 0.75)^2 and holds the centre (0.5, 0.5): a false positive.
        heatmap = heatmap_of((8, 8), {(2, 2): 0.9})
        assert rates(fast([(heatmap, xy((1.9, 1.9)), 2, 2)], 0.01))[0].max() == 1

    def test_thresholds_of_float16_and_float32(self):
        # float16(0.3) is 0.300048828 and reaches 0.30; float16(0.9) is 0.899902344 and stays below 0.90.
        # float32(0.7) is 0.699999988 and stays below 0.70; float32(0.01) is 0.00999999978, below 0.01.
        half = np.array([[0.3, 0.9]], np.float16).astype(np.float64)
        single = np.array([[0.7, 0.01, 1.0, 0.0]], np.float32).astype(np.float64)
        assert threshold_levels(half).tolist() == [[30, 89]]
        assert threshold_levels(single).tolist() == [[69, 0, 99, 0]]
        assert threshold_levels(THRESHOLDS[None]).tolist() == [list(range(1, 100))]

    def test_modified_froc(self):
        # HIT_AND_FALSE: centres at 2, 6, 10, 14. Around (5, 5) only (6, 6) is within 2 px (sqrt 2):
        # 15 negative cells, of which (3, 3) is called up to 0.60: ratio 1/15 = 0.067. The point is found
        # up to 0.80, at ratio 0: recall 1 at both. With the hit at 0.5 the ratio is 1/15 wherever the
        # point is found: recall 0 at 1 %, 1 at 10 %.
        assert figures(fast([self.HIT_AND_FALSE], 2, AREA)) == {
            "localization.area_recall_at_0.01": 1,
            "localization.area_recall_at_0.10": 1,
        }
        late = (heatmap_of((4, 4), {(1, 1): 0.5, (3, 3): 0.6}), xy((5, 5)), 16, 16)
        assert figures(fast([late], 2, AREA)) == {
            "localization.area_recall_at_0.01": 0,
            "localization.area_recall_at_0.10": 1,
        }

    def test_images_without_negative_cells_do_not_dilute_the_ratio(self):
        # The disk of 100 px swallows the first image; the second, without points, has 1 of 4 cells called.
        images = [
            (heatmap_of((2, 2), {(0, 0): 0.9}), xy((5, 5)), 16, 16),
            (heatmap_of((2, 2), {(0, 0): 0.9}), xy(), 16, 16),
        ]
        assert rates(fast(images, 100, AREA))[0].max() == 0.25

    def test_a_mean_ratio_equal_to_the_limit_is_allowed(self):
        # Three images, 1 of 10 cells called in each: the mean is 10 %, though (0.1 + 0.1 + 0.1) / 3 is
        # 0.10000000000000002 in floats. The point of a fourth image without negative cells is found there.
        called = (heatmap_of((1, 10), {(0, 0): 0.5}), xy(), 10, 10)
        hit = (heatmap_of((1, 1), {(0, 0): 0.5}), xy((5, 5)), 10, 10)
        result = figures(fast([called, called, called, hit], 50, AREA))
        assert result["localization.area_recall_at_0.10"] == 1

    def test_distance_equal_to_the_radius_in_fractions(self):
        # Cells of 12.8 px: the centre (6.4, 44.8) of cell (3, 0) is 1.6 and 1.2 px from (8, 46), exactly
        # 2 px, and so not farther than the radius; in floats the sum of the squares is above 4.
        assert (6.4 - 8) ** 2 + (44.8 - 46) ** 2 > 4
        levels = threshold_levels(np.zeros((80, 80)))
        assert area_froc_of_image(levels, xy((8, 46)), (1024, 1024), 2).n_negative == 80 * 80 - 1


class TestUndefined:
    def test_no_images(self):
        assert set(figures(fast([], 50)).values()) == {None}
        assert set(figures(fast([], 50, AREA)).values()) == {None}

    def test_no_points(self):
        images = [(heatmap_of((4, 4), {(0, 0): 0.5}), xy(), 16, 16)]
        assert set(figures(fast(images, 50)).values()) == {None}
        assert set(figures(fast(images, 50, AREA)).values()) == {None}

    def test_no_negative_cells_anywhere(self):
        images = [(heatmap_of((4, 4), {(0, 0): 0.5}), xy((1, 1)), 16, 16)]
        assert set(figures(fast(images, 100, AREA)).values()) == {None}

    def test_empty_heatmaps_find_nothing(self):
        images = [(np.zeros((4, 4), np.float32), xy((1, 1)), 16, 16)]
        assert set(figures(fast(images, 2)).values()) == {0}


def random_image(rng):
    h, w = rng.integers(1, 9, 2)
    rows, columns = rng.integers(4, 22, 2)
    heatmap = rng.random((h, w)) ** 2
    if rng.random() < 0.5:  # plateaus exactly at thresholds
        heatmap = rng.integers(0, 12, (h, w)) * 9 / 100
    heatmap = heatmap.astype(rng.choice([np.float16, np.float32, np.float64]))
    n = rng.integers(0, 4)
    points = np.stack([rng.random(n) * columns, rng.random(n) * rows], axis=1)
    on_border = rng.random(n) < 0.5  # cell edges where they are whole, and pixel edges and centres
    points[on_border] = np.floor(points[on_border] * 2) / 2
    return heatmap, points, int(rows), int(columns)


@pytest.mark.parametrize("seed", range(8))
def test_equals_the_slow_reference(seed):
    rng = np.random.default_rng(seed)
    images = [random_image(rng) for _ in range(rng.integers(1, 4))]
    radius = float(rng.choice([1.0, 2.5, 5.0, 13.0]))
    reference = slow.froc_curve(images, radius)
    for kind, curve in (
        (None, reference),
        (AREA, slow_area.area_froc_curve(images, radius)),
    ):
        rate, recall = rates(fast(images, radius, *(() if kind is None else (kind,))))
        for computed, expected in zip((rate, recall), zip(*curve, strict=True), strict=True):
            expected = np.array([np.nan if e is None else float(e) for e in expected])
            np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-9)
    score, expected = (
        figures(fast(images, radius))["localization.froc_score"],
        slow.froc_score(reference),
    )
    assert (score is None) == (expected is None)
    assert score is None or score == pytest.approx(float(expected), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_properties(seed):
    rng = np.random.default_rng(seed)
    images = [random_image(rng) for _ in range(4)]
    images.append((np.zeros((3, 3), np.float32), xy((1, 1)), 9, 9))  # at least one point
    froc = fast(images, 4)
    first = figures(froc)
    # The order of the images does not matter.
    assert figures(fast(images[::-1], 4)) == pytest.approx(first, abs=1e-12)
    # More false positives allowed never lower the recall.
    recalls = [first[f"localization.recall_at_fp_0.{n}"] for n in range(1, 6)]
    assert recalls == sorted(recalls)
    # Recall itself never falls as the threshold falls.
    assert (np.diff(rates(froc)[1]) <= 0).all()
    # An image without points and without findings can only lower the rate ...
    calm = figures(fast([*images, (np.zeros((3, 3), np.float32), xy(), 9, 9)], 4))
    assert all(calm[key] >= first[key] for key in first)
    # ... and a false alarm everywhere at full value can only raise the false positives.
    alarm = fast([*images, (np.ones((3, 3), np.float32), xy(), 9, 9)], 4)
    total = rates(alarm)[0] * (len(images) + 1)
    assert (total >= rates(froc)[0] * len(images) + 1 - 1e-9).all()
    # A wider radius never makes more false positives.
    assert (rates(fast(images, 8))[0] <= rates(froc)[0]).all()


def test_large_noise_equals_labelling():
    # Union-find against scipy on one map with thousands of components; points absent, so that every
    # box is a false positive.
    from scipy import ndimage

    heatmap = np.random.default_rng(1).random((96, 128))
    false = froc_of_image(threshold_levels(heatmap), xy(), (384, 512), 50).false_positives
    expected = [ndimage.label(heatmap >= k / 100, np.ones((3, 3)))[1] for k in range(1, 100)]
    assert false.tolist() == expected
