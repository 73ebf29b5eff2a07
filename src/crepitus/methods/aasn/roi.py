"""The region of the anterior pelvis: its box from landmarks, and pixels and positions in and out of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from crepitus.methods.aasn.symmetry import Mirror


def bounding_box(
    landmarks: Tensor, members: Sequence[int], *, margin: float, aspect: float | None = None
) -> Tensor:
    """Box around some of the landmarks.

    Args:
        landmarks: shape (b, L, 2), pixels, NaN where unknown.
        members: indices of the landmarks that count.
        margin: added on each side, as a fraction of the box.
        aspect: width / height; the shorter side grows about its middle until it fits. None keeps the box.

    Returns:
        x_min, y_min, x_max, y_max, shape (b, 4); NaN where fewer than two of them are known or the box
        has no area.
    """
    chosen = landmarks[:, list(members)]
    known = torch.isfinite(chosen).all(-1, keepdim=True)
    low = torch.where(known, chosen, torch.inf).amin(1)
    high = torch.where(known, chosen, -torch.inf).amax(1)
    middle, side = (low + high) / 2, (high - low) * (1 + 2 * margin)
    if aspect is not None:
        width = torch.maximum(side[:, 0], side[:, 1] * aspect)
        side = torch.stack([width, width / aspect], dim=1)
    box = torch.cat([middle - side / 2, middle + side / 2], dim=1)
    usable = (known.sum((1, 2)) >= 2) & (side > 0).all(1) & torch.isfinite(box).all(1)
    return torch.where(usable[:, None], box, torch.nan)


def box_to_image(box: Tensor, size: tuple[int, int]) -> Tensor:
    """(x, y, 1) in a region of `size` (height, width) -> (x, y) in the image, shape (b, 2, 3)."""
    height, width = size
    x_min, y_min, x_max, y_max = box.unbind(1)
    zero = torch.zeros_like(x_min)
    across = torch.stack([(x_max - x_min) / width, zero, x_min], dim=1)
    down = torch.stack([zero, (y_max - y_min) / height, y_min], dim=1)
    return torch.stack([across, down], dim=1)


def flipped_to_image(box: Tensor, mirror: Mirror, size: tuple[int, int]) -> Tensor:
    """Like `box_to_image` for a box in the image flipped about `mirror`: region -> original image."""
    region, reflection = box_to_image(box, size), mirror.matrix().to(box.dtype)
    linear = reflection[:, :, :2] @ region
    return torch.cat([linear[:, :, :2], linear[:, :, 2:] + reflection[:, :, 2:]], dim=2)


def flipped_frame(size: tuple[int, int], mirror: Mirror) -> Tensor:
    """The box in the flipped image that corresponds to a whole image of `size`: centred at its mirror image.

    Used where the image is the region already. Shape (b, 4).
    """
    height, width = size
    n = mirror.normal
    middle = torch.tensor([width / 2, height / 2], dtype=n.dtype, device=n.device).expand(len(n), 1, 2)
    centre = mirror.reflect(middle)[:, 0]
    half = torch.tensor([width / 2, height / 2], dtype=n.dtype, device=n.device)
    return torch.cat([centre - half, centre + half], dim=1)


def apply_affine(matrix: Tensor, xy: Tensor) -> Tensor:
    """Positions (b, k, 2) under (b, 2, 3)."""
    return xy @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]


def invert_affine(matrix: Tensor) -> Tensor:
    """The inverse maps, shape (b, 2, 3)."""
    a, b, c, d = matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 1, 1]
    determinant = a * d - b * c
    rows = torch.stack([torch.stack([d, -b], 1), torch.stack([-c, a], 1)], 1) / determinant[:, None, None]
    return torch.cat([rows, -rows @ matrix[:, :, 2:]], dim=2)


def sample_region(images: Tensor, matrix: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear samples of images (b, c, H, W) at the pixel centres of regions.

    Args:
        images: what is sampled; black outside.
        matrix: region -> image, pixels, shape (b, 2, 3).
        size: height and width of the region.

    Returns:
        Shape (b, c, height, width).
    """
    height, width = size
    rows, columns = images.shape[-2:]
    # Both grids run from -1 to 1 between the corners of their frames, as in align_corners=False.
    region = matrix.new_tensor([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]])
    scale = matrix.new_tensor([[2 / columns], [2 / rows]])
    theta = matrix @ region * scale
    theta = torch.cat([theta[:, :, :2], theta[:, :, 2:] - 1], dim=2)
    channels = images.shape[1]
    grid = F.affine_grid(theta.to(images.dtype), [len(images), channels, height, width], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
