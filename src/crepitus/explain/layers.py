"""The few layers that an explained network has besides those of PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from crepitus.methods.parts.lse import lse_pool


class Sum(nn.Module):
    """Sum over the last dimension, of branches that were stacked there."""

    def forward(self, branches: Tensor) -> Tensor:
        """Shape without the last dimension."""
        return branches.sum(dim=-1)


class _Gated(torch.autograd.Function):
    """signal * gate, with all relevance for the signal."""

    @staticmethod
    def forward(ctx: Any, signal: Tensor, gate: Tensor) -> Tensor:
        """The product."""
        return signal * gate

    @staticmethod
    def backward(ctx: Any, *relevance: Tensor) -> tuple[Tensor, None]:
        """Unchanged to the signal, nothing to the gate."""
        return relevance[0], None


class Gate(nn.Module):
    """A product in which one factor, 0..1 or 1..2, says how much of the other passes.

    The gate gets no relevance (Arras et al. 2017, "signal-take-all").
    """

    def forward(self, signal: Tensor, gate: Tensor) -> Tensor:
        """The product, shape of `signal`."""
        result: Tensor = _Gated.apply(signal, gate.detach())
        return result


class LsePool(nn.Module):
    """Log-sum-exp pooling of maps (b, c, h, w) to (b, c, 1, 1); its gradient, sum 1, shares out relevance."""

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, maps: Tensor) -> Tensor:
        """The pooled maps."""
        return lse_pool(maps, self.sharpness)[:, :, None, None]


class Peak(nn.Module):
    """The highest cell of each map (b, c, h, w): shape (b, c). It alone gets the relevance."""

    def forward(self, maps: Tensor) -> Tensor:
        """The maxima."""
        return maps.flatten(2).max(dim=2).values


class StudyMax(nn.Module):
    """The maximum over the n images of a study, (n, c, h, w) to (1, c, h, w); it gets the relevance."""

    def forward(self, features: Tensor) -> Tensor:
        """The maxima."""
        return features.max(dim=0, keepdim=True).values


class Last(nn.Module):
    """One level of a network that returns a list of feature maps."""

    def __init__(self, network: nn.Module, level: int = -1) -> None:
        super().__init__()
        self.network = network
        self.level = level

    def forward(self, images: Tensor) -> Tensor:
        """The maps of that level."""
        maps: Tensor = self.network(images)[self.level]
        return maps


class Scale(nn.Module):
    """A constant factor; relevance passes through it unchanged."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, maps: Tensor) -> Tensor:
        """The scaled maps."""
        return maps * self.factor


class PyramidHead(nn.Module):
    """A feature pyramid and its classifier: mean of the levels' logits at the finest level, (b, 1, h, w).

    The layers are those of torchvision's pyramid, and joined like them (Lin et al. 2017); only that they can
    be traced.

    Args:
        inner: the 1x1 convolutions of the levels, finest first.
        layer: the 3x3 convolutions behind the sums.
        classifier: from a level to logits.
    """

    def __init__(self, inner: Sequence[nn.Module], layer: Sequence[nn.Module], classifier: nn.Module) -> None:
        super().__init__()
        self.inner = nn.ModuleList(inner)
        self.layer = nn.ModuleList(layer)
        self.classifier = classifier
        self.mean = Scale(1 / len(inner))

    def forward(self, levels: list[Tensor]) -> Tensor:
        """From the levels of the backbone, finest first."""
        last = len(self.inner) - 1
        above = self.inner[last](levels[last])
        logits = [self.classifier(self.layer[last](above))]
        for k in range(last - 1, -1, -1):
            beside = self.inner[k](levels[k])
            above = beside + F.interpolate(above, size=beside.shape[-2:], mode="nearest")
            logits.append(self.classifier(self.layer[k](above)))
        finest = logits.pop()
        size = finest.shape[-2:]
        for level in logits:
            finest = finest + F.interpolate(level, size=size, mode="bilinear", align_corners=False)
        return self.mean(finest)  # type: ignore[no-any-return]


PASSED_THROUGH = (LsePool, Peak, StudyMax)
"""Layers whose plain gradient sums to 1 over what they pool, so that it shares out relevance by itself."""
