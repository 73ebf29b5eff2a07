"""A landmark graph that is moved onto the image: one perspective step, then local steps."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from crepitus.methods.landmarks.answer import LandmarkRaw
from crepitus.methods.parts.backbone import Backbone, BackboneConfig

_LEAST_DEPTH = 0.5
"""Smallest denominator of the perspective map, so that no landmark crosses the horizon."""


class GraphConvolution(nn.Module):
    """f_i' = W_1 f_i + sum_j a_ij W_2 f_j with a learnable adjacency a, each row of which adds up to 1."""

    def __init__(self, nodes: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.own = nn.Linear(inputs, outputs)
        self.others = nn.Linear(inputs, outputs, bias=False)
        self.adjacency = nn.Parameter(torch.zeros(nodes, nodes))

    def forward(self, features: Tensor) -> Tensor:
        """Features (b, nodes, inputs) to (b, nodes, outputs)."""
        return self.own(features) + self.adjacency.softmax(dim=1) @ self.others(features)  # type: ignore[no-any-return]


class GraphStack(nn.Module):
    """An entry and `depth` residual graph convolutions."""

    def __init__(self, nodes: int, inputs: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.entry = GraphConvolution(nodes, inputs, hidden)
        self.layers = nn.ModuleList(GraphConvolution(nodes, hidden, hidden) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(depth))

    def forward(self, features: Tensor) -> Tensor:
        """Features (b, nodes, inputs) to (b, nodes, hidden)."""
        features = F.relu(self.entry(features))
        for layer, norm in zip(self.layers, self.norms, strict=True):
            features = features + F.relu(layer(norm(features)))
        return features


class GraphLandmarks(nn.Module):
    """Detector of `nodes` landmarks.

    Args:
        backbone: any network with four levels of features.
        nodes: number of landmarks.
        channels: of the feature pyramid.
        hidden: features of a node.
        depth: residual graph convolutions per step.
        local_steps: steps after the perspective one.
        initialise: load the backbone's starting weights.
    """

    mean_shape: Tensor

    def __init__(
        self,
        backbone: BackboneConfig,
        *,
        nodes: int,
        channels: int,
        hidden: int,
        depth: int,
        local_steps: int,
        initialise: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, initialise=initialise)
        self.pyramid = FeaturePyramidNetwork(self.backbone.channels, channels)
        inputs = channels * len(self.backbone.channels) + 2 * nodes
        self.stacks = nn.ModuleList(GraphStack(nodes, inputs, hidden, depth) for _ in range(1 + local_steps))
        self.perspective = nn.Linear(hidden, 8)
        self.offsets = nn.ModuleList(nn.Linear(hidden, 2) for _ in range(local_steps))
        self.spread = nn.Linear(hidden, 1)
        for head in (self.perspective, *self.offsets):
            # The untrained graph stays where it is.
            nn.init.zeros_(cast("nn.Linear", head).weight)
            nn.init.zeros_(cast("nn.Linear", head).bias)
        self.register_buffer("mean_shape", torch.full((nodes, 2), 0.5))

    def forward(self, images: Tensor) -> LandmarkRaw:
        """Positions after every step for grey images (b, 1, h, w), 0..1."""
        features = self.backbone(images)
        named = OrderedDict((str(k), f) for k, f in enumerate(features))
        levels = [level.float() for level in self.pyramid(named).values()]
        scale = images.new_tensor([images.shape[-1], images.shape[-2]])
        at = self.mean_shape.expand(len(images), -1, -1)
        with torch.autocast(images.device.type, enabled=False):
            nodes = self.stacks[0](node_features(levels, at))
            at = perspective_map(self.perspective(nodes.mean(dim=1)), at)
            steps = [at]
            for stack, offset in zip(list(self.stacks)[1:], self.offsets, strict=True):
                # Each step learns from where it starts, not from how its features would move.
                nodes = stack(node_features(levels, at.detach()))
                at = at.detach() + offset(nodes)
                steps.append(at)
            log_sd = self.spread(nodes)[..., 0] + torch.log(scale.mean() / 20)
        return LandmarkRaw([step * scale for step in steps], log_sd, self.mean_shape)


def node_features(levels: list[Tensor], at: Tensor) -> Tensor:
    """What a node knows: the pyramid at its place, and where the other nodes are.

    Args:
        levels: maps (b, c, h_k, w_k).
        at: positions as fractions of the input, shape (b, n, 2).

    Returns:
        Shape (b, n, levels c + 2 n).
    """
    grid = (at * 2 - 1)[:, :, None]
    sampled = [
        F.grid_sample(level, grid, align_corners=False, padding_mode="border")[..., 0].mT for level in levels
    ]
    apart = (at[:, None] - at[:, :, None]).flatten(2)
    return torch.cat([*sampled, apart * 2], dim=-1)


def perspective_map(parameters: Tensor, at: Tensor) -> Tensor:
    """Positions (b, n, 2) under the perspective map that `parameters` (b, 8) add to the identity.

    In coordinates about the middle of the input: x' = (a x + b y + c) / (1 + g x + h y), y' likewise.
    """
    x, y = (at - 0.5).unbind(-1)
    a, b, c, d, e, f, g, h = (p[:, None] for p in parameters.unbind(-1))
    depth = (1 + g * x + h * y).clamp_min(_LEAST_DEPTH)
    moved = torch.stack([((1 + a) * x + b * y + c) / depth, (d * x + (1 + e) * y + f) / depth], dim=-1)
    return moved + 0.5
