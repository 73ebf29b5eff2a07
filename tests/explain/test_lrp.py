"""Relevance propagation: two layers by hand, rules against a slow reference, conservation on networks."""

import numpy as np
import pytest
import torch
from explained_networks import backbone, rx
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from zennit.core import Composite

from crepitus.errors import UsageError
from crepitus.explain.canonical import canonical
from crepitus.explain.lrp import Explained, LrpRules, propagate
from crepitus.explain.rules import Account, BoxRule, EpsilonRule, GammaRule, SignRule
from reference.relevance import shared_out

ONE = torch.ones(1, 1, 1, 1)
RESNETS = ("resnet18", "resnet10t", "resnet50")


def explained(body, head, images, rule="sign"):
    """Relevance of images within 0..1 for the single logit."""
    network = Explained(body, head)
    bounds = (0 * ONE, ONE)
    return propagate(network, images, torch.ones_like, bounds, LrpRules(body=rule))


def error(found):
    """What neither pixels nor biases got, as a part of what was explained."""
    lost = found.explained - float(found.relevance.double().sum()) - found.absorbed
    return abs(lost) / abs(found.explained)


def test_two_layers_computed_by_hand():
    # Pixels (0.5, 1), two neurons with ReLU, one output:
    #   a = ReLU( 2 * 0.5 - 1 * 1 + 0.5) = 0.5        b = ReLU(1 * 0.5 + 1 * 1 - 1) = 0.5
    #   y = 3 a - 1 b + 0.25 = 1.25
    # The classifier, epsilon rule: R_a = 1.5, R_b = -0.5, and its bias absorbs 0.25.
    # The pixels, z-box with [0, 1]: x w - 0 w+ - 1 w-
    #   of a: (1, -1 + 1) = (1, 0), so that pixel 1 gets all 1.5
    #   of b: (0.5, 1), so that pixel 1 gets -0.5 / 3 = -1/6 and pixel 2 gets -1/3
    # R = (1.5 - 1/6, -1/3) = (4/3, -1/3); 4/3 - 1/3 + 0.25 = 1.25
    first, last = nn.Conv2d(1, 2, (1, 2)), nn.Linear(2, 1)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[2.0, -1.0], [1.0, 1.0]]).view(2, 1, 1, 2))
        first.bias.copy_(torch.tensor([0.5, -1.0]))
        last.weight.copy_(torch.tensor([[3.0, -1.0]]))
        last.bias.fill_(0.25)
    body, head = nn.Sequential(first, nn.ReLU()), nn.Sequential(nn.Flatten(), last)
    found = explained(body, head, torch.tensor([0.5, 1.0]).view(1, 1, 1, 2))
    assert found.explained == pytest.approx(1.25)
    assert found.relevance.flatten().tolist() == pytest.approx([4 / 3, -1 / 3])
    assert found.absorbed == pytest.approx(0.25)


def through(layer, inputs, relevance, rule):
    """Relevance of the inputs of one linear layer, and what its bias got, by our rule."""
    leaf = torch.tensor(inputs, dtype=torch.float64)[None].requires_grad_()
    composite = Composite(module_map=lambda _c, _n, module: rule if isinstance(module, nn.Linear) else None)
    with composite.context(nn.Sequential(layer)) as network:
        output = network(leaf)
        (found,) = torch.autograd.grad(output, leaf, grad_outputs=torch.tensor(relevance)[None].double())
    return found[0].numpy(), rule.account.absorbed


@pytest.mark.parametrize("rule", ["sign", "gamma", "epsilon", "box"])
@given(seed=st.integers(0, 10**6))
def test_a_rule_shares_out_like_the_slow_reference(rule, seed):
    generator = np.random.default_rng(seed)
    x, relevance = generator.uniform(-1, 1, 4), generator.normal(size=3)
    layer = nn.Linear(4, 3).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(generator.normal(size=(3, 4))))
        layer.bias.copy_(torch.from_numpy(generator.normal(size=3)))
    account = Account()
    ours = {
        "sign": lambda: SignRule.into(account),
        "gamma": lambda: GammaRule.into(account, 0.25, stabilizer=1e-12),
        "epsilon": lambda: EpsilonRule.into(account, 1e-12),
        "box": lambda: BoxRule.into(account, -ONE[0, 0, 0], ONE[0, 0, 0], stabilizer=1e-12),
    }[rule]()
    found, absorbed = through(layer, x, relevance, ours)
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    limits = {"low": -1.0, "high": 1.0} if rule == "box" else {}
    wanted, of_bias = shared_out(x, weight, bias, relevance, rule, **limits)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    assert absorbed == pytest.approx(of_bias, rel=1e-4, abs=1e-6)
    if rule == "sign":  # nothing is invented: no relevance is answered by more of the other sign
        assert np.abs(found).sum() + abs(absorbed) <= np.abs(relevance).sum() * (1 + 1e-6)


@pytest.mark.parametrize("rule", ["sign", "gamma", "epsilon"])
@pytest.mark.parametrize("normalisation", ["batch", "none"])
def test_relevance_is_conserved_on_wrist_rx(rule, normalisation):
    torch.manual_seed(0)
    images = torch.rand(1, 1, 64, 48)
    found = explained(*rx(images, normalisation=normalisation), images, rule)
    assert found.absorbed != 0
    assert found.relevance.abs().sum() > 0
    assert error(found) < 0.01


@pytest.mark.parametrize("rule", ["sign", "gamma", "epsilon"])
@pytest.mark.parametrize("name", [*RESNETS, "densenet121"])
def test_relevance_is_conserved_on_residual_and_dense_networks(rule, name):
    torch.manual_seed(0)
    images = torch.rand(1, 3, 64, 64)
    found = explained(*backbone(name, images), images, rule)
    assert found.absorbed != 0
    assert found.relevance.abs().sum() > 0
    assert error(found) < 0.05


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_relevance_is_conserved_on_networks_of_full_depth_and_width(name):
    torch.manual_seed(0)
    images = torch.rand(1, 3, 64, 64)
    assert error(explained(*backbone(name, images, full=True), images, "gamma")) < 0.05


@pytest.mark.parametrize("name", [*RESNETS, "densenet121"])
def test_the_canonical_form_is_the_same_function_without_normalisations(name):
    torch.manual_seed(0)
    images = torch.rand(2, 3, 64, 64)
    body, _ = backbone(name, images)
    before = {key: value.clone() for key, value in body.state_dict().items()}
    rewritten = canonical(body)
    with torch.no_grad():
        assert torch.allclose(rewritten(images), body(images), atol=1e-5, rtol=1e-4)
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in rewritten.modules())
    assert all(torch.equal(value, before[key]) for key, value in body.state_dict().items())


def test_a_doubled_branch_would_not_be_conserved():
    # A sum outside a layer hands its whole relevance to both branches; the rewritten one shares it.
    class Doubled(nn.Module):
        def forward(self, x):
            return x + x

    found = explained(
        nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), Doubled()),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 1, bias=False)),
        torch.rand(1, 1, 4, 4),
    )
    assert found.absorbed == 0
    assert float(found.relevance.sum()) == pytest.approx(found.explained, rel=1e-4)


class Wave(nn.Module):
    def forward(self, x):
        return torch.sin(x)


def test_a_layer_without_a_rule_is_named():
    with pytest.raises(UsageError, match="got LayerNorm, for which there is no rule"):
        canonical(nn.Sequential(nn.Conv2d(1, 1, 1), nn.LayerNorm(4)))
    with pytest.raises(UsageError, match="got sin, for which"):
        canonical(Wave())


def test_a_wrong_rule_is_refused():
    with pytest.raises(ValueError, match="body"):
        LrpRules(body="other")
