"""Faster R-CNN, RetinaNet and FCOS of torchvision on any timm backbone with a feature pyramid."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7

from crepitus.methods.parts.backbone import Backbone, BackboneConfig

Kind = Literal["faster-rcnn", "retinanet", "fcos"]

FRACTURE = {"faster-rcnn": 1, "retinanet": 0, "fcos": 0}
"""Label of a fracture: Faster R-CNN counts the background as class 0, the others have none."""

REFERENCE_PX = 1024
ANCHOR_SIDES_PX = (32, 64, 128, 256, 512)
"""Anchors of the five levels at an input of `REFERENCE_PX`: the usual ones of both detectors."""

ASPECT_RATIOS = (0.5, 1.0, 2.0)


class PyramidBackbone(nn.Module):
    """Backbone and feature pyramid in the form that torchvision's detectors expect.

    Args:
        config: of the timm network.
        channels: of the pyramid.
        coarse: further levels: "pool" as in Faster R-CNN, "p6p7" as in RetinaNet and FCOS, which leave out
            the finest level.
        initialise: load the starting weights.
    """

    def __init__(
        self, config: BackboneConfig, *, channels: int, coarse: Literal["pool", "p6p7"], initialise: bool
    ) -> None:
        super().__init__()
        self.backbone = Backbone(config, initialise=initialise)
        self.skip = 0 if coarse == "pool" else 1
        widths = self.backbone.channels[self.skip :]
        block: Any = LastLevelMaxPool() if coarse == "pool" else LastLevelP6P7(channels, channels)
        self.pyramid = FeaturePyramidNetwork(widths, channels, extra_blocks=block)
        self.out_channels = channels

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """Pyramid levels of grey images (b, 1, h, w), finest first."""
        levels = self.backbone(images)[self.skip :]
        features = self.pyramid(OrderedDict((str(k), level) for k, level in enumerate(levels)))
        # Box arithmetic in short floats misses by pixels.
        return OrderedDict((name, level.float()) for name, level in features.items())


class AsIs(nn.Module):
    """Images enter as they are: they come prepared, and the backbone normalises them itself."""

    def forward(
        self, images: Sequence[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[ImageList, list[dict[str, Tensor]] | None]:
        """A batch of equal sizes."""
        batch = torch.stack(list(images))
        sizes = [(int(batch.shape[-2]), int(batch.shape[-1]))] * len(batch)
        return ImageList(batch, sizes), targets

    def postprocess(
        self, result: list[dict[str, Tensor]], image_shapes: Any, original_image_sizes: Any
    ) -> list[dict[str, Tensor]]:
        """Boxes are in pixels of the input already."""
        return result


class DetectorNetwork(nn.Module):
    """One detector with one class, fracture.

    Args:
        kind: which.
        backbone: configuration of the timm network.
        channels: of the pyramid.
        size_px: longer side of the input, pixels: anchors scale with it.
        score_floor: boxes below this are not returned.
        overlap: of two boxes with a larger IoU the lower-scored one is dropped.
        limit: most boxes of an image.
        initialise: load the backbone's starting weights.
    """

    def __init__(
        self,
        kind: Kind,
        backbone: BackboneConfig,
        *,
        channels: int,
        size_px: int,
        score_floor: float,
        overlap: float,
        limit: int,
        initialise: bool,
    ) -> None:
        super().__init__()
        self.kind = kind
        body = PyramidBackbone(
            backbone,
            channels=channels,
            coarse="pool" if kind == "faster-rcnn" else "p6p7",
            initialise=initialise,
        )
        scale = size_px / REFERENCE_PX
        limits = {"score_thresh": score_floor, "nms_thresh": overlap, "detections_per_img": limit}
        if kind == "faster-rcnn":
            self.detector: nn.Module = FasterRCNN(
                body,
                num_classes=2,
                rpn_anchor_generator=_anchors(scale, octaves=1),
                **{f"box_{name}": value for name, value in limits.items()},
            )
        elif kind == "retinanet":
            anchors = _anchors(scale, octaves=3)
            self.detector = RetinaNet(body, num_classes=1, anchor_generator=anchors, **limits)
        else:
            self.detector = FCOS(body, num_classes=1, **limits)
        self.detector.transform = AsIs()

    def losses(self, images: Tensor, boxes: Sequence[Tensor]) -> dict[str, Tensor]:
        """Loss terms in training mode.

        Args:
            images: grey, shape (b, 1, h, w), 0..1.
            boxes: true ones, per image shape (k, 4), pixels; an image without is a negative.
        """
        targets = []
        for own in boxes:
            labels = torch.full((len(own),), FRACTURE[self.kind], dtype=torch.int64, device=images.device)
            targets.append({"boxes": own.to(images.device), "labels": labels})
        terms: dict[str, Tensor] = self.detector(list(images), targets)
        return terms

    def forward(self, images: Tensor) -> list[Tensor]:
        """Found boxes of grey images (b, 1, h, w): per image (k, 5), pixels and score, best first."""
        found = self.detector(list(images))
        return [torch.cat([f["boxes"].float(), f["scores"].float()[:, None]], dim=1) for f in found]


def _anchors(scale: float, *, octaves: int) -> AnchorGenerator:
    """Anchors at one size per level, or at `octaves` sizes between this level's and the next."""
    sizes = tuple(
        tuple(side * scale * 2 ** (k / octaves) for k in range(octaves)) for side in ANCHOR_SIDES_PX
    )
    return AnchorGenerator(sizes, (ASPECT_RATIOS,) * len(sizes))
