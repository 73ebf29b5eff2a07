"""Maps of all training images, and the regions that an epoch draws from them (paper 003, section 2.1)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crepitus.methods.base import Targets
from crepitus.methods.parts.cam import activation_maps
from crepitus.methods.roi_mining.mining import (
    cell_centres,
    image_generator,
    mine,
    sensitivity_threshold,
    share_with_point,
)


@dataclass(frozen=True)
class ImageMap:
    """What mining knows of one training image.

    Attributes:
        probabilities: shape (h, w), float32: the first stage's map of the image without augmentation.
        label: 1, 0 or NaN where unknown.
        points: shape (n, 2), annotated fractures in pixels of the input.
        place_known: False where a fracture may be at a place that nobody marked.
        size: (height, width) of the input, pixels.
    """

    probabilities: NDArray[np.float32]
    label: float
    points: NDArray[np.float64]
    place_known: bool
    size: tuple[int, int]


@dataclass(frozen=True)
class SeenRegions:
    """Regions of an image in its augmented view: boxes (k, 4), float32, pixels; one label for all."""

    boxes: NDArray[np.float32]
    label: int


@dataclass(frozen=True)
class MinedImage:
    """Regions of one image: centres (k, 2) of the prepared image in pixels, side, one label for all."""

    centres: NDArray[np.float64]
    side_px: float
    label: int

    def seen_in(self, view: NDArray[np.float32], size: tuple[int, int]) -> SeenRegions:
        """The regions in a view; those whose centre left it are dropped.

        Args:
            view: shape (2, 3), maps (x, y, 1) of the prepared image to the view.
            size: (height, width) of the view.
        """
        centres = self.centres @ view[:, :2].T + view[:, 2]
        inside = np.all((centres >= 0) & (centres < (size[1], size[0])), axis=1)
        kept = centres[inside]
        half = self.side_px / 2
        return SeenRegions(np.concatenate([kept - half, kept + half], axis=1).astype(np.float32), self.label)


MinedEpoch = Mapping[str, MinedImage]
"""Regions of every training image of an epoch, by image id."""


@torch.no_grad()
def map_images(first: nn.Module, images: Iterable[tuple[Tensor, Targets]]) -> dict[str, ImageMap]:
    """The first stage's maps of images without augmentation, by image id."""
    training = first.training
    first.eval()
    maps: dict[str, ImageMap] = {}
    for batch, targets in images:
        size = (int(batch.shape[-2]), int(batch.shape[-1]))
        probabilities = activation_maps(first(batch).cells[:, 0]).cpu().numpy()
        for number, image_id in enumerate(targets.image_ids):
            maps[image_id] = ImageMap(
                probabilities[number],
                float(targets.labels[number]),
                targets.points[number].cpu().double().numpy(),
                bool(targets.place_known[number]),
                size,
            )
    first.train(training)
    return maps


def threshold_of(maps: Mapping[str, ImageMap], sensitivity: float) -> float:
    """p-hat of these training images, see `sensitivity_threshold`."""
    maxima = [m.probabilities.max() for m in maps.values() if m.label == 1]
    return sensitivity_threshold(np.array(maxima, np.float32), sensitivity)


def mine_epoch(
    maps: Mapping[str, ImageMap], *, threshold: float, count: int, side_px: float, seed: int, epoch: int
) -> tuple[dict[str, MinedImage], dict[str, float]]:
    """Draw the regions of one epoch.

    Args:
        maps: of all training images. Images without a label give no regions.
        threshold: p-hat.
        count: K.
        side_px: of a region, pixels of the input.
        seed: of the run; with `epoch` and the image id it decides every draw.
        epoch: number of the epoch.

    Returns:
        The regions, and their figures: `mined_positives`, `mined_hard_negatives`, `mined_random`, and
        `mined_accuracy`, the share of probable positives that hold an annotated point, over the positive
        images whose places are known; NaN without any.
    """
    mined: dict[str, MinedImage] = {}
    positives = hard = easy = right = judged = 0
    for image_id, image in maps.items():
        if math.isnan(image.label):
            mined[image_id] = MinedImage(np.zeros((0, 2)), side_px, 0)
            continue
        generator = image_generator(seed, epoch, image_id)
        regions = mine(
            image.probabilities,
            positive=image.label == 1,
            threshold=threshold,
            count=count,
            generator=generator,
        )
        rows, columns = image.probabilities.shape
        centres = cell_centres(regions.cells, (rows, columns), image.size)
        mined[image_id] = MinedImage(centres, side_px, regions.label)
        if regions.label:
            positives += len(regions)
            if image.place_known:
                hits, of = share_with_point(centres, side_px, image.points)
                right, judged = right + hits, judged + of
        else:
            hard += int(regions.hard.sum())
            easy += int((~regions.hard).sum())
    return mined, {
        "mined_positives": float(positives),
        "mined_hard_negatives": float(hard),
        "mined_random": float(easy),
        "mined_accuracy": right / judged if judged else math.nan,
    }
