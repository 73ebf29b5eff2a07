"""The wrist methods: loss by hand, statistics before the first epoch, configurations, and that they learn."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import crepitus.methods.wrist
from crepitus.errors import ConfigError
from crepitus.methods.base import Targets
from crepitus.methods.config_file import load_config
from crepitus.methods.parts.label_loss import label_loss
from crepitus.methods.registry import METHODS

NAMES = [name for name in METHODS if name.startswith("wrist-")]
CONFIGS = Path(crepitus.methods.wrist.__file__).parent / "configs"


def smoke(name, *overrides):
    """The method as its smoke configuration describes it."""
    method = METHODS[name].load()
    return method(load_config(method.config_class, CONFIGS / f"{name}-smoke.toml", overrides))


def batch(count=8, shape=(64, 48), seed=0):
    """Every second image with a bright bar is positive; two images a study."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.4 * torch.rand(count, 1, *shape, generator=generator)
    labels = torch.tensor([float(k // 2 % 2) for k in range(count)])
    images[labels == 1, :, 20:26] = 1.0
    study = torch.tensor([k // 2 for k in range(count)])
    return images, replace(Targets.unknown([f"i{k}" for k in range(count)]), labels=labels, study=study)


def test_there_are_five():
    assert sorted(NAMES) == [
        "wrist-aggregator",
        "wrist-attention",
        "wrist-resnet18",
        "wrist-rx",
        "wrist-vit",
    ]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_configuration_is_valid_and_its_network_fits_its_input(path):
    name, _, scale = path.stem.rpartition("-")
    method = METHODS[name].load()
    config = load_config(method.config_class, path)
    assert config.training.sampling == "opposite-counts"
    if scale in ("smoke", "cpu"):
        method(config).network(initialise=False)


@pytest.mark.parametrize("name", NAMES)
def test_a_few_steps_lower_the_loss_and_the_statistics_are_those_of_the_images(name):
    torch.manual_seed(0)
    method = smoke(name)
    network = method.network(initialise=True)
    images, targets = batch()
    figures = method.before_epoch(network, 0, lambda: [(images[:4], targets), (images[4:], targets)])
    assert figures["grey_mean"] == pytest.approx(float(images.mean()), abs=1e-5)
    assert figures["grey_std"] == pytest.approx(float(images.std(correction=0)), abs=1e-5)
    assert method.before_epoch(network, 1, lambda: [(images * 0, targets)]) == {}
    optimizer = torch.optim.Adam(method.parameter_groups(network), lr=3e-3)
    losses = []
    for _ in range(40):
        loss = method.loss(method.forward(network, images, targets), targets, (64, 48))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_probabilities_of_images_and_of_studies(name):
    method = smoke(name)
    network = method.network(initialise=True).eval()
    images, targets = batch(6)
    decoded = method.infer(network, images, targets)
    assert decoded.scores.shape == (6,)
    assert 0 <= float(decoded.scores.min()) <= float(decoded.scores.max()) <= 1
    assert decoded.heatmaps is None
    if name == "wrist-aggregator":
        assert decoded.study_scores.shape == (3,)
    else:
        assert decoded.study_scores is None


def test_the_aggregator_learns_the_label_of_the_study():
    method = smoke("wrist-aggregator")
    network = method.network(initialise=True).eval()
    images, targets = batch(4)
    raw = method.forward(network, images, targets)
    # Study 0 is negative; in study 1 one image is positive and one unknown: positive.
    partly = replace(targets, labels=torch.tensor([0.0, 0.0, 1.0, math.nan]))
    expected = label_loss(raw.studies, torch.tensor([0.0, 1.0]))
    assert float(method.loss(raw, partly, (64, 48))) == pytest.approx(float(expected))
    # A negative image beside an unknown one: nobody knows.
    nobody = replace(targets, labels=torch.tensor([0.0, math.nan, 1.0, 0.0]))
    expected = label_loss(raw.studies, torch.tensor([math.nan, 1.0]))
    assert float(method.loss(raw, nobody, (64, 48))) == pytest.approx(float(expected))


def test_the_view_model_may_learn_more_slowly_or_not_at_all():
    groups = smoke("wrist-aggregator", "views_rate=0.1").parameter_groups
    network = smoke("wrist-aggregator").network(initialise=True)
    assert [group["lr"] for group in groups(network)] == [pytest.approx(1e-3), pytest.approx(1e-4)]
    frozen = smoke("wrist-aggregator", "views.frozen=true")
    assert len(frozen.parameter_groups(frozen.network(initialise=True))) == 1


@pytest.mark.parametrize("name", ["wrist-rx", "wrist-aggregator"])
def test_an_input_that_the_blocks_use_up_is_refused(name):
    # 64 x 48 without padding: 23, 10, 4, 1, 0 columns.
    method = smoke(name, "rx.padded=false", "rx.channels=[4,4,4,4,4]")
    with pytest.raises(ConfigError, match="block 5 leaves"):
        method.network(initialise=True)
