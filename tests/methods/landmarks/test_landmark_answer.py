"""Landmark answers: sides under flips, mixtures of two answers, mean shapes, what is too unsure."""

import math

import pytest
import torch

from crepitus.methods.base import Targets
from crepitus.methods.landmarks.answer import (
    PELVIS,
    assessable,
    both_views,
    mean_shape_of,
    unflipped,
    with_sides,
)
from crepitus.methods.parts.sides import partners

NAMES = ("a-L", "a-R", "middle")
PARTNER = partners(NAMES)


def test_sixteen_landmarks_seven_pairs_two_in_the_midline():
    partner = partners(PELVIS)
    assert len(PELVIS) == len(set(PELVIS)) == 16
    assert sum(k == own for own, k in enumerate(partner)) == 2
    assert min(partner) >= 0


def test_flip_exchanges_sides():
    found = torch.tensor([[[10.0, 1.0, 0.1], [30.0, 2.0, 0.2], [20.0, 3.0, 0.3]]])
    # In a flipped image of 50 px what was found as a-L at x = 10 is a-R at 40.
    back = unflipped(found, PARTNER, 50.0)
    expected = torch.tensor([[20.0, 2.0, 0.2], [40.0, 1.0, 0.1], [30.0, 3.0, 0.3]])
    assert torch.allclose(back[0], expected)
    assert torch.allclose(unflipped(back, PARTNER, 50.0), found)


def test_flipped_views_change_names_and_others_do_not():
    landmarks = torch.tensor([[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]]).expand(2, -1, -1)
    views = torch.stack([torch.eye(2, 3), torch.tensor([[-1.0, 0.0, 9.0], [0.0, 1.0, 0.0]])])
    targets = Targets(["x", "y"], torch.zeros(2), [], torch.ones(2).bool(), landmarks=landmarks, views=views)
    assert with_sides(targets, PARTNER)[:, :, 0].tolist() == [[1, 2, 3], [2, 1, 3]]


def test_two_answers_by_hand():
    # Positions (0, 0) and (6, 8): middle (3, 4), half distance 5, shared by two axes: 25 / 2. Variances 4
    # and 2 average to 3: together 15.5.
    first = torch.tensor([[[0.0, 0.0, 2.0]]])
    second = torch.tensor([[[6.0, 8.0, math.sqrt(2)]]])
    assert both_views(first, second)[0, 0].tolist() == pytest.approx([3, 4, math.sqrt(15.5)])
    assert torch.equal(both_views(first, torch.full_like(second, torch.nan)), first)


def test_mean_shape_is_symmetric_and_skips_what_is_unknown():
    landmarks = torch.tensor(
        [[[80.0, 10.0], [30.0, 10.0], [torch.nan, torch.nan]], [[torch.nan, 5.0], [20.0, 30.0], [51.0, 20.0]]]
    )
    # a-L: x = .8 of the first, and from the flips 1 - .3 and 1 - .2: mean 2.3 / 3.
    mean = mean_shape_of(landmarks, PARTNER, (100, 100))
    assert mean[0].tolist() == pytest.approx([2.3 / 3, (0.1 + 0.1 + 0.3) / 3])
    assert mean[1, 0].item() == pytest.approx(1 - mean[0, 0].item())
    assert mean[2].tolist() == pytest.approx([0.5, 0.2])
    nobody = mean_shape_of(torch.full((1, 3, 2), torch.nan), PARTNER, (100, 100))
    assert (nobody == 0.5).all()


SHAPE = torch.tensor([[0.2, 0.2], [0.8, 0.2], [0.5, 0.7], [0.4, 0.5]])


def answer(xy, sd):
    return torch.cat([xy, torch.full((len(xy), 1), sd)], dim=1)[None]


def test_a_turned_and_zoomed_mean_shape_is_assessable_and_noise_is_not():
    angle = 0.3
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    good = SHAPE * 100 @ turn.T * 1.3 + 20
    limits = {"max_sd": 0.1, "max_residual": 0.2}
    assert assessable(answer(good, 1.0), SHAPE, (100, 100), **limits).tolist() == [True]
    # The root mean square distance from the centre is about 40 px: 5 px are more than a tenth of it.
    assert assessable(answer(good, 5.0), SHAPE, (100, 100), **limits).tolist() == [False]
    crossed = good[[1, 0, 2, 3]]
    assert assessable(answer(crossed, 1.0), SHAPE, (100, 100), **limits).tolist() == [False]
    lost = good.clone()
    lost[0] = torch.nan
    assert assessable(answer(lost, 1.0), SHAPE, (100, 100), **limits).tolist() == [False]
    one_place = torch.full((4, 2), 30.0)
    assert assessable(answer(one_place, 1.0), SHAPE, (100, 100), **limits).tolist() == [False]
