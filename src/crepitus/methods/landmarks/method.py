"""The methods `landmarks` (graph) and `landmarks-heatmap`: configuration, loss, answers."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from crepitus.data.augmentation import AugmentationConfig
from crepitus.methods.base import (
    Batches,
    Decoded,
    InputConfig,
    Method,
    MethodConfig,
    Targets,
    TrainingConfig,
)
from crepitus.methods.landmarks.answer import (
    PELVIS,
    LandmarkRaw,
    assessable,
    both_views,
    mean_shape_of,
    unflipped,
    with_sides,
)
from crepitus.methods.landmarks.graph import GraphLandmarks
from crepitus.methods.landmarks.heatmap import HeatmapLandmarks, gaussian_targets, map_loss
from crepitus.methods.landmarks.loss import distance_loss, mean_of, perspective_loss, spread_loss
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.parts.sides import partners


class DetectorConfig(BaseModel):
    """The detector and its loss.

    Attributes:
        names: of the landmarks; those of two sides end in -L and -R.
        channels: of the feature pyramid.
        hidden: features of a node of the graph.
        depth: residual graph convolutions in a step.
        local_steps: steps after the perspective one (3 in the paper's detector).
        margin: error of the perspective step that costs nothing, fraction of the input.
        sigma: standard deviation of a target heatmap, fraction of the input.
        spread_weight: weight of the loss of the uncertainty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] = Field(default=PELVIS, min_length=3)
    channels: int = Field(default=128, ge=4)
    hidden: int = Field(default=128, ge=4)
    depth: int = Field(default=3, ge=1)
    local_steps: int = Field(default=3, ge=1)
    margin: float = Field(default=0.02, ge=0)
    sigma: float = Field(default=0.012, gt=0)
    spread_weight: float = Field(default=0.01, gt=0)


class AssessConfig(BaseModel):
    """When the landmarks of an image are too unsure to be used, see `assessable`.

    Attributes:
        max_sd: largest root mean square standard deviation, fraction of the size of the shape.
        max_residual: largest part of the shape that the mean shape does not explain.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_sd: float = Field(default=0.15, gt=0)
    max_residual: float = Field(default=0.35, gt=0)


class LandmarkInput(InputConfig):
    """A whole pelvis at 512 pixels."""

    size_px: int = Field(default=512, ge=32, le=8192)


class LandmarkAugmentation(AugmentationConfig):
    """A pelvis may lie turned, near and off the middle."""

    rotation_deg: float = Field(default=12.0, ge=0, le=180)
    scale: float = Field(default=0.15, ge=0, lt=1)
    translation: float = Field(default=0.06, ge=0, lt=0.5)


class LandmarkTraining(TrainingConfig):
    """The epoch with the least validation loss is kept: landmarks rank no images."""

    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=3e-4, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "one-cycle", "step", "plateau"] = "one-cycle"
    select: Literal["auroc", "loss"] = "loss"


class LandmarkBackbone(BackboneConfig):
    """ResNet-18."""

    name: str = "resnet18"


class LandmarksConfig(MethodConfig):
    """Everything that can be set."""

    input: LandmarkInput = LandmarkInput()
    augmentation: LandmarkAugmentation = LandmarkAugmentation()
    training: LandmarkTraining = LandmarkTraining()
    backbone: LandmarkBackbone = LandmarkBackbone()
    detector: DetectorConfig = DetectorConfig()
    assess: AssessConfig = AssessConfig()


class Landmarks(Method[LandmarkRaw]):
    """A graph of landmarks moved by a perspective step and local steps (reference 19 of paper 000)."""

    name = "landmarks"
    config_class = LandmarksConfig
    config: LandmarksConfig
    needs = frozenset({"landmarks"})
    finds_boxes = False
    unassessable = "the landmarks are too unsure, or their shape is not that of the training images"

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Names of the landmarks, in the order of all arrays."""
        return self.config.detector.names

    @property
    def partner(self) -> list[int]:
        """Index of each landmark's partner on the other side."""
        return partners(self.landmark_names)

    def network(self, *, initialise: bool) -> nn.Module:
        """The graph detector; its raw output is a `LandmarkRaw`."""
        options = self.config.detector
        return GraphLandmarks(
            self.config.backbone,
            nodes=len(options.names),
            channels=options.channels,
            hidden=options.hidden,
            depth=options.depth,
            local_steps=options.local_steps,
            initialise=initialise,
        )

    def before_epoch(self, network: nn.Module, epoch: int, images: Batches) -> dict[str, float]:
        """Before the first epoch: the mean shape of the training images, from which the graph starts."""
        if epoch > 0:
            return {}
        shapes = []
        size = self.config.input.shape
        for _, targets in images():
            shapes.append(targets.landmarks.detach().float().cpu())
        mean = mean_shape_of(torch.cat(shapes), self.partner, size)
        buffer: Any = network.mean_shape
        buffer.copy_(mean.to(buffer))
        return {}

    def loss(self, raw: LandmarkRaw, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Sum over the steps of the distance, and the loss of the uncertainty."""
        truth, known = _truth(self, raw, targets)
        spread = mean_of(spread_loss(raw.log_sd, raw.steps[-1], truth), known)
        return self._distances(raw, truth, known, size) + self.config.detector.spread_weight * spread

    def _distances(self, raw: LandmarkRaw, truth: Tensor, known: Tensor, size: tuple[int, int]) -> Tensor:
        unit = float(max(size))
        total = perspective_loss(raw.steps[0], truth, known, unit, self.config.detector.margin)
        for step in raw.steps[1:]:
            total = total + mean_of(distance_loss(step, truth, unit), known)
        return total

    def decode(self, raw: LandmarkRaw) -> Decoded:
        """Landmarks with their standard deviation; a score of 0.5, since they say nothing about fractures."""
        landmarks = raw.landmarks
        return Decoded(
            scores=landmarks.new_full((len(landmarks),), 0.5),
            landmarks=landmarks,
            assessable=self._assessable(landmarks, raw.mean_shape),
        )

    def _assessable(self, landmarks: Tensor, mean_shape: Tensor) -> Tensor:
        limits = self.config.assess
        return assessable(
            landmarks,
            mean_shape,
            self.config.input.shape,
            max_sd=limits.max_sd,
            max_residual=limits.max_residual,
        )

    @torch.no_grad()
    def infer(self, network: nn.Module, images: Tensor, targets: Targets | None = None) -> Decoded:
        """Landmarks of the images, together with those of their flips if the configuration asks for it."""
        raw: LandmarkRaw = network(images)
        if not self.config.inference.flip_average:
            return self.decode(raw)
        turned: LandmarkRaw = network(images.flip(-1))
        back = unflipped(turned.landmarks, self.partner, float(images.shape[-1]))
        joint = both_views(raw.landmarks, back)
        return Decoded(
            scores=joint.new_full((len(joint),), 0.5),
            landmarks=joint,
            assessable=self._assessable(joint, raw.mean_shape),
        )


class HeatmapLandmarksMethod(Landmarks):
    """Heatmap regression with the same backbone, pyramid and answers: what the graph is compared with."""

    name = "landmarks-heatmap"

    def network(self, *, initialise: bool) -> nn.Module:
        """The heatmap detector; its raw output is a `LandmarkRaw` with maps."""
        options = self.config.detector
        return HeatmapLandmarks(
            self.config.backbone,
            nodes=len(options.names),
            channels=options.channels,
            initialise=initialise,
        )

    def loss(self, raw: LandmarkRaw, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Cross-entropy of the maps; position and uncertainty are read from them and not trained."""
        return self._distances(raw, *_truth(self, raw, targets), size)

    def _distances(self, raw: LandmarkRaw, truth: Tensor, known: Tensor, size: tuple[int, int]) -> Tensor:
        if raw.maps is None:
            raise ValueError("expected maps in the raw outputs of a heatmap detector")
        cells = (int(raw.maps.shape[-2]), int(raw.maps.shape[-1]))
        sigma = self.config.detector.sigma * max(size)
        wanted = gaussian_targets(truth, cells, size, sigma)
        # A landmark outside the input has no cell.
        frame = truth.new_tensor([size[1], size[0]])
        inside = known & (truth >= 0).all(-1) & (truth < frame).all(-1)
        return mean_of(map_loss(raw.maps, wanted), inside)


def _truth(method: Landmarks, raw: LandmarkRaw, targets: Targets) -> tuple[Tensor, Tensor]:
    """Landmarks with their sides, 0 where unknown, and which are known."""
    truth = with_sides(targets, method.partner).to(raw.log_sd)
    known = torch.isfinite(truth).all(-1)
    # What is not known would put NaN into gradients, even with weight 0.
    return torch.where(known[..., None], truth, 0.0), known
