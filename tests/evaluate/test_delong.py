"""DeLong's variance: a published worked example, the reference, properties, undefined cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from crepitus.evaluate.delong import delong
from reference import delong as reference

# The data of DeLong, DeLong and Clarke-Pearson (1988), ovarian cancer with bowel obstruction, as printed in
# the SAS/STAT User's Guide, The LOGISTIC Procedure, "Comparing Receiver Operating Characteristic Curves"
# (Example 72.8 of SAS/STAT 14.1): albumin, total protein, K-G score (which is used as 10 - score) and the
# outcome of the 43 patients with all three. The paper's own figures (.69, .72, .65) are those of all 49.
PRINTED = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""
OVARIAN = np.array(PRINTED.split(), dtype=float).reshape(-1, 4)
ALBUMIN, KG_SCORE, PROTEIN = 0, 1, 2


def ovarian():
    albumin, protein, score, truth = OVARIAN.T
    return delong(np.stack([albumin, 10 - score, protein]), truth.astype(np.int64))


@pytest.mark.parametrize(
    ("which", "printed"),
    [
        # Area, standard error, 95 % Wald confidence limits, as printed in the "ROC Association Statistics".
        (ALBUMIN, ("0.7366", "0.0927", "0.5549", "0.9182")),
        (KG_SCORE, ("0.7258", "0.1028", "0.5243", "0.9273")),
        (PROTEIN, ("0.6478", "0.1000", "0.4518", "0.8439")),
    ],
)
def test_published_areas(which, printed):
    areas = ovarian()
    error = np.sqrt(areas.covariance[which, which])
    values = (areas.auroc[which], error, *areas.interval(which))
    assert tuple(f"{value:.4f}" for value in values) == printed


@pytest.mark.parametrize(
    ("which", "printed"),
    [
        # "ROC Contrast Estimation": difference from the K-G score, standard error, limits, chi-square, p.
        (ALBUMIN, ("0.0108", "0.0953", "-0.1761", "0.1976", "0.0127", "0.9102")),
        (PROTEIN, ("-0.0780", "0.1046", "-0.2830", "0.1271", "0.5554", "0.4561")),
    ],
)
def test_published_differences(which, printed):
    d = ovarian().difference(which, KG_SCORE)
    values = (d.estimate, d.standard_error, *d.ci95, d.statistic**2, d.p_value)
    assert tuple(f"{value:.4f}" for value in values) == printed


def test_by_hand():
    # Positives 3 and 1, negatives 2 and 0. 3 beats both, 1 beats one: placements 1, 1/2; of the negatives, 2
    # is beaten by one of two, 0 by both: 1/2, 1. AUROC 3/4; each variance (1/4)^2 * 2 / 1 = 1/8, by 2 cases
    # each: 1/16 + 1/16 = 1/8.
    areas = delong(np.array([[3.0, 1, 2, 0]]), np.array([1, 1, 0, 0]))
    assert (areas.auroc[0], areas.covariance[0, 0]) == pytest.approx((0.75, 0.125), abs=1e-12)
    # 0.75 +- 1.96 * 0.354 leaves 0..1 above.
    assert areas.interval() == pytest.approx((0.75 - 1.959964 * 0.125**0.5, 1), abs=1e-6)


def test_undefined():
    for truth in ([1, 1, 1], [0, 0, 0], [1, 0, 0]):
        areas = delong(np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]), np.array(truth))
        assert np.isnan(areas.covariance).all()
        assert np.isnan(areas.interval()).all()
        assert np.isnan(areas.difference().p_value)
        assert np.isnan(areas.auroc).all() == (len(set(truth)) == 1)
    assert np.isnan(delong(np.zeros((2, 0)), np.zeros(0, int)).auroc).all()


def test_two_scores_that_rank_alike_have_no_test():
    scores = np.array([0.1, 0.9, 0.4, 0.6])
    same = delong(np.stack([scores, scores**2]), np.array([0, 1, 1, 0])).difference()
    assert (same.estimate, same.standard_error) == (0, pytest.approx(0, abs=1e-9))
    assert np.isnan([same.statistic, same.p_value]).all()


cases = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), min_size=1, max_size=25)


@given(cases, st.randoms())
def test_equals_the_reference_in_any_order(rows, random):
    rows = [(0, 3, True), (4, 1, True), (2, 2, False), (1, 4, False), *rows]
    random.shuffle(rows)
    a, b, truth = (list(column) for column in zip(*rows, strict=True))
    found = delong(np.array([a, b], float), np.array(truth, np.int64))
    auroc, covariance = reference.areas([a, b], truth)
    assert found.auroc == pytest.approx(np.array(auroc), abs=1e-12)
    assert found.auroc == pytest.approx([roc_auc_score(truth, a), roc_auc_score(truth, b)], abs=1e-12)
    assert found.covariance == pytest.approx(np.array(covariance), abs=1e-12)
    # The scores turned around rank the other way with the same uncertainty.
    turned = delong(-np.array([a, b], float), np.array(truth, np.int64))
    assert turned.auroc == pytest.approx(1 - found.auroc, abs=1e-12)
    assert turned.covariance == pytest.approx(found.covariance, abs=1e-12)
