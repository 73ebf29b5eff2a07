"""How the features of the two sides are joined on their way to the decoder (paper 000, Sec. 3.4, Fig. 4)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

Place = Literal["before", "inside", "after"]
Kind = Literal["concatenate", "subtract", "gate"]


class Transition(nn.Module):
    """A transition of a DenseNet (BatchNorm and ReLU, 1x1 convolution, pooling) that takes one or two sides.

    Args:
        norm: BatchNorm with its activation.
        conv: 1x1 convolution after it.
        pool: what follows; nothing at the end of the network.
        fusion: None takes one side; otherwise how two are joined.
        place: where they are concatenated. "before": on the features, the normalisation has twice the
            channels; "inside": after the ReLU, the paper's choice, only the convolution changes; "after": on
            the output, and a further 1x1 convolution brings it back to the channels of the next block.
    """

    def __init__(
        self, norm: nn.Module, conv: nn.Conv2d, pool: nn.Module, fusion: Kind | None, place: Place
    ) -> None:
        super().__init__()
        self.fusion = fusion
        self.place: Place = place if fusion in ("concatenate", "gate") else "inside"
        self.gate: nn.Module | None = None
        if fusion == "gate":
            # The other side passes where the two together ask for it.
            self.gate = nn.Sequential(nn.Conv2d(2 * conv.in_channels, conv.in_channels, 1), nn.Sigmoid())
        joined = fusion in ("concatenate", "gate")
        self.norm = twice_norm(norm) if joined and self.place == "before" else norm
        self.conv = twice_conv(conv) if joined and self.place != "after" else conv
        self.pool = pool
        self.join = averaging(conv.out_channels) if joined and self.place == "after" else None

    def forward(self, first: Tensor, second: Tensor | None) -> Tensor:
        """Features (b, c, h, w) of the original side and, aligned with it, of the other."""
        if self.fusion is None or second is None:
            return self._end(self.norm(first))
        if self.fusion == "subtract":
            return self._end(self.norm((first - second).abs()))
        if self.gate is not None:
            second = second * self.gate(torch.cat([first, second], dim=1))
        if self.place == "before":
            return self._end(self.norm(torch.cat([first, second], dim=1)))
        if self.join is not None:
            ends = self._end(self.norm(first)), self._end(self.norm(second))
            return self.join(torch.cat(ends, dim=1))  # type: ignore[no-any-return]
        return self._end(torch.cat([self.norm(first), self.norm(second)], dim=1))

    def _end(self, features: Tensor) -> Tensor:
        return self.pool(self.conv(features))  # type: ignore[no-any-return]


def twice_conv(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution for two sides: half of each weight for either, so that equal sides change nothing."""
    wide = type(conv)(2 * conv.in_channels, conv.out_channels, 1, bias=conv.bias is not None)
    with torch.no_grad():
        wide.weight.copy_(torch.cat([conv.weight, conv.weight], dim=1) / 2)
        if conv.bias is not None and wide.bias is not None:
            wide.bias.copy_(conv.bias)
    return wide


def twice_norm(norm: Any) -> nn.Module:
    """The normalisation for two sides: weights and statistics of one side for both."""
    wide: nn.Module = type(norm)(2 * norm.num_features)
    with torch.no_grad():
        for name, value in norm.state_dict().items():
            wide.state_dict()[name].copy_(torch.cat([value, value]) if value.ndim else value)
    return wide


def averaging(channels: int) -> nn.Conv2d:
    """A 1x1 convolution from 2 c to c channels that starts as the mean of the two sides."""
    conv = nn.Conv2d(2 * channels, channels, 1, bias=False)
    half = torch.eye(channels)[:, :, None, None] / 2
    with torch.no_grad():
        conv.weight.copy_(torch.cat([half, half], dim=1))
    return conv


class FullPrecision(nn.Conv2d):
    """A convolution in single precision: the 8 significant bits of bfloat16 would tie scores."""

    def forward(self, features: Tensor) -> Tensor:
        """Features (b, c, h, w) of any precision; the result is float32."""
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())


class Projection(nn.Module):
    """g of Eq. 2: a linear layer per cell, BatchNorm, ReLU."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        )

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Both sides (b, c, h, w) through the same layers, with common batch statistics."""
        both = self.layers(torch.cat([first, second]))
        return both[: len(first)], both[len(first) :]
