"""The Window Loss: values by hand, degenerate cases of the paper, finiteness, and the whole method's loss."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits

from crepitus.methods.base import Targets
from crepitus.methods.config_file import load_config
from crepitus.methods.window_loss.loss import window_loss
from crepitus.methods.window_loss.method import WindowLoss, WindowLossConfig

logit = torch.logit


def loss_at(p, lower, upper, divergence):
    return window_loss(logit(torch.tensor(p)), torch.tensor(lower), torch.tensor(upper), divergence).item()


def test_mse_by_hand():
    # Below: (0.2 - 0.5)^2 = 0.09. Above: (0.9 - 0.7)^2 = 0.04. Inside: 0.
    assert loss_at(0.2, 0.5, 0.7, "mse") == pytest.approx(0.09, abs=1e-6)
    assert loss_at(0.9, 0.5, 0.7, "mse") == pytest.approx(0.04, abs=1e-6)
    assert loss_at(0.6, 0.5, 0.7, "mse") == 0


def test_kld_by_hand():
    # KL(0.5 || 0.2) = 0.5 ln(0.5 / 0.2) + 0.5 ln(0.5 / 0.8) = 0.5 ln 1.5625 = 0.223144.
    assert loss_at(0.2, 0.5, 0.7, "kld") == pytest.approx(0.2231436, abs=1e-6)
    # KL(0 || 0.9) = ln(1 / 0.1) = 2.302585: a false alarm where nothing may be.
    assert loss_at(0.9, 0.0, 0.0, "kld") == pytest.approx(2.3025851, abs=1e-5)
    assert loss_at(0.6, 0.5, 0.7, "kld") == 0


@pytest.mark.parametrize("divergence", ["mse", "kld"])
def test_equal_bounds_degenerate_to_mse_and_bce(divergence):
    logits = torch.linspace(-6, 6, 31)
    disk = (torch.arange(31) % 2).float()
    expected = {
        "mse": (torch.sigmoid(logits) - disk).square(),
        "kld": binary_cross_entropy_with_logits(logits, disk, reduction="none"),
    }[divergence]
    assert torch.allclose(window_loss(logits, disk, disk, divergence), expected, atol=1e-6)


@pytest.mark.parametrize("divergence", ["mse", "kld"])
@pytest.mark.parametrize("value", [-1e4, -200.0, 0.0, 200.0, 1e4])
@pytest.mark.parametrize("bound", [0.0, 0.3, 1.0])
def test_loss_and_gradient_are_finite_at_probabilities_zero_and_one(divergence, value, bound):
    logits = torch.tensor([value], requires_grad=True)
    loss = window_loss(logits, torch.tensor([bound]), torch.tensor([bound]), divergence)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()


@given(st.floats(-20, 20), st.floats(0, 1), st.floats(0, 1), st.sampled_from(["mse", "kld"]))
def test_never_negative_and_zero_exactly_inside(value, a, b, divergence):
    lower, upper = min(a, b), max(a, b)
    logits = torch.tensor(value)
    loss = window_loss(logits, torch.tensor(lower), torch.tensor(upper), divergence).item()
    probability = torch.sigmoid(logits).item()
    # float32 rounds a few units in the last place around zero.
    assert loss >= -1e-6
    if torch.tensor(lower).item() <= probability <= torch.tensor(upper).item():
        assert loss == 0


@pytest.mark.parametrize("divergence", ["mse", "kld"])
def test_no_gradient_inside_and_a_pull_to_the_window_outside(divergence):
    logits = logit(torch.tensor([0.2, 0.6, 0.9])).requires_grad_()
    window_loss(logits, torch.full((3,), 0.5), torch.full((3,), 0.7), divergence).sum().backward()
    below, inside, above = logits.grad.tolist()
    assert below < 0
    assert inside == 0
    assert above > 0


def test_method_sums_the_mean_of_each_level():
    # No points, p = 0.5 everywhere: every cell costs ln 2, four levels cost 4 ln 2.
    method = WindowLoss(WindowLossConfig.model_validate({"input": {"size_px": 64}}))
    raw = [torch.zeros(1, 1, 64 // s, 64 // s) for s in (4, 8, 16, 32)]
    targets = Targets(["a"], torch.zeros(1), [torch.zeros(0, 2)], torch.tensor([True]))
    assert method.loss(raw, targets, (64, 64)).item() == pytest.approx(4 * math.log(2), abs=1e-6)


def test_radii_scale_with_the_input():
    # At 64 px of 1024 px the paper's r_l = 50 is 3.125 px, so the finest level (16 cells of 4 px) has its
    # lower bound near 1 only around the point; a prediction of 1 there and 0 elsewhere costs almost nothing.
    method = WindowLoss(WindowLossConfig.model_validate({"input": {"size_px": 64}, "loss": {"tau_px": 0}}))
    point = torch.tensor([[34.0, 34.0]])
    targets = Targets(["a"], torch.ones(1), [point], torch.tensor([True]))
    hit = torch.full((1, 1, 16, 16), -30.0)
    hit[0, 0, 8, 8] = 30.0
    miss = torch.full((1, 1, 16, 16), -30.0)
    assert method.loss([hit], targets, (64, 64)).item() < method.loss([miss], targets, (64, 64)).item() / 2


def test_score_is_the_maximum_of_the_averaged_levels():
    # Levels of constant p = 0.2, 0.4, 0.6, 0.8 average to 0.5.
    method = WindowLoss(WindowLossConfig())
    raw = [
        logit(torch.full((1, 1, 64 // s, 64 // s), p))
        for s, p in zip((4, 8, 16, 32), (0.2, 0.4, 0.6, 0.8), strict=True)
    ]
    decoded = method.decode(raw)
    assert decoded.heatmaps.shape == (1, 16, 16)
    assert decoded.scores.item() == pytest.approx(0.5, abs=1e-6)


def test_what_is_not_a_number_is_not_inside_the_window():
    loss = window_loss(torch.tensor([torch.nan]), torch.tensor([0.0]), torch.tensor([1.0]), "kld")
    assert torch.isnan(loss).all()


ROOT = Path(__file__).parents[2]
CONFIGS = [
    *sorted((ROOT / "configs/window-loss").glob("*.toml")),
    *sorted((ROOT / "src/crepitus/methods/window_loss/configs").glob("*.toml")),
]


def test_the_papers_file_says_what_the_defaults_are():
    path = next(path for path in CONFIGS if path.stem == "paper")
    written = load_config(WindowLossConfig, path).model_dump(exclude={"augmentation"})
    assert written == WindowLossConfig().model_dump(exclude={"augmentation"})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configurations_in_the_repository_are_valid(path):
    assert load_config(WindowLossConfig, path).training.epochs >= 1


def test_the_demo_network_is_small_and_has_four_levels():
    path = next(path for path in CONFIGS if path.stem == "demo")
    config = load_config(WindowLossConfig, path)
    network = WindowLoss(config).network(initialise=True)
    # Minutes on two cores of any kind allow for no more; ResNet-18 has 11 million.
    assert sum(p.numel() for p in network.parameters()) < 500_000
    side = config.input.size_px
    logits = network(torch.rand(2, 1, side, side))
    assert [tuple(level.shape) for level in logits] == [
        (2, 1, side // stride, side // stride) for stride in (4, 8, 16, 32)
    ]
