"""The method roi-mining: its two stages, the losses by hand, chained answers, and what an epoch mines."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import crepitus.methods.roi_mining
from crepitus.errors import ConfigError, WeightsError
from crepitus.methods.base import Targets
from crepitus.methods.baselines.classifier import UfDet
from crepitus.methods.config_file import load_config
from crepitus.methods.parts.weights import save_weights
from crepitus.methods.roi_mining.epoch import ImageMap, MinedImage, mine_epoch, threshold_of
from crepitus.methods.roi_mining.method import RoiMining
from crepitus.methods.roi_mining.network import Chained, MinedLogits

TINY = (
    "backbone.name=test_resnet",
    "backbone.weights=random",
    "second.name=test_resnet",
    "second.weights=random",
    "input.size_px=96",
    "mining.region_px=320.3333",
    "mining.start_epoch=1",
    "training.epochs=2",
)


def build(*overrides):
    return RoiMining(load_config(RoiMining.config_class, None, (*TINY, *overrides)))


def batch(count=4, size=96):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 1, size, size, generator=generator)
    return images, Targets(
        image_ids=[f"i{k}" for k in range(count)],
        labels=torch.arange(count) % 2 * 1.0,
        points=[torch.tensor([[48.0, 48.0]]) if k % 2 else torch.zeros(0, 2) for k in range(count)],
        place_known=torch.ones(count, dtype=torch.bool),
        classes=torch.tensor([-1, 0] * (count // 2)),
        views=torch.eye(2, 3).expand(count, 2, 3),
    )


@pytest.mark.parametrize("scale", ["paper", "full", "cpu", "smoke"])
def test_shipped_configurations_are_valid(scale):
    folder = Path(crepitus.methods.roi_mining.__file__).parent / "configs"
    config = load_config(RoiMining.config_class, folder / f"{scale}.toml")
    if config.backbone.weights == "random":
        RoiMining(config).network(initialise=True)
    if scale == "paper":
        # Section 3: both stages 100 epochs, batch 8, 1e-5; defaults and file agree.
        assert config == RoiMining.config_class.model_validate(
            {
                "training": {**config.training.model_dump()},
                "augmentation": {**config.augmentation.model_dump()},
            }
        )


def test_lengths_scale_with_the_input():
    config = build().config
    # 320.3333 px of 961 are 32 px of 96.
    assert config.region_px == pytest.approx(32, abs=1e-3)
    assert config.region_input_px == 32


def test_refuses_a_run_without_a_second_stage():
    with pytest.raises(ConfigError, match="start_epoch"):
        build("mining.start_epoch=2")
    with pytest.raises(ConfigError, match="first_weights"):
        build("mining.start_epoch=0")


def test_starts_from_a_trained_first_stage(tmp_path):
    trained = UfDet(load_config(UfDet.config_class, None, TINY[:2])).network(initialise=True)
    save_weights(tmp_path / "first.safetensors", trained.state_dict())
    method = build("mining.start_epoch=0", f"mining.first_weights={tmp_path / 'first.safetensors'}")
    assert method.stage_starts == ()
    network = method.network(initialise=True)
    for name, value in trained.state_dict().items():
        assert torch.equal(network.first.state_dict()[name], value)
    # A model that is loaded needs the file no more.
    (tmp_path / "first.safetensors").unlink()
    method.network(initialise=False)
    wrong = build("mining.start_epoch=0", f"mining.first_weights={tmp_path / 'first.safetensors'}")
    with pytest.raises(WeightsError):
        wrong.network(initialise=True)


def test_both_stages_train_one_after_the_other():
    torch.manual_seed(0)
    method = build("kinds.column=region")
    network = method.network(initialise=True).train()
    images, targets = batch()
    assert method.before_epoch(network, 0, lambda: [(images, targets)]) == {}
    raw = method.forward(network, images, targets)
    assert isinstance(raw, Chained)
    method.loss(raw, targets, (96, 96)).backward()
    assert all(p.grad is None for p in network.second.parameters())
    network.zero_grad()

    figures = method.before_epoch(network, 1, lambda: [(images, targets)])
    # Two negative images give five regions each; two positives at least one each, as p-hat lies below them.
    assert figures["mined_hard_negatives"] + figures["mined_random"] == 10
    assert figures["mined_positives"] >= 2
    raw = method.forward(network, images, targets)
    assert isinstance(raw, MinedLogits)
    assert len(raw.labels) == 10 + figures["mined_positives"]
    assert (raw.kinds_true[raw.labels == 1] == 0).all()
    assert (raw.kinds_true[raw.labels == 0] == -1).all()
    method.loss(raw, targets, (96, 96)).backward()
    assert all(p.grad is None for p in network.first.parameters())
    assert network.second.head.classifier.weight.grad.abs().sum() > 0

    decoded = method.decode(method.forward(network.eval(), images, targets))
    assert set(decoded.class_scores) == {"hip", "pelvis"}
    assert torch.allclose(sum(decoded.class_scores.values()), decoded.scores, atol=1e-6)


def test_maps_are_taken_once_and_a_fresh_method_draws_the_same_regions():
    torch.manual_seed(0)
    method, again = build("training.epochs=9"), build("training.epochs=9")
    network = method.network(initialise=True)
    calls = []

    def images():
        calls.append(1)
        return [batch()]

    for epoch in (1, 2, 3):
        method.before_epoch(network, epoch, images)
    assert len(calls) == 1
    again.before_epoch(network, 3, images)
    for image_id, mined in method._mined.items():
        assert np.array_equal(mined.centres, again._mined[image_id].centres)


def test_chained_score_by_hand():
    method = build("kinds.column=region")
    cells = torch.logit(torch.tensor([[[0.1, 0.8], [0.3, 0.2]]]))
    decoded = method.decode(
        Chained(cells, torch.logit(torch.tensor([0.5])), torch.tensor([[math.log(3), 0.0]]))
    )
    # 0.8 times 0.5; of it 3 / 4 hip.
    assert decoded.scores.item() == pytest.approx(0.4, abs=1e-6)
    assert decoded.class_scores["hip"].item() == pytest.approx(0.3, abs=1e-6)
    assert decoded.heatmaps.max() == decoded.scores[0]
    assert method.decode(Chained(cells)).scores.item() == pytest.approx(0.8, abs=1e-6)


def test_losses_by_hand():
    method = build("kinds.column=region", "kinds.weight=0.5")
    raw = MinedLogits(
        fracture=torch.logit(torch.tensor([0.8, 0.4])),
        kinds=torch.tensor([[0.0, 0.0], [5.0, 0.0]]),
        labels=torch.tensor([1.0, 0.0]),
        kinds_true=torch.tensor([1, -1]),
    )
    # (-ln 0.8 - ln 0.6) / 2 = 0.366985 for the fracture, 0.5 ln 2 = 0.346574 for the kind of the first.
    expected = 0.366985 + 0.346574
    assert method.loss(raw, batch()[1], (96, 96)).item() == pytest.approx(expected, abs=1e-5)


def test_the_threshold_is_chosen_from_positive_images_alone():
    def image(peak, label):
        return ImageMap(np.array([[peak, 0.0]], np.float32), label, np.zeros((0, 2)), True, (32, 64))

    maps = {"a": image(0.5, 1.0), "b": image(0.1, 0.0), "c": image(0.7, 1.0), "d": image(0.2, math.nan)}
    threshold = threshold_of(maps, 0.99)
    assert threshold == pytest.approx(0.5, rel=1e-6)
    mined, figures = mine_epoch(maps, threshold=threshold, count=1, side_px=32.0, seed=0, epoch=0)
    # The negative image has no cell above p-hat; the one without a label gives nothing.
    assert figures["mined_positives"] == 2
    assert (figures["mined_hard_negatives"], figures["mined_random"]) == (0, 1)
    assert len(mined["d"].centres) == 0
    # The positive images are annotated, without a point in their regions.
    assert figures["mined_accuracy"] == 0


def test_accuracy_is_undefined_without_known_places():
    maps = {"a": ImageMap(np.ones((1, 1), np.float32), 1.0, np.zeros((0, 2)), False, (32, 32))}
    _, figures = mine_epoch(maps, threshold=0.5, count=1, side_px=32.0, seed=0, epoch=0)
    assert math.isnan(figures["mined_accuracy"])


def test_regions_follow_their_image_through_a_view():
    mined = MinedImage(np.array([[10.0, 20.0], [90.0, 20.0]]), 8.0, 1)
    flip = np.array([[-1.0, 0, 100], [0, 1, 5]], np.float32)
    # x becomes 100 - x, y becomes y + 5.
    assert mined.seen_in(flip, (100, 100)).boxes.tolist() == [[86, 21, 94, 29], [6, 21, 14, 29]]
    shift = np.array([[1.0, 0, -50], [0, 1, 0]], np.float32)
    # The first centre, at x = -40, left the view.
    assert mined.seen_in(shift, (100, 100)).boxes.tolist() == [[36, 16, 44, 24]]


def test_kinds_come_from_the_configured_column():
    method = build("kinds.column=region")
    assert method.class_names == ("hip", "pelvis")
    assert method.class_column == "region"
    assert method.class_of({"region": "pelvis"}) == "pelvis"
    assert method.class_of({"region": None}) is None
    assert method.class_of({"region": "wrist"}) is None
    assert build().class_names == ()
    with pytest.raises(ConfigError, match="two different names"):
        build("kinds.column=region", 'kinds.names=["hip"]')
