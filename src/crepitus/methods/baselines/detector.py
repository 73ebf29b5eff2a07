"""Box detectors that learn from points: faster-rcnn, retinanet, fcos (paper 001, Table 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from crepitus.methods.base import Decoded, Method, MethodConfig, Targets
from crepitus.methods.baselines.boxes import boxes_on_points, painted
from crepitus.methods.baselines.detector_network import REFERENCE_PX, DetectorNetwork, Kind
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.parts.label_loss import probability_loss


class BoxConfig(BaseModel):
    """True boxes, and which found ones are answers.

    Attributes:
        side_px: side of the box on each point, at an input of `reference_px` (paper 001: 200).
        reference_px: side of the input for which that length is given; it scales with the input.
        score_floor: boxes with a lower score are dropped. Low, because the image's score is the highest
            score of its boxes, and images without any would be ties.
        overlap: of two boxes with a larger intersection over union the lower-scored one is dropped.
        limit: most boxes of an image.
        heatmap_stride: side of a heatmap's cell in pixels of the input.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    side_px: float = Field(default=200.0, gt=0)
    reference_px: float = Field(default=REFERENCE_PX, gt=0)
    score_floor: float = Field(default=0.001, ge=0, lt=1)
    overlap: float = Field(default=0.5, gt=0, le=1)
    limit: int = Field(default=100, ge=1)
    heatmap_stride: int = Field(default=8, ge=1)


class DetectorPyramidConfig(BaseModel):
    """The feature pyramid: `channels` of its levels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: int = Field(default=256, ge=8)


class DetectorConfig(MethodConfig):
    """Everything about a run of a box detector; the defaults are the paper's."""

    backbone: BackboneConfig = BackboneConfig(name="resnet50")
    pyramid: DetectorPyramidConfig = DetectorPyramidConfig()
    boxes: BoxConfig = BoxConfig()


class FcosConfig(DetectorConfig):
    """FCOS normalises its heads in 32 groups of channels."""

    @model_validator(mode="after")
    def _groups(self) -> FcosConfig:
        if self.pyramid.channels % 32:
            raise ValueError(f"expected pyramid.channels to be a multiple of 32, got {self.pyramid.channels}")
        return self


@dataclass(frozen=True)
class DetectorRaw:
    """Raw outputs: loss terms in training, found boxes (k, 5) per image otherwise.

    `size` is (height, width) of the input, pixels.
    """

    size: tuple[int, int]
    terms: dict[str, Tensor] = field(default_factory=dict)
    found: list[Tensor] | None = None


class Detector(Method[DetectorRaw]):
    """One of the three detectors."""

    config_class = DetectorConfig
    config: DetectorConfig
    needs = frozenset({"points"})
    kind: ClassVar[Kind]

    def network(self, *, initialise: bool) -> DetectorNetwork:
        """The detector on its backbone."""
        boxes = self.config.boxes
        return DetectorNetwork(
            self.kind,
            self.config.backbone,
            channels=self.config.pyramid.channels,
            size_px=max(self.config.input.shape),
            score_floor=boxes.score_floor,
            overlap=boxes.overlap,
            limit=boxes.limit,
            initialise=initialise,
        )

    def forward(self, network: nn.Module, images: Tensor, targets: Targets) -> DetectorRaw:
        """Loss terms while `network` trains, found boxes otherwise.

        A fracture at an unknown place would be learned as background: such images are left out of the loss.
        """
        size = (int(images.shape[-2]), int(images.shape[-1]))
        if not network.training:
            return DetectorRaw(size, found=network(images))
        known = targets.place_known.nonzero().flatten().tolist()
        if not known:
            nothing = sum(p.flatten()[0] for p in network.parameters() if p.requires_grad) * 0
            return DetectorRaw(size, {"nothing": images.new_zeros(()) + nothing})
        side = self.config.boxes.side_px * max(size) / self.config.boxes.reference_px
        boxes = [boxes_on_points(targets.points[k], side, size) for k in known]
        terms = network.losses(images[known], boxes)  # type: ignore[operator]
        return DetectorRaw(size, terms)

    def loss(self, raw: DetectorRaw, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Sum of the detector's loss terms; for found boxes cross-entropy of the image scores."""
        if raw.found is None:
            terms = list(raw.terms.values())
            return sum(terms[1:], terms[0]).float()
        return probability_loss(self.decode(raw).scores, targets.labels)

    def decode(self, raw: DetectorRaw) -> Decoded:
        """Boxes, the highest score of an image's boxes (0 without any), and the boxes painted."""
        found = raw.found or []
        scores = [own[:, 4].amax() if len(own) else own.new_zeros(()) for own in found]
        heatmaps = painted(found, raw.size, self.config.boxes.heatmap_stride)
        return Decoded(scores=heatmaps.new_tensor([float(s) for s in scores]), heatmaps=heatmaps, boxes=found)


class FasterRcnn(Detector):
    """Ren et al. (2015)."""

    name = "faster-rcnn"
    kind: ClassVar[Kind] = "faster-rcnn"


class RetinaNet(Detector):
    """Lin et al. (2017)."""

    name = "retinanet"
    kind: ClassVar[Kind] = "retinanet"


class Fcos(Detector):
    """Tian et al. (2019)."""

    name = "fcos"
    kind: ClassVar[Kind] = "fcos"
    config_class = FcosConfig
