"""The losses of paper 002: weighted cross-entropy (Eqs. 1, 2), box regression (3), the joint loss (6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from crepitus.errors import TrainingError


def frequency_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """w_c = Z / freq(c) (Eq. 2) with Z = images / classes, so that the mean weight of an image is 1.

    The paper leaves Z open. This Z keeps the size of the loss, and with it the meaning of the learning rate.

    Args:
        counts: training images of each class.

    Raises:
        TrainingError: a class has no training image, and so no frequency.
    """
    if not counts or min(counts) < 1:
        raise TrainingError(
            f"loss.weights: expected training images of every class, got {list(counts)}; "
            "set loss.weights = 'none' or train on more images"
        )
    total = sum(counts) / len(counts)
    return tuple(total / count for count in counts)


def class_loss(log_probabilities: Tensor, classes: Tensor, weights: Tensor | None = None) -> Tensor:
    """Weighted cross-entropy (Eq. 1), the mean over the images whose class is known.

    The mean is over images, not over weights: dividing by the weights' sum, as PyTorch does, would give a
    batch of one class the same loss whatever its weight.

    Args:
        log_probabilities: shape (b, c).
        classes: shape (b,), int64, -1 where unknown.
        weights: shape (c,); None means 1 for every class.

    Returns:
        Scalar, float32; 0 with a gradient of 0 where no class is known.
    """
    known = classes >= 0
    if not bool(known.any()):
        return log_probabilities.float().sum() * 0
    chosen = classes[known]
    losses = -log_probabilities.float()[known].gather(1, chosen[:, None])[:, 0]
    if weights is not None:
        losses = losses * weights.to(losses)[chosen]
    return losses.mean()


def box_loss(predicted: Tensor, truth: Tensor, unit: float = 1.0) -> Tensor:
    """1/2 || u (p - p_hat) ||^2 (Eq. 3), the mean over the images whose box is known.

    Args:
        predicted: shape (b, 3): t_r, t_c, s as in `transform`.
        truth: shape (b, 3), rows of NaN where unknown.
        unit: u, the unit in which differences count; half the side of the input gives pixels.

    Returns:
        Scalar, float32; 0 with a gradient of 0 where no box is known.
    """
    known = ~torch.isnan(truth).any(dim=1)
    if not bool(known.any()):
        return predicted.float().sum() * 0
    difference = unit * (predicted.float()[known] - truth.float()[known])
    return 0.5 * difference.square().sum(dim=1).mean()


def joint_loss(classification: Tensor, localization: Tensor, alpha: float) -> Tensor:
    """(1 - alpha) L_class + alpha L_uloc (Eq. 6); at its limits one term alone, whatever the other is."""
    if alpha == 0:
        return classification
    if alpha == 1:
        return localization
    return (1 - alpha) * classification + alpha * localization


def alpha_at(alpha: float, epoch: int, complement_epoch: int | None) -> float:
    """Alpha of an epoch: complemented from `complement_epoch` on (section II-C2), except at its limits.

    At a limit one branch is "not considered during training" (section IV); a complement would swap which.
    """
    swapped = complement_epoch is not None and epoch >= complement_epoch and 0 < alpha < 1
    return 1 - alpha if swapped else alpha
