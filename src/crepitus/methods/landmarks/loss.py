"""Losses of landmark detectors: distances after each step, and how well the stated uncertainty fits."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_of(values: Tensor, known: Tensor) -> Tensor:
    """Mean of the values (b, L) that are known; 0, with a gradient of 0, where none is."""
    return torch.where(known, values, 0.0).sum() / known.sum().clamp_min(1)


def distance_loss(found: Tensor, truth: Tensor, unit: float) -> Tensor:
    """Mean absolute error over x and y in units of `unit` pixels: shape (b, L); NaN where unknown."""
    return (found - truth).abs().mean(-1) / unit


def perspective_loss(found: Tensor, truth: Tensor, known: Tensor, unit: float, margin: float) -> Tensor:
    """max(0, mean error of the shape - margin), averaged over images: the first step need not be exact.

    Args:
        found: positions, shape (b, L, 2).
        truth: likewise; NaN where unknown.
        known: shape (b, L), bool.
        unit: length of 1, pixels.
        margin: in units.
    """
    error = torch.where(known, distance_loss(found, truth, unit), 0.0).sum(1) / known.sum(1).clamp_min(1)
    return (error - margin).clamp_min(0).mean()


def spread_loss(log_sd: Tensor, found: Tensor, truth: Tensor) -> Tensor:
    """Negative log-likelihood of the error under a normal distribution, for the standard deviation alone.

    Per landmark |e|^2 / (2 s^2) + 2 ln s for the two axes, least at s^2 = |e|^2 / 2. The positions get no
    gradient: an uncertain landmark must not be excused from being found.

    Args:
        log_sd: ln s, s in pixels, shape (b, L).
        found: positions, pixels, shape (b, L, 2).
        truth: likewise.

    Returns:
        Shape (b, L); NaN where the truth is unknown.
    """
    squared = (found.detach() - truth).square().sum(-1)
    return squared * torch.exp(-2 * log_sd) / 2 + 2 * log_sd
