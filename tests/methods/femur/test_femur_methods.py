"""The six methods of paper 002: what each is made of, its limits, and what it learns from."""

import math
from importlib.resources import files

import pytest
import torch
from torch import nn

from crepitus.errors import TrainingError, WeightsError
from crepitus.methods.base import Targets
from crepitus.methods.config_file import load_config
from crepitus.methods.femur.alexnet import AlexConfig, alex_features
from crepitus.methods.femur.networks import ClassNetwork, HeadConfig
from crepitus.methods.femur.stl import FemurStl
from crepitus.methods.femur.stn import FemurStn
from crepitus.methods.femur.sup import FemurSup
from crepitus.methods.femur.transform import matrices, warp
from crepitus.methods.femur.whole import FemurLbm, FemurPooling, FemurUbm
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.parts.weights import save_weights
from crepitus.methods.registry import METHODS

CONFIGS = files("crepitus.methods.femur") / "configs"
FEMUR = [FemurLbm, FemurUbm, FemurSup, FemurStn, FemurStl, FemurPooling]
TINY = BackboneConfig(
    name="resnet10t", weights="random", options={"stem_width": 4, "channels": [8, 8, 16, 16]}
)


def method_of(kind, *overrides):
    return kind(load_config(kind.config_class, CONFIGS / f"{kind.name}-smoke.toml", overrides))


def network_of(method, seed=0):
    torch.manual_seed(seed)
    return method.network(initialise=True)


def noise(count=2, size=64, seed=0):
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def targets(classes, regions=None, size=64):
    count = len(classes)
    if regions is None:
        regions = [[size / 4, size / 4, size * 3 / 4, size * 3 / 4]] * count
    return Targets(
        image_ids=[str(k) for k in range(count)],
        labels=torch.full((count,), torch.nan),
        points=[torch.zeros(0, 2)] * count,
        place_known=torch.zeros(count, dtype=torch.bool),
        classes=torch.tensor(classes),
        regions=torch.tensor(regions, dtype=torch.float32),
    )


@pytest.mark.parametrize("kind", FEMUR, ids=lambda kind: kind.name)
@pytest.mark.parametrize("classes", [2, 3, 6, 7])
def test_answers_of_every_method_and_scenario(kind, classes):
    method = method_of(kind, f"classes={classes}")
    network = network_of(method)
    known = targets([0, 1])
    loss = method.loss(method.forward(network, noise(), known), known, (64, 64))
    loss.backward()
    assert torch.isfinite(loss)
    decoded = method.infer(network.eval(), noise(), known)
    assert tuple(decoded.class_scores) == method.class_names
    total = sum(decoded.class_scores.values())
    assert total.tolist() == pytest.approx([1, 1], abs=1e-5)
    normal = decoded.class_scores.get("N", torch.zeros(2))
    assert decoded.scores.tolist() == pytest.approx((1 - normal).tolist(), abs=1e-5)
    assert decoded.heatmaps.shape[0] == 2
    assert decoded.heatmaps.min() >= 0
    assert decoded.heatmaps.max() <= 1
    if kind is FemurUbm:
        assert decoded.boxes is None
    else:
        assert all(boxes.shape[1] == 5 for boxes in decoded.boxes)


@pytest.mark.parametrize("kind", FEMUR, ids=lambda kind: kind.name)
@pytest.mark.parametrize("scale", ["smoke", "cpu", "full", "paper"])
def test_the_configurations_are_valid(kind, scale):
    config = load_config(kind.config_class, CONFIGS / f"{kind.name}-{scale}.toml")
    assert config.classes == 3
    assert METHODS[kind.name].load() is kind


@pytest.mark.parametrize("kind", FEMUR, ids=lambda kind: kind.name)
def test_the_defaults_are_the_papers(kind):
    paper = load_config(kind.config_class, CONFIGS / f"{kind.name}-paper.toml")
    assert (paper.backbone.name, paper.backbone.weights) == ("resnet50", "imagenet")
    assert (paper.training.optimizer, paper.training.momentum, paper.training.batch_size) == ("sgd", 0.9, 64)
    assert paper.training.epochs == (200 if kind is FemurSup else 80)
    assert paper.training.select == "loss"
    rates = {FemurPooling: 1e-3}
    assert paper.training.learning_rate == rates.get(kind, 1e-2)


def test_images_without_a_class_do_not_count():
    method = method_of(FemurLbm)
    network = network_of(method).eval()
    both, one = targets([1, -1]), targets([1])
    images = noise()
    together = method.loss(method.forward(network, images, both), both, (64, 64))
    alone = method.loss(method.forward(network, images[:1], one), one, (64, 64))
    assert together.item() == pytest.approx(alone.item(), abs=1e-6)


def batches(*classes):
    return lambda: iter([(noise(len(part)), targets(part)) for part in classes])


def test_weights_are_counted_from_the_training_images():
    # 6 images: 3 of A, 2 of B, 1 of N; Z = 2: weights 2/3, 1, 2. p = 1/3 costs w ln 3.
    method = method_of(FemurLbm, "loss.weights=frequency")
    method.before_epoch(nn.Identity(), 0, batches([0, 0, 1], [0, 1, 2, -1]))
    raw = method.forward(network_of(method), noise(1), targets([2]))
    flat = raw._replace(image=torch.zeros(1, 3))
    assert method.loss(flat, targets([2]), (64, 64)).item() == pytest.approx(2 * math.log(3), abs=1e-5)
    assert method.loss(flat, targets([0]), (64, 64)).item() == pytest.approx(2 / 3 * math.log(3), abs=1e-5)


def test_a_class_without_training_images_ends_a_weighted_training():
    method = method_of(FemurLbm, "loss.weights=frequency")
    with pytest.raises(TrainingError, match="every class"):
        method.before_epoch(nn.Identity(), 0, batches([0, 1]))


def test_the_curriculum_asks_the_first_question_first():
    method = method_of(FemurLbm, "output=tree", "loss.curriculum_epochs=[2, 4]")
    # Logits: fracture, N, A, B. A wrong answer to "A or B?" costs nothing before epoch 2.
    raw = network_of(method)(noise(1))._replace(image=torch.tensor([[9.0, -9.0, -9.0, 9.0]]))
    losses = []
    for epoch in (0, 1, 2, 5):
        method.before_epoch(nn.Identity(), epoch, batches())
        losses.append(method.loss(raw, targets([0]), (64, 64)).item())
    assert losses == pytest.approx([0, 0, 18, 18], abs=1e-3)


def head_of(**options):
    torch.manual_seed(0)
    return ClassNetwork(TINY, HeadConfig(**options), 3).eval()


@pytest.mark.parametrize(("pooling", "sharpness"), [("avg", 1e-5), ("max", 1e5)])
def test_lse_pooling_has_average_and_maximum_as_limits(pooling, sharpness):
    options = {"transition_channels": 8, "level": 3}
    limit, lse = (
        head_of(pooling=pooling, **options),
        head_of(pooling="lse", lse_sharpness=sharpness, **options),
    )
    images = noise()
    assert torch.allclose(limit(images).image, lse(images).image, atol=1e-4)


def test_class_maps_are_prediction_weights_times_transition_maps():
    network = head_of(transition_channels=8, level=3)
    images = noise(1)
    maps = network.transition(network.backbone(images)[2])[0]
    weight, bias = network.head.classifier.weight[:, :, 0, 0], network.head.classifier.bias
    cells = network(images).cells[0]
    for c in range(3):
        expected = sum(weight[c, d] * maps[d] for d in range(8)) + bias[c]
        assert torch.allclose(cells[c], expected, atol=1e-5)
    # With average pooling the logit of the image is the mean of the map.
    assert torch.allclose(network(images).image[0], cells.mean(dim=(1, 2)), atol=1e-5)


@pytest.mark.parametrize("transform", ["similarity", "affine"])
def test_an_untrained_transformer_is_the_lower_bound(transform):
    method = method_of(FemurStn, f'localizer.transform="{transform}"')
    network = network_of(method).eval()
    raw = network(noise())
    assert torch.allclose(raw.logits.image, network.classifier(noise()).image, atol=1e-4)
    decoded = method.decode(raw)
    assert decoded.boxes[0][0, :4].tolist() == pytest.approx([0, 0, 64, 64])
    assert decoded.boxes[0][0, 4].item() == pytest.approx(decoded.scores[0].item())


def test_the_localiser_learns_through_the_class_loss_with_a_rate_of_its_own():
    method = method_of(FemurStn)
    network = network_of(method)
    known = targets([0, 1])
    method.loss(method.forward(network, noise(), known), known, (64, 64)).backward()
    assert network.localizer.regressor[-1].bias.grad.abs().sum() > 0
    groups = method.parameter_groups(network)
    assert groups[0]["lr"] == method.config.localizer.learning_rate
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    assert "lr" not in groups[1]


class _CentreIsBright(nn.Module):
    """Stands in for a classifier that has learnt what to look for: the middle of its crop."""

    def forward(self, crops):
        side = crops.shape[-1]
        y, x = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
        bright = (crops[:, 0] * torch.exp(-(x**2 + y**2) / 0.5)).mean(dim=(1, 2))
        return 10 * torch.stack([bright, torch.zeros_like(bright)], dim=1)


def test_the_class_loss_alone_moves_the_crop_to_what_matters():
    # Blobs at places that differ from image to image; the loss falls only when the crop is centred on them.
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    places = (torch.rand(8, 2, generator=generator) - 0.5) * 1.2
    images = torch.exp(-((x - places[:, 0, None, None]) ** 2 + (y - places[:, 1, None, None]) ** 2) / 0.1)[
        :, None
    ]
    network = network_of(method_of(FemurStn, "localizer.network.width=0.15", "localizer.hidden=32"))
    optimizer = torch.optim.Adam(network.localizer.parameters(), lr=1e-2)
    for _ in range(70):
        theta = matrices(network.localizer(images), "similarity")
        logits = _CentreIsBright()(warp(images, theta, (32, 32)))
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, torch.zeros(8, dtype=torch.long)).backward()
        optimizer.step()
    found = matrices(network.localizer(images), "similarity")[:, :, 2]
    before, after = places.norm(dim=1).mean(), (found - places).norm(dim=1).mean()
    assert after < 0.5 * before


def gradients(method, network, loss_of):
    network.zero_grad()
    known = targets([0, 1])
    loss_of(method, network, known).backward()
    return {n: None if p.grad is None else p.grad.clone() for n, p in network.named_parameters()}


@pytest.mark.parametrize(
    ("alpha", "alone", "other"),
    [(0, "classification", "localization"), (1, "localization", "classification")],
)
def test_the_limits_of_alpha_train_one_branch_as_if_it_were_alone(alpha, alone, other):
    method = method_of(FemurStl, f"stl.alpha={alpha}")
    network = network_of(method)
    method.before_epoch(network, 50, batches())

    def joint(method, network, known):
        torch.manual_seed(1)
        return method.loss(method.forward(network, noise(), known), known, (64, 64))

    def branch(method, network, known):
        del method
        torch.manual_seed(1)
        raw = network(noise())
        logits = raw.classification if alone == "classification" else raw.localization.image
        return nn.functional.cross_entropy(logits, known.classes)

    together, single = gradients(method, network, joint), gradients(method, network, branch)
    for name, gradient in together.items():
        if name.startswith(other):
            assert gradient is None or gradient.abs().sum() == 0
        elif single[name] is not None:
            assert torch.allclose(gradient, single[name], atol=1e-6), name
    assert any(g is not None and g.abs().sum() > 0 for n, g in together.items() if n.startswith("shared"))


def test_between_its_limits_alpha_mixes_the_losses_and_is_complemented():
    method = method_of(FemurStl, "stl.alpha=0.3", "stl.complement_epoch=2")
    network = network_of(method)
    known = targets([0, 1])
    raw = network(noise())
    first = nn.functional.cross_entropy(raw.classification, known.classes).item()
    second = nn.functional.cross_entropy(raw.localization.image, known.classes).item()
    for epoch, alpha in ((1, 0.3), (2, 0.7)):
        method.before_epoch(network, epoch, batches())
        expected = (1 - alpha) * first + alpha * second
        assert method.loss(raw, known, (64, 64)).item() == pytest.approx(expected, abs=1e-5)
    # Epochs are compared by the branch that answers, whatever alpha is.
    assert method.loss(raw._replace(training=False), known, (64, 64)).item() == pytest.approx(first, abs=1e-5)


def test_the_upper_bound_sees_the_region_and_nothing_else():
    method = method_of(FemurUbm)
    network = network_of(method).eval()
    inside = noise()
    outside = inside.clone()
    outside[:, :, :8] = 0
    known = targets([0, 1], [[16, 16, 48, 48]] * 2)
    one, other = (method.forward(network, images, known).logits.image for images in (inside, outside))
    assert torch.allclose(one, other, atol=1e-6)
    decoded = method.decode(method.forward(network, inside, known))
    assert decoded.heatmaps[:, :2].abs().max() == 0
    assert decoded.heatmaps[:, 4, 4].min() > 0
    assert decoded.boxes is None


def test_the_upper_bound_cannot_answer_without_a_region():
    method = method_of(FemurUbm)
    network = network_of(method).eval()
    known = targets([0, 1], [[16, 16, 48, 48], [math.nan] * 4])
    raw = method.forward(network, noise(), known)
    assert method.decode(raw).assessable.tolist() == [True, False]
    alone = targets([0])
    expected = method.loss(method.forward(network, noise()[:1], alone), alone, (64, 64))
    assert method.loss(raw, known, (64, 64)).item() == pytest.approx(expected.item(), abs=1e-5)


def test_the_box_regressor_learns_from_the_box_alone():
    method = method_of(FemurSup)
    network = network_of(method)
    known = targets([0, 1])
    raw = method.forward(network, noise(), known)
    method._class_loss(raw.logits.image, known).backward()
    assert all(p.grad is None for p in network.localizer.parameters())
    # In training the annotated crop is classified, in evaluation the predicted one: the identity at first.
    assert raw.theta[0].tolist() == [[0.5, 0, 0], [0, 0.5, 0]]
    answer = method.forward(network.eval(), noise(), known)
    assert answer.theta[0].tolist() == [[1, 0, 0], [0, 1, 0]]
    # 1/2 (0 + 0 + (1 - 0.5)^2).
    raw = raw._replace(logits=None)
    assert method.loss(raw, known, (64, 64)).item() == pytest.approx(0.125)
    pixels = method_of(FemurSup, "unit=pixel")
    assert pixels.loss(raw, known, (64, 64)).item() == pytest.approx(0.125 * 32**2)


def finished_run(folder, classes=3):
    """A run folder of femur-ubm with random weights."""
    method = method_of(FemurUbm, f"classes={classes}")
    network = network_of(method, seed=7)
    folder.mkdir()
    digest = save_weights(folder / "weights.safetensors", network.state_dict())
    (folder / "model.json").write_text(
        f'{{"method": "femur-ubm", "weights": "weights.safetensors", "sha256": "{digest}", '
        f'"config": {{"classes": {classes}}}}}'
    )
    return network


def test_the_classifier_of_a_finished_run_is_used_as_it_is(tmp_path):
    trained = finished_run(tmp_path / "run")
    method = method_of(FemurSup, f'classifier.run="{tmp_path / "run"}"')
    network = network_of(method).train()
    for name, weights in network.classifier.state_dict().items():
        assert torch.equal(weights, trained.state_dict()[name])
    assert not network.classifier.training
    assert not any(p.requires_grad for p in network.classifier.parameters())
    known = targets([0, 1])
    raw = method.forward(network, noise(), known)
    assert raw.logits is None
    assert method.loss(raw, known, (64, 64)).item() == pytest.approx(0.125)
    assert len(method.parameter_groups(network)) == 1


def test_a_run_that_does_not_fit_is_refused(tmp_path):
    finished_run(tmp_path / "two", classes=2)
    with pytest.raises(WeightsError, match="with 3 classes, got femur-ubm with 2"):
        network_of(method_of(FemurSup, f'classifier.run="{tmp_path / "two"}"'))
    with pytest.raises(WeightsError, match="finished femur-ubm run"):
        network_of(method_of(FemurSup, f'classifier.run="{tmp_path / "none"}"'))


def test_alexnet_takes_weights_in_torchvisions_names_and_refuses_others(tmp_path):
    source = alex_features(AlexConfig(width=0.1, weights="random"), final_pool=True, initialise=True)
    file = tmp_path / "alex.safetensors"
    save_weights(file, {**source.state_dict(), "classifier.6.bias": torch.zeros(3)})
    loaded = alex_features(AlexConfig(width=0.1, weights=str(file)), final_pool=True, initialise=True)
    assert torch.equal(loaded(noise()), source(noise()))
    with pytest.raises(WeightsError, match="not those of AlexNet"):
        alex_features(AlexConfig(width=0.2, weights=str(file)), final_pool=True, initialise=True)


def test_alexnet_is_torchvisions():
    from torchvision.models import alexnet

    ours, theirs = alex_features(AlexConfig(weights="random"), final_pool=True, initialise=False), alexnet()
    ours.load_state_dict({n: p for n, p in theirs.state_dict().items() if n.startswith("features.")})
    images = noise(1)
    normalised = (images - ours.mean) / ours.std
    assert torch.allclose(ours(images), theirs.features(normalised), atol=1e-5)
