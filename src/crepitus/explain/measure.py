"""Measures how faithful a relevance map is to the network that it explains, on the network's own input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from crepitus.data.ao_classes import FRACTURE
from crepitus.explain.explainers import select
from crepitus.explain.faithfulness import deletion_insertion, energy_inside, pointing_game
from crepitus.explain.summary import Faithfulness
from crepitus.explain.truth import Truth
from crepitus.methods.base import Method, Targets


class Scorer:
    """The score of one image of a batch, when its pixels are others.

    Args:
        method: that the network belongs to.
        network: with trained weights.
        images: shape (b, 1, h, w), 0..1: the batch.
        targets: of the batch.
        index: which image changes; of a method that answers for studies the others of its study stay.
        target: `fracture`: the score of the image, or of its study; a class: its probability.
        at_once: images that the network gets together.
    """

    def __init__(
        self,
        method: Method[Any],
        network: torch.nn.Module,
        images: torch.Tensor,
        targets: Targets,
        index: int,
        target: str = FRACTURE,
        at_once: int = 8,
    ) -> None:
        self.method, self.network, self.target = method, network, target
        self.at_once = at_once
        members = torch.tensor([index])
        if method.batch_unit == "study":
            members = (targets.study == targets.study[index]).nonzero().flatten()
        self.at = int((members == index).nonzero()[0, 0])
        self.unit = images[members.to(images.device)]
        self.targets = select(targets, members)

    def __call__(self, variants: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores (n,), 0..1, of the image as n variants (n, h, w)."""
        given = torch.from_numpy(np.ascontiguousarray(variants, dtype=np.float32))[:, None]
        given = given.to(self.unit.device)
        found = [np.zeros(0)]
        if len(self.unit) == 1:
            for start in range(0, len(given), self.at_once):
                some = given[start : start + self.at_once]
                own = select(self.targets, torch.zeros(len(some), dtype=torch.int64))
                found.append(self._scores(some, replace(own, study=torch.arange(len(some)))))
            return np.concatenate(found)
        for one in given:
            unit = self.unit.clone()
            unit[self.at] = one
            found.append(self._scores(unit, self.targets)[:1])
        return np.concatenate(found)

    def _scores(self, images: torch.Tensor, targets: Targets) -> NDArray[np.float64]:
        decoded = self.method.infer(self.network, images, targets)
        scores = decoded.scores
        if self.target != FRACTURE and self.target in decoded.class_scores:
            scores = decoded.class_scores[self.target]
        elif decoded.study_scores is not None:
            scores = decoded.study_scores
        return np.asarray(scores.double().cpu().numpy(), dtype=np.float64)


def on_input(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """A map (h', w') over the input on its grid of `size` pixels: bilinear between the centres of cells."""
    if values.shape == size:
        return values
    resized = cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float32)


def measure(
    image: NDArray[np.float32],
    relevance: NDArray[np.float32],
    scorer: Scorer | None,
    truth: Truth | None,
    *,
    steps: int,
) -> Faithfulness:
    """What can be measured of one map.

    Args:
        image: shape (h, w), 0..1: the network's input.
        relevance: shape (h', w') over it.
        scorer: for deletion and insertion; None leaves them out.
        truth: points and mask; None where nothing is annotated.
        steps: of deletion and insertion.
    """
    size = (image.shape[0], image.shape[1])
    values = on_input(relevance, size)
    found = Faithfulness()
    if truth is not None:
        found = replace(found, hit=pointing_game(values, truth.points, truth.radius_px))
        if truth.mask is not None and truth.mask.any():
            inside = energy_inside(values, truth.mask)
            found = replace(found, energy_inside=inside, area_inside=float(truth.mask.mean()))
    if scorer is not None:
        curves = deletion_insertion(image, values, scorer, steps=min(steps, image.size))
        found = replace(found, deletion_auc=curves.deletion_auc, insertion_auc=curves.insertion_auc)
    return found
