"""What the methods of paper 002 share: the configuration, the class loss, and answers from class logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from crepitus.data.ao_classes import NORMAL, class_of
from crepitus.methods.base import Batches, Decoded, Method, MethodConfig, Targets
from crepitus.methods.femur.boxes import BoxConfig, map_boxes
from crepitus.methods.femur.classes import (
    CLASS_NAMES,
    ClassCount,
    Output,
    fracture_probability,
    hierarchy,
    log_probabilities,
    logit_count,
)
from crepitus.methods.femur.loss import class_loss, frequency_weights
from crepitus.methods.femur.networks import HeadConfig
from crepitus.methods.femur.transform import Kind, boxes_of, paste
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.parts.cam import MapLogits

Raw = TypeVar("Raw")

HEATMAP_STRIDE = 8
"""Input pixels per cell of a heatmap that a crop is pasted into."""


class ClassLossConfig(BaseModel):
    """The class loss.

    Attributes:
        weights: "none" (cross-entropy, w_c = 1), or "frequency" (Eq. 2, from the training images).
        curriculum_epochs: epochs at which the second and the third question of the hierarchy join the loss
            ("tree" output only); empty asks all from the start. Named as future work in section V.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Literal["none", "frequency"] = "none"
    curriculum_epochs: tuple[int, ...] = ()


class FemurConfig(MethodConfig):
    """Everything that the methods have in common; the defaults are the paper's.

    Attributes:
        classes: 2 (fracture, N), 3 (A, B, N), 6 (A1 to B3, fractured images only), or 7 (A1 to B3, N).
        output: "softmax" over the classes, or "tree", a softmax for each question of the hierarchy: a cascade
            (section V) in one network.
    """

    classes: ClassCount = 3
    output: Output = "softmax"
    backbone: BackboneConfig = BackboneConfig()
    head: HeadConfig = HeadConfig()
    loss: ClassLossConfig = ClassLossConfig()
    boxes: BoxConfig = BoxConfig()


class Answer(NamedTuple):
    """What class logits say about b images.

    Attributes:
        probabilities: shape (b, c), rows sum to 1.
        heatmap: shape (b, h, w), 0..1, over whatever the cells cover.
        activation: shape (b, h, w), any range: the class activation map of the likeliest fracture class.
    """

    probabilities: Tensor
    heatmap: Tensor
    activation: Tensor


class FemurMethod(Method[Raw]):
    """Classes of the proximal femur; subclasses add the network and where it looks."""

    config: FemurConfig
    needs = frozenset({"classes"})

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.logits = logit_count(self.class_names, self.config.output)
        self._weights: Tensor | None = None
        self._levels = 3

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the scenario."""
        return CLASS_NAMES[self.config.classes]

    def class_of(self, row: Mapping[str, Any]) -> str | None:
        """The class of an image by its `ao_class`, or else by its label."""
        return class_of(row.get("ao_class"), row.get("label"), self.class_names)

    def before_epoch(self, network: nn.Module, epoch: int, images: Batches) -> dict[str, float]:
        """Count the classes once for Eq. 2, and let the curriculum go on."""
        if self.config.loss.weights == "frequency" and self._weights is None:
            self._weights = torch.tensor(frequency_weights(self._counts(images)))
        starts = self.config.loss.curriculum_epochs
        self._levels = min(3, 1 + sum(epoch >= start for start in starts)) if starts else 3
        return {}

    def _counts(self, images: Batches) -> list[int]:
        """Training images of each class."""
        counts = torch.zeros(len(self.class_names), dtype=torch.int64)
        for _, targets in images():
            known = targets.classes[targets.classes >= 0].cpu()
            counts += torch.bincount(known, minlength=len(counts))
        return [int(count) for count in counts]

    def _class_loss(self, logits: Tensor, targets: Targets, chosen: Tensor | None = None) -> Tensor:
        """Eq. 1 of image logits (b, k), of those images of the batch that `chosen` (bool) names."""
        answers = log_probabilities(logits, self.class_names, self.config.output, levels=self._levels)
        classes = targets.classes.to(answers.device)
        if chosen is not None:
            classes = torch.where(chosen, classes, -1)
        return class_loss(answers, classes, self._weights)

    def _answer(self, logits: MapLogits) -> Answer:
        """Probabilities, heatmap and activation map from logits of images and cells.

        The heatmap applies the classifier to each cell: the probability of a fracture there. Where there is
        no normal class every cell would say 1, and the heatmap is that of the likeliest class.
        """
        names, output = self.class_names, self.config.output
        probabilities = log_probabilities(logits.image, names, output).exp()
        cells = log_probabilities(logits.cells, names, output)
        broken = [k for k, name in enumerate(names) if name != NORMAL]
        likeliest = torch.tensor(broken, device=probabilities.device)[probabilities[:, broken].argmax(dim=1)]
        rows = torch.arange(len(likeliest), device=likeliest.device)
        if NORMAL in names:
            heatmap = fracture_probability(cells.exp(), names)
        else:
            heatmap = cells[rows, likeliest].exp()
        # The paper's map is w f; a tree has no such w, and the logarithm of its probability is nearest.
        maps = logits.cells.float() if output == "softmax" else cells
        return Answer(probabilities, heatmap.clamp(0, 1), maps[rows, likeliest])

    def _decoded(self, answer: Answer, boxes: list[Tensor] | None, heatmaps: Tensor | None = None) -> Decoded:
        """An answer with its class scores, hierarchy and boxes."""
        names, probabilities = self.class_names, answer.probabilities
        return Decoded(
            scores=fracture_probability(probabilities, names).clamp(0, 1),
            heatmaps=answer.heatmap if heatmaps is None else heatmaps,
            class_scores={name: probabilities[:, k] for k, name in enumerate(names)},
            boxes=boxes,
            columns={f"hierarchy_{name}": p for name, p in hierarchy(probabilities, names).items()},
        )

    def _crop_answer(self, answer: Answer, theta: Tensor, kind: Kind) -> Decoded:
        """An answer about crops as one about the images: the crop is the box, the heatmap is 0 outside it."""
        size = self.config.input.shape
        cells = (max(1, size[0] // HEATMAP_STRIDE), max(1, size[1] // HEATMAP_STRIDE))
        heatmaps = paste(answer.heatmap[:, None], theta, cells)[:, 0]
        scores = fracture_probability(answer.probabilities, self.class_names).clamp(0, 1)
        boxes = torch.cat([boxes_of(theta, kind, size), scores[:, None]], dim=1)
        return self._decoded(answer, list(boxes[:, None]), heatmaps)

    def _map_boxes(self, answer: Answer) -> list[Tensor]:
        """Boxes (k, 5) in input pixels of each image from its activation map."""
        size = self.config.input.shape
        scores = fracture_probability(answer.probabilities, self.class_names).tolist()
        maps = answer.activation.float().cpu().numpy()
        return [
            torch.from_numpy(map_boxes(values, size, min(score, 1.0), self.config.boxes))
            for values, score in zip(maps, scores, strict=True)
        ]
