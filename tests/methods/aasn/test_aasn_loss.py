"""Losses of the Siamese network: by hand, against the slow reference, and images that do not count."""

import math

import numpy as np
import pytest
import torch

from crepitus.methods.aasn.loss import (
    contrastive_loss,
    disk_loss,
    mean_of_known,
    near_points,
    squared_distance,
)
from reference import aasn as slow

NONE = torch.zeros(0, 2)


def test_contrastive_by_hand():
    # d = (3, 4) - (0, 0): d^2 = 25 where nothing is broken; within the mask max(0, 0.5 - 25) = 0.
    # d = (0.3, 0.4): d^2 = 0.25; within the mask 0.5 - 0.25 = 0.25, and not (0.5 - 0.5)^2 = 0.
    first = torch.tensor([[3.0, 0.3], [4.0, 0.4]]).reshape(1, 2, 1, 2)
    distance = squared_distance(first, torch.zeros_like(first))
    assert distance.flatten().tolist() == pytest.approx([25, 0.25])
    whole = contrastive_loss(distance, torch.tensor([[[False, False]]]), 0.5)
    broken = contrastive_loss(distance, torch.tensor([[[True, True]]]), 0.5)
    assert whole.flatten().tolist() == pytest.approx([25, 0.25])
    assert broken.flatten().tolist() == pytest.approx([0, 0.25])


@pytest.mark.parametrize("seed", range(3))
def test_contrastive_equals_the_slow_reference(seed):
    generator = np.random.default_rng(seed)
    first, second = generator.normal(0, 0.4, (2, 5, 3, 4))
    affected = generator.random((3, 4)) < 0.5
    distance = squared_distance(torch.tensor(first)[None], torch.tensor(second)[None])
    found = contrastive_loss(distance, torch.tensor(affected)[None], 0.5).mean().item()
    assert found == pytest.approx(slow.contrastive(first, second, affected, 0.5), rel=1e-5)


def test_contrastive_pulls_sides_together_outside_and_apart_inside():
    second = torch.tensor([0.2, 0.2]).reshape(1, 1, 1, 2).requires_grad_()
    distance = squared_distance(torch.zeros(1, 1, 1, 2), second)
    contrastive_loss(distance, torch.tensor([[[False, True]]]), 0.5).sum().backward()
    outside, inside = second.grad.flatten().tolist()
    assert outside > 0 > inside


def test_mask_holds_the_rim_of_the_disk():
    positions = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.1, 4.0]]).reshape(1, 1, 3, 2)
    assert near_points(positions, [torch.zeros(1, 2)], 5.0).flatten().tolist() == [True, True, False]
    assert not near_points(positions, [NONE], 5.0).any()


def test_disk_loss_by_hand():
    # One cell of 4 x 4 pixels; within 1 px of the corner (0, 0) of the pixel grid lies the pixel centre
    # (0.5, 0.5) alone: the target is 1 / 16. At p = 0.25: -(1/16) ln 0.25 - (15/16) ln 0.75 = 0.356345.
    logits = torch.logit(torch.tensor(0.25)).reshape(1, 1, 1, 1)
    loss = disk_loss(logits, [torch.zeros(1, 2)], torch.tensor([True]), (4, 4), 1.0)
    expected = -(math.log(0.25) + 15 * math.log(0.75)) / 16
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_a_cell_stands_for_its_pixels():
    torch.manual_seed(0)
    logits = torch.randn(2, 1, 2, 3)
    points = [torch.tensor([[7.0, 5.0], [20.0, 2.0]]), NONE]
    known = torch.tensor([True, True])
    fine = logits.repeat_interleave(8, 2).repeat_interleave(8, 3)
    coarse = disk_loss(logits, points, known, (16, 24), 6.0)
    assert coarse.item() == pytest.approx(disk_loss(fine, points, known, (16, 24), 6.0).item(), abs=1e-6)


def test_images_without_a_known_place_do_not_count():
    logits = torch.zeros(2, 1, 2, 2, requires_grad=True)
    known = torch.tensor([True, False])
    assert disk_loss(logits, [NONE, NONE], known, (8, 8), 2.0).item() == pytest.approx(math.log(2))
    nothing = disk_loss(logits, [NONE, NONE], torch.tensor([False, False]), (8, 8), 2.0)
    nothing.backward()
    assert nothing.item() == 0
    assert (logits.grad == 0).all()
    assert mean_of_known(torch.tensor([2.0, torch.nan]), known).item() == 2
