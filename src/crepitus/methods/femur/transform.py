"""Spatial transforms of paper 002, Eq. 4: from parameters to a crop, to a box, and back to the image."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Kind = Literal["similarity", "affine"]

PARAMETERS: dict[Kind, int] = {"similarity": 3, "affine": 6}
IDENTITY: dict[Kind, tuple[float, ...]] = {"similarity": (0, 0, 1), "affine": (1, 0, 0, 0, 1, 0)}
"""The whole image: where training starts (section V).

Positions are in half sides of the image from its centre: x and y run from -1 to 1 between the outer edges.
A similarity is (t_r, t_c, s), the paper's p: the row and column of the crop's centre, and its side as a share
of the image's. An affine transform is the rows of the matrix (a b t_c; c d t_r).
"""

_SMALLEST = 1e-6
"""Of a determinant: what is smaller has no inverse, and no area."""


def matrices(parameters: Tensor, kind: Kind) -> Tensor:
    """Theta of Eq. 4: maps the crop's positions to the image's.

    Args:
        parameters: shape (b, 3) or (b, 6), as described at `IDENTITY`.
        kind: of the transform.

    Returns:
        Shape (b, 2, 3), float32.
    """
    values = parameters.float()
    if kind == "affine":
        return values.view(-1, 2, 3)
    row, column, scale = values.unbind(dim=1)
    zero = torch.zeros_like(scale)
    return torch.stack([scale, zero, column, zero, scale, row], dim=1).view(-1, 2, 3)


def warp(images: Tensor, theta: Tensor, size: tuple[int, int]) -> Tensor:
    """The crops: bilinear, black outside the image.

    Computed in float64: in float32 a position near the far edge of a large image is off by more than 1e-6
    of a pixel, and the identity would not reproduce its input.

    Args:
        images: shape (b, channels, h, w).
        theta: shape (b, 2, 3).
        size: rows and columns of the crops.

    Returns:
        Shape (b, channels, *size), float32.
    """
    with torch.autocast(images.device.type, enabled=False):
        shape = [len(images), images.shape[1], *size]
        grid = F.affine_grid(theta.double(), shape, align_corners=False)
        sampled = F.grid_sample(images.double(), grid, padding_mode="zeros", align_corners=False)
        return sampled.float()


def inverse(theta: Tensor) -> tuple[Tensor, Tensor]:
    """The transforms back.

    Returns:
        Shape (b, 2, 3), and shape (b,), bool: False where there is none because the crop has no area; the
        matrix is then that of the identity.
    """
    linear, offset = theta[:, :, :2].double(), theta[:, :, 2:].double()
    a, b, c, d = linear.flatten(1).unbind(dim=1)
    determinant = a * d - b * c
    valid = determinant.abs() > _SMALLEST
    safe = torch.where(valid, determinant, torch.ones_like(determinant))
    back = torch.stack([d, -b, -c, a], dim=1).view(-1, 2, 2) / safe[:, None, None]
    result = torch.cat([back, -back @ offset], dim=2)
    identity = torch.eye(2, 3, device=theta.device, dtype=torch.float64)
    return torch.where(valid[:, None, None], result, identity).to(theta.dtype), valid


def paste(maps: Tensor, theta: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps over crops as maps over the images: 0 outside the crop, and everywhere for a crop without area.

    Args:
        maps: shape (b, channels, h, w), over the crops.
        theta: shape (b, 2, 3), of the crops.
        size: rows and columns of the result.

    Returns:
        Shape (b, channels, *size), float32.
    """
    back, valid = inverse(theta)
    grid = F.affine_grid(back.double(), [len(maps), maps.shape[1], *size], align_corners=False)
    sampled = F.grid_sample(maps.double(), grid, padding_mode="border", align_corners=False)
    # Border cells reach to the edge of the crop, not beyond.
    inside = (grid.abs() <= 1).all(dim=-1)[:, None] & valid[:, None, None, None]
    return (sampled * inside).float()


def corners(theta: Tensor, size: tuple[int, int]) -> Tensor:
    """Corners of the crops in pixels of images of `size` (rows, columns): shape (b, 4, 2), (x, y)."""
    unit = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], device=theta.device)
    at = torch.einsum("kj,bij->bki", unit, theta.float())
    half = torch.tensor([size[1] / 2, size[0] / 2], device=theta.device)
    return (at + 1) * half


def boxes_of(theta: Tensor, kind: Kind, size: tuple[int, int]) -> Tensor:
    """Predicted boxes (section III, performance evaluation).

    Args:
        theta: shape (b, 2, 3).
        kind: a similarity gives the crop itself; an affine crop need not be upright, and its box is the
            square that encloses it.
        size: rows and columns of the images, pixels.

    Returns:
        Shape (b, 4), (x_min, y_min, x_max, y_max), pixels; not cut at the image's edge.
    """
    at = corners(theta, size)
    low, high = at.amin(dim=1), at.amax(dim=1)
    if kind == "affine":
        centre = (low + high) / 2
        half = (high - low).amax(dim=1, keepdim=True) / 2
        low, high = centre - half, centre + half
    return torch.cat([low, high], dim=1)


def similarity_of(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(t_r, t_c, s) of boxes (b, 4) in pixels of images of `size`; s is the geometric mean of the shares.

    For square boxes in square images this is the inverse of `boxes_of`.
    """
    whole = torch.tensor([size[1], size[0]], device=boxes.device, dtype=torch.float32)
    low, high = boxes[:, :2].float(), boxes[:, 2:].float()
    centre = (low + high) / whole - 1
    share = (high - low) / whole
    return torch.stack([centre[:, 1], centre[:, 0], share.prod(dim=1).sqrt()], dim=1)
