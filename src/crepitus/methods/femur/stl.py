"""`femur-stl`: self-transfer learning, two branches on shared features (section II-C2)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from crepitus.methods.base import Batches, Decoded, Targets
from crepitus.methods.femur.alexnet import AlexConfig, alex_features
from crepitus.methods.femur.loss import alpha_at, joint_loss
from crepitus.methods.femur.method import FemurConfig, FemurMethod
from crepitus.methods.femur.networks import fully_connected
from crepitus.methods.parts.backbone import Backbone
from crepitus.methods.parts.cam import CamHead, MapLogits


class BranchConfig(BaseModel):
    """The two branches and their balance.

    Attributes:
        alpha: share of the localisation loss (Eq. 6); 0 and 1 train one branch alone.
        complement_epoch: epoch from which alpha is 1 - alpha; null never. The paper says "at convergence".
        shared: "alexnet" as in Hwang and Kim (2016), or "backbone".
        network: AlexNet's convolutions, for "alexnet".
        grid: side of the pooled features that enter the fully connected layers.
        hidden: width of these.
        dropout: before them.
        score_channels: of the 3x3 convolution before the score maps; 0 leaves it out.
        answer: branch that gives the class probabilities.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    alpha: float = Field(default=0.6, ge=0, le=1)
    complement_epoch: int | None = Field(default=40, ge=1)
    shared: Literal["alexnet", "backbone"] = "alexnet"
    network: AlexConfig = AlexConfig()
    grid: int = Field(default=6, ge=1)
    hidden: int = Field(default=4096, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    score_channels: int = Field(default=0, ge=0)
    answer: Literal["classification", "localization"] = "classification"


class StlConfig(FemurConfig):
    """Shared features and two branches."""

    stl: BranchConfig = BranchConfig()


class StlRaw(NamedTuple):
    """Logits of the two branches.

    Attributes:
        classification: shape (b, k).
        localization: score maps (b, k, h, w), and their averages (b, k).
        training: whether the network was in training.
    """

    classification: Tensor
    localization: MapLogits
    training: bool


class StlNetwork(nn.Module):
    """Shared convolutions, then both branches (paper 002, Fig. 2d).

    Args:
        shared: gives features (b, channels, h, w).
        channels: as said.
        config: of the branches.
        logits: how many.
    """

    def __init__(self, shared: nn.Module, channels: int, config: BranchConfig, logits: int) -> None:
        super().__init__()
        self.shared = shared
        self.classification = nn.Sequential(
            nn.AdaptiveAvgPool2d(config.grid),
            nn.Flatten(),
            fully_connected(channels * config.grid**2, config.hidden, logits, config.dropout),
        )
        scores: list[nn.Module] = []
        if config.score_channels:
            scores = [nn.Conv2d(channels, config.score_channels, 3, padding=1), nn.ReLU(inplace=True)]
        self.score_features = nn.Sequential(*scores)
        self.localization = CamHead(config.score_channels or channels, logits)

    def forward(self, images: Tensor) -> StlRaw:
        """Logits of grey images (b, 1, h, w), 0..1."""
        features = self.shared(images)
        classification: Tensor = self.classification(features)
        return StlRaw(classification.float(), self.localization(self.score_features(features)), self.training)


class _LastLevel(nn.Module):
    """A backbone that returns one of its levels."""

    def __init__(self, backbone: Backbone, level: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.level = level

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.backbone(images)[self.level - 1]
        return features


class FemurStl(FemurMethod[StlRaw]):
    """Self-transfer learning."""

    name = "femur-stl"
    config_class = StlConfig
    config: StlConfig

    def __init__(self, config: StlConfig) -> None:
        super().__init__(config)
        self.alpha = config.stl.alpha

    def before_epoch(self, network: nn.Module, epoch: int, images: Batches) -> dict[str, float]:
        """Complement alpha when its epoch has come."""
        self.alpha = alpha_at(self.config.stl.alpha, epoch, self.config.stl.complement_epoch)
        return {**super().before_epoch(network, epoch, images), "alpha": self.alpha}

    def network(self, *, initialise: bool) -> StlNetwork:
        """Shared convolutions and two branches; raw outputs are `StlRaw`."""
        branches = self.config.stl
        if branches.shared == "alexnet":
            shared = alex_features(branches.network, final_pool=False, initialise=initialise)
            return StlNetwork(shared, shared.channels, branches, self.logits)
        backbone = Backbone(self.config.backbone, initialise=initialise)
        level = self.config.head.level
        return StlNetwork(_LastLevel(backbone, level), backbone.channels[level - 1], branches, self.logits)

    def loss(self, raw: StlRaw, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Eq. 6 in training; in validation the loss of the branch that answers.

        With the sum, epochs before and after the complement would not be comparable, and the one with the
        lowest validation loss would depend on alpha.
        """
        classification = self._class_loss(raw.classification, targets)
        localization = self._class_loss(raw.localization.image, targets)
        if raw.training:
            return joint_loss(classification, localization, self.alpha)
        return classification if self.config.stl.answer == "classification" else localization

    def decode(self, raw: StlRaw) -> Decoded:
        """Class probabilities of the chosen branch; heatmap and boxes from the score maps."""
        answer = self._answer(raw.localization)
        if self.config.stl.answer == "classification":
            logits = MapLogits(raw.localization.cells, raw.classification)
            answer = self._answer(logits)
        return self._decoded(answer, self._map_boxes(answer))
