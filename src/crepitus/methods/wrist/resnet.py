"""A timm backbone with one logit on its averaged last features: the thesis's baseline (004, 5.1)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from crepitus.methods.parts.backbone import Backbone, BackboneConfig
from crepitus.methods.wrist.grey_statistics import GreyStatistics


class ResidualNetwork(nn.Module):
    """Logits (b,) of grey images (b, 1, h, w), 0..1.

    Args:
        backbone: any timm network with feature levels; resnet18 is the thesis's.
        initialise: load its starting weights.
    """

    def __init__(self, backbone: BackboneConfig, *, initialise: bool = True) -> None:
        super().__init__()
        self.statistics = GreyStatistics()
        self.backbone = Backbone(backbone, initialise=initialise)
        self.classifier = nn.Linear(self.backbone.channels[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a fracture."""
        # Past the backbone's own normalisation: here the data set's statistics take its place.
        grey = self.statistics(images).expand(-1, 3, -1, -1)
        maps = self.backbone.network(grey.contiguous(memory_format=torch.channels_last))[-1]
        # In full precision: a logit of 8 significant bits would tie the scores of images.
        with torch.autocast(images.device.type, enabled=False):
            return cast("Tensor", self.classifier(maps.float().mean(dim=(2, 3))))[:, 0]
