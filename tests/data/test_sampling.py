"""The order of an epoch by opposite counts: how many, how often, never twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.data.sampling import epoch_order


def opposite(positive, epoch, seed=0):
    return epoch_order(np.array(positive), seed=seed, epoch=epoch, sampling="opposite-counts")


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 99))
def test_twice_the_rarer_kind_and_nobody_twice(rare, common, epoch):
    positive = [True] * rare + [False] * common
    order = opposite(positive, epoch)
    assert len(order) == 2 * min(rare, common)
    assert len(set(order.tolist())) == len(order)
    assert opposite(positive, epoch).tolist() == order.tolist()


def test_each_kind_is_as_likely_as_the_other_to_be_drawn_first():
    # Eq. 4.3: a positive has the probability n_nb / (2 n_b n_nb) = 1 / (2 n_b), all together 1/2; each of
    # the 3 positives 1/6, each of the 12 negatives 1/24.
    positive = np.array([True] * 3 + [False] * 12)
    first = np.array([opposite(positive, epoch)[0] for epoch in range(6000)])
    assert positive[first].mean() == pytest.approx(0.5, abs=0.03)
    assert (first == 0).mean() == pytest.approx(1 / 6, abs=0.02)
    assert (first == 14).mean() == pytest.approx(1 / 24, abs=0.01)


def test_without_replacement_the_rarer_kind_is_drawn_a_little_less_than_half():
    # 1 positive, 3 negatives, two draws. The weights are 3 and 1, 1, 1: first the positive with 1/2. If a
    # negative was first, 3 / (3 + 2) = 3/5 for the second: in all 1/2 + 1/2 * 3/5 = 0.8 of the epochs.
    positive = np.array([True, False, False, False])
    shown = [positive[opposite(positive, epoch)].any() for epoch in range(4000)]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize("positive", [[True] * 4, [False] * 4])
def test_with_one_kind_every_image_is_visited_once(positive):
    assert sorted(opposite(positive, 0).tolist()) == [0, 1, 2, 3]
