"""The losses of paper 002 by hand, their limits, and their empty cases."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.errors import TrainingError
from crepitus.methods.femur.loss import alpha_at, box_loss, class_loss, frequency_weights, joint_loss


def test_weights_by_hand():
    # 60 images of 3 classes, Z = 20: 20/10, 20/20, 20/30.
    assert frequency_weights([10, 20, 30]) == pytest.approx((2, 1, 2 / 3))


@settings(max_examples=30)
@given(st.lists(st.integers(1, 500), min_size=2, max_size=7))
def test_the_mean_weight_of_an_image_is_one_and_every_class_weighs_the_same(counts):
    weights = frequency_weights(counts)
    shares = [w * n for w, n in zip(weights, counts, strict=True)]
    assert sum(shares) / sum(counts) == pytest.approx(1)
    assert max(shares) == pytest.approx(min(shares))


@pytest.mark.parametrize("counts", [[], [3, 0, 2]])
def test_a_class_without_images_has_no_weight(counts):
    with pytest.raises(TrainingError, match=r"loss\.weights"):
        frequency_weights(counts)


def test_class_loss_by_hand():
    # -2 ln 0.5 - 0.5 ln 0.25 over two images: (1.386294 + 0.693147) / 2 = 1.039721.
    answers = torch.log(torch.tensor([[0.5, 0.5], [0.75, 0.25]]))
    weights = torch.tensor([2.0, 0.5])
    assert class_loss(answers, torch.tensor([0, 1]), weights).item() == pytest.approx(1.0397208, abs=1e-6)
    # Without weights it is the cross-entropy: (ln 2 + ln 4) / 2 = 1.039721 as well, so ask other classes:
    # -(ln 0.5 + ln 0.75) / 2 = 0.490415.
    assert class_loss(answers, torch.tensor([0, 0])).item() == pytest.approx(0.4904146, abs=1e-6)


def test_a_batch_of_one_class_keeps_its_weight():
    answers = torch.log(torch.tensor([[0.5, 0.5]]))
    heavy = class_loss(answers, torch.tensor([0]), torch.tensor([3.0, 1.0]))
    assert heavy.item() == pytest.approx(3 * math.log(2), abs=1e-6)


def test_unknown_classes_are_left_out_and_nothing_known_costs_nothing():
    logits = torch.zeros(2, 3, requires_grad=True)
    answers = torch.log_softmax(logits, dim=1)
    assert class_loss(answers, torch.tensor([-1, 2])).item() == pytest.approx(math.log(3), abs=1e-6)
    empty = class_loss(answers, torch.tensor([-1, -1]))
    empty.backward()
    assert empty.item() == 0
    assert logits.grad.abs().sum() == 0


def test_box_loss_by_hand():
    # 1/2 (0.3^2 + 0.4^2 + 0) = 0.125; in pixels of a 200 px input (u = 100) 10,000 times as much.
    predicted, truth = torch.tensor([[0.3, 0.5, 0.7]]), torch.tensor([[0.0, 0.1, 0.7]])
    assert box_loss(predicted, truth).item() == pytest.approx(0.125, abs=1e-6)
    assert box_loss(predicted, truth, unit=100).item() == pytest.approx(1250, rel=1e-5)


def test_box_loss_without_a_known_box_is_zero():
    predicted = torch.ones(2, 3, requires_grad=True)
    loss = box_loss(predicted, torch.full((2, 3), torch.nan))
    loss.backward()
    assert loss.item() == 0
    assert predicted.grad.abs().sum() == 0


def test_joint_loss_by_hand_and_at_its_limits():
    # 0.7 * 2 + 0.3 * 5 = 2.9.
    one, other = torch.tensor(2.0), torch.tensor(5.0)
    assert joint_loss(one, other, 0.3).item() == pytest.approx(2.9)
    assert joint_loss(one, torch.tensor(torch.inf), 0.0).item() == 2
    assert joint_loss(torch.tensor(torch.nan), other, 1.0).item() == 5


def test_alpha_is_complemented_from_its_epoch_on_but_not_at_the_limits():
    assert [alpha_at(0.3, epoch, 2) for epoch in range(4)] == pytest.approx([0.3, 0.3, 0.7, 0.7])
    assert [alpha_at(limit, 9, 2) for limit in (0.0, 1.0)] == [0, 1]
    assert alpha_at(0.3, 100, None) == 0.3
