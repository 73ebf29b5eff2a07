"""Normalises grey values with the statistics of the training images, which are stored with the weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

SMALLEST_STD = 1e-3
"""Images that are all of one grey value are not blown up to noise."""


def inverted_statistics(mean: float, std: float, probability: float) -> tuple[float, float]:
    """Mean and standard deviation of x that becomes 1 - x with a probability.

    The mixture of m and 1 - m has the mean (1 - q) m + q (1 - m), and q (1 - q) (1 - 2 m)^2 is added to the
    variance. Thesis 004 (6.2.2.2) takes the new mean, but leaves the standard deviation as it was.
    """
    q = probability
    variance = std**2 + q * (1 - q) * (1 - 2 * mean) ** 2
    return (1 - q) * mean + q * (1 - mean), variance**0.5


class GreyStatistics(nn.Module):
    """(x - mean) / std; the identity until `measure` was called.

    Both are buffers of the state: whoever loads the weights has the statistics they were trained with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("std", torch.tensor(1.0))

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images of any shape, 0..1 before."""
        return (images - cast("Tensor", self.mean)) / cast("Tensor", self.std)

    @torch.no_grad()
    def measure(self, images: Iterable[Tensor], *, inversion: float = 0.0) -> dict[str, float]:
        """Set both from all pixels of the training images as they enter the network, padding included.

        Args:
            images: batches of any shape, 0..1.
            inversion: probability with which training inverts an image.

        Returns:
            `grey_mean` and `grey_std` as they are stored.
        """
        count, total, squares = 0, 0.0, 0.0
        for batch in images:
            values = batch.double()
            count += values.numel()
            total += float(values.sum())
            squares += float(values.square().sum())
        if count:
            mean = total / count
            std = max(0.0, squares / count - mean**2) ** 0.5
            mean, std = inverted_statistics(mean, std, inversion)
            cast("Tensor", self.mean).fill_(mean)
            cast("Tensor", self.std).fill_(max(std, SMALLEST_STD))
        return {
            "grey_mean": float(cast("Tensor", self.mean)),
            "grey_std": float(cast("Tensor", self.std)),
        }
