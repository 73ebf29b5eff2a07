"""The configuration of `roi-mining`, with the values of paper 003 as defaults where it gives them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crepitus.methods.base import InputConfig, MethodConfig, TrainingConfig
from crepitus.methods.baselines.classifier import PoolingConfig
from crepitus.methods.parts.backbone import BackboneConfig


class MiningConfig(BaseModel):
    """From the first stage to the examples of the second.

    Attributes:
        start_epoch: the first epoch of the second stage; the ones before train the first stage. 0 only with
            `first_weights`.
        first_weights: safetensors file of a finished `ufdet` run with the same backbone, which becomes the
            first stage; empty: it starts from the weights of `backbone`.
        sensitivity: of the training images above the threshold p-hat.
        regions_per_image: K, most regions of an image in an epoch.
        region_px: side of a region at an input of `reference_px`. The paper does not give it.
        reference_px: side of the input for which that length is given; it scales with the longer side.
        region_input_px: side at which a region enters the second stage; null: as it is cut.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start_epoch: int = Field(default=100, ge=0)
    first_weights: str = ""
    sensitivity: float = Field(default=0.99, gt=0, le=1)
    regions_per_image: int = Field(default=5, ge=1)
    region_px: float = Field(default=224.0, gt=0)
    reference_px: float = Field(default=961.0, gt=0)
    region_input_px: int | None = Field(default=None, ge=32)


class KindsConfig(BaseModel):
    """The optional output for the kind of fracture, in the paper hip or pelvis.

    Attributes:
        column: column of the `images` table that names the kind; phantoms have `region`. Empty: no output.
        names: the kinds; other values are unknown.
        weight: of their cross-entropy in the loss of the second stage. The paper does not give it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = ""
    names: tuple[str, ...] = ("hip", "pelvis")
    weight: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _several(self) -> KindsConfig:
        if self.column and (len(set(self.names)) != len(self.names) or len(self.names) < 2):
            raise ValueError(f"expected at least two different names, got {', '.join(self.names) or 'none'}")
        return self


class RoiMiningConfig(MethodConfig):
    """Everything about a `roi-mining` run."""

    input: InputConfig = InputConfig(size_px=961, fit="stretch")
    training: TrainingConfig = TrainingConfig(
        epochs=200,
        batch_size=8,
        learning_rate=1e-5,
        weight_decay=0.0,
        schedule="plateau",
        step_factor=0.1,
    )
    backbone: BackboneConfig = BackboneConfig(name="densenet121")
    second: BackboneConfig = BackboneConfig(name="resnet18")
    pooling: PoolingConfig = PoolingConfig()
    mining: MiningConfig = MiningConfig()
    kinds: KindsConfig = KindsConfig()

    @model_validator(mode="after")
    def _two_stages(self) -> RoiMiningConfig:
        if self.mining.start_epoch == 0 and not self.mining.first_weights:
            raise ValueError(
                "expected mining.start_epoch of at least 1, or a trained first stage as mining.first_weights"
            )
        if self.mining.start_epoch >= self.training.epochs:
            raise ValueError(
                f"expected mining.start_epoch below training.epochs, so that epochs are left for the second "
                f"stage, got {self.mining.start_epoch} and {self.training.epochs}"
            )
        return self

    @property
    def region_px(self) -> float:
        """Side of a region in pixels of the input."""
        return self.mining.region_px * max(self.input.shape) / self.mining.reference_px

    @property
    def region_input_px(self) -> int:
        """Side at which a region enters the second stage, pixels."""
        return self.mining.region_input_px or max(1, round(self.region_px))
