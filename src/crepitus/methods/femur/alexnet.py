"""The convolutions of AlexNet, with weights from torchvision, a file, or none; also narrower."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from crepitus.errors import WeightsError
from crepitus.methods.parts.backbone import IMAGENET_MEAN, IMAGENET_STD
from crepitus.methods.parts.weights import first_mismatch, load_weights

CHANNELS = (64, 192, 384, 256, 256)


class AlexConfig(BaseModel):
    """Which AlexNet, and what it starts from.

    Attributes:
        width: factor on the channels; 1 is AlexNet. ImageNet weights fit 1 only.
        weights: "imagenet" (torchvision's, from its hub or cache), "random", or the path of a safetensors
            file in torchvision's parameter names, with or without classifier.
        weights_sha256: expected SHA-256 of that file; empty accepts any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: float = Field(default=1.0, gt=0, le=4)
    weights: Literal["imagenet", "random"] | str = "imagenet"
    weights_sha256: str = ""

    @model_validator(mode="after")
    def _fits(self) -> AlexConfig:
        if self.width != 1 and self.weights == "imagenet":
            raise ValueError(
                f"expected width = 1 with ImageNet weights, got {self.width}; set weights = 'random'"
            )
        return self


class AlexFeatures(nn.Module):
    """The five convolutions of AlexNet in the form and with the names of torchvision.

    Args:
        width: factor on the channels; 1 is AlexNet.
        final_pool: keep the pooling after the fifth convolution; without it the stride is 16, not 32.
    """

    def __init__(self, *, width: float = 1.0, final_pool: bool = True) -> None:
        super().__init__()
        c = [max(4, round(n * width)) for n in CHANNELS]
        self.channels = c[-1]
        self.features = nn.Sequential(
            nn.Conv2d(3, c[0], kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(c[0], c[1], kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(c[1], c[2], kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c[2], c[3], kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c[3], c[4], kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            *([nn.MaxPool2d(kernel_size=3, stride=2)] if final_pool else []),
        )
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Features (b, channels, h', w') of grey images (b, 1, h, w), 0..1."""
        result: Tensor = self.features((images - cast("Tensor", self.mean)) / cast("Tensor", self.std))
        return result


def alex_features(config: AlexConfig, *, final_pool: bool, initialise: bool) -> AlexFeatures:
    """The convolutions with their starting weights.

    Args:
        config: width and weights.
        final_pool: as in `AlexFeatures`.
        initialise: load the starting weights; False when trained weights follow anyway.

    Raises:
        WeightsError: the weights are missing or belong to another network.
    """
    network = AlexFeatures(width=config.width, final_pool=final_pool)
    if not initialise or config.weights == "random":
        return network
    if config.weights == "imagenet":
        source, given = "torchvision's AlexNet", _from_hub()
    else:
        source, given = config.weights, load_weights(Path(config.weights), config.weights_sha256)
    wanted = network.state_dict()
    kept = {name: tensor for name, tensor in given.items() if name in wanted}
    problem = first_mismatch(wanted, kept)
    if problem:
        raise WeightsError(
            f"{source}: the weights are not those of AlexNet in width {config.width:g} ({problem})"
        )
    network.load_state_dict(kept)
    return network


def _from_hub() -> dict[str, Tensor]:
    from torchvision.models import AlexNet_Weights

    try:
        return dict(AlexNet_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError, urllib.error.URLError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"AlexNet's weights: expected them in torchvision's hub or cache, got: {reason}; give a "
            "local file with weights = 'FILE.safetensors', or weights = 'random'"
        ) from error
