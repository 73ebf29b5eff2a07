"""Landmark detectors: parts by hand, losses by hand, equivariance under flips, learning on bright marks."""

import math

import pytest
import torch

from crepitus.methods.base import Targets
from crepitus.methods.landmarks.graph import (
    GraphConvolution,
    GraphLandmarks,
    node_features,
    perspective_map,
)
from crepitus.methods.landmarks.heatmap import gaussian_targets, map_loss, peak_and_spread
from crepitus.methods.landmarks.loss import distance_loss, mean_of, perspective_loss, spread_loss
from crepitus.methods.landmarks.method import HeatmapLandmarksMethod, Landmarks, LandmarksConfig
from crepitus.methods.parts.backbone import BackboneConfig

NAMES = ["a-L", "a-R", "b-L", "b-R"]
TINY = {
    "backbone": {"name": "test_resnet", "weights": "random"},
    "input": {"size_px": 64},
    "detector": {"names": NAMES, "channels": 8, "hidden": 16, "depth": 1, "local_steps": 2},
}
METHODS = [Landmarks, HeatmapLandmarksMethod]


def method_of(kind, **changes):
    return kind(LandmarksConfig.model_validate({**TINY, **changes}))


def marked(count, seed=0):
    """Images with four bright spots of different size, mirrored pairs, and where they are."""
    generator = torch.Generator().manual_seed(seed)
    centre = 32 + (torch.rand(count, 1, 2, generator=generator) - 0.5) * 12
    offsets = torch.tensor([[12.0, -10.0], [-12.0, -10.0], [8.0, 12.0], [-8.0, 12.0]])
    landmarks = centre + offsets
    y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    grid = torch.stack([x, y], -1)
    size = torch.tensor([3.0, 3.0, 1.5, 1.5])
    squared = (grid - landmarks[:, :, None, None]).square().sum(-1)
    images = torch.exp(-squared / (2 * size[:, None, None] ** 2)).sum(1, keepdim=True).clamp(0, 1)
    return images, Targets(
        [str(k) for k in range(count)],
        torch.zeros(count),
        [],
        torch.ones(count).bool(),
        landmarks=landmarks,
        views=torch.eye(2, 3).expand(count, 2, 3),
    )


def test_graph_convolution_by_hand():
    layer = GraphConvolution(2, 1, 1)
    with torch.no_grad():
        layer.own.weight.fill_(2.0)
        layer.own.bias.fill_(1.0)
        layer.others.weight.fill_(10.0)
        # Row 0 looks at node 1 alone, row 1 at both alike.
        layer.adjacency.copy_(torch.tensor([[-100.0, 100.0], [0.0, 0.0]]))
    # Node 0: 2 * 3 + 1 + 10 * 5 = 57. Node 1: 2 * 5 + 1 + 10 * (3 + 5) / 2 = 51.
    assert layer(torch.tensor([[[3.0], [5.0]]])).flatten().tolist() == pytest.approx([57, 51])


def test_perspective_by_hand():
    at = torch.tensor([[[0.7, 0.9]]])
    # About the middle (.2, .4): x' = (1.5 * .2 + .1) / (1 + .5 * .4) = .4 / 1.2, y' = .4 / 1.2.
    parameters = torch.tensor([[0.5, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.5]])
    assert perspective_map(parameters, at)[0, 0].tolist() == pytest.approx([0.5 + 1 / 3, 0.5 + 1 / 3])
    assert torch.allclose(perspective_map(torch.zeros(1, 8), at), at)


def test_nodes_read_the_pyramid_where_they_are():
    x = (torch.arange(8) + 0.5) / 8
    level = x.expand(1, 1, 8, 8)
    features = node_features([level], torch.tensor([[[0.3, 0.5], [0.8, 0.1]]]))
    assert features.shape == (1, 2, 1 + 4)
    assert features[0, :, 0].tolist() == pytest.approx([0.3, 0.8], abs=1e-6)
    # Node 0 sees itself at (0, 0) and node 1 at twice (.5, -.4).
    assert features[0, 0, 1:].tolist() == pytest.approx([0, 0, 1.0, -0.8])


def test_untrained_graph_stays_at_the_mean_shape():
    network = GraphLandmarks(
        BackboneConfig(name="test_resnet", weights="random"),
        nodes=3,
        channels=8,
        hidden=8,
        depth=1,
        local_steps=2,
    )
    raw = network(torch.rand(2, 1, 64, 64))
    assert len(raw.steps) == 3
    assert all(torch.allclose(step, torch.full_like(step, 32.0)) for step in raw.steps)


def test_peak_and_spread_by_hand():
    maps = torch.full((1, 1, 8, 8), -50.0)
    maps[0, 0, 2, 3] = maps[0, 0, 2, 4] = 0.0
    # Two equal neighbours, cells of 4 px: centres x = 14 and 18, y = 10; variance 4 along x, 0 along y.
    at, log_sd = peak_and_spread(maps, (32, 32))
    assert at[0, 0].tolist() == pytest.approx([16, 10], abs=1e-4)
    assert log_sd.exp().item() == pytest.approx(math.sqrt(2), abs=1e-4)
    # A second peak far away does not move the position, but the uncertainty knows it.
    maps[0, 0, 7, 0] = 0.0
    moved, unsure = peak_and_spread(maps, (32, 32))
    assert moved[0, 0].tolist() == pytest.approx([16, 10], abs=1e-4)
    assert unsure.item() > log_sd.item() + 1


def test_wanted_maps_add_up_to_one_with_their_mean_at_the_landmark():
    wanted = gaussian_targets(torch.tensor([[[18.0, 13.0]]]), (16, 16), (32, 32), 3.0)
    assert wanted.sum().item() == pytest.approx(1)
    x = (torch.arange(16) + 0.5) * 2
    assert (wanted[0, 0].sum(0) * x).sum().item() == pytest.approx(18, abs=0.01)
    # The cross-entropy is least for the wanted distribution itself.
    logits = torch.log(wanted.clamp_min(1e-30))
    assert map_loss(logits, wanted).item() < map_loss(logits * 0.9, wanted).item()


def test_losses_by_hand():
    found = torch.tensor([[[3.0, 4.0], [0.0, 0.0]]])
    truth = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])
    known = torch.tensor([[True, False]])
    # (3 + 4) / 2 = 3.5 px, in units of 10 px.
    assert distance_loss(found, truth, 10.0)[0, 0].item() == pytest.approx(0.35)
    assert perspective_loss(found, truth, known, 10.0, 0.1).item() == pytest.approx(0.25)
    assert perspective_loss(found, truth, known, 10.0, 0.5).item() == 0
    # |e|^2 = 25, s = 5: 25 / 25 / 2 + 2 ln 5.
    spread = spread_loss(torch.full((1, 2), math.log(5)), found, truth)
    assert spread[0, 0].item() == pytest.approx(0.5 + 2 * math.log(5))
    assert mean_of(torch.tensor([[2.0, torch.nan]]), known).item() == 2


def test_uncertainty_is_best_at_the_error_and_leaves_positions_alone():
    found = torch.tensor([[[3.0, 4.0]]], requires_grad=True)
    log_sd = torch.tensor([[0.5 * math.log(12.5)]], requires_grad=True)
    spread_loss(log_sd, found, torch.zeros(1, 1, 2)).sum().backward()
    assert log_sd.grad.item() == pytest.approx(0, abs=1e-5)
    assert found.grad is None


@pytest.mark.parametrize("kind", METHODS)
def test_unknown_landmarks_give_no_gradient_and_no_nan(kind):
    method = method_of(kind)
    torch.manual_seed(0)
    network = method.network(initialise=True)
    images, targets = marked(2)
    gone = targets.landmarks.clone()
    gone[0] = torch.nan
    gone[1, 2] = torch.nan
    loss = method.loss(network(images), Targets(**{**vars(targets), "landmarks": gone}), (64, 64))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("kind", METHODS)
def test_flipped_image_gives_flipped_landmarks(kind):
    method = method_of(kind, inference={"flip_average": True})
    torch.manual_seed(0)
    network = method.network(initialise=True).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    network.mean_shape.copy_(torch.tensor([[0.7, 0.3], [0.3, 0.3], [0.6, 0.7], [0.4, 0.7]]))
    images, _ = marked(2)
    here = method.infer(network, images).landmarks
    there = method.infer(network, images.flip(-1)).landmarks
    back = torch.cat([64 - there[..., :1], there[..., 1:]], dim=-1)[:, [1, 0, 3, 2]]
    assert torch.allclose(here, back, atol=1e-3)


@pytest.mark.parametrize("kind", METHODS)
def test_learns_bright_marks_and_how_unsure_it_is(kind):
    method = method_of(kind, training={"learning_rate": 3e-3})
    torch.manual_seed(0)
    network = method.network(initialise=True).train()
    images, targets = marked(24)
    method.before_epoch(network, 0, lambda: [(images, targets)])
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    before = (network(images).steps[-1] - targets.landmarks).norm(dim=-1).mean().item()
    for _ in range(40):
        raw = network(images)
        method.loss(raw, targets, (64, 64)).backward()
        optimizer.step()
        optimizer.zero_grad()
    raw = network(images)
    error = (raw.steps[-1] - targets.landmarks).norm(dim=-1)
    assert error.mean().item() < 0.6 * before
    decoded = method.decode(raw)
    assert decoded.landmarks.shape == (24, 4, 3)
    assert (decoded.scores == 0.5).all()
