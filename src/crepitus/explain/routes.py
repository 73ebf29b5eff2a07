"""The way from an image to the explained output, for each kind of network: what enters, body, and head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from crepitus.explain.layers import Last, LsePool, Peak, PyramidHead, StudyMax
from crepitus.methods.base import Method, Targets
from crepitus.methods.femur.transform import matrices, paste, similarity_of, warp
from crepitus.methods.parts.backbone import Backbone
from crepitus.methods.parts.cam import CamHead
from crepitus.methods.roi_mining.network import best_regions, cut

Maps = Callable[[Tensor], Tensor]


class Normalisation(NamedTuple):
    """What is taken off grey values, and what they are divided by, of c channels: shape (1, c, 1, 1) each."""

    mean: Tensor
    std: Tensor


@dataclass(frozen=True)
class Route:
    """How the images of one unit, n of them, lead to logits (1, k).

    Attributes:
        body: normalised inputs (n, c, h, w) to features.
        head: features to logits.
        grey: the normalisation between the grey values and the body.
        crop: images to what the network sees of them; linear in the images. None: all.
        place: maps (n, 1, h, w) over that crop to maps over the images. None: as they are.
        cells: the layer that classifies every cell of the features, where the head is no more than that and
            a pooling; None otherwise.
    """

    body: nn.Module
    head: nn.Module
    grey: Normalisation
    crop: Maps | None = None
    place: Maps | None = None
    cells: nn.Module | None = None

    def seen(self, images: Tensor) -> Tensor:
        """What the network sees of images (n, 1, h, w)."""
        return self.crop(images) if self.crop is not None else images

    def normalised(self, seen: Tensor) -> Tensor:
        """What enters the body: shape (n, c, h, w)."""
        return ((seen - self.grey.mean) / self.grey.std).contiguous()

    @property
    def bounds(self) -> tuple[Tensor, Tensor]:
        """Least and greatest value that can enter, shape (1, c, 1, 1): those of black and of white."""
        return -self.grey.mean / self.grey.std, (1 - self.grey.mean) / self.grey.std

    def over_images(self, relevance: Tensor, images: Tensor) -> Tensor:
        """Relevance (n, c, h, w) of what enters as relevance (n, h, w) of the images' pixels.

        Channels are copies of one grey value and are added up. A pixel of a crop hands its relevance to the
        pixels that it was interpolated from, by their weights; of pixels beyond the image it is lost.
        """
        grey = relevance.sum(dim=1, keepdim=True)
        if self.crop is None:
            return grey[:, 0]
        leaf = images.detach().clone().requires_grad_()
        with torch.enable_grad():
            (back,) = torch.autograd.grad(self.crop(leaf), leaf, grad_outputs=grey)
        return back[:, 0]


Build = Callable[[Any, Any, Tensor, Targets], Route]


def _grey(network: Any) -> Normalisation:
    """The data set's statistics, for one channel."""
    one = (1, 1, 1, 1)
    return Normalisation(
        network.statistics.mean.detach().view(one), network.statistics.std.detach().view(one)
    )


def _colour(backbone: Any) -> Normalisation:
    """The statistics of ImageNet, for three."""
    return Normalisation(backbone.mean.detach(), backbone.std.detach())


def _averaged(classifier: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier)


def _pooled(head: CamHead) -> nn.Sequential:
    """The image's logits of a `CamHead`."""
    pool: nn.Module = nn.AdaptiveAvgPool2d(1) if head.sharpness == 0 else LsePool(head.sharpness)
    return nn.Sequential(pool, head.classifier, nn.Flatten())


def _highest(head: CamHead) -> nn.Sequential:
    """The logit of the highest cell, where that is the image's answer."""
    return nn.Sequential(head.classifier, Peak())


def _rx(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    return Route(network.views, network.classifier, _grey(network))


def _aggregator(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    pool, *rest = network.classifier
    if network.config.pooling == "cells":
        body, head = nn.Sequential(network.views, pool), nn.Sequential(StudyMax(), *rest)
    else:
        body, head = network.views, nn.Sequential(StudyMax(), pool, *rest)
    return Route(body, head, _grey(network))


def _residual(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    statistics = Normalisation(*(value.expand(1, 3, 1, 1) for value in _grey(network)))
    body, classifier = Last(network.backbone.network), network.classifier
    return Route(body, _averaged(classifier), statistics, cells=classifier)


def _attention(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    body, classifier = nn.Sequential(network.stem, network.stages), network.classifier
    return Route(body, _averaged(classifier), _grey(network), cells=classifier)


def _cam(network: Any) -> Route:
    return Route(
        Last(network.backbone.network),
        _pooled(network.head),
        _colour(network.backbone),
        cells=network.head.classifier,
    )


def _classifier(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    return _cam(network)


def _cell_classifier(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    body, head = Last(network.backbone.network), network.head
    return Route(body, _highest(head), _colour(network.backbone), cells=head.classifier)


def _two_stages(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    """The second stage for the region that the first proposes; before it is trained, the first stage."""
    if not network.in_second_stage:
        return _cell_classifier(method, network.first, images, targets)
    size = (int(images.shape[-2]), int(images.shape[-1]))
    with torch.no_grad():
        best = best_regions(network.first(images).cells[:, 0], size, network.region_px)
    half = torch.tensor([size[1] / 2, size[0] / 2], device=best.device)
    middle, side = (best[:, :2] + best[:, 2:]) / 2 / half - 1, (best[:, 2:] - best[:, :2]) / 2 / half
    theta = torch.stack([side[:, 0], 0 * side[:, 0], middle[:, 0], 0 * side[:, 0], side[:, 1], middle[:, 1]])
    return _on_crop(
        _cam(network.second),
        lambda grey: cut(grey, list(best[:, None].unbind()), network.region_input_px),
        theta.T.reshape(-1, 2, 3),
        size,
    )


def _pyramid(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    inner = [block[0] for block in network.pyramid.inner_blocks]
    layer = [block[0] for block in network.pyramid.layer_blocks]
    head = nn.Sequential(PyramidHead(inner, layer, network.classifier), Peak())
    return Route(_LastLevels(network.backbone.network), head, _colour(network.backbone))


class _LastLevels(nn.Module):
    """The levels of a backbone that a pyramid uses."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.network(images))[-Backbone.levels :]


def _femur(network: Any) -> Route:
    body = nn.Sequential(
        Last(network.backbone.network, network.level - 1 - Backbone.levels), network.transition
    )
    return Route(body, _pooled(network.head), _colour(network.backbone), cells=network.head.classifier)


def _whole(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    return _femur(network)


def _annotated(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    size = (int(images.shape[-2]), int(images.shape[-1]))
    parameters = similarity_of(targets.regions.to(images.device), size)
    whole = parameters.new_tensor([0.0, 0.0, 1.0])
    known = ~torch.isnan(parameters).any(dim=1)
    theta = matrices(torch.where(known[:, None], parameters, whole), "similarity")
    return _warped(_femur(network), theta, method.config.crop_px, size)


def _localized(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    """The crop counts as given: where to look gets no relevance, as no gate does."""
    size = (int(images.shape[-2]), int(images.shape[-1]))
    options = method.config.localizer
    with torch.no_grad():
        theta = matrices(network.localizer(images), options.transform)
    return _warped(_femur(network.classifier), theta, options.crop_px, size)


def _transfer(method: Any, network: Any, images: Tensor, targets: Targets) -> Route:
    """The branch of self-transfer learning that answers."""
    shared = network.shared
    if method.config.stl.shared == "alexnet":
        body, statistics = shared.features, _colour(shared)
    else:
        body = Last(shared.backbone.network, shared.level - 1 - Backbone.levels)
        statistics = _colour(shared.backbone)
    if method.config.stl.answer == "classification":
        return Route(body, network.classification, statistics)
    head = nn.Sequential(network.score_features, *_pooled(network.localization))
    return Route(body, head, statistics)


def _warped(route: Route, theta: Tensor, crop_px: int, size: tuple[int, int]) -> Route:
    return _on_crop(route, lambda grey: warp(grey, theta, (crop_px, crop_px)), theta, size)


def _on_crop(route: Route, crop: Maps, theta: Tensor, size: tuple[int, int]) -> Route:
    """The same route behind a crop whose positions `theta` maps to those of the images."""
    return Route(
        route.body,
        route.head,
        route.grey,
        crop=crop,
        place=lambda maps: paste(maps, theta, size),
        cells=route.cells,
    )


ROUTES: Mapping[str, Build] = {
    "window-loss": _pyramid,
    "roi-mining": _two_stages,
    **dict.fromkeys(("chexnet", "wspl", "resnet18-gap", "resnet18-lse"), _classifier),
    "ufdet": _cell_classifier,
    "wrist-resnet18": _residual,
    "wrist-rx": _rx,
    "wrist-aggregator": _aggregator,
    "wrist-attention": _attention,
    **dict.fromkeys(("femur-lbm", "femur-pooling"), _whole),
    "femur-ubm": _annotated,
    **dict.fromkeys(("femur-stn", "femur-sup"), _localized),
    "femur-stl": _transfer,
}
"""By the name of the method; one that is not here leads to its answer by another way than layers."""


def route_of(method: Method[Any], network: nn.Module, images: Tensor, targets: Targets) -> Route:
    """The route of the images of one unit; they must be (n, 1, h, w), float32, 0..1."""
    return ROUTES[method.name](method, cast("Any", network), images, targets)
