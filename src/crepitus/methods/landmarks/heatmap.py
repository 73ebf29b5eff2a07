"""Heatmap regression: one map per landmark, its position and spread; the baseline of the graph."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from crepitus.methods.landmarks.answer import LandmarkRaw
from crepitus.methods.parts.backbone import Backbone, BackboneConfig

_WINDOW = 2
"""Cells on each side of the peak whose centre of mass is the position."""


class HeatmapLandmarks(nn.Module):
    """Detector of `nodes` landmarks by heatmaps on the finest level of a feature pyramid.

    Args:
        backbone: any network with four levels of features.
        nodes: number of landmarks.
        channels: of the feature pyramid.
        initialise: load the backbone's starting weights.
    """

    mean_shape: Tensor

    def __init__(
        self, backbone: BackboneConfig, *, nodes: int, channels: int, initialise: bool = True
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, initialise=initialise)
        self.pyramid = FeaturePyramidNetwork(self.backbone.channels, channels)
        self.maps = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(channels, nodes, 1)
        )
        self.register_buffer("mean_shape", torch.full((nodes, 2), 0.5))

    def forward(self, images: Tensor) -> LandmarkRaw:
        """Maps, positions and spread for grey images (b, 1, h, w), 0..1."""
        named = OrderedDict((str(k), f) for k, f in enumerate(self.backbone(images)))
        maps = self.maps(self.pyramid(named)["0"]).float()
        at, log_sd = peak_and_spread(maps, (int(images.shape[-2]), int(images.shape[-1])))
        return LandmarkRaw([at], log_sd, self.mean_shape, maps)


def cells_of(cells: tuple[int, int], size: tuple[int, int], device: torch.device) -> Tensor:
    """Centres (x, y) of the cells of a map over an input of `size`, pixels, shape (h, w, 2)."""
    y = (torch.arange(cells[0], device=device) + 0.5) * size[0] / cells[0]
    x = (torch.arange(cells[1], device=device) + 0.5) * size[1] / cells[1]
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)


def peak_and_spread(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Position and uncertainty from logits of heatmaps.

    A map is read as a distribution over its cells (softmax). The position is the centre of mass of the
    5 x 5 cells around its peak, so a second peak elsewhere does not move it; the uncertainty is the root
    mean square distance of the whole distribution from there, so a second peak does count.

    Args:
        maps: shape (b, L, h, w).
        size: height and width of the input, pixels.

    Returns:
        Positions (b, L, 2), pixels, and the logarithm of the standard deviation along an axis (b, L).
    """
    height, width = int(maps.shape[-2]), int(maps.shape[-1])
    centres = cells_of((height, width), size, maps.device).reshape(-1, 2)
    share = maps.flatten(2).softmax(-1)
    peak = share.argmax(-1)
    row, column = peak // width, peak % width
    index = torch.arange(height * width, device=maps.device)
    near = ((index // width - row[..., None]).abs() <= _WINDOW) & (
        (index % width - column[..., None]).abs() <= _WINDOW
    )
    local = share * near
    at = (local / local.sum(-1, keepdim=True).clamp_min(1e-12)) @ centres
    squared = (centres - at[..., None, :]).square().sum(-1)
    variance = (share * squared).sum(-1) / 2
    return at, 0.5 * torch.log(variance.clamp_min(1e-4))


def gaussian_targets(
    landmarks: Tensor, cells: tuple[int, int], size: tuple[int, int], sigma_px: float
) -> Tensor:
    """Distributions over the cells, Gaussian about the landmarks: shape (b, L, h, w), each adding up to 1.

    Args:
        landmarks: pixels of the input, shape (b, L, 2); NaN gives a map of NaN.
        cells: height and width of the maps.
        size: height and width of the input, pixels.
        sigma_px: standard deviation, pixels.
    """
    centres = cells_of(cells, size, landmarks.device).reshape(-1, 2)
    squared = (centres - landmarks[..., None, :]).square().sum(-1)
    share = torch.softmax(-squared / (2 * sigma_px**2), dim=-1)
    return share.reshape(*landmarks.shape[:2], *cells)


def map_loss(maps: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy between wanted and found distributions: shape (b, L)."""
    found = F.log_softmax(maps.flatten(2), dim=-1)
    return -(wanted.flatten(2) * found).sum(-1)
