"""Operating points: by hand, what they promise, and what cannot be chosen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.errors import UsageError
from crepitus.evaluate.bootstrap import point_estimates
from crepitus.evaluate.classification import Ranking, at_threshold
from crepitus.evaluate.froc import Froc, ImageFroc
from crepitus.evaluate.operating import (
    DoubtFigures,
    by_false_marks,
    by_sensitivity,
    by_specificity,
    by_youden,
    doubt_tier,
)


def ranking(pairs):
    scores, truth = zip(*pairs, strict=True)
    return Ranking.of(np.array(scores, float), np.array(truth, np.int64), np.arange(len(pairs)))


# Falling: 0.9 +, 0.8 -, 0.6 +, 0.4 +, 0.3 -, 0.1 -.
SIX = [(0.9, 1), (0.8, 0), (0.6, 1), (0.4, 1), (0.3, 0), (0.1, 0)]


def test_by_hand():
    # Two of three fractures from 0.6 on: half way to 0.4. All three from 0.4 on: half way to 0.3.
    assert by_sensitivity(ranking(SIX), 2 / 3) == pytest.approx(0.5)
    assert by_sensitivity(ranking(SIX), 0.9) == pytest.approx(0.35)
    # Two of three normals stay unflagged down to 0.4; all three only above 0.8, so from 0.9 on.
    assert by_specificity(ranking(SIX), 2 / 3) == pytest.approx(0.35)
    assert by_specificity(ranking(SIX), 0.9) == pytest.approx(0.85)
    # Sensitivity + specificity: 4/3 at 0.9, 1 at 0.8, 4/3 at 0.6, 5/3 at 0.4.
    assert by_youden(ranking(SIX)) == pytest.approx(0.35)


def test_a_threshold_above_every_score():
    # The highest score is a normal's: half way to 1.
    assert by_specificity(ranking([(0.8, 0), (0.4, 1)]), 1) == pytest.approx(0.9)
    with pytest.raises(UsageError, match="normal images have the score 1"):
        by_specificity(ranking([(1.0, 0), (0.4, 1)]), 1)


def test_doubt_tier_by_hand():
    # Sensitive point 0.35, specific point 0.85: 0.8, 0.6 and 0.4 are in doubt; no fracture is called clear
    # and no normal fractured.
    low, high = doubt_tier(ranking(SIX), 1, 1)
    assert (low, high) == pytest.approx((0.35, 0.85))
    found = point_estimates([DoubtFigures(ranking(SIX), low, high)], 6)
    assert found == pytest.approx({"doubt.share": 0.5, "doubt.missed": 0, "doubt.false_alarms": 0})
    # Low 0.5, high 0.7: 0.6 in doubt; 0.4 + missed, 0.8 - a false alarm.
    found = point_estimates([DoubtFigures(ranking(SIX), 0.5, 0.7)], 6)
    assert found == pytest.approx({"doubt.share": 1 / 6, "doubt.missed": 1 / 3, "doubt.false_alarms": 1 / 3})
    # A threshold that is sensitive and specific enough leaves no doubt.
    low, high = doubt_tier(ranking([(0.9, 1), (0.7, 1), (0.3, 0), (0.1, 0)]), 0.5, 0.5)
    assert low == high
    assert 0.3 < low <= 0.7


def test_doubt_figures_of_one_class_and_without_images():
    found = point_estimates([DoubtFigures(ranking([(0.5, 1)]), 0.4, 0.6)], 1)
    assert found == {"doubt.share": 1, "doubt.missed": 0, "doubt.false_alarms": None}
    empty = Ranking.of(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.intp))
    assert set(point_estimates([DoubtFigures(empty, 0.4, 0.6)], 0).values()) == {None}


def test_by_false_marks_by_hand():
    # One image with a point found up to 0.70 and a false box up to 0.40; one with a false box up to 0.80.
    first = ImageFroc(1, (np.arange(1, 100) <= 70).astype(int), (np.arange(1, 100) <= 40).astype(int))
    second = ImageFroc(0, np.zeros(99, int), (np.arange(1, 100) <= 80).astype(int))
    froc = Froc.of([first, second], np.arange(2))
    # Up to 0.80 half a false box per image, and the point from 0.70 down: 0.70 is the highest such threshold.
    assert by_false_marks(froc, 0.5) == pytest.approx(0.70)
    # Without any false mark the point is never found: of 0.81 … 0.99 the highest.
    assert by_false_marks(froc, 0) == pytest.approx(0.99)
    always = Froc.of([ImageFroc(1, np.ones(99, int), np.ones(99, int))], np.arange(1))
    with pytest.raises(UsageError, match="every threshold marks more, at least 1"):
        by_false_marks(always, 0.5)
    with pytest.raises(UsageError, match="expected heatmaps and points"):
        by_false_marks(Froc.of([], np.zeros(0, np.intp)), 0.5)


@pytest.mark.parametrize("choose", [by_sensitivity, by_specificity])
def test_impossible_wishes(choose):
    with pytest.raises(UsageError, match=r"expected a share within 0\.\.1"):
        choose(ranking(SIX), 1.5)
    with pytest.raises(UsageError, match="expected images with and without a fracture"):
        choose(ranking([(0.5, 1), (0.4, 1)]), 0.9)


pairs = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 1)), max_size=40)


@given(pairs, st.floats(0, 1))
def test_a_threshold_keeps_its_promise_and_none_is_better(rows, wanted):
    rows = [(s / 20, t) for s, t in [(3, 1), (5, 0), *rows]]
    cases, n = ranking(rows), len(rows)

    def reached(name, threshold):
        return at_threshold(cases, np.ones((1, n)), threshold)[name][0]

    sensitive, specific = by_sensitivity(cases, wanted), by_specificity(cases, wanted)
    assert reached("sensitivity", sensitive) >= wanted - 1e-9
    assert reached("specificity", specific) >= wanted - 1e-9
    for threshold in np.arange(41) / 40:
        if reached("sensitivity", threshold) >= wanted:
            assert reached("specificity", threshold) <= reached("specificity", sensitive) + 1e-9
        if reached("specificity", threshold) >= wanted:
            assert reached("sensitivity", threshold) <= reached("sensitivity", specific) + 1e-9
    best = by_youden(cases)
    sums = [reached("sensitivity", t) + reached("specificity", t) for t in (best, *np.arange(41) / 40)]
    assert sums[0] == pytest.approx(max(sums))
