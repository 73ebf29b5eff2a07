"""Lower and upper confidence bounds from annotated points (paper 001, Eqs. 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own convention
from torch import Tensor

from crepitus.errors import ConfigError


def nearest_distance(points: Tensor, height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Distance from every pixel centre to the nearest point.

    Args:
        points: (x, y) in pixels, shape (k, 2) with k >= 1, float32.
        height: rows of the grid.
        width: columns of the grid.
        device: where to compute.

    Returns:
        Shape (height, width), pixels.
    """
    y = torch.arange(height, device=device, dtype=torch.float32) + 0.5
    x = torch.arange(width, device=device, dtype=torch.float32) + 0.5
    nearest = torch.full((height, width), torch.inf, device=device)
    for px, py in points.tolist():
        torch.minimum(nearest, (y - py).square()[:, None] + (x - px).square()[None, :], out=nearest)
    return nearest.sqrt_()


def soft_disk(distance: Tensor, radius_px: float, tau_px: float) -> Tensor:
    """sigma((radius - distance) / tau); at tau = 0 its limit, the hard disk that includes its rim.

    The maximum over points in Eqs. 1 and 2 is taken before the sigmoid, as a minimum over distances: the
    sigmoid is monotone, so the result is the same for one evaluation instead of k.
    """
    if tau_px == 0:
        return (distance <= radius_px).to(distance.dtype)
    return torch.sigmoid((radius_px - distance) / tau_px)


def confidence_bounds(
    points: Sequence[Tensor],
    place_known: Tensor,
    size: tuple[int, int],
    *,
    r_lower_px: float,
    r_upper_px: float,
    tau_px: float,
    device: torch.device | None = None,
) -> tuple[Tensor, Tensor]:
    """Bounds of the prediction at every pixel.

    Args:
        points: per image (x, y) in input pixels, shape (k, 2); k = 0 gives l = u = 0.
        place_known: shape (b,), bool; False (a fracture at an unknown place, or an unlabelled image) gives
            l = 0, u = 1, the window that allows everything.
        size: height and width of the input, pixels.
        r_lower_px: r_l.
        r_upper_px: r_u >= r_l.
        tau_px: tau >= 0, softness of the decline.
        device: where to compute; default the CPU, where the points are read.

    Returns:
        Lower and upper bounds, each of shape (b, 1, height, width), float32, 0..1.
    """
    if r_upper_px < r_lower_px or tau_px < 0:
        raise ConfigError(
            f"expected r_upper >= r_lower and tau >= 0, got {r_lower_px}, {r_upper_px}, {tau_px}"
        )
    height, width = size
    lower = torch.zeros((len(points), 1, height, width), device=device)
    upper = torch.zeros_like(lower)
    for index, (image_points, known) in enumerate(zip(points, place_known.tolist(), strict=True)):
        if not known:
            upper[index] = 1.0
        elif len(image_points):
            distance = nearest_distance(image_points, height, width, device)
            lower[index, 0] = soft_disk(distance, r_lower_px, tau_px)
            upper[index, 0] = soft_disk(distance, r_upper_px, tau_px)
    return lower, upper


def resize_bound(bound: Tensor, size: tuple[int, int]) -> Tensor:
    """A bound (b, 1, h, w) at the resolution of a pyramid level: the mean over each of its cells."""
    return F.adaptive_avg_pool2d(bound, size)
