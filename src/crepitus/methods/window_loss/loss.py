"""The Window Loss: free between the bounds, a divergence to the nearer bound outside (paper 001, Eq. 3)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Divergence = Literal["mse", "kld"]


def squared_error(logits: Tensor, target: Tensor) -> Tensor:
    """D_MSE(p, b) = (p - b)^2 with p = sigma(logits) (Eq. 4)."""
    return (torch.sigmoid(logits) - target).square()


def kullback_leibler(logits: Tensor, target: Tensor) -> Tensor:
    """D_KLD(p, b) = KL(b || p) = b log(b / p) + (1 - b) log((1 - b) / (1 - p)), p = sigma(logits) (Eq. 5).

    Written with log sigma, so that it is finite, with a finite gradient, where p rounds to 0 or 1.
    """
    negative_entropy = torch.xlogy(target, target) + torch.xlogy(1 - target, 1 - target)
    return negative_entropy - target * F.logsigmoid(logits) - (1 - target) * F.logsigmoid(-logits)


DIVERGENCES = {"mse": squared_error, "kld": kullback_leibler}


def window_loss(logits: Tensor, lower: Tensor, upper: Tensor, divergence: Divergence) -> Tensor:
    """WL(p, l, u) at every pixel.

    Args:
        logits: of the probability map p, any shape.
        lower: lower bound l, same shape, 0..1.
        upper: upper bound u >= l, same shape, 0..1.
        divergence: "mse" or "kld".

    Returns:
        Same shape, float32, >= 0; zero where l <= p <= u.
    """
    logits = logits.float()
    probability = torch.sigmoid(logits)
    # The bound nearest to p is p clamped into the window; outside it is l or u, and inside nothing is lost.
    bound = torch.where(probability < lower, lower, upper)
    loss = DIVERGENCES[divergence](logits, bound)
    # Asked as "is it inside?", so that a prediction that is not a number is not taken for an allowed one.
    inside = (probability >= lower) & (probability <= upper)
    return torch.where(inside, torch.zeros_like(loss), loss)
