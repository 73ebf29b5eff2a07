"""The aggregator: a view model shared by all images of a study, their maximum, one classifier (004, 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from crepitus.errors import WeightsError
from crepitus.methods.parts.weights import first_mismatch, load_weights
from crepitus.methods.wrist.grey_statistics import GreyStatistics
from crepitus.methods.wrist.rx import MapClassifier, RxConfig, ViewModel

Pooling = Literal["maps", "cells"]


class ViewsConfig(BaseModel):
    """What the view model starts from, and how views are joined.

    Attributes:
        weights: "random", or model.safetensors of a trained `wrist-rx` with the same blocks.
        weights_sha256: expected SHA-256 of that file; empty accepts any.
        frozen: the view model stays as it is, and only the classifier learns.
        pooling: "maps" takes the maximum over views at each position of the maps, as printed; "cells" after
            the average pooling, where views that are not aligned can be compared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = "random"
    weights_sha256: str = ""
    frozen: bool = False
    pooling: Pooling = "cells"


@dataclass(frozen=True)
class StudyLogits:
    """Raw answers for a batch of b images of s studies.

    Attributes:
        studies: shape (s,), logits of the studies.
        views: shape (b,), logits of studies that consist of one image each.
        shares: shape (b,), at least 0, sum 1 within a study: how far its logit falls without the image, part
            of what all its images make it fall; equal where none does.
        study: shape (b,), int64, index of the study of each image.
    """

    studies: Tensor
    views: Tensor
    shares: Tensor
    study: Tensor


def pool_views(features: Tensor, study: Tensor) -> Tensor:
    """Maximum over the views of each study.

    Args:
        features: shape (b, …), of the images.
        study: shape (b,), int64, 0..s - 1: index of the study; each has at least one image.

    Returns:
        Shape (s, …), whatever the order of the images within the batch.
    """
    count = int(study.max()) + 1 if len(study) else 0
    parts = [features[study == number].amax(dim=0) for number in range(count)]
    return torch.stack(parts) if parts else features[:0]


class AggregatorNetwork(nn.Module):
    """Answers for studies with any number of images (b, 1, h, w), 0..1.

    Args:
        rx: blocks and classifier, as of `wrist-rx`.
        views: what the view model starts from.
        initialise: load the starting weights.
    """

    def __init__(self, rx: RxConfig, views: ViewsConfig, *, initialise: bool = True) -> None:
        super().__init__()
        self.config = views
        self.statistics = GreyStatistics()
        self.views = ViewModel(rx)
        self.classifier = MapClassifier(rx)
        if initialise and views.weights != "random":
            load_view_model(self, Path(views.weights), views.weights_sha256)
        if views.frozen:
            self.views.requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> AggregatorNetwork:
        """Switch to training; a frozen view model keeps its batch statistics."""
        super().train(mode)
        if self.config.frozen:
            self.views.eval()
        return self

    def features(self, images: Tensor) -> Tensor:
        """What the maximum is taken over: shape (b, c, h', w')."""
        maps = cast("Tensor", self.views(self.statistics(images))).float()
        return cast("Tensor", self.classifier[0](maps)) if self.config.pooling == "cells" else maps

    def logits(self, features: Tensor) -> Tensor:
        """Logits (s,) of features (s, c, h', w'); the average pooling of cells leaves them as they are."""
        # In full precision: a logit of 8 significant bits would tie the scores of studies.
        with torch.autocast(features.device.type, enabled=False):
            return cast("Tensor", self.classifier(features))[:, 0]

    def forward(self, images: Tensor, study: Tensor) -> StudyLogits:
        """Logits of studies, of each image alone, and what each image adds.

        Args:
            images: shape (b, 1, h, w), 0..1.
            study: shape (b,), int64, index of the study of each image.
        """
        features = self.features(images)
        study = study.to(features.device)
        logits = self.logits(pool_views(features, study))
        if self.training:
            unknown = logits.new_full((len(images),), torch.nan)
            return StudyLogits(logits, unknown, unknown, study)
        return StudyLogits(logits, self.logits(features), self._shares(features, study, logits), study)

    def _shares(self, features: Tensor, study: Tensor, logits: Tensor) -> Tensor:
        """What each image adds to the logit of its study, see `StudyLogits`."""
        falls = torch.zeros(len(features), device=features.device)
        for k in range(len(features)):
            rest = study == study[k]
            rest[k] = False
            if bool(rest.any()):
                without = self.logits(features[rest].amax(dim=0, keepdim=True))
                falls[k] = (logits[study[k]] - without[0]).clamp(min=0)
        total = torch.zeros(len(logits), device=features.device).index_add_(0, study, falls)[study]
        count = torch.bincount(study, minlength=len(logits))[study]
        return torch.where(total > 0, falls / total.clamp(min=torch.finfo(falls.dtype).tiny), 1 / count)


def load_view_model(network: AggregatorNetwork, path: Path, sha256: str) -> None:
    """Take the convolutional part and the grey statistics of a trained `wrist-rx`.

    Raises:
        WeightsError: the file is none, differs from its SHA-256, or has other blocks.
    """
    given = load_weights(path, sha256)
    own = {n: t for n, t in network.state_dict().items() if not n.startswith("classifier.")}
    problem = first_mismatch(own, {n: given[n] for n in own if n in given})
    if problem:
        raise WeightsError(
            f"{path}: expected weights of a wrist-rx with the same blocks ({problem}); rx.channels, "
            "rx.normalisation and rx.padded must be those of its config.toml"
        )
    network.load_state_dict({n: given[n] for n in own}, strict=False)
