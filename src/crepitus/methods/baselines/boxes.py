"""Boxes on points for detectors that learn from boxes, and found boxes as heatmaps (paper 001, section 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LEAST_SIDE_PX = 1.0
"""A box of which less than this is left inside the image is none: detectors refuse boxes without area."""


def boxes_on_points(points: Tensor, side_px: float, size: tuple[int, int]) -> Tensor:
    """A square around each point, cut off at the image.

    Args:
        points: shape (k, 2), (x, y) in pixels of the input.
        side_px: of the squares; 200 at 1024 px in the paper.
        size: (height, width) of the input.

    Returns:
        Shape (m, 4), float32, x0, y0, x1, y1; m < k where points lie outside.
    """
    half = side_px / 2
    boxes = torch.cat([points - half, points + half], dim=1).float()
    limits = boxes.new_tensor([size[1], size[0], size[1], size[0]])
    boxes = torch.minimum(boxes.clamp(min=0), limits)
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes[(sides >= LEAST_SIDE_PX).all(dim=1)]


def painted(boxes: Sequence[Tensor], size: tuple[int, int], stride: int) -> Tensor:
    """Heatmaps of boxes: each cell has the highest score of the boxes that hold its centre, else 0.

    Args:
        boxes: per image shape (k, 5), x0, y0, x1, y1 in pixels of the input (half-open), score 0..1.
        size: (height, width) of the input.
        stride: side of a cell, pixels; the last cells may be cut off.

    Returns:
        Shape (b, ceil(height / stride), ceil(width / stride)), float32, covering the input.
    """
    rows, columns = -(-size[0] // stride), -(-size[1] // stride)
    maps = []
    for found in boxes:
        y = (torch.arange(rows, device=found.device) + 0.5) * (size[0] / rows)
        x = (torch.arange(columns, device=found.device) + 0.5) * (size[1] / columns)
        x0, y0, x1, y1, score = found.float()[:, :, None].unbind(dim=1)
        in_rows = (y >= y0) & (y < y1)
        in_columns = (x >= x0) & (x < x1)
        inside = in_rows[:, :, None] & in_columns[:, None, :]
        values = inside * score[:, :, None]
        maps.append(values.amax(dim=0) if len(found) else y.new_zeros(rows, columns))
    return torch.stack(maps)
