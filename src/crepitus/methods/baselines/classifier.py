"""Classifiers with heatmaps: chexnet, wspl, ufdet, resnet18-gap, resnet18-lse (papers 001 and 003)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from crepitus.methods.base import Decoded, Method, MethodConfig, Targets
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.parts.cam import FullyConvolutional, MapLogits, activation_maps
from crepitus.methods.parts.label_loss import label_loss, probability_loss
from crepitus.methods.parts.lse import lse_pool


class PoolingConfig(BaseModel):
    """LSE pooling, and where the classifier starts.

    Attributes:
        sharpness: r of LSE pooling. Wang et al. (2017) take 10; paper 003 does not say.
        prior: probability that the untrained classifier gives everywhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sharpness: float = Field(default=10.0, ge=0)
    prior: float = Field(default=0.5, gt=0, lt=1)


class HeadConfig(BaseModel):
    """The classifier on averaged features: `prior` is the probability that it gives untrained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prior: float = Field(default=0.5, gt=0, lt=1)


class GapConfig(MethodConfig):
    """A classifier with global average pooling on DenseNet-121 (003; 001 has ResNet-50)."""

    backbone: BackboneConfig = BackboneConfig(name="densenet121")
    head: HeadConfig = HeadConfig()


class LseConfig(MethodConfig):
    """A classifier with LSE pooling on DenseNet-121 (003; 001 has ResNet-50)."""

    backbone: BackboneConfig = BackboneConfig(name="densenet121")
    pooling: PoolingConfig = PoolingConfig()


class ResNet18GapConfig(GapConfig):
    """The small classifier of 003, Table 1."""

    backbone: BackboneConfig = BackboneConfig(name="resnet18")


class ResNet18LseConfig(LseConfig):
    """The small classifier of 003, Table 1."""

    backbone: BackboneConfig = BackboneConfig(name="resnet18")


class _FeaturePooling(Method[MapLogits]):
    """Features are pooled, then classified; heatmaps are class activation maps."""

    needs = frozenset({"labels"})

    def loss(self, raw: MapLogits, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Cross-entropy of the image's label."""
        return label_loss(raw.image[:, 0], targets.labels)

    def decode(self, raw: MapLogits) -> Decoded:
        """The image's probability, and sigmoid(w f + b) as heatmap."""
        return Decoded(
            scores=torch.sigmoid(raw.image[:, 0].float()), heatmaps=activation_maps(raw.cells[:, 0])
        )


class CheXNet(_FeaturePooling):
    """Rajpurkar et al. (2017): global average pooling, a fully connected layer, CAM."""

    name = "chexnet"
    config_class = GapConfig
    config: GapConfig

    def network(self, *, initialise: bool) -> FullyConvolutional:
        """Backbone and classifier on averaged features."""
        return FullyConvolutional(self.config.backbone, prior=self.config.head.prior, initialise=initialise)


class Wspl(_FeaturePooling):
    """Wang et al. (2017): LSE pooling of the features, a fully connected layer, CAM."""

    name = "wspl"
    config_class = LseConfig
    config: LseConfig

    def network(self, *, initialise: bool) -> FullyConvolutional:
        """Backbone and classifier on LSE-pooled features."""
        pooling = self.config.pooling
        return FullyConvolutional(
            self.config.backbone, sharpness=pooling.sharpness, prior=pooling.prior, initialise=initialise
        )


class UfDet(Method[MapLogits]):
    """Wang et al. (2019), stage 1: a probability per cell, LSE pooling of the probabilities."""

    name = "ufdet"
    config_class = LseConfig
    config: LseConfig
    needs = frozenset({"labels"})
    score_is_peak: ClassVar[bool] = True

    def network(self, *, initialise: bool) -> FullyConvolutional:
        """Backbone and a 1x1 convolution."""
        return FullyConvolutional(
            self.config.backbone, prior=self.config.pooling.prior, initialise=initialise
        )

    def loss(self, raw: MapLogits, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Cross-entropy of the pooled probability (003, Eq. 1)."""
        pooled = lse_pool(activation_maps(raw.cells[:, 0]), self.config.pooling.sharpness)
        return probability_loss(pooled, targets.labels)

    def decode(self, raw: MapLogits) -> Decoded:
        """The probability map and its maximum, p' of 003."""
        heatmaps = activation_maps(raw.cells[:, 0])
        return Decoded(scores=heatmaps.flatten(1).amax(dim=1), heatmaps=heatmaps)


class ResNet18Gap(CheXNet):
    """The low-capacity baseline with average pooling."""

    name = "resnet18-gap"
    config_class = ResNet18GapConfig


class ResNet18Lse(Wspl):
    """The low-capacity baseline with LSE pooling."""

    name = "resnet18-lse"
    config_class = ResNet18LseConfig
