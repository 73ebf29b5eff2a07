"""McNemar's test: a published table, by hand, symmetry, and the case without disagreement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from crepitus.evaluate.mcnemar import mcnemar


def table(both, first, second, neither):
    rows = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second
    right = np.array(rows + [(False, False)] * neither, dtype=bool).reshape(-1, 2)
    return mcnemar(right[:, 0], right[:, 1])


def test_published_table():
    # Agresti, Categorical Data Analysis (1990), p. 350: approval of the president in two surveys, 794, 150,
    # 86, 570. With continuity correction as R prints it for its example of mcnemar.test (reference output
    # tests/Examples/stats-Ex.Rout.save of R's sources): 16.818, p 4.115e-05; by hand (64 - 1)^2 / 236.
    # Without, as R prints it in the notes of Penn State's STAT 504 on this table: 17.3559, p 3.099e-05.
    found = table(794, 150, 86, 570)
    assert f"{found.uncorrected_chi2:.4f}" == "17.3559"
    assert f"{found.uncorrected_p:.3e}" == "3.099e-05"
    assert f"{found.chi2:.3f}" == "16.818"
    assert f"{found.chi2_p:.3e}" == "4.115e-05"


def test_by_hand():
    # One against five: exact p = 2 * (1 + 6) / 64 = 7/32; chi2 (5 - 1 - 1)^2 / 6 = 1.5; without (4)^2 / 6.
    found = table(7, 1, 5, 2)
    assert (found.first_only, found.second_only) == (1, 5)
    assert (found.exact_p, found.chi2, found.uncorrected_chi2) == pytest.approx((7 / 32, 1.5, 16 / 6))


def test_no_disagreement():
    for found in (table(5, 0, 0, 3), table(0, 0, 0, 0)):
        assert found.exact_p == 1
        assert np.isnan([found.chi2, found.chi2_p, found.uncorrected_chi2, found.uncorrected_p]).all()
    balanced = table(1, 3, 3, 1)
    assert (balanced.chi2, balanced.uncorrected_chi2, balanced.exact_p) == (0, 0, 1)


@given(st.integers(0, 30), st.integers(0, 30))
def test_is_a_binomial_test_and_symmetric(b, c):
    found, turned = table(3, b, c, 2), table(3, c, b, 2)
    assert found.exact_p == pytest.approx(turned.exact_p)
    if b + c:
        assert found.exact_p == pytest.approx(binomtest(b, b + c).pvalue)
        assert found.chi2 <= found.uncorrected_chi2
