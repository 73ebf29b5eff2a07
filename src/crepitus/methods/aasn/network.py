"""A DenseNet split into a Siamese encoder and a decoder of both sides (paper 000, Fig. 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from crepitus.errors import ConfigError
from crepitus.methods.aasn.fusion import FullPrecision, Kind, Place, Projection, Transition
from crepitus.methods.aasn.geometry import Regions
from crepitus.methods.aasn.loss import squared_distance
from crepitus.methods.aasn.warp import pixel_positions, sampling_grid, warp_positions
from crepitus.methods.parts.backbone import Backbone, BackboneConfig

Alignment = Literal["feature", "image", "none"]
BLOCKS = 4


@dataclass(frozen=True)
class SiameseRaw:
    """Raw outputs for b regions.

    Attributes:
        logits: fracture, shape (b, 1, h, w); None where the distance itself is the answer.
        distance: d^2 between the sides after the projection, shape (b, h', w'); None for one side.
        positions: where each cell of `distance` looks in the flipped region, pixels, (b, h', w', 2); None
            for one side.
        regions: how the regions lie in the images.
    """

    logits: Tensor | None
    distance: Tensor | None
    positions: Tensor | None
    regions: Regions


class SiameseDenseNet(nn.Module):
    """Encoder with shared weights, alignment of the two sides, fusion, decoder to one logit per cell.

    Args:
        backbone: a DenseNet of timm.
        split: the encoder ends after this dense block, 1 to 4.
        fusion: how the sides are joined; None decodes the original side alone.
        place: where, see `Transition`.
        alignment: what the warp moves: the flipped side's features, its image, or nothing.
        compare: compute the distance between the sides.
        decode: compute logits; False where the distance is the answer.
        projection: channels of g; None compares the features themselves.
        prior: probability that an untrained network gives everywhere.
        initialise: load the starting weights.
    """

    def __init__(
        self,
        backbone: BackboneConfig,
        *,
        split: int = 3,
        fusion: Kind | None = "concatenate",
        place: Place = "inside",
        alignment: Alignment = "feature",
        compare: bool = True,
        decode: bool = True,
        projection: int | None = 256,
        prior: float = 0.01,
        initialise: bool = True,
    ) -> None:
        super().__init__()
        self.alignment: Alignment = alignment
        self.two_sided = fusion is not None or compare
        body = Backbone(backbone, initialise=initialise)
        self.register_buffer("mean", cast("Tensor", body.mean), persistent=False)
        self.register_buffer("std", cast("Tensor", body.std), persistent=False)
        parts = _parts(body.network, backbone.name)
        channels = _channels(parts)
        self.encoder = nn.Sequential(*_until(parts, split))
        self.compare = compare
        self.transition: Transition | None = None
        self.decoder: nn.Module | None = None
        if decode:
            self.transition, self.decoder = _decoding(parts, split, channels[-1], fusion, place, prior)
        self.projection = (
            Projection(channels[split - 1], projection) if compare and projection is not None else None
        )

    def forward(self, images: Tensor, regions: Regions) -> SiameseRaw:
        """Raw outputs for grey images (b, 1, H, W), 0..1, and the regions that their landmarks define."""
        original, flipped = regions.cut(images)
        if not self.two_sided:
            return SiameseRaw(
                self._decode(self.encoder(self._normalised(original)), None), None, None, regions
            )
        if self.alignment == "image":
            flipped = _warped(flipped, pixel_positions(regions.spline, regions.size), regions.size)
        both = self.encoder(self._normalised(torch.cat([original, flipped])))
        first, second = both[: len(images)], both[len(images) :]
        positions = self._positions(regions, (int(first.shape[-2]), int(first.shape[-1])))
        if self.alignment == "feature":
            second = _warped(second, positions, regions.size)
        return SiameseRaw(self._decode(first, second), self._distance(first, second), positions, regions)

    def _normalised(self, grey: Tensor) -> Tensor:
        """Three equal channels with ImageNet's statistics: the pseudo-colour of the paper."""
        colour = (grey - cast("Tensor", self.mean)) / cast("Tensor", self.std)
        return colour.contiguous(memory_format=torch.channels_last)

    def _positions(self, regions: Regions, cells: tuple[int, int]) -> Tensor:
        spline = regions.spline
        if self.alignment == "none":
            spline = spline.identity()
        return warp_positions(spline, regions.size, cells)

    def _distance(self, first: Tensor, second: Tensor) -> Tensor | None:
        if not self.compare:
            return None
        if self.projection is not None:
            first, second = self.projection(first, second)
        return squared_distance(first, second)

    def _decode(self, first: Tensor, second: Tensor | None) -> Tensor | None:
        if self.transition is None or self.decoder is None:
            return None
        return self.decoder(self.transition(first, second))  # type: ignore[no-any-return]


def classifier(channels: int, prior: float) -> FullPrecision:
    """A 1x1 convolution to one logit that answers `prior` everywhere before training."""
    conv = FullPrecision(channels, 1, 1)
    nn.init.normal_(conv.weight, std=0.01)
    nn.init.constant_(cast("Tensor", conv.bias), math.log(prior / (1 - prior)))
    return conv


def _warped(values: Tensor, positions: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (b, c, h, w) over the flipped region, at `positions`; 0 outside."""
    # In full precision: the 8 significant bits of bfloat16 would place a sample 2 px off in 512.
    grid = sampling_grid(positions, size).float()
    with torch.autocast(values.device.type, enabled=False):
        sampled = F.grid_sample(
            values.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )
    return sampled.to(values.dtype)


def _parts(network: Any, name: str) -> dict[str, nn.Module]:
    """The DenseNet's parts by their names, in order."""
    parts = {key.removeprefix("features_"): part for key, part in network.named_children()}
    wanted = [f"denseblock{k}" for k in range(1, BLOCKS + 1)] + [f"transition{k}" for k in range(1, BLOCKS)]
    if not {*wanted, "norm5"} <= parts.keys():
        raise ConfigError(f"backbone.name: expected a DenseNet such as densenet121, got {name}")
    return parts


def _channels(parts: dict[str, nn.Module]) -> list[int]:
    """Channels at the end of each dense block."""
    norms: list[Any] = [cast("Any", parts[f"transition{k}"]).norm for k in range(1, BLOCKS)]
    return [int(norm.num_features) for norm in (*norms, parts["norm5"])]


def _until(parts: dict[str, nn.Module], split: int) -> list[nn.Module]:
    names = list(parts)
    return [parts[name] for name in names[: names.index(f"denseblock{split}") + 1]]


def _decoding(
    parts: dict[str, nn.Module], split: int, channels: int, fusion: Kind | None, place: Place, prior: float
) -> tuple[Transition, nn.Module]:
    """The transition after the split, and everything behind it."""
    last = classifier(channels, prior)
    if split == BLOCKS:
        # The last block has no transition: the final normalisation and the classifier take its place.
        return Transition(parts["norm5"], last, nn.Identity(), fusion, place), nn.Identity()
    old = cast("Any", parts[f"transition{split}"])
    names = list(parts)
    rest = [parts[name] for name in names[names.index(f"transition{split}") + 1 :]]
    transition = Transition(old.norm, old.conv, old.pool, fusion, place)
    return transition, nn.Sequential(*rest, last)
