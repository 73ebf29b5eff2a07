"""The two stages as one network: the map of the first proposes a region, the second judges it (paper 003)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.ops import roi_align

from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.parts.cam import FullyConvolutional


@dataclass(frozen=True)
class Chained:
    """Raw outputs for b images.

    Attributes:
        cells: shape (b, h, w): logits of the first stage.
        fracture: shape (b,): logit of the second stage for the region of the highest cell; None while the
            second stage is not trained yet.
        kinds: shape (b, c): logits of the kinds of fracture of that region; None without that output.
        regions: shape (b, 4): x0, y0, x1, y1 of that region in pixels of the input; None like `fracture`.
    """

    cells: Tensor
    fracture: Tensor | None = None
    kinds: Tensor | None = None
    regions: Tensor | None = None


@dataclass(frozen=True)
class RegionLogits:
    """Raw outputs of the second stage for n mined regions: fracture (n,), kinds (n, c) or None."""

    fracture: Tensor
    kinds: Tensor | None


@dataclass(frozen=True)
class MinedLogits:
    """Raw outputs of the second stage in training, for n mined regions.

    Attributes:
        fracture: shape (n,), logits; a single one without regions, so that there is a gradient of 0.
        kinds: shape (n, c), logits; None without that output.
        labels: shape (n,), float32: 1 probable fracture, 0 none.
        kinds_true: shape (n,), int64: the kind of fracture, -1 where there is none or it is unknown.
    """

    fracture: Tensor
    kinds: Tensor | None
    labels: Tensor
    kinds_true: Tensor


class TwoStageNetwork(nn.Module):
    """First stage (fully convolutional) and second stage (on regions) with the switch between them.

    Args:
        first: backbone of the first stage.
        second: backbone of the second stage.
        region_px: side of a region in pixels of the input.
        region_input_px: side at which a region enters the second stage.
        kinds: number of kinds of fracture that the second stage tells apart; 0 for none.
        prior: probability that the untrained first stage gives.
        initialise_first: load the starting weights of the first stage.
        initialise_second: likewise of the second.
    """

    def __init__(
        self,
        first: BackboneConfig,
        second: BackboneConfig,
        *,
        region_px: float,
        region_input_px: int,
        kinds: int = 0,
        prior: float = 0.5,
        initialise_first: bool = True,
        initialise_second: bool = True,
    ) -> None:
        super().__init__()
        self.first = FullyConvolutional(first, prior=prior, initialise=initialise_first)
        self.second = FullyConvolutional(second, outputs=1 + kinds, initialise=initialise_second)
        self.region_px = region_px
        self.region_input_px = region_input_px
        # A buffer: a model that is loaded must know whether its second stage was ever trained.
        self.register_buffer("second_is_trained", torch.zeros((), dtype=torch.bool))

    @property
    def in_second_stage(self) -> bool:
        """Whether training has reached the second stage."""
        return bool(cast("Tensor", self.second_is_trained))

    def begin_second_stage(self) -> None:
        """From now on the first stage is fixed, batch statistics included, and the second is trained."""
        cast("Tensor", self.second_is_trained).fill_(value=True)
        self.train(self.training)

    def train(self, mode: bool = True) -> TwoStageNetwork:
        """Switch to training: the stage that is not being trained keeps its batch statistics."""
        super().train(mode)
        if mode and hasattr(self, "second_is_trained"):
            (self.first if self.in_second_stage else self.second).eval()
        return self

    def forward(self, images: Tensor) -> Chained:
        """Answers for grey images (b, 1, h, w), 0..1, in one pass."""
        cells = self.first(images).cells[:, 0]
        if not self.in_second_stage:
            return Chained(cells)
        best = best_regions(cells, (int(images.shape[-2]), int(images.shape[-1])), self.region_px)
        answers = self.judge(images, list(best[:, None].unbind()))
        return Chained(cells, answers.fracture, answers.kinds, best)

    def judge_mined(
        self, images: Tensor, regions: list[Tensor], labels: Tensor, kinds_true: Tensor
    ) -> MinedLogits:
        """Logits for mined regions with their truth; with fewer than two regions none are judged.

        Batch normalisation has no variance of one example whose last map is a single cell.
        """
        if len(labels) < 2:
            bias = cast("Tensor", self.second.head.classifier.bias)
            return MinedLogits(bias[:1], None, labels[:0], kinds_true[:0])
        answers = self.judge(images, regions)
        return MinedLogits(answers.fracture, answers.kinds, labels, kinds_true)

    def judge(self, images: Tensor, regions: list[Tensor]) -> RegionLogits:
        """Logits of the second stage for regions (k_i, 4) of each image, in their order."""
        logits = self.second(cut(images, regions, self.region_input_px)).image
        return RegionLogits(logits[:, 0], logits[:, 1:] if logits.shape[1] > 1 else None)


def regions_around(centres: Tensor, side_px: float) -> Tensor:
    """Squares (n, 4) x0, y0, x1, y1 around centres (n, 2) x, y."""
    return torch.cat([centres - side_px / 2, centres + side_px / 2], dim=1)


def best_regions(cells: Tensor, size: tuple[int, int], side_px: float) -> Tensor:
    """The region around the highest cell of each image.

    Args:
        cells: shape (b, h, w), logits or probabilities over inputs of `size`.
        size: (height, width) of the inputs, pixels.
        side_px: of a region.

    Returns:
        Shape (b, 4), float32, pixels of the input; a region may reach beyond it.
    """
    height, width = int(cells.shape[1]), int(cells.shape[2])
    best = cells.flatten(1).argmax(dim=1)
    rows = torch.div(best, width, rounding_mode="floor")
    x = (best - rows * width + 0.5) * (size[1] / width)
    y = (rows + 0.5) * (size[0] / height)
    return regions_around(torch.stack([x, y], dim=1), side_px).float()


def cut(images: Tensor, regions: list[Tensor], side: int) -> Tensor:
    """Regions of images as small images.

    Args:
        images: shape (b, 1, h, w).
        regions: per image shape (k_i, 4), x0, y0, x1, y1 in pixels.
        side: of the result, pixels. Values between pixels are bilinear; beyond the image is black.

    Returns:
        Shape (sum of k_i, 1, side, side), dtype of `images`.
    """
    # A black border: beyond the image roi_align would repeat its outermost pixels once.
    wide = F.pad(images.float(), (1, 1, 1, 1))
    boxes = [r.float() + 1 for r in regions]
    # aligned: pixel centres lie at half pixels, as everywhere here. One sample per cell: where a region
    # has as many pixels as the result, this copies them.
    parts: Tensor = roi_align(wide, boxes, output_size=side, sampling_ratio=1, aligned=True)
    return parts.to(images.dtype)
