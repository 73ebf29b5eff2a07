"""The method `aasn` and its three relatives: one Siamese network, four ways to use the other side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from crepitus.errors import ConfigError
from crepitus.methods.aasn.config import AasnConfig, FusionConfig, LiuMetricConfig, detector_record
from crepitus.methods.aasn.fusion import Kind
from crepitus.methods.aasn.geometry import regions
from crepitus.methods.aasn.loss import contrastive_loss, disk_loss, mean_of_known, near_points
from crepitus.methods.aasn.network import SiameseDenseNet, SiameseRaw
from crepitus.methods.aasn.roi import apply_affine, invert_affine
from crepitus.methods.aasn.warp import cell_centres, sampling_grid
from crepitus.methods.base import Decoded, Method, Targets
from crepitus.methods.landmarks.answer import unflipped, with_sides
from crepitus.methods.landmarks.method import HeatmapLandmarksMethod, Landmarks, LandmarksConfig
from crepitus.methods.parts.sides import partners
from crepitus.methods.parts.weights import load_into, load_weights

CELL_PX = 8
"""Side of the cells of a map over the whole image, pixels of the input."""


@dataclass(frozen=True)
class AasnRaw:
    """Raw outputs for b images.

    Attributes:
        siamese: of the two regions.
        landmarks: x, y, standard deviation, pixels, shape (b, L, 3), where the detector found them.
        assessable: shape (b,), bool; the landmarks are good enough.
        image_size: height and width of the images.
    """

    siamese: SiameseRaw
    landmarks: Tensor | None
    assessable: Tensor
    image_size: tuple[int, int]


class AasnNetwork(nn.Module):
    """The Siamese network and, where the configuration names one, the frozen detector of its landmarks."""

    def __init__(self, siamese: SiameseDenseNet, detector: nn.Module | None) -> None:
        super().__init__()
        self.siamese = siamese
        self.detector = detector
        if detector is not None:
            detector.requires_grad_(requires_grad=False)
        self.train(self.training)

    def train(self, mode: bool = True) -> AasnNetwork:
        """Switch to training; the detector stays as it was trained."""
        super().train(mode)
        if self.detector is not None:
            self.detector.eval()
        return self


class Aasn(Method[AasnRaw]):
    """Anatomy-aware Siamese network: features of the other side, aligned, fused and compared (paper 000)."""

    name = "aasn"
    config_class = AasnConfig
    config: AasnConfig
    needs = frozenset({"points", "landmarks"})
    unassessable = "landmarks are missing or too unsure; see landmarks.run in its configuration"
    fusion_kind: ClassVar[Kind] = "concatenate"
    distance_is_answer: ClassVar[bool] = False

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Names of the landmarks, in the order of all arrays."""
        return self.config.landmarks.names

    def network(self, *, initialise: bool) -> AasnNetwork:
        """The network with the detector inside, so that its weights are complete."""
        options = self.config.siamese
        siamese = SiameseDenseNet(
            self.config.backbone,
            split=options.split,
            fusion=self.fusion_kind if options.fusion else None,
            place=options.fusion_place,
            alignment=options.alignment,
            compare=options.contrastive,
            decode=not self.distance_is_answer,
            projection=options.projection_channels if options.projection else None,
            prior=options.prior,
            initialise=initialise,
        )
        return AasnNetwork(siamese, self._detector_network(initialise=initialise))

    def _detector(self) -> Landmarks | None:
        record = self.config.landmarks.detector
        if record is None:
            return None
        kind = HeatmapLandmarksMethod if record["method"] == HeatmapLandmarksMethod.name else Landmarks
        return kind(LandmarksConfig.model_validate(record["config"]))

    def _detector_network(self, *, initialise: bool) -> nn.Module | None:
        detector = self._detector()
        if detector is None:
            return None
        own, other = self.config.input.shape, detector.config.input.shape
        if own[0] * other[1] != own[1] * other[0] or self.config.input.fit != detector.config.input.fit:
            raise ConfigError(
                f"landmarks.run: expected a detector for inputs of the same proportions and fit, got {other} "
                f"({detector.config.input.fit}) for {own} ({self.config.input.fit})"
            )
        network = detector.network(initialise=False)
        if initialise:
            run = Path(self.config.landmarks.run)
            record = detector_record(run)
            weights = run / Path(str(record["weights"])).name
            load_into(network, load_weights(weights, record["sha256"]), str(weights))
        return network

    def forward(self, network: Any, images: Tensor, targets: Targets) -> AasnRaw:
        """Raw outputs with the landmarks of the targets, or of the detector.

        At prediction a detector that the network has is used always: figures are then those of images
        without landmarks. In training it fills in for images that have none.
        """
        size = (int(images.shape[-2]), int(images.shape[-1]))
        given = self._given(targets, len(images)).to(images.device)
        found, sure = self._found(network, images) if network.detector is not None else (None, None)
        landmarks = given
        if found is not None:
            absent = torch.isnan(given).all(-1).all(-1)
            use = absent if network.training else torch.ones_like(absent)
            landmarks = torch.where(use[:, None, None], found[..., :2], given)
        options = self.config.region
        area = regions(
            landmarks,
            self.landmark_names,
            size,
            (options.rows_px, options.columns_px),
            members=options.members,
            margin=options.margin,
            source=options.source,
        )
        usable = area.usable if sure is None else area.usable & sure
        if not network.siamese.two_sided and options.source == "image":
            # One side of a region needs no landmarks.
            usable = torch.ones_like(usable)
        return AasnRaw(network.siamese(images, area), found, usable, size)

    def _given(self, targets: Targets, count: int) -> Tensor:
        """Landmarks of the targets (b, L, 2) with sides as they look; NaN where there are none."""
        if targets.landmarks.shape[:2] != (count, len(self.landmark_names)):
            return torch.full((count, len(self.landmark_names), 2), torch.nan)
        return with_sides(targets, partners(self.landmark_names))

    def _found(self, network: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks (b, L, 3) by the detector, in pixels of `images`, and whether they are good enough."""
        detector = self._detector()
        if detector is None:
            raise ConfigError("expected landmarks.detector beside the weights of a detector")
        size = detector.config.input.shape
        resized = images
        if tuple(images.shape[-2:]) != size:
            resized = F.interpolate(images, size=size, mode="bilinear", antialias=True)
        decoded = detector.infer(network.detector, resized)
        if decoded.landmarks is None or decoded.assessable is None:
            raise ConfigError("expected landmarks from the detector")
        return decoded.landmarks * (images.shape[-1] / size[1]), decoded.assessable

    def loss(self, raw: AasnRaw, targets: Targets, size: tuple[int, int]) -> Tensor:
        """L = L_b + lambda L_c (Eq. 1) over the images whose places are known."""
        options = self.config.loss
        area = raw.siamese.regions
        radius = options.radius_px * area.size[1] / options.reference_px
        points, flipped = area.points(targets.points)
        total = area.spline.control.new_zeros((), dtype=torch.float32)
        if raw.siamese.logits is not None:
            total = total + disk_loss(raw.siamese.logits, points, targets.place_known, area.size, radius)
        if raw.siamese.distance is not None and raw.siamese.positions is not None:
            terms = self._contrastive(raw.siamese, points, flipped, radius)
            known = targets.place_known.to(terms.device) & area.usable
            total = total + self.contrastive_weight * mean_of_known(terms, known)
        return total

    @property
    def contrastive_weight(self) -> float:
        """Lambda."""
        return 1.0 if self.distance_is_answer else self.config.loss.contrastive_weight

    def _contrastive(
        self, raw: SiameseRaw, points: list[Tensor], flipped: list[Tensor], radius: float
    ) -> Tensor:
        """L_c per image (b,), as a mean over cells, with M-hat = M or T(M_f)."""
        if raw.distance is None or raw.positions is None:
            raise ConfigError("expected a distance between the sides")
        cells = (int(raw.distance.shape[-2]), int(raw.distance.shape[-1]))
        here = cell_centres(raw.regions.size, cells).float().reshape(1, *cells, 2).to(raw.positions)
        here = here.expand_as(raw.positions)
        # A cell shows a broken place of the other side where the warp looks at one.
        affected = near_points(here, points, radius) | near_points(raw.positions, flipped, radius)
        return contrastive_loss(raw.distance, affected, self.config.loss.margin).flatten(1).mean(1)

    def decode(self, raw: AasnRaw) -> Decoded:
        """Heatmap over the image; its maximum is the score."""
        probability = self._probability(raw.siamese)
        distance = raw.siamese.distance
        return Decoded(
            scores=probability.flatten(1).amax(1),
            heatmaps=self._over_image(probability, raw),
            landmarks=raw.landmarks,
            assessable=raw.assessable,
            evidence=None if distance is None else self._over_image(self._asymmetry(distance), raw),
        )

    def _asymmetry(self, distance: Tensor) -> Tensor:
        """d^2 / (d^2 + m): monotone in d^2, 0..1, and 0.5 at the margin."""
        return distance / (distance + self.config.loss.margin)

    def _probability(self, raw: SiameseRaw) -> Tensor:
        """Fracture probability per cell of the region, shape (b, h, w), float32."""
        if raw.logits is not None:
            return torch.sigmoid(raw.logits[:, 0].float())
        if raw.distance is None:
            raise ConfigError("expected logits or a distance")
        return self._asymmetry(raw.distance)

    def _over_image(self, values: Tensor, raw: AasnRaw) -> Tensor:
        """Values (b, h, w) of the regions over their images; 0 outside."""
        area = raw.siamese.regions
        if area.whole:
            return values
        height, width = raw.image_size
        cells = (-(-height // CELL_PX), -(-width // CELL_PX))
        centres = cell_centres(raw.image_size, cells).to(area.original.device).expand(len(values), -1, 2)
        inside = apply_affine(invert_affine(area.original), centres)
        grid = sampling_grid(inside, area.size).to(values.dtype).reshape(len(values), *cells, 2)
        # The nearest cell, so that the maximum stays what it is.
        return F.grid_sample(values[:, None], grid, mode="nearest", align_corners=False)[:, 0]

    @torch.no_grad()
    def infer(self, network: nn.Module, images: Tensor, targets: Targets | None = None) -> Decoded:
        """Answers, averaged with those for the flipped images if the configuration asks for it."""
        known = targets or Targets.unknown([str(k) for k in range(len(images))])
        decoded = self.decode(self.forward(network, images, known))
        if not self.config.inference.flip_average:
            return decoded
        turned = self._flipped(known, float(images.shape[-1]))
        other = self.decode(self.forward(network, images.flip(-1), turned))
        if decoded.heatmaps is None or other.heatmaps is None:
            raise ConfigError("expected heatmaps")
        heatmaps = (decoded.heatmaps + other.heatmaps.flip(-1)) / 2
        return replace(decoded, heatmaps=heatmaps, scores=heatmaps.flatten(1).amax(1))

    def _flipped(self, targets: Targets, width: float) -> Targets:
        if not targets.landmarks.numel():
            return targets
        padded = F.pad(targets.landmarks, (0, 1))
        return replace(targets, landmarks=unflipped(padded, partners(self.landmark_names), width)[..., :2])


class LiuMetric(Aasn):
    """A learned distance between the sides that is itself the indicator (Liu et al. 2019)."""

    name = "liu-metric"
    config_class = LiuMetricConfig
    distance_is_answer = True


class DeepSymNet(Aasn):
    """The difference of the two encodings is decoded (Barman et al. 2019)."""

    name = "deepsymnet"
    config_class = FusionConfig
    fusion_kind: ClassVar[Kind] = "subtract"


class ContrastedBilateral(Aasn):
    """Gated concatenation of the two encodings (Liu et al. 2019, contrasted bilateral network)."""

    name = "cbn"
    config_class = FusionConfig
    fusion_kind: ClassVar[Kind] = "gate"
