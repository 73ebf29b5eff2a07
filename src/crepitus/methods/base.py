"""What a method is: a configuration, a network, a loss on raw outputs, and a decoder; each apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from crepitus.data.augmentation import AugmentationConfig

Raw = TypeVar("Raw")


@dataclass(frozen=True)
class Targets:
    """What is known about a batch of b prepared images.

    Attributes:
        image_ids: b names.
        labels: shape (b,), float32; 1, 0 or NaN where unknown.
        points: per image (x, y) in pixels of the prepared image, shape (k, 2), float32.
        place_known: shape (b,), bool; False where a fracture may be at a place that nobody marked.
    """

    image_ids: Sequence[str]
    labels: Tensor
    points: Sequence[Tensor]
    place_known: Tensor


@dataclass(frozen=True)
class Decoded:
    """Answers for a batch of b prepared images.

    Attributes:
        scores: shape (b,), float32, 0..1.
        heatmaps: shape (b, h, w), float32, 0..1, covering the prepared image; None where there is none.
        class_scores: per class shape (b,), 0..1.
    """

    scores: Tensor
    heatmaps: Tensor | None = None
    class_scores: dict[str, Tensor] = field(default_factory=dict)


class InputConfig(BaseModel):
    """How an image enters a network: padded to a square of `size_px`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size_px: int = Field(default=1024, ge=32, le=8192)


class TrainingConfig(BaseModel):
    """The loop: optimiser, length, precision.

    Attributes:
        epochs: number of epochs.
        batch_size: images per step and device.
        accumulate: steps whose gradients are added up before the weights move.
        optimizer: "adam", or "adamw" with decoupled weight decay.
        learning_rate: peak learning rate.
        weight_decay: L2 for "adam", decoupled for "adamw".
        schedule: "constant", or "one-cycle": linear warm-up, then cosine to zero, over all steps.
        warmup_fraction: part of the steps that warms up ("one-cycle").
        gradient_clip: largest norm of the gradient; 0 switches it off.
        positive_fraction: share of positives in an epoch, see `data.sampling`; null takes every image.
        precision: "fp32", "bf16" or "fp16" (mixed), or "auto": bf16 where the device computes in it.
        devices: number of devices, or "auto".
        workers: loader processes per device; "auto" takes the cores, at most 8.
        seed: of everything random.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=48, ge=1)
    accumulate: int = Field(default=1, ge=1)
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float = Field(default=4e-5, gt=0)
    weight_decay: float = Field(default=1e-3, ge=0)
    schedule: Literal["constant", "one-cycle"] = "constant"
    warmup_fraction: float = Field(default=0.1, ge=0, lt=1)
    gradient_clip: float = Field(default=0.0, ge=0)
    positive_fraction: float | None = Field(default=None, gt=0, lt=1)
    precision: Literal["fp32", "bf16", "fp16", "auto"] = "auto"
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    seed: int = Field(default=0, ge=0)


class InferenceConfig(BaseModel):
    """What happens after training: averaging over the flip, and boxes from heatmaps.

    Attributes:
        flip_average: average the heatmap with that of the flipped image.
        box_floor: cells below this probability belong to no box.
        box_relative: a box surrounds the cells of its component that reach this fraction of its peak;
            null chooses the fraction whose boxes overlap the annotated ones of the validation images most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    flip_average: bool = False
    box_floor: float = Field(default=0.05, gt=0, lt=1)
    box_relative: float | None = Field(default=None, gt=0, le=1)


class MethodConfig(BaseModel):
    """What every method's configuration has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: InputConfig = InputConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    training: TrainingConfig = TrainingConfig()
    inference: InferenceConfig = InferenceConfig()


class Method(ABC, Generic[Raw]):
    """A method with its configuration; stateless, the network holds the weights."""

    name: str
    config_class: type[MethodConfig]

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def network(self, *, initialise: bool) -> nn.Module:
        """A network that maps grey images (b, 1, h, w), 0..1, to raw outputs.

        Args:
            initialise: load the starting weights that the configuration names.
        """

    @abstractmethod
    def loss(self, raw: Raw, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Scalar loss of raw outputs for inputs of `size` (height, width)."""

    @abstractmethod
    def decode(self, raw: Raw) -> Decoded:
        """Answers from raw outputs."""

    @torch.no_grad()
    def infer(self, network: nn.Module, images: Tensor) -> Decoded:
        """Decode `images`, averaged with their flip if the configuration asks for it."""
        decoded = self.decode(network(images))
        if not self.config.inference.flip_average:
            return decoded
        flipped = self.decode(network(images.flip(-1)))
        if decoded.heatmaps is None or flipped.heatmaps is None:
            return Decoded(scores=(decoded.scores + flipped.scores) / 2)
        heatmaps = (decoded.heatmaps + flipped.heatmaps.flip(-1)) / 2
        return Decoded(scores=heatmaps.flatten(1).amax(dim=1), heatmaps=heatmaps)
