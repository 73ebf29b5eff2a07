"""Study rules: values by hand, what holds for all scores, and the table of studies with its views."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.errors import PredictionsError, UsageError
from crepitus.methods.parts.study_rules import (
    RULES,
    StudyRule,
    at_least_one,
    features,
    learn_rule,
    majority,
    noisy_or,
    stored_rule,
)
from crepitus.predict.studies import study_table

scores = st.lists(st.floats(0, 1), min_size=1, max_size=7).map(np.array)
LEARNED = StudyRule("learned", (1.0, 2.0, 0.5), -1.0, 0.4)
ALL = [StudyRule(name) for name in RULES if name != "learned"] + [LEARNED]


def test_three_views_by_hand():
    views = np.array([0.9, 0.2, 0.6])
    assert at_least_one(views) == 0.9
    assert majority(views) == 0.6  # two of three reach 0.6
    assert noisy_or(views) == pytest.approx(1 - 0.1 * 0.8 * 0.4)


def test_one_of_two_views_is_no_majority():
    assert majority(np.array([0.9, 0.2])) == 0.2
    assert majority(np.array([0.9, 0.8, 0.3, 0.1])) == 0.3  # three of four


def test_the_learned_rule_by_hand():
    # Log odds of 0.75 and 0.5: log 3 and 0; maximum log 3, mean log(3) / 2, minimum 0.
    views = np.array([0.5, 0.75])
    assert features(views) == pytest.approx([math.log(3), math.log(3) / 2, 0])
    # 1 * log 3 + 2 * log(3) / 2 + 0 - 1 = 2 log 3 - 1; the sigmoid of it is 9 / (9 + e).
    assert LEARNED.score(views) == pytest.approx(9 / (9 + math.e))
    # Without 0.75 the log odds are -1, a fall of 2 log 3; without 0.5 they are 3.5 log 3 - 1, no fall.
    assert LEARNED.contributions(views) == pytest.approx([0, 1])


def test_contributions_by_hand():
    views = np.array([0.5, 0.75, 0.0])
    assert StudyRule("at-least-one").contributions(views).tolist() == [0, 1, 0]
    assert StudyRule("majority").contributions(views).tolist() == [0.5, 0.5, 0]
    # -log of 0.5, 0.25 and 1: 1 : 2 : 0.
    assert StudyRule("noisy-or").contributions(views) == pytest.approx([1 / 3, 2 / 3, 0])


def test_without_a_view_there_is_no_answer():
    for rule in ALL:
        assert math.isnan(rule.score(np.zeros(0)))
        assert rule.contributions(np.zeros(0)).size == 0


@given(scores, st.floats(0, 1))
def test_the_order_statistics_are_the_votes_at_every_threshold(views, threshold):
    votes = int((views >= threshold).sum())
    assert (at_least_one(views) >= threshold) == (votes >= 1)
    assert (majority(views) >= threshold) == (votes > len(views) / 2)


@given(scores)
def test_the_order_of_the_views_plays_no_part(views):
    for rule in ALL:
        whole = rule.score(views)
        assert 0 <= whole <= 1
        assert rule.score(views[::-1]) == pytest.approx(whole)
        shares = rule.contributions(views)
        assert shares.min() >= 0
        assert shares.sum() == pytest.approx(1)


@given(scores, st.integers(0, 6), st.floats(0, 1))
def test_a_more_suspicious_view_never_lowers_the_answer(views, which, raised):
    higher = views.copy()
    higher[which % len(views)] = max(raised, higher[which % len(views)])
    for rule in ALL:
        assert rule.score(higher) >= rule.score(views) - 1e-12


@given(st.floats(0.01, 0.99))
def test_one_view_is_the_study(view):
    for rule in ALL[:3]:
        assert rule.score(np.array([view])) == pytest.approx(view)


def test_learning_finds_that_both_views_must_agree():
    generator = np.random.default_rng(0)

    def study(first, second):
        return np.clip(np.array([first, second]) + generator.normal(0, 0.03, 2), 0.01, 0.99)

    # Fractures show in both views, mimics in one only: the maximum is the same.
    pairs = [((0.9, 0.9), 1), ((0.9, 0.1), 0), ((0.1, 0.9), 0), ((0.1, 0.1), 0)]
    studies = [study(*views) for views, _ in pairs for _ in range(20)]
    labels = np.repeat([label for _, label in pairs], 20)
    rule = learn_rule(studies, labels)
    called = np.array([rule.score(views) for views in studies]) >= 0.5
    assert (called == labels).mean() > 0.95
    assert min(rule.weights) >= 0
    assert rule.weights[0] == pytest.approx(0, abs=0.2)  # not the maximum


@pytest.mark.parametrize(
    ("studies", "labels"),
    [([np.array([0.1, 0.2])] * 3, [0, 0, 0]), ([np.array([0.1]), np.array([0.9])], [0, 1])],
    ids=["one class", "one view each"],
)
def test_nothing_to_learn(studies, labels):
    assert learn_rule(studies, np.array(labels)) is None


def test_a_learned_rule_comes_back_from_json():
    assert stored_rule("learned", {"study_rules": {"learned": LEARNED.to_json()}}) == LEARNED
    assert stored_rule("noisy-or", {"study_rules": {"noisy-or": {"threshold": 0.7}}}).threshold == 0.7
    assert stored_rule("majority", {}) == StudyRule("majority")


@pytest.mark.parametrize(
    ("name", "info", "error", "message"),
    [
        ("most", {}, UsageError, "expected one of at-least-one"),
        ("learned", {}, UsageError, "did not"),
        ("learned", {"study_rules": {"learned": {"weights": {"max": "x"}}}}, PredictionsError, "weights"),
        ("majority", {"study_rules": [1]}, PredictionsError, "an object"),
    ],
)
def test_rules_that_cannot_be_used(name, info, error, message):
    with pytest.raises(error, match=message):
        stored_rule(name, info)


def test_a_study_names_the_views_that_carried_it():
    images = pl.DataFrame({"image_id": ["a", "b", "c", "d", "e"], "score": [0.5, 0.75, 0.0, 0.3, 0.9]})
    study_of = {"a": "s", "b": "s", "c": "s", "d": "t", "e": None}
    table = study_table(images, study_of, StudyRule("noisy-or"))
    # Contributions of s: 1/3, 2/3, 0; half of the largest is 1/3, which a reaches. e has no study.
    assert table.rows() == [("s", pytest.approx(1 - 0.5 * 0.25), 3, "b;a"), ("t", pytest.approx(0.3), 1, "d")]


def test_every_rule_against_the_obvious_one():
    for views in itertools.product([0.1, 0.4, 0.8], repeat=3):
        falling = sorted(views, reverse=True)
        assert at_least_one(np.array(views)) == falling[0]
        assert majority(np.array(views)) == falling[1]
        assert noisy_or(np.array(views)) == pytest.approx(1 - math.prod(1 - v for v in views))
