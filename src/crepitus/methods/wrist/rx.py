"""The Rx network: plain convolutional blocks and three linear layers, no residuals (thesis 004, 5.2)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from crepitus.errors import ConfigError
from crepitus.methods.wrist.grey_statistics import GreyStatistics

Size = tuple[int, int]

LARGE = (16, 32, 48, 64, 96, 128, 192, 256)
"""Channels of the blocks. The thesis gives their number (8, or 4 in the lite network), not their widths."""


class RxConfig(BaseModel):
    """The blocks and the classifier.

    Attributes:
        channels: output channels of each block; their number is that of the blocks.
        padded: convolutions keep the size and pooling rounds up, so that any number of blocks fits; false:
            as printed, and an input that the blocks use up is refused.
        normalisation: "batch" between convolution and pooling, or "none" as printed.
        initialisation: "he" keeps the variance of the signal through the layers (He et al., 2015);
            "default" is PyTorch's, with which it falls by about six in each.
        pooled_rows, pooled_columns: grid of the adaptive average pooling.
        hidden: neurons of the first two linear layers; the third has one.
        dropout: before each linear layer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: tuple[int, ...] = Field(default=LARGE, min_length=1, max_length=12)
    padded: bool = True
    normalisation: Literal["none", "batch"] = "batch"
    initialisation: Literal["default", "he"] = "he"
    pooled_rows: int = Field(default=2, ge=1, le=16)
    pooled_columns: int = Field(default=2, ge=1, le=16)
    hidden: tuple[int, int] = (256, 64)
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _positive(self) -> RxConfig:
        if min(*self.channels, *self.hidden) < 1:
            raise ValueError("expected at least 1 channel and 1 neuron in each layer")
        return self


def block_sizes(size: Size, blocks: int, *, padded: bool) -> list[Size]:
    """Height and width after each block: (s - 2) // 2 as printed, ceil(s / 2) padded.

    A side that reaches 0 ends the list, with the 0 in it.
    """
    sizes: list[Size] = []
    height, width = size
    for _ in range(blocks):
        if padded:
            height, width = -(-height // 2), -(-width // 2)
        else:
            height, width = max(0, height - 2) // 2, max(0, width - 2) // 2
        sizes.append((height, width))
        if min(height, width) == 0:
            break
    return sizes


def refuse_used_up(size: Size, config: RxConfig) -> None:
    """Refuse an input of (height, width) pixels that the blocks use up.

    Raises:
        ConfigError: a side reaches 0.
    """
    sizes = block_sizes(size, len(config.channels), padded=config.padded)
    if 0 in sizes[-1]:
        raise ConfigError(
            f"rx.channels: {len(config.channels)} blocks without padding do not fit an input of "
            f"{size[0]} x {size[1]}: block {len(sizes)} leaves {sizes[-1][0]} x {sizes[-1][1]}; "
            "set rx.padded=true, take fewer blocks or a larger input"
        )


def _block(before: int, after: int, config: RxConfig) -> list[nn.Module]:
    """Convolution, pooling, ReLU; with "batch" the normalisation after the convolution."""
    batch = config.normalisation == "batch"
    layers: list[nn.Module] = [
        nn.Conv2d(before, after, kernel_size=3, padding=1 if config.padded else 0, bias=not batch)
    ]
    if batch:
        layers.append(nn.BatchNorm2d(after))
    return [*layers, nn.MaxPool2d(2, ceil_mode=config.padded), nn.ReLU()]


class ViewModel(nn.Sequential):
    """The convolutional part: normalised images (b, 1, h, w) to maps (b, c, h', w')."""

    def __init__(self, config: RxConfig) -> None:
        widths = [1, *config.channels]
        layers = [layer for before, after in pairwise(widths) for layer in _block(before, after, config)]
        super().__init__(*layers)
        _initialise(self, config)


class MapClassifier(nn.Sequential):
    """Adaptive average pooling and three linear layers: maps (b, c, h', w') to logits (b, 1)."""

    def __init__(self, config: RxConfig) -> None:
        cells = config.pooled_rows * config.pooled_columns
        widths = [config.channels[-1] * cells, *config.hidden, 1]
        layers: list[nn.Module] = [
            nn.AdaptiveAvgPool2d((config.pooled_rows, config.pooled_columns)),
            nn.Flatten(),
        ]
        for before, after in pairwise(widths):
            if config.dropout:
                layers.append(nn.Dropout(config.dropout))
            layers += [nn.Linear(before, after), nn.ReLU()]
        super().__init__(*layers[:-1])
        _initialise(self, config)


def _initialise(part: nn.Module, config: RxConfig) -> None:
    if config.initialisation == "default":
        return
    for layer in part.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class RxNetwork(nn.Module):
    """Logits (b,) of grey images (b, 1, h, w), 0..1.

    Only layers that relevance propagation knows: convolution, batch normalisation, pooling, ReLU, linear.
    """

    def __init__(self, config: RxConfig) -> None:
        super().__init__()
        self.statistics = GreyStatistics()
        self.views = ViewModel(config)
        self.classifier = MapClassifier(config)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a fracture."""
        maps = cast("Tensor", self.views(self.statistics(images)))
        # In full precision: a logit of 8 significant bits would tie the scores of images.
        with torch.autocast(images.device.type, enabled=False):
            return cast("Tensor", self.classifier(maps.float()))[:, 0]
