"""`femur-stn`: a spatial transformer that learns where to look from the class loss alone (section II-C1)."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from crepitus.methods.base import Decoded, Targets
from crepitus.methods.femur.alexnet import AlexConfig, alex_features
from crepitus.methods.femur.method import FemurConfig, FemurMethod
from crepitus.methods.femur.networks import ClassNetwork, Localizer
from crepitus.methods.femur.transform import Kind, matrices, warp
from crepitus.methods.parts.cam import MapLogits


class LocalizerConfig(BaseModel):
    """The localiser, an AlexNet.

    Attributes:
        transform: "similarity" (3 parameters, a-STN) or "affine" (6, aff-STN).
        crop_px: side of the crop that the classifier sees.
        network: AlexNet's convolutions.
        hidden: width of its fully connected layers.
        dropout: before them.
        grid: side of the pooled features that enter them.
        learning_rate: of the localiser alone (Table I).
        step_epochs: epochs after which it is multiplied by `step_factor`; null keeps it.
        step_factor: as said.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    transform: Kind = "similarity"
    crop_px: int = Field(default=224, ge=32, le=2048)
    network: AlexConfig = AlexConfig()
    hidden: int = Field(default=4096, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    grid: int = Field(default=6, ge=1)
    learning_rate: float = Field(default=1e-6, gt=0)
    step_epochs: int | None = Field(default=25, ge=1)
    step_factor: float = Field(default=0.5, gt=0, le=1)


def build_localizer(config: LocalizerConfig, *, initialise: bool) -> Localizer:
    """The localiser of a configuration, at the identity."""
    features = alex_features(config.network, final_pool=True, initialise=initialise)
    return Localizer(
        features, config.transform, hidden=config.hidden, dropout=config.dropout, grid=config.grid
    )


def localizer_groups(network: nn.Module, config: LocalizerConfig) -> list[dict[str, Any]]:
    """The localiser's parameters with their own learning rate and decay (Table I), and all others."""
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    own = [p for name, p in named if name.startswith("localizer.")]
    others = [p for name, p in named if not name.startswith("localizer.")]
    decay = {} if config.step_epochs is None else {"step_epochs": config.step_epochs}
    group = {"params": own, "lr": config.learning_rate, "step_factor": config.step_factor, **decay}
    return [group, *([{"params": others}] if others else [])]


class StnRaw(NamedTuple):
    """Class logits of the crops, and where the crops were.

    Attributes:
        logits: of the crops.
        theta: shape (b, 2, 3), see `transform.matrices`.
    """

    logits: MapLogits
    theta: Tensor


class TransformerNetwork(nn.Module):
    """Localiser, crop, classifier (paper 002, Fig. 2c)."""

    def __init__(self, localizer: Localizer, classifier: ClassNetwork, kind: Kind, crop_px: int) -> None:
        super().__init__()
        self.localizer = localizer
        self.classifier = classifier
        self.kind: Kind = kind
        self.crop_px = crop_px

    def forward(self, images: Tensor) -> StnRaw:
        """Logits of the crops of grey images (b, 1, h, w), 0..1."""
        theta = matrices(self.localizer(images), self.kind)
        crops = warp(images, theta, (self.crop_px, self.crop_px))
        return StnRaw(self.classifier(crops), theta)


class StnConfig(FemurConfig):
    """Classifier and localiser."""

    localizer: LocalizerConfig = LocalizerConfig()


class FemurStn(FemurMethod[StnRaw]):
    """a-STN and aff-STN."""

    name = "femur-stn"
    config_class = StnConfig
    config: StnConfig

    def network(self, *, initialise: bool) -> TransformerNetwork:
        """Localiser and classifier; raw outputs are `StnRaw`."""
        config = self.config
        classifier = ClassNetwork(config.backbone, config.head, self.logits, initialise=initialise)
        localizer = build_localizer(config.localizer, initialise=initialise)
        return TransformerNetwork(localizer, classifier, config.localizer.transform, config.localizer.crop_px)

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """The localiser learns slower than the classifier."""
        return localizer_groups(network, self.config.localizer)

    def loss(self, raw: StnRaw, targets: Targets, size: tuple[int, int]) -> Tensor:
        """The class loss; the localiser learns through the crop."""
        return self._class_loss(raw.logits.image, targets)

    def decode(self, raw: StnRaw) -> Decoded:
        """Class probabilities; the crop as the box, scored like the image; the heatmap, zero outside it."""
        return self._crop_answer(self._answer(raw.logits), raw.theta, self.config.localizer.transform)
