"""Baselines: losses and answers of the classifiers, and what the detectors learn from points."""

from pathlib import Path

import pytest
import torch

import crepitus.methods
from crepitus.errors import ConfigError
from crepitus.methods.base import Targets
from crepitus.methods.baselines.classifier import CheXNet, ResNet18Gap, ResNet18Lse, UfDet, Wspl
from crepitus.methods.baselines.detector import DetectorRaw, FasterRcnn, Fcos, RetinaNet
from crepitus.methods.config_file import load_config
from crepitus.methods.parts.cam import MapLogits
from reference import pooling

NET = ("backbone.name=test_resnet", "backbone.weights=random", "input.size_px=64")
CLASSIFIERS = [CheXNet, Wspl, UfDet, ResNet18Gap, ResNet18Lse]
DETECTORS = [FasterRcnn, RetinaNet, Fcos]


SHIPPED = sorted((Path(crepitus.methods.__file__).parent / "baselines" / "configs").glob("*.toml"))


def build(method, *overrides):
    return method(load_config(method.config_class, None, (*NET, *overrides)))


def targets(labels, points=None, place_known=None):
    count = len(labels)
    return Targets(
        image_ids=[str(k) for k in range(count)],
        labels=torch.tensor(labels),
        points=points or [torch.zeros(0, 2)] * count,
        place_known=torch.ones(count, dtype=torch.bool) if place_known is None else torch.tensor(place_known),
    )


@pytest.mark.parametrize(
    ("method", "backbone"),
    [(CheXNet, "densenet121"), (Wspl, "densenet121"), (UfDet, "densenet121"), (ResNet18Lse, "resnet18")],
)
def test_backbones_are_those_of_paper_003(method, backbone):
    assert method.config_class().backbone.name == backbone


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(path):
    method = next(m for m in (*CLASSIFIERS, *DETECTORS) if path.stem.startswith(f"{m.name}-"))
    config = load_config(method.config_class, path)
    if config.backbone.weights == "random":
        method(config).network(initialise=True)


@pytest.mark.parametrize("method", CLASSIFIERS)
def test_classifiers_answer_with_a_score_and_a_map(method):
    torch.manual_seed(0)
    built = build(method)
    network = built.network(initialise=True)
    raw = network(torch.rand(3, 1, 64, 64))
    decoded = built.decode(raw)
    assert decoded.scores.shape == (3,)
    assert decoded.heatmaps.shape == (3, 2, 2)
    assert torch.allclose(decoded.heatmaps, torch.sigmoid(raw.cells[:, 0]))
    loss = built.loss(raw, targets([1.0, 0.0, torch.nan]), (64, 64))
    loss.backward()
    assert torch.isfinite(loss)


def test_scores_of_pooled_features_are_probabilities_of_the_image():
    raw = MapLogits(torch.tensor([[[[3.0, -3.0]]]]), torch.tensor([[0.0]]))
    assert build(CheXNet).decode(raw).scores.tolist() == [0.5]
    # sigmoid(3) = 0.952574: the maximum of the map.
    assert build(UfDet).decode(raw).scores.item() == pytest.approx(0.952574, abs=1e-5)


def test_loss_of_ufdet_by_hand():
    raw = MapLogits(torch.logit(torch.tensor([[[[0.9, 0.1]]]])), torch.zeros(1, 1))
    pooled = pooling.lse([0.9, 0.1], 10)
    # ln((e^9 + e^1) / 2) / 10 = 0.830719; -ln 0.830719 = 0.185464.
    assert pooled == pytest.approx(0.830719, abs=1e-5)
    assert build(UfDet).loss(raw, targets([1.0]), (64, 64)).item() == pytest.approx(0.185464, abs=1e-4)


def test_sharpness_is_that_of_the_configuration():
    raw = MapLogits(torch.logit(torch.tensor([[[[0.9, 0.1]]]])), torch.zeros(1, 1))
    mean = build(UfDet, "pooling.sharpness=0").loss(raw, targets([1.0]), (64, 64))
    # The mean is 0.5; -ln 0.5 = 0.693147.
    assert mean.item() == pytest.approx(0.693147, abs=1e-4)


@pytest.mark.parametrize("method", DETECTORS)
def test_detectors_train_on_boxes_and_answer_with_them(method):
    torch.manual_seed(0)
    built = build(method, "pyramid.channels=32", "boxes.heatmap_stride=4")
    network = built.network(initialise=True)
    images = torch.rand(2, 1, 64, 64)
    known = targets([1.0, 0.0], [torch.tensor([[20.0, 30.0]]), torch.zeros(0, 2)])
    loss = built.loss(built.forward(network.train(), images, known), known, (64, 64))
    loss.backward()
    assert torch.isfinite(loss)
    with torch.no_grad():
        raw = built.forward(network.eval(), images, known)
    decoded = built.decode(raw)
    assert decoded.heatmaps.shape == (2, 16, 16)
    for number in range(2):
        assert decoded.scores[number] == decoded.boxes[number][:, 4].max()
        assert decoded.scores[number] >= decoded.heatmaps[number].max()
    assert torch.isfinite(built.loss(raw, known, (64, 64)))


def test_boxes_scale_with_the_input(monkeypatch):
    built = build(RetinaNet, "pyramid.channels=16")
    network = built.network(initialise=True).train()
    seen = []
    monkeypatch.setattr(network, "losses", lambda images, boxes: seen.append(boxes) or {"x": images.sum()})
    known = targets([1.0], [torch.tensor([[30.0, 30.0]])])
    built.forward(network, torch.rand(1, 1, 64, 64), known)
    # 200 px of 1024 are 12.5 px of 64.
    assert seen[0][0].tolist() == [[23.75, 23.75, 36.25, 36.25]]


def test_a_fracture_at_an_unknown_place_is_not_learned_as_background(monkeypatch):
    built = build(RetinaNet, "pyramid.channels=16")
    network = built.network(initialise=True).train()
    seen = []
    monkeypatch.setattr(
        network, "losses", lambda images, boxes: seen.append(len(images)) or {"x": images.sum()}
    )
    some = targets([1.0, 0.0], place_known=[False, True])
    built.forward(network, torch.rand(2, 1, 64, 64), some)
    assert seen == [1]
    none = targets([1.0, 1.0], place_known=[False, False])
    loss = built.loss(built.forward(network, torch.rand(2, 1, 64, 64), none), none, (64, 64))
    loss.backward()
    assert loss.item() == 0
    assert seen == [1]


def test_an_image_without_boxes_scores_zero():
    raw = DetectorRaw((64, 64), found=[torch.zeros(0, 5), torch.tensor([[0.0, 0, 32, 64, 0.25]])])
    decoded = build(RetinaNet).decode(raw)
    assert decoded.scores.tolist() == [0, 0.25]
    assert not decoded.heatmaps[0].any()
    assert decoded.heatmaps[1].mean() == pytest.approx(0.125)


def test_fcos_refuses_channels_that_its_groups_do_not_divide():
    with pytest.raises(ConfigError, match="multiple of 32"):
        build(Fcos, "pyramid.channels=48")
