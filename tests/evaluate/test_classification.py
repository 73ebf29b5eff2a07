"""Image, study and class figures: by hand, against scikit-learn, and where they are undefined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from crepitus.evaluate.bootstrap import point_estimates
from crepitus.evaluate.classification import ClassFigures, ImageFigures, Ranking, StudyFigures


def figures(scores, truth, threshold=0.5):
    n = len(scores)
    ranking = Ranking.of(np.array(scores, float), np.array(truth, np.int64), np.arange(n))
    found = point_estimates([ImageFigures(ranking, threshold)], n)
    return {key.removeprefix("image."): value for key, value in found.items()}


def test_by_hand():
    # By falling score: 0.9 +, 0.8 -, 0.6 + and 0.6 - tied, 0.4 -, 0.1 +. Three of each.
    # AUROC: pairs won: 0.9 beats 3; 0.6 beats 0.4 and ties one: 1.5; 0.1 beats none: 4.5 / 9 = 0.5.
    # AP: gain 1/3 at precision 1/1, 1/3 at 2/4, 1/3 at 3/6: (1 + 0.5 + 0.5) / 3 = 2/3.
    # Recall of 95 % needs all: t = 0.1, specificity 0, precision 3/6.
    # Specificity of 95 % needs no false positive: t = 0.9, recall 1/3.
    # At 0.5: called 0.9, 0.8, 0.6, 0.6; right 0.9 +, 0.6 +, 0.4 -: accuracy 3/6, sensitivity 2/3,
    # specificity 1/3.
    assert figures([0.6, 0.9, 0.4, 0.1, 0.6, 0.8], [1, 1, 0, 1, 0, 0]) == pytest.approx(
        {
            "auroc": 0.5,
            "ap": 2 / 3,
            "specificity_at_recall_95": 0,
            "recall_at_specificity_95": 1 / 3,
            "precision_at_recall_95": 0.5,
            "accuracy": 0.5,
            "sensitivity": 2 / 3,
            "specificity": 1 / 3,
        },
        abs=1e-12,
    )


def test_the_condition_holds_at_exactly_95_percent():
    # 20 positives, one of them last: recall 19/20 at t = 0.5 satisfies the condition, and specificity
    # there is 20/20. 20 negatives with one at the top: specificity 19/20 at the positives.
    assert figures([0.5] * 19 + [0.1] + [0.2] * 20, [1] * 20 + [0] * 20)["specificity_at_recall_95"] == 1
    assert figures([0.9] + [0.1] * 19 + [0.5] * 20, [0] * 20 + [1] * 20)["recall_at_specificity_95"] == 1


def test_the_best_precision_is_not_the_one_at_the_highest_threshold():
    # 20 positives: 19 at 0.5 with 19 negatives: precision 0.5 at recall 0.95; the last positive alone
    # at 0.4: precision 20/39 at recall 1, which is better.
    result = figures([0.5] * 38 + [0.4], [1] * 19 + [0] * 19 + [1])
    assert result["precision_at_recall_95"] == pytest.approx(20 / 39, abs=1e-12)


def test_calling_nothing_is_a_threshold():
    # The negative is on top: specificity of 95 % only above every score, at recall 0.
    assert figures([0.9, 0.5], [0, 1])["recall_at_specificity_95"] == 0


def test_score_equal_to_the_threshold_is_called():
    assert figures([0.3, 0.2], [1, 0], threshold=0.3)["sensitivity"] == 1


def test_one_class():
    positive = figures([0.9, 0.2], [1, 1])
    assert (positive["accuracy"], positive["sensitivity"], positive["specificity"]) == (0.5, 0.5, None)
    negative = figures([0.9, 0.2], [0, 0])
    assert (negative["accuracy"], negative["sensitivity"], negative["specificity"]) == (0.5, None, 0.5)
    for result in (positive, negative):
        assert {result[k] for k in result if "_95" in k or k in ("auroc", "ap")} == {None}


def test_no_images():
    assert set(figures([], []).values()) == {None}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=60), st.randoms())
def test_equals_scikit_learn_in_any_order(pairs, random):
    pairs = [(0, False), (3, True), *pairs]
    scores, truth = [s / 8 for s, _ in pairs], [int(t) for _, t in pairs]
    result = figures(scores, truth)
    assert result["auroc"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert result["ap"] == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    # Every threshold tried one by one.
    positives, negatives = truth.count(1), truth.count(0)
    points = []
    for t in [2.0, *scores]:
        called = [s >= t for s in scores]
        hits = sum(c and y for c, y in zip(called, truth, strict=True))
        points.append((hits / positives, (negatives - sum(called) + hits) / negatives, hits, sum(called)))
    sensitive = [p for p in points if p[0] >= 0.95]
    assert result["specificity_at_recall_95"] == pytest.approx(max(p[1] for p in sensitive), abs=1e-12)
    assert result["precision_at_recall_95"] == pytest.approx(max(p[2] / p[3] for p in sensitive), abs=1e-12)
    specific = max(p[0] for p in points if p[1] >= 0.95)
    assert result["recall_at_specificity_95"] == pytest.approx(specific, abs=1e-12)
    random.shuffle(pairs)
    assert figures([s / 8 for s, _ in pairs], [int(t) for _, t in pairs]) == pytest.approx(result, abs=1e-12)


def test_precision_at_a_recall_by_hand():
    # Falling: + - + -: recall 1/2 at precision 1, then 1/2 at 1/2, 1 at 2/3, 1 at 1/2.
    ranking = Ranking.of(np.array([0.9, 0.7, 0.6, 0.2]), np.array([1, 0, 1, 0]), np.arange(4))
    image, grid = ImageFigures(ranking, 0.5), np.array([0, 0.5, 0.6, 1])
    assert image.precision_rounds(np.ones((1, 4)), grid)[0] == pytest.approx([1, 1, 2 / 3, 2 / 3])
    # Without the first image: - + -: the first threshold that calls anything is a false alarm.
    without = image.precision_rounds(np.array([[0.0, 1, 1, 1]]), grid)[0]
    assert without == pytest.approx([0, 1 / 2, 1 / 2, 1 / 2])
    # Without a positive it is undefined nowhere but means nothing: precision 0.
    assert set(image.precision_rounds(np.array([[0.0, 1, 0, 1]]), grid)[0]) == {0}


def test_study_figures_by_hand():
    # Scores 0.9 +, 0.7 -, 0.6 +, 0.2 -: three of four pairs won; at 0.5 the 0.7 is wrong: both fractures are
    # found, and one of two studies without is called so.
    ranking = Ranking.of(np.array([0.9, 0.7, 0.6, 0.2]), np.array([1, 0, 1, 0]), np.arange(4))
    assert point_estimates([StudyFigures(ranking, 0.5)], 4) == {
        "study.accuracy": 0.75,
        "study.sensitivity": 1.0,
        "study.specificity": 0.5,
        "study.auroc": 0.75,
    }


def test_class_figures_by_hand():
    # Truth N N A B, called N A A A. F1: N 2*1/(2+1); A 2*1/(1+3) = 0.5; B 0/(1+0) = 0; C never: undefined.
    # Weighted by support 2, 1, 1: (2 * 2/3 + 0.5 + 0) / 4 = 11/24.
    truth, called = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    result = point_estimates([ClassFigures(("N", "A", "B", "C"), np.arange(4), truth, called)], 4)
    assert result["class.f1.C"] is None
    assert result["class.f1.N"] == pytest.approx(2 / 3)
    assert result["class.f1.A"] == 0.5
    assert result["class.f1.B"] == 0
    assert result["class.f1.weighted"] == pytest.approx(11 / 24)
    assert result["class.f1.weighted"] == pytest.approx(f1_score(truth, called, average="weighted"))


def test_study_figures_of_one_class_and_without_studies():
    positive = Ranking.of(np.array([0.9, 0.4]), np.array([1, 1]), np.arange(2))
    assert point_estimates([StudyFigures(positive, 0.5)], 2) == {
        "study.accuracy": 0.5,
        "study.sensitivity": 0.5,
        "study.specificity": None,
        "study.auroc": None,
    }
    empty = Ranking.of(np.zeros(0), np.zeros(0, int), np.zeros(0, int))
    assert set(point_estimates([StudyFigures(empty, 0.5)], 0).values()) == {None}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_class_figures_equal_scikit_learn(pairs):
    truth, called = np.array([t for t, _ in pairs], int), np.array([c for _, c in pairs], int)
    found = point_estimates([ClassFigures(tuple("abcd"), np.arange(len(pairs)), truth, called)], len(pairs))
    if not pairs:
        assert set(found.values()) == {None}
        return
    expected = f1_score(truth, called, labels=range(4), average=None, zero_division=np.nan)
    for name, f1 in zip("abcd", expected, strict=True):
        assert found[f"class.f1.{name}"] == (None if np.isnan(f1) else pytest.approx(f1))
    weighted = f1_score(truth, called, labels=range(4), average="weighted", zero_division=0)
    assert found["class.f1.weighted"] == pytest.approx(weighted)
