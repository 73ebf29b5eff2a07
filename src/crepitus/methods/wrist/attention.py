"""The Residual Attention Network (the future work of thesis 004; Wang et al., CVPR 2017)."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from crepitus.methods.wrist.grey_statistics import GreyStatistics

SHRINK = 4
"""A bottleneck computes in a quarter of its channels (He et al., 2016)."""


class AttentionConfig(BaseModel):
    """The network; the defaults are Attention-56.

    Attributes:
        stem: channels of the first convolution.
        channels: of each stage.
        modules: attention modules of each stage: (1, 1, 1) is Attention-56, (1, 2, 3) is Attention-92.
        depths: how often the mask branch of each stage halves its maps.
        final_units: residual units at the end, the first with twice the channels of the last stage.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stem: int = Field(default=64, ge=4)
    channels: tuple[int, ...] = (256, 512, 1024)
    modules: tuple[int, ...] = (1, 1, 1)
    depths: tuple[int, ...] = (3, 2, 1)
    final_units: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _stages(self) -> AttentionConfig:
        if not len(self.channels) == len(self.modules) == len(self.depths) or not self.channels:
            raise ValueError("expected channels, modules and depths for the same number of stages")
        if min(self.channels) < SHRINK or min(self.modules) < 1 or min(self.depths) < 1:
            raise ValueError(f"expected at least {SHRINK} channels, 1 module and depth 1 in each stage")
        return self


class ResidualUnit(nn.Module):
    """A bottleneck with normalisation and ReLU before each convolution."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        middle = max(1, after // SHRINK)
        self.first = nn.Sequential(nn.BatchNorm2d(before), nn.ReLU())
        self.path = nn.Sequential(
            nn.Conv2d(before, middle, 1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, middle, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, after, 1, bias=False),
        )
        same = before == after and stride == 1
        self.shortcut = None if same else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (b, before, h, w) to (b, after, ceil(h / stride), ceil(w / stride))."""
        active = self.first(maps)
        shortcut = maps if self.shortcut is None else self.shortcut(active)
        return cast("Tensor", self.path(active) + shortcut)


class MaskBranch(nn.Module):
    """Halves the maps `depth` times and comes back: what lies around decides where to look (r = 1)."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.down = ResidualUnit(channels, channels)
        self.skip = ResidualUnit(channels, channels) if depth > 1 else None
        self.inner = MaskBranch(channels, depth - 1) if depth > 1 else None
        self.up = ResidualUnit(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the shape that came in."""
        small = self.down(self.pool(maps))
        if self.skip is not None and self.inner is not None:
            small = self.skip(small) + self.inner(small)
        return F.interpolate(self.up(small), size=maps.shape[-2:], mode="bilinear", align_corners=False)


class AttentionModule(nn.Module):
    """(1 + M(x)) T(x): the trunk T, and a soft mask M of 0..1 that strengthens parts of it (p = 1, t = 2)."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.before = ResidualUnit(channels, channels)
        self.trunk = nn.Sequential(ResidualUnit(channels, channels), ResidualUnit(channels, channels))
        self.mask = nn.Sequential(
            MaskBranch(channels, depth),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            nn.Sigmoid(),
        )
        self.after = ResidualUnit(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the shape that came in."""
        maps = self.before(maps)
        return cast("Tensor", self.after((1 + self.mask(maps)) * self.trunk(maps)))


class AttentionNetwork(nn.Module):
    """Logits (b,) of grey images (b, 1, h, w), 0..1."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.statistics = GreyStatistics()
        self.stem = nn.Sequential(
            nn.Conv2d(1, config.stem, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(config.stem),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        layers: list[nn.Module] = []
        width = config.stem
        for k, (channels, modules, depth) in enumerate(
            zip(config.channels, config.modules, config.depths, strict=True)
        ):
            layers.append(ResidualUnit(width, channels, stride=1 if k == 0 else 2))
            layers += [AttentionModule(channels, depth) for _ in range(modules)]
            width = channels
        last = 2 * width
        layers += [ResidualUnit(width, last, stride=2)]
        layers += [ResidualUnit(last, last) for _ in range(config.final_units - 1)]
        self.stages = nn.Sequential(*layers, nn.BatchNorm2d(last), nn.ReLU())
        self.classifier = nn.Linear(last, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a fracture."""
        grey = self.statistics(images).contiguous(memory_format=torch.channels_last)
        maps = self.stages(self.stem(grey))
        # In full precision: a logit of 8 significant bits would tie the scores of images.
        with torch.autocast(images.device.type, enabled=False):
            return cast("Tensor", self.classifier(maps.float().mean(dim=(2, 3))))[:, 0]
