"""`femur-sup`: AlexNet regresses the box of the region of interest, whose crop is classified (II-B)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from crepitus.errors import TrainingError, WeightsError
from crepitus.methods.base import Decoded, Targets
from crepitus.methods.femur.loss import box_loss
from crepitus.methods.femur.method import FemurConfig, FemurMethod
from crepitus.methods.femur.networks import ClassNetwork, Localizer
from crepitus.methods.femur.stn import LocalizerConfig, build_localizer, localizer_groups
from crepitus.methods.femur.transform import matrices, similarity_of, warp
from crepitus.methods.parts.cam import MapLogits
from crepitus.methods.parts.weights import load_into, load_weights


class ClassifierConfig(BaseModel):
    """Where the classifier of the crops comes from.

    Attributes:
        run: folder of a finished `femur-ubm` run with the same backbone, head and classes, whose network is
            used as it is, as in the paper; empty trains one on the annotated crops beside the localiser.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str = ""


class SupConfig(FemurConfig):
    """Localiser and classifier, each trained without the other.

    Attributes:
        unit: see `loss.box_loss`; "pixel" counts differences in pixels of the input, "side" in half sides.
    """

    localizer: LocalizerConfig = LocalizerConfig(learning_rate=1e-8, step_epochs=None)
    classifier: ClassifierConfig = ClassifierConfig()
    unit: str = Field(default="pixel", pattern="^(pixel|side)$")


class SupRaw(NamedTuple):
    """Predicted boxes, and class logits of crops.

    Attributes:
        parameters: shape (b, 3), t_r, t_c, s as predicted.
        truth: shape (b, 3), of the annotated regions, NaN where unknown.
        theta: shape (b, 2, 3), of the crops that were classified: in training the annotated ones.
        logits: of the crops; None where the classifier is not trained here and only the box is asked.
    """

    parameters: Tensor
    truth: Tensor
    theta: Tensor
    logits: MapLogits | None


class SupNetwork(nn.Module):
    """Two independent networks; a classifier that is not trained here stays in evaluation mode."""

    def __init__(self, localizer: Localizer, classifier: ClassNetwork, *, frozen: bool) -> None:
        super().__init__()
        self.localizer = localizer
        self.classifier = classifier
        self.frozen = frozen
        self.classifier.requires_grad_(requires_grad=not frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> SupNetwork:
        """Switch to training; a frozen classifier keeps its batch statistics."""
        super().train(mode)
        if self.frozen:
            self.classifier.eval()
        return self

    def forward(self, images: Tensor, truth: Tensor, crop_px: int) -> SupRaw:
        """Boxes and logits of grey images (b, 1, h, w), 0..1, with true parameters `truth` (b, 3) or NaN."""
        parameters = self.localizer(images)
        # "Only for evaluation" the predicted crop is classified (section II-B); no gradient goes through it.
        theta = matrices(parameters.detach(), "similarity")
        if self.training:
            known = ~torch.isnan(truth).any(dim=1)
            theta = torch.where(known[:, None, None], matrices(truth.nan_to_num(), "similarity"), theta)
        if self.training and self.frozen:
            return SupRaw(parameters, truth, theta, None)
        return SupRaw(parameters, truth, theta, self.classifier(warp(images, theta, (crop_px, crop_px))))


class FemurSup(FemurMethod[SupRaw]):
    """Sup. + UBM."""

    name = "femur-sup"
    config_class = SupConfig
    config: SupConfig
    needs = frozenset({"classes", "regions"})

    def network(self, *, initialise: bool) -> SupNetwork:
        """Localiser and classifier; raw outputs are `SupRaw`."""
        config = self.config
        trained = config.classifier.run
        classifier = ClassNetwork(
            config.backbone, config.head, self.logits, initialise=initialise and not trained
        )
        if trained and initialise:
            _load_classifier(classifier, Path(trained), self.class_names)
        localizer = build_localizer(config.localizer, initialise=initialise)
        return SupNetwork(localizer, classifier, frozen=bool(trained))

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """The localiser has its own learning rate."""
        return localizer_groups(network, self.config.localizer)

    def forward(self, network: nn.Module, images: Tensor, targets: Targets) -> SupRaw:
        """Boxes of the images, and logits of the annotated crops (training) or the predicted ones."""
        size = (int(images.shape[-2]), int(images.shape[-1]))
        truth = similarity_of(targets.regions.to(images.device), size)
        return network(images, truth, self.config.localizer.crop_px)  # type: ignore[no-any-return]

    def loss(self, raw: SupRaw, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Eq. 3 on the box, plus the class loss of the crop; no gradient passes between them."""
        total = box_loss(raw.parameters, raw.truth, max(size) / 2 if self.config.unit == "pixel" else 1.0)
        if self.config.classifier.run or raw.logits is None:
            return total
        return total + self._class_loss(raw.logits.image, targets)

    def decode(self, raw: SupRaw) -> Decoded:
        """Class probabilities of the predicted crop; the crop as the box; the heatmap, zero outside it."""
        if raw.logits is None:
            raise TrainingError("femur-sup: expected the network in evaluation mode, got training")
        return self._crop_answer(self._answer(raw.logits), raw.theta, "similarity")


def _load_classifier(network: ClassNetwork, run: Path, names: tuple[str, ...]) -> None:
    """The network of a finished run of `femur-ubm` for the same classes.

    Raises:
        WeightsError: there is none, or it is of another kind.
    """
    path = run / "model.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        method, weights, digest = record["method"], record["weights"], record["sha256"]
        classes = record["config"]["classes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"classifier.run: expected the folder of a finished femur-ubm run, got {run}"
        ) from error
    if method != "femur-ubm" or classes != len(names):
        raise WeightsError(
            f"classifier.run {run}: expected femur-ubm with {len(names)} classes, got {method} with {classes}"
        )
    file = run / Path(str(weights)).name
    load_into(network, load_weights(file, digest), str(file))
