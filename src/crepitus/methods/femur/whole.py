"""`femur-lbm`, `femur-ubm`, `femur-pooling`: one classifier, on the whole image or on its region."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from crepitus.methods.base import Decoded, Targets
from crepitus.methods.femur.method import FemurConfig, FemurMethod
from crepitus.methods.femur.networks import ClassNetwork, HeadConfig
from crepitus.methods.femur.transform import matrices, similarity_of, warp
from crepitus.methods.parts.cam import MapLogits


class _Whole(FemurMethod[MapLogits]):
    """Class logits of the whole image."""

    config_class = FemurConfig

    def network(self, *, initialise: bool) -> ClassNetwork:
        """Backbone, pooling and prediction layer; raw outputs are `MapLogits`."""
        config = self.config
        return ClassNetwork(config.backbone, config.head, self.logits, initialise=initialise)

    def loss(self, raw: MapLogits, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Weighted cross-entropy (Eq. 1)."""
        return self._class_loss(raw.image, targets)

    def decode(self, raw: MapLogits) -> Decoded:
        """Class probabilities, heatmap, and boxes from the activation map."""
        answer = self._answer(raw)
        return self._decoded(answer, self._map_boxes(answer))


class FemurLbm(_Whole):
    """The lower bound: ResNet-50 on the whole image (section II-A)."""

    name = "femur-lbm"


class PoolingConfig(FemurConfig):
    """The defaults of section II-C3; the paper leaves the width of the transition layer open."""

    head: HeadConfig = HeadConfig(transition_channels=1024)


class FemurPooling(_Whole):
    """Transition layer, maximum, log-sum-exp or average pooling, prediction layer (section II-C3)."""

    name = "femur-pooling"
    config_class = PoolingConfig
    config: PoolingConfig


class UbmConfig(FemurConfig):
    """The crop of the region.

    Attributes:
        crop_px: side of the crop that the classifier sees.
    """

    crop_px: int = Field(default=224, ge=32, le=2048)


class UbmRaw(NamedTuple):
    """Class logits of the annotated regions.

    Attributes:
        logits: of the crops.
        theta: shape (b, 2, 3), where they lie; the whole image where no region is known.
        known: shape (b,), bool, whether it is.
    """

    logits: MapLogits
    theta: Tensor
    known: Tensor


class FemurUbm(FemurMethod[UbmRaw]):
    """The upper bound: the classifier on the annotated region of interest (section II-A)."""

    name = "femur-ubm"
    config_class = UbmConfig
    config: UbmConfig
    needs = frozenset({"classes", "regions"})
    finds_boxes = False
    unassessable = "expected a region of interest: a box labelled 'roi', or landmarks of one upper femur"

    def network(self, *, initialise: bool) -> ClassNetwork:
        """The network of `femur-lbm`."""
        config = self.config
        return ClassNetwork(config.backbone, config.head, self.logits, initialise=initialise)

    def forward(self, network: nn.Module, images: Tensor, targets: Targets) -> UbmRaw:
        """Logits of the crops of the annotated regions."""
        size = (int(images.shape[-2]), int(images.shape[-1]))
        parameters = similarity_of(targets.regions.to(images.device), size)
        known = ~torch.isnan(parameters).any(dim=1)
        whole = parameters.new_tensor([0.0, 0.0, 1.0])
        theta = matrices(torch.where(known[:, None], parameters, whole), "similarity")
        crops = warp(images, theta, (self.config.crop_px, self.config.crop_px))
        return UbmRaw(network(crops), theta, known)

    def loss(self, raw: UbmRaw, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Weighted cross-entropy (Eq. 1) of the images whose region is known."""
        return self._class_loss(raw.logits.image, targets, raw.known)

    def decode(self, raw: UbmRaw) -> Decoded:
        """Class probabilities and heatmap; no boxes, for the region was given."""
        decoded = self._crop_answer(self._answer(raw.logits), raw.theta, "similarity")
        return replace(decoded, boxes=None, assessable=raw.known)
