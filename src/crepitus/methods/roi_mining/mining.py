"""Which regions of a training image become examples of the second stage (paper 003, section 2.1)."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.errors import TrainingError

PRIME = 0x85EBCA6B
"""Separates the draws of regions from those of samplers and augmentation."""


@dataclass(frozen=True)
class Regions:
    """Mined regions of one image.

    Attributes:
        cells: shape (k, 2), int64: row and column on the probability map.
        label: of all of them: 1 probable fracture, 0 none.
        hard: shape (k,), bool: above the threshold; the others of a negative image are random.
    """

    cells: NDArray[np.int64]
    label: int
    hard: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.cells)


def sensitivity_threshold(maxima: NDArray[np.float32], sensitivity: float) -> float:
    """The highest p-hat for which at least `sensitivity` of the positive images have a cell above it.

    Args:
        maxima: shape (n,), the highest probability of each positive training image.
        sensitivity: in (0, 1]; 0.99 in the paper.

    Returns:
        The float32 just below the maximum of the last image that has to count, because Eq. 2 takes the
        cells strictly above.

    Raises:
        TrainingError: there is no positive image.
    """
    if not len(maxima):
        raise TrainingError(
            "roi-mining needs positive training images to choose its threshold, there is none"
        )
    # 1e-9: 0.99 * 100 must not become 100 by rounding.
    needed = max(1, math.ceil(sensitivity * len(maxima) - 1e-9))
    last = np.sort(maxima.astype(np.float32))[::-1][needed - 1]
    return float(np.nextafter(last, np.float32(-1)))


def mine(
    probabilities: NDArray[np.float32],
    *,
    positive: bool,
    threshold: float,
    count: int,
    generator: np.random.Generator,
) -> Regions:
    """Up to `count` regions of one training image, drawn without repetition.

    Of a positive image, random cells above the threshold (Eq. 2), probable positives; an image without
    such a cell gives none. Of a negative image, likewise, hard negatives, topped up to `count` with random
    ones of its other cells.

    Args:
        probabilities: shape (h, w), the map of the first stage.
        positive: the label of the image.
        threshold: p-hat.
        count: K.
        generator: of all draws.
    """
    columns = probabilities.shape[1]
    flat = probabilities.ravel()
    above = np.flatnonzero(flat > threshold)
    chosen = generator.permutation(above)[:count]
    hard = np.ones(len(chosen), bool)
    if not positive and len(chosen) < count:
        below = np.flatnonzero(flat <= threshold)
        easy = generator.choice(below, size=min(count - len(chosen), len(below)), replace=False)
        chosen = np.concatenate([chosen, easy])
        hard = np.concatenate([hard, np.zeros(len(easy), bool)])
    cells = np.stack([chosen // columns, chosen % columns], axis=1).astype(np.int64)
    return Regions(cells, int(positive), hard)


def image_generator(seed: int, epoch: int, image_id: str) -> np.random.Generator:
    """The draws of one image in one epoch, whatever was drawn before: runs must resume exactly."""
    return np.random.default_rng([seed, epoch, zlib.crc32(image_id.encode()), PRIME])


def cell_centres(
    cells: NDArray[np.int64], shape: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Centres (x, y) in pixels of an input of `size` (height, width) of cells of a map of `shape`.

    Args:
        cells: shape (k, 2), row and column.
        shape: (h, w) of the map, which covers the whole input.
        size: (height, width) of the input.

    Returns:
        Shape (k, 2), float64.
    """
    scale = np.array([size[0] / shape[0], size[1] / shape[1]])
    return np.asarray((cells + 0.5) * scale)[:, ::-1]


def share_with_point(
    centres: NDArray[np.float64], side_px: float, points: NDArray[np.float64]
) -> tuple[int, int]:
    """How many square regions hold an annotated point (half-open), and how many there are.

    Args:
        centres: shape (k, 2), (x, y).
        side_px: of the regions.
        points: shape (n, 2), (x, y) in the same pixels.
    """
    if not len(points):
        return 0, len(centres)
    offset = points[None, :, :] - centres[:, None, :]
    inside = np.any(np.all((offset >= -side_px / 2) & (offset < side_px / 2), axis=2), axis=1)
    return int(inside.sum()), len(centres)
