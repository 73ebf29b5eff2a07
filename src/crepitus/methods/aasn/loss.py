"""Cross-entropy against disks, and the contrastive loss between the two sides (paper 000, Eqs. 1, 2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from crepitus.methods.window_loss.bounds import confidence_bounds, resize_bound


def disk_loss(
    logits: Tensor, points: Sequence[Tensor], place_known: Tensor, size: tuple[int, int], radius_px: float
) -> Tensor:
    """L_b: mean over pixels of the binary cross-entropy against disks of `radius_px` around the points.

    A cell of the map stands for all of its pixels. Since cross-entropy is linear in the target, the mean
    over its pixels is the cross-entropy against the part of the cell that the disks cover.

    Args:
        logits: shape (b, 1, h, w).
        points: per image, pixels of the region, shape (k, 2); they may lie outside.
        place_known: shape (b,); images without a known place are left out.
        size: height and width of the region.
        radius_px: of the disks, rim included.

    Returns:
        Scalar; 0, with a gradient of 0, where no image counts.
    """
    disks, _ = confidence_bounds(
        points,
        place_known,
        size,
        r_lower_px=radius_px,
        r_upper_px=radius_px,
        tau_px=0.0,
        device=logits.device,
    )
    cells = (int(logits.shape[-2]), int(logits.shape[-1]))
    loss = F.binary_cross_entropy_with_logits(logits.float(), resize_bound(disks, cells), reduction="none")
    return mean_of_known(loss.flatten(1).mean(1), place_known)


def near_points(positions: Tensor, points: Sequence[Tensor], radius_px: float) -> Tensor:
    """Which positions lie within `radius_px` of a point, rim included.

    Args:
        positions: shape (b, h, w, 2), pixels.
        points: per image, shape (k, 2).
        radius_px: distance up to which a position is near.

    Returns:
        Shape (b, h, w), bool.
    """
    result = torch.zeros(positions.shape[:-1], dtype=torch.bool, device=positions.device)
    for index, marks in enumerate(points):
        if len(marks):
            flat = positions[index].reshape(-1, 2)
            distance = torch.cdist(flat, marks.to(flat), compute_mode="donot_use_mm_for_euclid_dist")
            result[index] = (distance.amin(1) <= radius_px).reshape(result.shape[1:])
    return result


def squared_distance(first: Tensor, second: Tensor) -> Tensor:
    """|f - s|^2 over channels: shape (b, h, w), float32."""
    return (first.float() - second.float()).square().sum(1)


def contrastive_loss(distance: Tensor, affected: Tensor, margin: float) -> Tensor:
    """Terms of L_c: d^2 where nothing is broken, max(0, m - d^2) where either side is (Eq. 2).

    The margin is on the squared distance, as printed: max(0, m - d^2), not max(0, m - d)^2.

    Args:
        distance: d^2, shape (b, h, w).
        affected: the mask M-hat, bool, of the same shape.
        margin: m.

    Returns:
        Shape (b, h, w).
    """
    return torch.where(affected, (margin - distance).clamp_min(0), distance)


def mean_of_known(per_image: Tensor, known: Tensor) -> Tensor:
    """Mean over the images that count (b,); 0, with a gradient of 0, where none does."""
    weight = known.to(per_image)
    # A product with 0 would keep a NaN of an image that does not count.
    return torch.where(weight > 0, per_image, 0.0).sum() / weight.sum().clamp_min(1)
