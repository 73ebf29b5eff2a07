"""The method `wrist-aggregator`: batches of whole studies, one logit for each."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from crepitus.methods.base import Batches, Decoded, Method, Targets
from crepitus.methods.parts.label_loss import label_loss
from crepitus.methods.parts.study_rules import STUDY_SCORE, STUDY_SHARE
from crepitus.methods.wrist.aggregator import AggregatorNetwork, StudyLogits
from crepitus.methods.wrist.config import AggregatorConfig
from crepitus.methods.wrist.method import measure_statistics
from crepitus.methods.wrist.rx import refuse_used_up


class WristAggregator(Method[StudyLogits]):
    """One view model for all images of a study, their maximum, one classifier (5.3)."""

    name = "wrist-aggregator"
    config_class = AggregatorConfig
    config: AggregatorConfig
    needs: ClassVar[frozenset[str]] = frozenset({"labels"})
    finds_boxes: ClassVar[bool] = False
    batch_unit: ClassVar[Literal["image", "study"]] = "study"

    def network(self, *, initialise: bool) -> AggregatorNetwork:
        """View model and classifier; with `initialise`, the view model of a trained `wrist-rx`.

        Raises:
            ConfigError: the blocks use up the input.
            WeightsError: the weights are not those of such blocks.
        """
        refuse_used_up(self.config.input.shape, self.config.rx)
        return AggregatorNetwork(self.config.rx, self.config.views, initialise=initialise)

    def forward(self, network: nn.Module, images: Tensor, targets: Targets) -> StudyLogits:
        """The network needs to know which images belong together."""
        return network(images, targets.study)  # type: ignore[no-any-return]

    def loss(self, raw: StudyLogits, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Binary cross-entropy of the studies whose label is known."""
        return label_loss(raw.studies, targets.study_labels().to(raw.studies.device))

    def decode(self, raw: StudyLogits) -> Decoded:
        """The probability of a fracture in each study, and in each image as if it were a study of its own.

        The columns say of each image what its study scored, and what the image added to that.
        """
        studies = torch.sigmoid(raw.studies.float())
        return Decoded(
            scores=torch.sigmoid(raw.views.float()),
            study_scores=studies,
            columns={STUDY_SCORE: studies[raw.study], STUDY_SHARE: raw.shares},
        )

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """The classifier, and the view model with its own learning rate unless it is frozen."""
        rate = self.config.training.learning_rate
        groups = []
        for name, part in (("classifier", 1.0), ("views", self.config.views_rate)):
            own = [p for p in network.get_submodule(name).parameters() if p.requires_grad]
            if own:
                groups.append({"params": own, "lr": rate * part})
        return groups

    def before_epoch(self, network: nn.Module, epoch: int, images: Batches) -> dict[str, float]:
        """Measure the grey statistics, unless they came with the view model."""
        if self.config.views.weights != "random":
            return {}
        return measure_statistics(network, epoch, images, self.config)
