"""Brier score, expected calibration error and reliability: by hand, against the reference, undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from crepitus.evaluate.bootstrap import bootstrap, point_estimates
from crepitus.evaluate.calibration import CalibrationFigures, bin_edges
from crepitus.evaluate.classification import Ranking
from reference.calibration import expected_calibration_error


def calibration(scores, truth):
    scores, truth = np.array(scores, float), np.array(truth, np.int64)
    return CalibrationFigures(Ranking.of(scores, truth, np.arange(len(scores))))


def figures(scores, truth):
    found = point_estimates([calibration(scores, truth)], len(scores))
    return found["calibration.ece"], found["calibration.brier"]


def test_by_hand():
    # Four images, so that each is a bin of its own: errors 0.1, 0.8, 0.3, 0.4.
    # ECE (0.1 + 0.8 + 0.3 + 0.4) / 4 = 0.4; Brier (0.01 + 0.64 + 0.09 + 0.16) / 4 = 0.225.
    assert figures([0.9, 0.8, 0.3, 0.6], [1, 0, 0, 1]) == pytest.approx((0.4, 0.225), abs=1e-12)


def test_bins_by_hand():
    # 30 images, two a bin: in each a positive at 0.6 + k/100 and a negative at 0.6 + k/100 + 0.001.
    # Share 1/2, mean score 0.6005 + k/100: ECE = mean over k = 0 ... 14 = 0.1005 + 0.07.
    scores = [0.6 + k / 100 + d for k in range(15) for d in (0, 0.001)]
    assert figures(scores, [1, 0] * 15)[0] == pytest.approx(0.1705, abs=1e-12)
    x, y = calibration(scores, [1, 0] * 15).curve()
    assert x == pytest.approx([0.6005 + k / 100 for k in range(15)])
    assert y == pytest.approx([0.5] * 15)


def test_bins_differ_by_one_with_the_larger_first():
    assert np.diff(bin_edges(32)).tolist() == [3] * 2 + [2] * 13
    assert np.diff(bin_edges(4)).tolist() == [1] * 4 + [0] * 11


def test_the_same_score_everywhere_is_calibrated_when_it_is_the_prevalence():
    assert figures([0.25] * 40, [1] * 10 + [0] * 30) == pytest.approx((0, 0.1875), abs=1e-12)
    x, y = calibration([0.25] * 40, [1] * 10 + [0] * 30).curve()
    assert (x.tolist(), y.tolist()) == (pytest.approx([0.25]), pytest.approx([0.25]))


def test_one_class_and_no_images():
    # Calibration needs no second class: 0.9 and 0.5 against two fractures.
    assert figures([0.9, 0.5], [1, 1]) == pytest.approx((0.3, 0.13), abs=1e-12)
    assert figures([], []) == (None, None)
    assert [len(part) for part in calibration([], []).curve()] == [0, 0]


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=80), st.randoms())
def test_equals_the_reference_in_any_order(pairs, random):
    scores, truth = [s / 12 for s, _ in pairs], [int(t) for _, t in pairs]
    ece, brier = figures(scores, truth)
    assert ece == pytest.approx(float(expected_calibration_error(scores, truth)), abs=1e-12)
    assert brier == pytest.approx(brier_score_loss(truth, scores), abs=1e-12)
    assert 0 <= ece <= 1
    # The mean gap can only grow when it is taken bin by bin.
    assert ece >= abs(np.mean(scores) - np.mean(truth)) - 1e-12
    random.shuffle(pairs)
    again = figures([s / 12 for s, _ in pairs], [int(t) for _, t in pairs])
    assert again == pytest.approx((ece, brier), abs=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_weights_equal_repeated_images(seed):
    rng = np.random.default_rng(seed)
    scores, truth = rng.integers(0, 8, 20) / 8, rng.integers(0, 2, 20)
    weights = rng.integers(0, 4, (3, 20)).astype(float)
    weights[:, 0] += 1
    found = calibration(scores, truth).figures(weights)
    for row, drawn in enumerate(weights.astype(int)):
        repeated = figures(np.repeat(scores, drawn), np.repeat(truth, drawn))
        assert (found["calibration.ece"][row], found["calibration.brier"][row]) == pytest.approx(
            repeated, abs=1e-12
        )


def test_band_of_the_reliability_curve_holds_the_curve():
    rng = np.random.default_rng(0)
    scores = rng.random(600)
    statistic = calibration(scores, rng.random(600) < scores)
    x, y = statistic.curve()
    low, high = bootstrap([], {"r": (statistic.curve_rounds, x)}, 600, 200, rng).bands["r"]
    assert ((low <= y) & (y <= high)).all()
    # 40 images a bin: the interval of a share near 1/2 has a half width of about 0.15.
    assert 0.1 < np.median(high - low) < 0.4
