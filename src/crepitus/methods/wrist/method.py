"""The methods of thesis 004 that answer for one image: one logit, trained on labels spread from the study."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from crepitus.methods.base import Batches, Decoded, Method, Targets
from crepitus.methods.parts.label_loss import label_loss
from crepitus.methods.wrist.attention import AttentionNetwork
from crepitus.methods.wrist.config import (
    AttentionMethodConfig,
    ResNetConfig,
    RxMethodConfig,
    TransformerConfig,
    WristConfig,
)
from crepitus.methods.wrist.grey_statistics import GreyStatistics
from crepitus.methods.wrist.resnet import ResidualNetwork
from crepitus.methods.wrist.rx import RxNetwork, refuse_used_up
from crepitus.methods.wrist.vit import TransformerNetwork


def measure_statistics(
    network: nn.Module, epoch: int, images: Batches, config: WristConfig
) -> dict[str, float]:
    """Before the first epoch: mean and standard deviation of the training images, into the network."""
    if epoch > 0:
        return {}
    statistics = cast("GreyStatistics", network.statistics)
    inversion = config.augmentation.inversion_probability
    return statistics.measure((batch for batch, _ in images()), inversion=inversion)


class WristImageMethod(Method[Tensor]):
    """One logit per image; raw outputs have the shape (b,)."""

    config: WristConfig
    needs: ClassVar[frozenset[str]] = frozenset({"labels"})
    finds_boxes: ClassVar[bool] = False

    def loss(self, raw: Tensor, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Binary cross-entropy of the labelled images."""
        return label_loss(raw, targets.labels)

    def decode(self, raw: Tensor) -> Decoded:
        """The probability of a fracture."""
        return Decoded(scores=torch.sigmoid(raw.float()))

    def before_epoch(self, network: nn.Module, epoch: int, images: Batches) -> dict[str, float]:
        """Measure the grey statistics of the training images, once."""
        return measure_statistics(network, epoch, images, self.config)


class WristResNet18(WristImageMethod):
    """The baseline (5.1): ResNet-18, or any backbone with feature levels."""

    name = "wrist-resnet18"
    config_class = ResNetConfig
    config: ResNetConfig

    def network(self, *, initialise: bool) -> ResidualNetwork:
        """Backbone, average, one logit."""
        return ResidualNetwork(self.config.backbone, initialise=initialise)


class WristRx(WristImageMethod):
    """Rx (5.2): convolutions, pooling, ReLU and three linear layers, without residuals."""

    name = "wrist-rx"
    config_class = RxMethodConfig
    config: RxMethodConfig

    def network(self, *, initialise: bool) -> RxNetwork:
        """The blocks and the classifier.

        Raises:
            ConfigError: the blocks use up the input.
        """
        refuse_used_up(self.config.input.shape, self.config.rx)
        return RxNetwork(self.config.rx)


class WristVit(WristImageMethod):
    """A Vision Transformer (chapter 8)."""

    name = "wrist-vit"
    config_class = TransformerConfig
    config: TransformerConfig

    def network(self, *, initialise: bool) -> TransformerNetwork:
        """The transformer for inputs of the configured size."""
        return TransformerNetwork(self.config.backbone, self.config.input.shape, initialise=initialise)


class WristAttention(WristImageMethod):
    """The Residual Attention Network (chapter 8)."""

    name = "wrist-attention"
    config_class = AttentionMethodConfig
    config: AttentionMethodConfig

    def network(self, *, initialise: bool) -> AttentionNetwork:
        """Attention modules between residual units."""
        return AttentionNetwork(self.config.attention)
