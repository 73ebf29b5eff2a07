"""Landmark positions with their uncertainty: flips, mean shapes, and what is too unsure to be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crepitus.methods.base import Targets
from crepitus.methods.parts.sides import exchange

PELVIS = (
    *(
        f"{name}-{side}"
        for side in ("R", "L")
        for name in (
            "asis",
            "acetabulum-roof",
            "acetabulum-teardrop",
            "pubis-obturator",
            "pubis-inferior-ramus",
            "ischium-lateral",
            "ischium-inferior",
        )
    ),
    "pubis-symphysis-superior",
    "pubis-symphysis-inferior",
)
"""Seven pairs and two of the symphysis: the sixteen landmarks of paper 000."""


@dataclass(frozen=True)
class LandmarkRaw:
    """Raw outputs for b inputs with L landmarks.

    Attributes:
        steps: positions after each step, the last one being the answer, pixels, each (b, L, 2).
        log_sd: logarithm of the standard deviation along an axis, pixels, shape (b, L).
        maps: logits of heatmaps, shape (b, L, h, w), of detectors that have them.
        mean_shape: mean positions of training as fractions of the input, shape (L, 2).
    """

    steps: list[Tensor]
    log_sd: Tensor
    mean_shape: Tensor
    maps: Tensor | None = None

    @property
    def landmarks(self) -> Tensor:
        """x, y and standard deviation, pixels, shape (b, L, 3), float32."""
        return torch.cat([self.steps[-1], self.log_sd.exp()[..., None]], dim=-1).float()


def with_sides(targets: Targets, partner: Sequence[int]) -> Tensor:
    """Landmarks (b, L, 2) of the targets, left and right exchanged in views that were flipped.

    What lies on the side of the left hip of a flipped picture looks like the left hip.
    """
    if len(targets.views) != len(targets.landmarks):
        return targets.landmarks
    turned = torch.linalg.det(targets.views[:, :, :2]) < 0
    exchanged = exchange(targets.landmarks, partner)
    return torch.where(turned.to(exchanged.device)[:, None, None], exchanged, targets.landmarks)


def unflipped(landmarks: Tensor, partner: Sequence[int], width: float) -> Tensor:
    """Landmarks (b, L, 3) found in a flipped image of `width` pixels as landmarks of the image."""
    back = exchange(landmarks, partner)
    return torch.cat([width - back[..., :1], back[..., 1:]], dim=-1)


def both_views(first: Tensor, second: Tensor) -> Tensor:
    """Mean of two answers (b, L, 3) about the same images; their disagreement adds to the uncertainty.

    The variance along an axis is that of the mixture: the mean of both variances, and the squared half
    distance between the positions, shared by the two axes. Where the second is NaN the first stays.
    """
    middle = (first[..., :2] + second[..., :2]) / 2
    apart = (first[..., :2] - second[..., :2]).square().sum(-1) / 8
    variance = (first[..., 2].square() + second[..., 2].square()) / 2 + apart
    joint = torch.cat([middle, variance.sqrt()[..., None]], dim=-1)
    return torch.where(torch.isfinite(joint), joint, first)


def mean_shape_of(landmarks: Tensor, partner: Sequence[int], size: tuple[int, int]) -> Tensor:
    """Mean position of each landmark over images and their flips, as fractions of the input: (L, 2).

    A landmark that no image has gets the middle.
    """
    unit = landmarks / landmarks.new_tensor([size[1], size[0]])
    unit = torch.where(torch.isfinite(unit).all(-1, keepdim=True), unit, torch.nan)
    turned = exchange(unit, partner)
    turned = torch.stack([1 - turned[..., 0], turned[..., 1]], dim=-1)
    mean = torch.nanmean(torch.cat([unit, turned]), dim=0)
    return torch.where(torch.isfinite(mean), mean, 0.5)


def assessable(
    landmarks: Tensor, mean_shape: Tensor, size: tuple[int, int], *, max_sd: float, max_residual: float
) -> Tensor:
    """Whether the landmarks of an image can be relied on.

    Args:
        landmarks: x, y, standard deviation, pixels, shape (b, L, 3).
        mean_shape: fractions of the input, shape (L, 2).
        size: height and width of the input, pixels.
        max_sd: largest root mean square of the standard deviations, as a fraction of the size of the found
            shape (its root mean square distance from its centre).
        max_residual: largest part of the shape that no shift, turn and zoom of the mean shape explains.

    Returns:
        Shape (b,), bool; False also where a value is not finite.
    """
    scale = landmarks.new_tensor([size[1], size[0]])
    found, mean = (
        torch.view_as_complex(xy.double().contiguous()) for xy in (landmarks[..., :2], mean_shape * scale)
    )
    found = found - found.mean(-1, keepdim=True)
    mean = mean - mean.mean(-1, keepdim=True)
    # Complex least squares: the best turn and zoom is a factor.
    factor = (mean.conj() * found).sum(-1) / mean.abs().square().sum(-1)
    energy = found.abs().square().sum(-1)
    residual = ((found - factor[:, None] * mean).abs().square().sum(-1) / energy).sqrt()
    radius = (energy / found.shape[-1]).sqrt()
    unsure = landmarks[..., 2].double().square().mean(-1).sqrt() / radius
    return (unsure <= max_sd) & (residual <= max_residual)
