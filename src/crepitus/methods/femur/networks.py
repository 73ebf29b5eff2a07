"""What the methods of paper 002 are built of: a classifier with maps, and a localiser made of AlexNet."""

from __future__ import annotations

import math
from typing import Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from crepitus.methods.femur.alexnet import AlexFeatures
from crepitus.methods.femur.transform import IDENTITY, PARAMETERS, Kind
from crepitus.methods.parts.backbone import Backbone, BackboneConfig
from crepitus.methods.parts.cam import CamHead, MapLogits

Pooling = Literal["avg", "max", "lse"]


class HeadConfig(BaseModel):
    """From features to class logits.

    Attributes:
        pooling: "avg", "max" or "lse" of the maps (section II-C3).
        lse_sharpness: r of "lse"; Wang 2017 found 10 best.
        transition_channels: D of the transition layer (1x1 convolution, batch normalisation, ReLU) before
            the pooling; 0 leaves it out, which with "avg" is ResNet-50 as published.
        level: which feature level of the backbone, 4 the coarsest (stride 32), 3 the one before (stride 16).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pooling: Pooling = "avg"
    lse_sharpness: float = Field(default=10.0, gt=0)
    transition_channels: int = Field(default=0, ge=0)
    level: Literal[1, 2, 3, 4] = 4

    @property
    def sharpness(self) -> float:
        """Of log-sum-exp pooling: 0 is its limit, the average, infinity its limit, the maximum."""
        return {"avg": 0.0, "max": math.inf, "lse": self.lse_sharpness}[self.pooling]


class ClassNetwork(nn.Module):
    """Backbone, transition layer, pooling, prediction layer (paper 002, Fig. 2a and 2e).

    Args:
        backbone: of the features.
        head: of the logits.
        logits: how many.
        initialise: load the backbone's starting weights.
    """

    def __init__(
        self, backbone: BackboneConfig, head: HeadConfig, logits: int, *, initialise: bool = True
    ) -> None:
        super().__init__()
        self.level = head.level
        self.backbone = Backbone(backbone, initialise=initialise)
        channels = self.backbone.channels[head.level - 1]
        self.transition: nn.Module = nn.Identity()
        if head.transition_channels:
            self.transition = nn.Sequential(
                nn.Conv2d(channels, head.transition_channels, kernel_size=1, bias=False),
                nn.BatchNorm2d(head.transition_channels),
                nn.ReLU(inplace=True),
            )
            channels = head.transition_channels
        self.head = CamHead(channels, logits, sharpness=head.sharpness)

    def forward(self, images: Tensor) -> MapLogits:
        """Logits of grey images (b, 1, h, w), 0..1, for the image and for each cell."""
        logits: MapLogits = self.head(self.transition(self.backbone(images)[self.level - 1]))
        return logits


def fully_connected(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    """The classifier of AlexNet: two hidden layers with dropout before each, then the outputs."""
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(inputs, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, outputs),
    )


class Localizer(nn.Module):
    """AlexNet that regresses the parameters of a transform; untrained it answers with the identity.

    Args:
        features: of the images.
        kind: of the transform.
        hidden: width of the fully connected layers; 4096 in AlexNet.
        dropout: before them.
        grid: side of the pooled features that enter them; 6 in AlexNet.
    """

    def __init__(self, features: AlexFeatures, kind: Kind, *, hidden: int, dropout: float, grid: int) -> None:
        super().__init__()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(grid)
        self.regressor = fully_connected(features.channels * grid * grid, hidden, PARAMETERS[kind], dropout)
        last = cast("nn.Linear", self.regressor[-1])
        nn.init.zeros_(last.weight)
        last.bias = nn.Parameter(torch.tensor(IDENTITY[kind], dtype=torch.float32))

    def forward(self, images: Tensor) -> Tensor:
        """Parameters (b, 3 or 6), float32, of grey images (b, 1, h, w), 0..1."""
        pooled = self.pool(self.features(images)).flatten(1)
        hidden = self.regressor[:-1](pooled)
        # In full precision: 8 significant bits are two pixels of 500.
        with torch.autocast(images.device.type, enabled=False):
            parameters: Tensor = self.regressor[-1](hidden.float())
        return parameters
