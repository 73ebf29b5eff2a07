"""A feature pyramid with a 1x1 convolution to fracture logits on four levels (paper 001, Fig. 2a)."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from crepitus.methods.parts.backbone import Backbone, BackboneConfig


class PyramidNetwork(nn.Module):
    """Backbone, feature pyramid, one logit per cell on each level.

    Args:
        backbone: configuration of the bottom-up path.
        channels: channels of the pyramid.
        prior: probability that an untrained network gives everywhere.
        initialise: load the backbone's starting weights.
    """

    def __init__(
        self, backbone: BackboneConfig, *, channels: int, prior: float, initialise: bool = True
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, initialise=initialise)
        self.pyramid = FeaturePyramidNetwork(self.backbone.channels, channels)
        self.classifier = nn.Conv2d(channels, 1, kernel_size=1)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.constant_(cast("Tensor", self.classifier.bias), math.log(prior / (1 - prior)))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Logits of grey images (b, 1, h, w): per level, finest first, shape (b, 1, h_k, w_k)."""
        features = OrderedDict((str(k), f) for k, f in enumerate(self.backbone(images)))
        levels = self.pyramid(features).values()
        # In full precision: a logit of 8 significant bits would tie the scores of images.
        with torch.autocast(images.device.type, enabled=False):
            return [self.classifier(level.float()) for level in levels]


def merge_levels(logits: list[Tensor]) -> Tensor:
    """Mean of the levels' probability maps at the finest resolution: shape (b, h, w), float32, 0..1."""
    finest = logits[0].shape[-2:]
    maps = [
        F.interpolate(torch.sigmoid(level.float()), size=finest, mode="bilinear", align_corners=False)
        for level in logits
    ]
    return torch.stack(maps).mean(dim=0)[:, 0]
