"""Binary cross-entropy against image labels of which some are unknown."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of logits over the images whose label is known.

    Args:
        logits: shape (b,).
        labels: shape (b,), 1, 0 or NaN where unknown.

    Returns:
        Scalar, float32; 0 with a gradient of 0 where no label is known.
    """
    known = ~torch.isnan(labels)
    if not known.any():
        return logits.float().sum() * 0
    return F.binary_cross_entropy_with_logits(logits.float()[known], labels.float()[known])


def probability_loss(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The same of probabilities (b,) within 0..1, for answers that have no logit, such as a product.

    Logarithms are cut off at -100, so that the loss stays finite where a wrong answer is certain.
    """
    known = ~torch.isnan(labels)
    if not known.any():
        return probabilities.float().sum() * 0
    with torch.autocast(probabilities.device.type, enabled=False):
        return F.binary_cross_entropy(probabilities.float()[known], labels.float()[known])
