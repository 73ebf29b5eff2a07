"""Faithfulness of relevance maps: values by hand, ties, empty cases, and a slow reference."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.errors import UsageError
from crepitus.explain.faithfulness import (
    blurred,
    deletion_insertion,
    energy_inside,
    mean_grey,
    pointing_game,
)
from crepitus.explain.summary import Faithfulness, summarise
from reference import faithfulness as slow

NO_POINTS = np.zeros((0, 2))


def peak(row, column, shape=(6, 8)):
    values = np.zeros(shape, dtype=np.float32)
    values[row, column] = 2.0
    return values


def total(images):
    """A score that is the sum of the image: each pixel adds what it holds."""
    return images.sum(axis=(1, 2))


def test_the_peak_points_at_a_fracture_when_its_centre_lies_within_the_radius():
    # The centre of pixel (row 2, column 3) is (3.5, 2.5): 3 to the right and 4 below is 5 away.
    point = np.array([[6.5, 6.5]])
    assert pointing_game(peak(2, 3), point, 5.0) is True
    assert pointing_game(peak(2, 3), point, 4.999) is False
    assert pointing_game(peak(2, 3), np.array([[100.0, 100.0], [3.5, 2.5]]), 0.0) is True


def test_rows_are_y():
    assert pointing_game(peak(5, 0), np.array([[0.5, 5.5]]), 0.5) is True
    assert pointing_game(peak(5, 0), np.array([[5.5, 0.5]]), 0.5) is False


def test_without_points_there_is_nothing_to_point_at():
    assert pointing_game(peak(0, 0), NO_POINTS, 5.0) is None


def test_of_equal_peaks_all_must_lie_on_the_fracture():
    both = peak(2, 3) + peak(2, 4)
    assert pointing_game(both, np.array([[4.0, 2.5]]), 0.5) is True
    assert pointing_game(both, np.array([[3.5, 2.5]]), 0.5) is False
    # A flat map covers the fracture, and points nowhere.
    assert pointing_game(np.ones((6, 8)), np.array([[4.0, 3.0]]), 2.0) is False


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_map_without_anything_for_a_fracture_misses(value):
    everywhere = np.array([[0.5, 0.5]])
    assert pointing_game(np.full((1, 1), value), everywhere, 9.0) is False
    assert pointing_game(np.full((1, 1), 1.0), everywhere, 9.0) is True


def test_energy_is_the_share_of_the_positive_relevance():
    relevance = np.array([[3.0, -5.0], [1.0, 4.0]])
    # 3 + 1 of 3 + 1 + 4; the -5 inside the mask does not count.
    assert energy_inside(relevance, np.array([[True, True], [True, False]])) == pytest.approx(4 / 8)
    assert energy_inside(relevance, np.ones((2, 2), bool)) == 1.0
    assert energy_inside(relevance, np.array([[False, True], [False, False]])) == 0.0


def test_energy_is_undefined_without_positive_relevance_or_without_a_mask():
    some = np.array([[True, False]])
    assert math.isnan(energy_inside(np.array([[0.0, -1.0]]), some))
    assert math.isnan(energy_inside(np.array([[1.0, 1.0]]), np.zeros((1, 2), bool)))


def test_deletion_and_insertion_by_hand():
    image = np.array([[4.0, 1.0], [2.0, 3.0]], dtype=np.float32)
    curves = deletion_insertion(image, image, total, steps=4, baseline=np.zeros((2, 2)))
    # Away go 4, 3, 2, 1; in come 4, 3, 2, 1.
    assert curves.fractions.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert curves.deletion.tolist() == [10, 6, 3, 1, 0]
    assert curves.insertion.tolist() == [0, 4, 7, 9, 10]
    # (10 + 0) / 2 + 6 + 3 + 1 = 15, a quarter of it; (0 + 10) / 2 + 4 + 7 + 9 = 25, a quarter of it.
    assert curves.deletion_auc == pytest.approx(3.75)
    assert curves.insertion_auc == pytest.approx(6.25)


def test_equal_relevance_goes_in_the_order_of_rows_then_columns():
    image = np.array([[1.0, 2.0], [4.0, 8.0]], dtype=np.float32)
    curves = deletion_insertion(image, np.zeros((2, 2)), total, steps=4, baseline=np.zeros((2, 2)))
    assert curves.insertion.tolist() == [0, 1, 3, 7, 15]


def test_steps_that_do_not_divide_the_pixels_take_all_of_them():
    image = np.ones((1, 5), dtype=np.float32)
    curves = deletion_insertion(image, image, total, steps=2, baseline=np.zeros((1, 5)))
    # 5 // 2 = 2 pixels, then the other three.
    assert curves.fractions.tolist() == [0, 0.4, 1]
    assert curves.deletion.tolist() == [5, 3, 0]


def test_the_baseline_is_what_the_pixels_become():
    image = np.array([[5.0, 1.0]], dtype=np.float32)
    curves = deletion_insertion(image, image, total, steps=1, baseline=mean_grey(image))
    # The mean of 5 and 1 is 3, twice.
    assert curves.deletion.tolist() == [6, 6]
    curves = deletion_insertion(image, image, total, steps=2, baseline=np.array([[2.0, 2.0]]))
    assert curves.deletion.tolist() == [6, 3, 4]


def test_without_a_baseline_pixels_become_those_of_the_blurred_image():
    image = np.random.default_rng(0).random((20, 30), dtype=np.float32)
    given = deletion_insertion(image, image, total, steps=5, baseline=blurred(image))
    assert deletion_insertion(image, image, total, steps=5).deletion.tolist() == given.deletion.tolist()
    assert blurred(image).std() < 0.5 * image.std()
    assert blurred(np.full((9, 9), 0.25)) == pytest.approx(np.full((9, 9), 0.25))


def test_scoring_sees_a_few_images_at_a_time_and_the_arguments_stay_as_they_are():
    image, sizes = np.random.default_rng(1).random((10, 10), dtype=np.float32), []
    relevance, before = image.copy(), image.copy()

    def score(images):
        assert images.dtype == np.float32
        assert images.shape[1:] == (10, 10)
        sizes.append(len(images))
        images[:] = 0
        return np.zeros(len(images))

    deletion_insertion(image, relevance, score, steps=40)
    # 41 images of deletion, 39 of insertion: its first and last are known.
    assert max(sizes) <= 16
    assert sum(sizes) == 80
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(relevance, before)


maps = st.integers(1, 6).flatmap(
    lambda r: st.integers(1, 6).flatmap(
        lambda c: st.lists(st.integers(-2, 3), min_size=r * c, max_size=r * c).map(
            lambda v: np.array(v, dtype=np.float32).reshape(r, c)
        )
    )
)


@settings(max_examples=60, deadline=None)
@given(maps, st.integers(0, 2**31 - 1))
def test_everything_agrees_with_the_slow_reference(relevance, seed):
    rng = np.random.default_rng(seed)
    shape = relevance.shape
    points = rng.integers(0, 13, (rng.integers(0, 3), 2)) / 2.0
    radius = float(rng.integers(0, 5)) / 2
    assert pointing_game(relevance, points, radius) == slow.pointing_game(
        relevance.tolist(), points.tolist(), radius
    )
    mask = rng.random(shape) < 0.4
    expected = slow.energy_inside(relevance.tolist(), mask.tolist())
    assert energy_inside(relevance, mask) == pytest.approx(
        math.nan if expected is None else expected, nan_ok=True
    )
    image, base = (rng.random(shape).astype(np.float32) for _ in range(2))
    weight = rng.random(shape)
    steps = int(rng.integers(1, relevance.size + 1))
    curves = deletion_insertion(
        image, relevance, lambda x: (x * weight).sum(axis=(1, 2)) ** 2, steps=steps, baseline=base
    )

    def one(pixels):
        return float((np.array(pixels) * weight).sum() ** 2)

    deletion = slow.curve(image.tolist(), base.tolist(), relevance.tolist(), one, steps)
    insertion = slow.curve(base.tolist(), image.tolist(), relevance.tolist(), one, steps)
    assert curves.deletion == pytest.approx(deletion, abs=1e-5)
    assert curves.insertion == pytest.approx(insertion, abs=1e-5)
    fractions = [k * relevance.size // steps / relevance.size for k in range(steps + 1)]
    assert curves.deletion_auc == pytest.approx(slow.area(deletion, fractions), abs=1e-5)
    assert curves.insertion_auc == pytest.approx(slow.area(insertion, fractions), abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_inserting_by_one_map_is_deleting_by_its_negative_backwards(seed):
    rng = np.random.default_rng(seed)
    image, base = rng.random((2, 4, 5), dtype=np.float32)
    relevance = rng.permutation(20).reshape(4, 5).astype(np.float32)
    forth = deletion_insertion(image, relevance, total, steps=10, baseline=base)
    back = deletion_insertion(image, -relevance, total, steps=10, baseline=base)
    assert forth.insertion == pytest.approx(back.deletion[::-1], abs=1e-5)
    assert forth.insertion_auc == pytest.approx(back.deletion_auc, abs=1e-5)


def test_the_true_contributions_are_more_faithful_than_any_other_map():
    rng = np.random.default_rng(2)
    image, weight = rng.random((8, 8), dtype=np.float32), rng.normal(size=(8, 8))

    def score(images):
        return (images * weight).sum(axis=(1, 2))

    best = deletion_insertion(image, image * weight, score, steps=64, baseline=np.zeros((8, 8)))
    for _ in range(20):
        other = deletion_insertion(image, rng.random((8, 8)), score, steps=64, baseline=np.zeros((8, 8)))
        assert best.deletion_auc < other.deletion_auc
        assert best.insertion_auc > other.insertion_auc


PLANE = np.zeros((4, 4), dtype=np.float32)
BROKEN = np.full((4, 4), np.nan, dtype=np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pointing_game(BROKEN, NO_POINTS, 1), "16 that are not"),
        (lambda: pointing_game(np.zeros(3), NO_POINTS, 1), r"relevance of shape \(r, c\), got \(3,\)"),
        (lambda: pointing_game(PLANE, np.zeros((1, 3)), 1), r"points of shape \(k, 2\)"),
        (lambda: pointing_game(PLANE, NO_POINTS, -1), "radius of at least 0 px, got -1"),
        (lambda: energy_inside(PLANE, np.zeros((2, 2), bool)), r"mask of shape \(4, 4\), got \(2, 2\)"),
        (lambda: blurred(PLANE, 0), "blur above 0 px, got 0"),
        (lambda: mean_grey(BROKEN), "finite image"),
        (lambda: deletion_insertion(PLANE, PLANE[:2], total), r"relevance of shape \(4, 4\)"),
        (lambda: deletion_insertion(PLANE, PLANE, total, baseline=PLANE[:2]), r"baseline of shape \(4, 4\)"),
        (lambda: deletion_insertion(PLANE, PLANE, total, steps=0), "1 to 16 steps, got 0"),
        (lambda: deletion_insertion(PLANE, PLANE, total, steps=17), "1 to 16 steps, got 17"),
        (lambda: deletion_insertion(PLANE, PLANE, lambda x: x[:, 0], steps=2), "3 finite scores, got shape"),
        (lambda: deletion_insertion(PLANE, PLANE, lambda x: x[:, 0, 0] / 0, steps=2), "3 finite scores"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_faulty_input_is_named(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_summary_is_the_mean_of_what_is_known():
    images = [
        Faithfulness(True, 0.4, 0.1, 0.2, 0.7),
        Faithfulness(False, 0.1, 0.2),
        Faithfulness(None, math.nan, 0.0, 0.4, 0.5),
    ]
    found = summarise(images, ["a", "a", "b"], rounds=0, rng=np.random.default_rng(0))
    assert found["faithfulness.pointing_game"] == pytest.approx(0.5)
    assert found["faithfulness.pointing_game.count"] == 2
    assert found["faithfulness.energy_inside"] == pytest.approx(0.25)
    # 0.4 / 0.1 = 4 and 0.1 / 0.2 = 0.5; the third has neither energy nor area.
    assert found["faithfulness.energy_over_area"] == pytest.approx(2.25)
    assert found["faithfulness.deletion_auc"] == pytest.approx(0.3)
    assert found["faithfulness.insertion_minus_deletion"] == pytest.approx(0.3)
    assert not any(key.endswith(".ci95") for key in found)


def test_summary_resamples_patients():
    rng = np.random.default_rng(3)
    hits = rng.random(30) < 0.6
    once = [Faithfulness(bool(hit)) for hit in hits]
    names = [str(k) for k in range(30)]
    apart = summarise(once, names, rounds=200, rng=np.random.default_rng(1))
    # Ten equal images of each patient say no more than one.
    many = summarise(
        [one for one in once for _ in range(10)],
        [name for name in names for _ in range(10)],
        rounds=200,
        rng=np.random.default_rng(1),
    )
    key = "faithfulness.pointing_game"
    assert many[f"{key}.ci95"] == pytest.approx(apart[f"{key}.ci95"])
    assert apart[f"{key}.ci95"][0] < hits.mean() < apart[f"{key}.ci95"][1]
    drawn = np.random.default_rng(1)
    means = [hits[drawn.integers(0, 30, 30)].mean() for _ in range(200)]
    assert apart[f"{key}.ci95"] == pytest.approx(np.percentile(means, [2.5, 97.5]))


def test_summary_of_nothing_is_undefined():
    found = summarise([], [], rounds=10, rng=np.random.default_rng(0))
    assert found["faithfulness.pointing_game"] is None
    assert found["faithfulness.pointing_game.count"] == 0
    found = summarise([Faithfulness()], [None], rounds=10, rng=np.random.default_rng(0))
    assert found["faithfulness.energy_inside"] is None
    assert "faithfulness.energy_inside.ci95" not in found


def test_summary_refuses_what_does_not_go_together():
    with pytest.raises(UsageError, match="one patient per image, got 0 for 1 images"):
        summarise([Faithfulness()], [], rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="at least 0 rounds"):
        summarise([], [], rounds=-1, rng=np.random.default_rng(0))
