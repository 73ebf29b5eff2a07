"""A linear classifier on pooled features as a 1x1 convolution, so that it also answers for every cell."""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from crepitus.methods.parts.backbone import Backbone, BackboneConfig
from crepitus.methods.parts.lse import lse_pool


class MapLogits(NamedTuple):
    """Raw outputs of a classifier with o outputs for b images.

    Attributes:
        cells: shape (b, o, h, w), float32: w f + b for the feature f of each cell.
        image: shape (b, o), float32: w pool(f) + b.
    """

    cells: Tensor
    image: Tensor


class CamHead(nn.Module):
    """Pooling and a fully connected layer; the same weights on every cell are the class activation map.

    Zhou et al. (2016) call w f the map; here the bias stays in, so that sigmoid(w f + b) is the probability
    that an image would get if it looked like this cell everywhere. It is never scaled per image.

    Args:
        channels: of the features.
        outputs: logits, one per class or one for fracture.
        sharpness: of the LSE pooling of the features; 0 is global average pooling.
        prior: probability that an untrained head gives, within (0, 1).
    """

    def __init__(
        self, channels: int, outputs: int = 1, *, sharpness: float = 0.0, prior: float = 0.5
    ) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.classifier = nn.Conv2d(channels, outputs, kernel_size=1)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.constant_(cast("Tensor", self.classifier.bias), math.log(prior / (1 - prior)))

    def forward(self, features: Tensor) -> MapLogits:
        """Logits of features (b, channels, h, w)."""
        # In full precision: a logit of 8 significant bits would tie the scores of images.
        with torch.autocast(features.device.type, enabled=False):
            wide = features.float()
            pooled = lse_pool(wide, self.sharpness)[:, :, None, None]
            return MapLogits(self.classifier(wide), self.classifier(pooled)[:, :, 0, 0])


class FullyConvolutional(nn.Module):
    """Any timm backbone, its last features, and a `CamHead`.

    Args:
        backbone: name and starting weights.
        outputs: logits per cell.
        sharpness: of the pooling of features; 0 is global average pooling.
        prior: probability that an untrained network gives.
        initialise: load the backbone's starting weights.
    """

    def __init__(
        self,
        backbone: BackboneConfig,
        *,
        outputs: int = 1,
        sharpness: float = 0.0,
        prior: float = 0.5,
        initialise: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, initialise=initialise)
        self.head = CamHead(self.backbone.channels[-1], outputs, sharpness=sharpness, prior=prior)

    def forward(self, images: Tensor) -> MapLogits:
        """Logits of grey images (b, 1, h, w), 0..1; cells at the backbone's last stride."""
        logits: MapLogits = self.head(self.backbone(images)[-1])
        return logits


def activation_maps(cells: Tensor) -> Tensor:
    """Heatmaps sigmoid(w f + b), float32, 0..1, of cell logits of any shape; never scaled per image."""
    return torch.sigmoid(cells.float())
