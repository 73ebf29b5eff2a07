"""Configurations of the wrist methods; the defaults are those of the thesis's baseline (004, 6.2.2.4)."""

from __future__ import annotations

from pydantic import Field

from crepitus.data.augmentation import AugmentationConfig
from crepitus.methods.base import InputConfig, MethodConfig, TrainingConfig
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.wrist.aggregator import ViewsConfig
from crepitus.methods.wrist.attention import AttentionConfig
from crepitus.methods.wrist.rx import RxConfig

INPUT = InputConfig(rows_px=512, columns_px=341)
"""341 x 512: the arms stand upright, so the longer side is the height."""

AUGMENTATION = AugmentationConfig(
    rotation_deg=0.0, flip_probability=0.5, intensity=0.0, contrast=0.0, crop=0.9
)
"""Crops of 90 to 100 % and flips (4.4); inversion was tried and dropped (6.2.2.2)."""

TRAINING = TrainingConfig(
    epochs=24,
    batch_size=32,
    optimizer="adam",
    learning_rate=1e-3,
    weight_decay=0.0,
    sampling="opposite-counts",
)
"""Adam, batches of 32, best after 24 epochs. The learning rate, which is not given, is Adam's own."""

VIT_SMALL = BackboneConfig(name="vit_small_patch16_224")
RESNET18 = BackboneConfig(name="resnet18")


class WristConfig(MethodConfig):
    """What all wrist methods share."""

    input: InputConfig = INPUT
    augmentation: AugmentationConfig = AUGMENTATION
    training: TrainingConfig = TRAINING


class ResNetConfig(WristConfig):
    """`wrist-resnet18`."""

    backbone: BackboneConfig = RESNET18


class RxMethodConfig(WristConfig):
    """`wrist-rx`."""

    rx: RxConfig = RxConfig()


class AggregatorConfig(WristConfig):
    """`wrist-aggregator`; a batch holds this many studies.

    Attributes:
        views: what the view model starts from.
        views_rate: learning rate of the view model, part of that of the classifier.
    """

    rx: RxConfig = RxConfig()
    views: ViewsConfig = ViewsConfig()
    views_rate: float = Field(default=1.0, gt=0, le=1)


class TransformerConfig(WristConfig):
    """`wrist-vit`."""

    backbone: BackboneConfig = VIT_SMALL


class AttentionMethodConfig(WristConfig):
    """`wrist-attention`."""

    attention: AttentionConfig = AttentionConfig()
