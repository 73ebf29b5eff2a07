"""LSE pooling and activation maps: limits, slow references, gradients, labels that are unknown."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.errors import ConfigError
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.parts.cam import CamHead, FullyConvolutional, activation_maps
from crepitus.methods.parts.label_loss import label_loss, probability_loss
from crepitus.methods.parts.lse import lse_pool
from reference import pooling

finite = st.floats(-50, 50, width=32)
sharpness = st.floats(1e-6, 1e4)


def test_two_cells_by_hand():
    # r = ln 3 / 1: (1 / ln 3) ln((3^1 + 3^0) / 2) = ln 2 / ln 3 = 0.63093.
    pooled = lse_pool(torch.tensor([[[1.0, 0.0]]]), math.log(3))
    assert pooled.shape == (1,)
    assert pooled.item() == pytest.approx(0.6309298, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(finite, min_size=1, max_size=12), sharpness)
def test_equals_the_slow_reference_and_lies_between_mean_and_maximum(values, r):
    pooled = lse_pool(torch.tensor(values, dtype=torch.float64)[None], r).item()
    assert pooled == pytest.approx(pooling.lse(values, r), rel=1e-9, abs=1e-9)
    assert sum(values) / len(values) - 1e-9 <= pooled <= max(values) + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.lists(finite, min_size=2, max_size=12), st.floats(0.01, 50), st.floats(1.01, 3))
def test_rises_with_sharpness_and_shifts_with_the_values(values, r, factor):
    cells = torch.tensor(values, dtype=torch.float64)[None]
    pooled = lse_pool(cells, r)
    assert (lse_pool(cells, r * factor) >= pooled - 1e-9).all()
    assert torch.allclose(lse_pool(cells + 7, r), pooled + 7)


def test_limits_are_the_mean_and_the_maximum():
    cells = torch.rand(3, 5, 7, 9)
    assert torch.equal(lse_pool(cells, 0), cells.mean((-2, -1)))
    assert torch.equal(lse_pool(cells, math.inf), cells.amax((-2, -1)))
    assert torch.allclose(lse_pool(cells, 1e-7), cells.mean((-2, -1)), atol=1e-6)
    # The distance from the maximum is at most log(63) / r.
    assert torch.allclose(lse_pool(cells, 1e7), cells.amax((-2, -1)), atol=1e-6)


@pytest.mark.parametrize("r", [1e-4, 0.5, 10.0, 1e4])
def test_stays_finite_and_the_gradient_is_a_softmax(r):
    cells = torch.tensor([[900.0, -900.0], [0.0, 899.0]], requires_grad=True)
    pooled = lse_pool(cells, r, dims=(0, 1))
    pooled.backward()
    assert torch.isfinite(pooled)
    assert torch.allclose(cells.grad.flatten(), torch.softmax(r * cells.detach().flatten(), 0), atol=1e-5)


def test_short_floats_are_pooled_in_full_precision():
    assert lse_pool(torch.rand(1, 4, 4).bfloat16(), 10.0).dtype == torch.float32


@pytest.mark.parametrize("r", [-1.0, math.nan])
def test_refuses_a_sharpness_below_zero(r):
    with pytest.raises(ConfigError, match="at least 0"):
        lse_pool(torch.rand(1, 2, 2), r)


def test_activation_map_is_the_classifier_on_every_cell():
    head = CamHead(3)
    torch.nn.init.normal_(head.classifier.weight)
    features = torch.rand(1, 3, 2, 4)
    cells, image = head(features)
    weights, bias = head.classifier.weight.flatten().tolist(), head.classifier.bias.item()
    expected = torch.tensor(pooling.cam(features[0].tolist(), weights, bias))
    assert torch.allclose(cells[0, 0], expected, atol=1e-6)
    # Average pooling and a linear layer commute: the image's logit is the mean of the map.
    assert torch.allclose(image, cells.mean((-2, -1)), atol=1e-6)
    # Not scaled per image: adding to the logits adds, and a flat map stays flat.
    assert torch.allclose(activation_maps(torch.zeros(1, 1, 2, 2)), torch.full((1, 1, 2, 2), 0.5))


def test_pooled_by_lse_the_image_is_the_classifier_of_the_pooled_features():
    head = CamHead(3, outputs=2, sharpness=4.0)
    features = torch.rand(2, 3, 2, 4)
    pooled = torch.tensor([[pooling.lse(c.flatten().tolist(), 4.0) for c in image] for image in features])
    expected = pooled @ head.classifier.weight[:, :, 0, 0].T + head.classifier.bias
    assert torch.allclose(head(features).image, expected, atol=1e-5)


def test_an_untrained_network_answers_its_prior():
    network = FullyConvolutional(BackboneConfig(name="test_resnet", weights="random"), prior=0.1).eval()
    torch.nn.init.zeros_(network.head.classifier.weight)
    cells, image = network(torch.rand(2, 1, 64, 32))
    assert cells.shape == (2, 1, 2, 1)
    assert torch.allclose(torch.sigmoid(image), torch.full((2, 1), 0.1))


def test_losses_by_hand_and_without_unknown_labels():
    labels = torch.tensor([1.0, 0.0, torch.nan])
    probabilities = torch.tensor([0.8, 0.4, 0.1])
    # (-ln 0.8 - ln 0.6) / 2 = (0.223144 + 0.510826) / 2.
    assert probability_loss(probabilities, labels).item() == pytest.approx(0.366985, abs=1e-5)
    assert label_loss(torch.logit(probabilities), labels).item() == pytest.approx(0.366985, abs=1e-5)


@pytest.mark.parametrize("loss", [label_loss, probability_loss])
def test_no_known_label_is_no_loss(loss):
    answers = torch.tensor([0.3, 0.6], requires_grad=True)
    value = loss(answers, torch.tensor([torch.nan, torch.nan]))
    value.backward()
    assert value.item() == 0
    assert answers.grad.tolist() == [0, 0]


def test_a_certain_wrong_answer_has_a_finite_loss():
    answers = torch.tensor([0.0, 1.0], requires_grad=True)
    value = probability_loss(answers, torch.tensor([1.0, 0.0]))
    value.backward()
    assert value.item() == pytest.approx(100)
    assert torch.isfinite(answers.grad).all()
