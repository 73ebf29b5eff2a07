"""Order of rows and claims: by hand, against SciPy, with ties, gaps and single rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from crepitus.reproduce.compare import Figure, judge_claim, kendall, order_of, over_folds, percentiles
from crepitus.reproduce.judge import Judged
from crepitus.reproduce.table import Claim, Row

ROWS = [Row("a", "A"), Row("b", "B"), Row("c", "C")]


def figure(value, published, spread=0.0, rounds=100):
    """A figure whose rounds run evenly from `value - spread` to `value + spread`."""
    if value is None:
        return Figure(None, None, np.zeros(0), published)
    drawn = np.linspace(value - spread, value + spread, rounds)
    return Figure(value, percentiles(drawn), drawn, published)


def test_tau_by_hand():
    # Published 3 > 2 > 1. Ours 3, 1, 2: pairs (a, b), (a, c) kept, (b, c) turned: tau (2 - 1) / 3.
    # Ours 3, 2, 2: (b, c) tied: (1 + 1) / sqrt(3 * 2).
    ours = np.array([[3.0, 1, 2], [3, 2, 2], [1, 2, 3], [1, 1, 1], [3, np.nan, 1]])
    found = kendall(np.array([3.0, 2, 1]), ours)
    assert found[:3] == pytest.approx([1 / 3, 2 / 6**0.5, -1])
    assert np.isnan(found[3:]).all()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=9))
def test_tau_is_that_of_scipy(pairs):
    published, ours = np.array(pairs, dtype=np.float64).T
    expected = kendalltau(published, ours).statistic
    assert kendall(published, ours[None])[0] == pytest.approx(expected, nan_ok=True)


def test_an_order_that_holds():
    # Rounds rise together, so that every round has the order of the figures.
    figures = {"a": figure(0.9, 0.99, 0.1), "b": figure(0.8, 0.98, 0.1), "c": figure(0.7, 0.97, 0.1)}
    order = order_of("m", "", ROWS, figures)
    assert (order.tau, order.interval, order.kept, order.pairs) == (1, (1, 1), 3, 3)
    assert (order.rows, order.verdict) == (3, "holds")
    turned = {name: figure(-f.value, f.published) for name, f in figures.items()}
    assert order_of("m", "", ROWS, turned).verdict == "does not hold"


def test_an_order_with_ties():
    # The paper ties a and b: one pair does not count. Ours ties b and c: that pair is not kept.
    # tau-b: 1 / sqrt(2 * 2).
    figures = {"a": figure(0.9, 0.98), "b": figure(0.7, 0.98), "c": figure(0.7, 0.97)}
    order = order_of("m", "", ROWS, figures)
    assert (order.kept, order.pairs, order.tau) == (1, 2, pytest.approx(0.5))


def test_an_order_without_enough_rows():
    for figures in (
        {},
        {"a": figure(0.9, 0.98), "b": figure(None, 0.97), "c": figure(0.7, None)},
        {"a": figure(0.9, 0.98)},
    ):
        order = order_of("m", "", ROWS, figures)
        assert (order.rows, order.tau, order.interval) == (len([f for f in figures if f == "a"]), None, None)
        assert (order.pairs, order.verdict) == (0, "undecided")


def test_an_undecided_order():
    rng = np.random.default_rng(0)
    figures = {
        name: Figure(value, None, value + rng.normal(0, 1, 200), published)
        for name, value, published in (("a", 0.9, 0.3), ("b", 0.8, 0.2), ("c", 0.7, 0.1))
    }
    order = order_of("m", "", ROWS, figures)
    assert (order.tau, order.verdict) == (1, "undecided")
    assert order.interval[0] < 0


@pytest.mark.parametrize(
    ("better", "worse", "within", "verdict"),
    [
        # Rounds of both rise together: the difference is the same in all of them.
        ((0.9, 0.1), (0.8, 0.1), None, "holds"),
        ((0.8, 0.1), (0.9, 0.1), None, "does not hold"),
        ((0.8, 0.1), (0.8, 0.1), None, "undecided"),
        # The difference runs from 0.1 - 0.2 to 0.1 + 0.2.
        ((0.9, 0.3), (0.8, 0.1), None, "undecided"),
        ((0.9, 0.1), (0.89, 0.1), 0.02, "holds"),
        ((0.9, 0.1), (0.8, 0.1), 0.02, "does not hold"),
        ((0.8, 0.1), (0.9, 0.1), 0.02, "does not hold"),
        ((0.9, 0.3), (0.8, 0.1), 0.02, "undecided"),
        ((None, 0.0), (0.8, 0.1), None, "undecided"),
    ],
)
def test_claims(better, worse, within, verdict):
    figures = {"a": figure(better[0], 0.9, better[1]), "b": figure(worse[0], 0.7, worse[1])}
    found = judge_claim(Claim("a is better", "m", "a", "b", within), figures)
    assert (found.verdict, found.published) == (verdict, pytest.approx(0.2))
    if better[0] is None:
        assert (found.difference, found.interval) == (None, None)
    else:
        assert found.difference == pytest.approx(better[0] - worse[0])


def test_a_claim_about_what_was_not_published_or_not_run():
    found = judge_claim(Claim("", "m", "a", "b"), {"a": figure(0.9, None, 0.1), "b": figure(0.8, 0.7, 0.1)})
    assert (found.published, found.verdict) == (None, "holds")
    assert judge_claim(Claim("", "m", "a", "b"), {"a": figure(0.9, 0.8)}).verdict == "undecided"


def test_without_bootstrap_nothing_is_decided():
    figures = {"a": figure(0.9, 0.9, rounds=0), "b": figure(0.5, 0.8, rounds=0)}
    assert figures["a"].interval is None
    assert judge_claim(Claim("", "m", "a", "b"), figures).verdict == "undecided"
    assert order_of("m", "", ROWS, figures).verdict == "undecided"


def test_the_mean_over_folds():
    # Rounds 0.6, 0.8 and 0.8, 1.0: means 0.7, 0.9; 2.5 % of the way from 0.7 to 0.9 is 0.705.
    folds = [Judged({"m": 0.7}, {"m": np.array([0.6, 0.8])}), Judged({"m": 0.9}, {"m": np.array([0.8, 1.0])})]
    found = over_folds(folds, "m", 0.95)
    assert (found.value, found.published) == (pytest.approx(0.8), 0.95)
    assert found.interval == pytest.approx((0.705, 0.895))
    undefined = [*folds, Judged({"m": None}, {"m": np.full(2, np.nan)})]
    assert over_folds(undefined, "m", None).value is None
    assert over_folds([], "m", 0.5).published == 0.5


def test_an_interval_needs_half_of_the_rounds():
    assert percentiles(np.array([0.5, np.nan, np.nan])) is None
    assert percentiles(np.zeros(0)) is None
    assert percentiles(np.array([0.5, np.nan])) == (0.5, 0.5)
