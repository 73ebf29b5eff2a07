"""The method `roi-mining`: first stage, mining, second stage and chained answers in one training run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from crepitus.methods.base import Batches, Decoded, Method, Targets
from crepitus.methods.parts.cam import activation_maps
from crepitus.methods.parts.label_loss import probability_loss
from crepitus.methods.parts.lse import lse_pool
from crepitus.methods.parts.weights import load_into, load_weights
from crepitus.methods.roi_mining.config import RoiMiningConfig
from crepitus.methods.roi_mining.epoch import ImageMap, MinedEpoch, map_images, mine_epoch, threshold_of
from crepitus.methods.roi_mining.network import Chained, MinedLogits, TwoStageNetwork


class RoiMining(Method[Chained | MinedLogits]):
    """Wang et al. (2019): weakly supervised mining of regions, and a classifier of regions.

    Epochs before `mining.start_epoch` train the first stage. Then the best first stage is fixed, its maps of
    all training images are taken once, and each further epoch draws its regions from them and trains the
    second stage.
    """

    name = "roi-mining"
    config_class = RoiMiningConfig
    config: RoiMiningConfig
    needs = frozenset({"labels"})

    def __init__(self, config: RoiMiningConfig) -> None:
        super().__init__(config)
        self._maps: dict[str, ImageMap] = {}
        self._mined: MinedEpoch = {}

    @property
    def class_names(self) -> tuple[str, ...]:
        """The kinds of fracture, if the second stage tells them apart."""
        return self.config.kinds.names if self.config.kinds.column else ()

    @property
    def class_column(self) -> str:
        """The configured column."""
        return self.config.kinds.column

    def class_of(self, row: Mapping[str, Any]) -> str | None:
        """The kind of fracture in the configured column."""
        value = row.get(self.class_column)
        return str(value) if value in self.class_names else None

    @property
    def stage_starts(self) -> tuple[int, ...]:
        """The second stage starts from the best first stage, with a learning rate of its own."""
        start = self.config.mining.start_epoch
        return (start,) if start else ()

    def network(self, *, initialise: bool) -> TwoStageNetwork:
        """Both stages; the first one as it was trained before, if the configuration names its weights."""
        file = self.config.mining.first_weights
        trained = load_weights(Path(file)) if initialise and file else None
        network = TwoStageNetwork(
            self.config.backbone,
            self.config.second,
            region_px=self.config.region_px,
            region_input_px=self.config.region_input_px,
            kinds=len(self.class_names),
            prior=self.config.pooling.prior,
            initialise_first=initialise and trained is None,
            initialise_second=initialise,
        )
        if trained is not None:
            load_into(network.first, trained, file)
        return network

    def before_epoch(self, network: nn.Module, epoch: int, images: Batches) -> dict[str, float]:
        """Mine the regions of an epoch of the second stage.

        The maps are taken once, because the first stage is fixed and sees the images without augmentation;
        a resumed run takes the same ones again.

        Returns:
            p-hat, the number of regions of each sort, and the share of probable positives that hold an
            annotated point.
        """
        if epoch < self.config.mining.start_epoch:
            return {}
        stages = cast("TwoStageNetwork", network)
        stages.begin_second_stage()
        if not self._maps:
            self._maps = map_images(stages.first, images())
        threshold = threshold_of(self._maps, self.config.mining.sensitivity)
        self._mined, figures = mine_epoch(
            self._maps,
            threshold=threshold,
            count=self.config.mining.regions_per_image,
            side_px=self.config.region_px,
            seed=self.config.training.seed,
            epoch=epoch,
        )
        return {"mining_threshold": threshold, **figures}

    def forward(self, network: nn.Module, images: Tensor, targets: Targets) -> Chained | MinedLogits:
        """Chained answers; while the second stage trains, its logits for the mined regions of the batch."""
        stages = cast("TwoStageNetwork", network)
        if not (stages.training and stages.in_second_stage):
            return cast("Chained", stages(images))
        size = (int(images.shape[-2]), int(images.shape[-1]))
        regions, labels, kinds = [], [], []
        for number, image_id in enumerate(targets.image_ids):
            own = self._mined[image_id].seen_in(targets.views[number].cpu().numpy(), size)
            regions.append(torch.from_numpy(own.boxes).to(images.device))
            labels += [own.label] * len(own.boxes)
            kinds += [int(targets.classes[number]) if own.label else -1] * len(own.boxes)
        return stages.judge_mined(
            images,
            regions,
            torch.tensor(labels, dtype=torch.float32, device=images.device),
            torch.tensor(kinds, dtype=torch.int64, device=images.device),
        )

    def loss(self, raw: Chained | MinedLogits, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Cross-entropy of the pooled probability, of mined regions, or of chained answers (validation)."""
        if isinstance(raw, Chained):
            if raw.fracture is None:
                pooled = lse_pool(activation_maps(raw.cells), self.config.pooling.sharpness)
                return probability_loss(pooled, targets.labels)
            return probability_loss(self.decode(raw).scores, targets.labels)
        if not len(raw.labels):
            return raw.fracture.sum() * 0
        loss = F.binary_cross_entropy_with_logits(raw.fracture.float(), raw.labels)
        known = raw.kinds_true >= 0
        if raw.kinds is not None and known.any():
            kinds = F.cross_entropy(raw.kinds.float()[known], raw.kinds_true[known])
            loss = loss + self.config.kinds.weight * kinds
        return loss

    def decode(self, raw: Chained | MinedLogits) -> Decoded:
        """p_s1 p_s2 of the region of the highest cell; the first stage's map times p_s2 as heatmap."""
        chained = cast("Chained", raw)
        heatmaps = activation_maps(chained.cells)
        if chained.fracture is not None:
            heatmaps = heatmaps * torch.sigmoid(chained.fracture.float())[:, None, None]
        scores = heatmaps.flatten(1).amax(dim=1)
        shares: dict[str, Tensor] = {}
        if chained.kinds is not None:
            parts = torch.softmax(chained.kinds.float(), dim=1)
            shares = {name: scores * parts[:, k] for k, name in enumerate(self.class_names)}
        elif self.class_names:
            shares = {name: scores / len(self.class_names) for name in self.class_names}
        return Decoded(scores=scores, heatmaps=heatmaps, class_scores=shares)
