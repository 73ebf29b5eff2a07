"""The line of bilateral symmetry of a set of landmarks, by least squares, and the mirror image about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_LEAST_GAP = 1e-6
"""Share of the landmarks' spread by which the best line must beat the worst: otherwise there is none."""


@dataclass(frozen=True)
class Mirror:
    """Lines n . p = c of b images, in pixels.

    Attributes:
        normal: n, unit length, n_x >= 0, shape (b, 2); NaN where the landmarks define no line.
        offset: c, shape (b,).
    """

    normal: Tensor
    offset: Tensor

    def reflect(self, xy: Tensor) -> Tensor:
        """Mirror image p - 2 (n . p - c) n of positions (b, k, 2)."""
        distance = (xy * self.normal[:, None]).sum(-1, keepdim=True) - self.offset[:, None, None]
        return xy - 2 * distance * self.normal[:, None]

    def matrix(self) -> Tensor:
        """The reflection as (x, y, 1) -> (x, y), shape (b, 2, 3)."""
        n = self.normal
        linear = torch.eye(2, dtype=n.dtype, device=n.device) - 2 * n[:, :, None] * n[:, None, :]
        return torch.cat([linear, (2 * self.offset[:, None] * n)[:, :, None]], dim=2)


def mirrored_landmarks(mirror: Mirror, landmarks: Tensor, partner: Sequence[int]) -> Tensor:
    """Where each landmark lies in the flipped image: the mirror image of its partner, shape (b, L, 2).

    NaN where the partner is not known: what looks like the left hip in a flipped image is the right one.
    """
    at = torch.tensor([max(p, 0) for p in partner], device=landmarks.device)
    known = torch.tensor([p >= 0 for p in partner], device=landmarks.device)
    return torch.where(known[None, :, None], mirror.reflect(landmarks[:, at]), torch.nan)


def symmetry_line(landmarks: Tensor, partner: Sequence[int]) -> Mirror:
    """The line whose reflection R brings the landmarks closest to their partners.

    It minimises the sum over all landmarks of |R(p_i) - p_s(i)|^2, where s(i) is the partner and a landmark
    of the midline is its own. With middle m_i = (p_i + p_s(i)) / 2 and difference d_i = p_i - p_s(i) a term
    is 4 (n . m_i - c)^2 + |d_i|^2 - (n . d_i)^2, so c = n . mean(m), and n is the eigenvector of the
    smallest eigenvalue of sum 4 (m - mean)(m - mean)^T - d d^T. For a mirrored set the sum is 0.

    Args:
        landmarks: shape (b, L, 2), pixels, NaN where unknown; a pair counts only with both sides.
        partner: from `partners`.

    Returns:
        Lines in double precision; NaN where neither a pair nor two points of the midline are known.
    """
    xy = landmarks.double()
    at = torch.tensor([max(p, 0) for p in partner], device=xy.device)
    paired = torch.tensor([p >= 0 for p in partner], device=xy.device)
    other = xy[:, at]
    known = paired & torch.isfinite(xy).all(-1) & torch.isfinite(other).all(-1)
    weight = known.double()[..., None]
    middle = torch.where(known[..., None], (xy + other) / 2, 0.0)
    difference = torch.where(known[..., None], xy - other, 0.0)
    centre = middle.sum(1) / weight.sum(1)
    spread = (middle - centre[:, None]) * weight
    form = 4 * torch.einsum("bki,bkj->bij", spread, spread)
    form = form - torch.einsum("bki,bkj->bij", difference, difference)
    return _line(form, centre, spread.square().sum((1, 2)) + difference.square().sum((1, 2)))


def _line(form: Tensor, centre: Tensor, size: Tensor) -> Mirror:
    """The direction that minimises n^T form n, in closed form for two dimensions."""
    half, cross = (form[:, 0, 0] - form[:, 1, 1]) / 2, form[:, 0, 1]
    angle = torch.atan2(cross, half) / 2 + torch.pi / 2
    normal = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    normal = torch.where(normal[:, :1] < 0, -normal, normal)
    defined = (half.square() + cross.square()).sqrt() > _LEAST_GAP * size
    normal = torch.where(defined[:, None], normal, torch.nan)
    return Mirror(normal=normal, offset=(normal * centre).sum(1))
