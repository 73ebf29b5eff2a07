"""Thin-plate splines between two sets of landmarks, as sampling grids for feature maps (Bookstein 1989)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_LEAST_SPREAD = 1e-3
"""Smallest spread of the landmarks across their main direction, relative to it: less is a line."""


@dataclass(frozen=True)
class Spline:
    """b maps of the plane: x -> affine . (1, x) + sum_i weight_i U(|x - control_i|), U(r) = r^2 ln r^2.

    Attributes:
        control: shape (b, n, 2), pixels.
        used: shape (b, n), bool; a landmark that is not used lies at 0 with weight 0.
        weight: shape (b, n, 2).
        affine: shape (b, 3, 2), rows for 1, x, y.
        scale: pixels per unit of length in which U is computed, shape (b,).
        defined: shape (b,), bool; False where the landmarks were too few or on a line, and the map is the
            identity.
    """

    control: Tensor
    used: Tensor
    weight: Tensor
    affine: Tensor
    scale: Tensor
    defined: Tensor

    def at(self, xy: Tensor) -> Tensor:
        """Images of positions (b, k, 2), pixels."""
        offset = (xy[:, :, None] - self.control[:, None]) / self.scale[:, None, None, None]
        bent = _kernel(offset.square().sum(-1)) @ self.weight
        return self.affine[:, :1] + xy @ self.affine[:, 1:] + bent

    def determinant(self, xy: Tensor) -> Tensor:
        """Determinant of the Jacobian at positions (b, k, 2): shape (b, k); not positive where it folds."""
        offset = (xy[:, :, None] - self.control[:, None]) / self.scale[:, None, None, None]
        squared = offset.square().sum(-1, keepdim=True)
        # The derivative of r^2 ln r^2 is 2 (ln r^2 + 1) times the offset, and 0 at the landmark itself.
        slope = torch.where(squared > 0, 2 * (torch.log(squared.clamp_min(1e-30)) + 1), 0.0) * offset
        slope = slope / self.scale[:, None, None, None]
        jacobian = torch.einsum("bkni,bnj->bkij", slope, self.weight) + self.affine[:, None, 1:]
        return jacobian[..., 0, 0] * jacobian[..., 1, 1] - jacobian[..., 0, 1] * jacobian[..., 1, 0]

    def identity(self) -> Spline:
        """Maps that leave every position where it is."""
        straight = self.affine.new_tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).expand_as(self.affine)
        return replace(self, weight=torch.zeros_like(self.weight), affine=straight)

    def without_folds(self, xy: Tensor) -> Spline:
        """The same maps, except that one which folds at one of `xy` (b, k, 2) becomes its best affine map."""
        folds = (self.determinant(xy) <= 0).any(1)
        if not bool(folds.any()):
            return self
        target = self.at(self.control)
        affine, weight = self.affine.clone(), self.weight.clone()
        affine[folds] = _affine_fit(self.control[folds], target[folds], self.used[folds])
        weight[folds] = 0.0
        return replace(self, affine=affine, weight=weight)


def _kernel(squared: Tensor) -> Tensor:
    """U as a function of the squared distance; 0 at 0."""
    return torch.where(squared > 0, squared * torch.log(squared.clamp_min(1e-30)), 0.0)


def _affine_fit(control: Tensor, target: Tensor, used: Tensor) -> Tensor:
    """Least-squares affine map, shape (b, 3, 2)."""
    rows = torch.cat([torch.ones_like(control[..., :1]), control], dim=-1) * used[..., None]
    turned = rows.transpose(1, 2)
    fitted: Tensor = torch.linalg.solve(turned @ rows, turned @ target)
    return fitted


def thin_plate_spline(control: Tensor, target: Tensor) -> Spline:
    """The smoothest map that brings every control point exactly to its target.

    One linear system of n + 3 unknowns per image, in double precision. A landmark that is not known in both
    sets is left out by an equation that sets its weight to 0, so that a batch stays one system.

    Args:
        control: shape (b, n, 2), pixels, NaN where unknown.
        target: likewise.

    Returns:
        Maps in double precision; the identity where fewer than three landmarks are known in both, or all
        lie on a line.
    """
    known = torch.isfinite(control).all(-1) & torch.isfinite(target).all(-1)
    first = torch.where(known[..., None], control.double(), 0.0)
    second = torch.where(known[..., None], target.double(), 0.0)
    scale, defined = _spread(first, known)
    used = known & defined[:, None]
    solution = torch.linalg.solve(_system(first, used, scale, defined), _right_side(second, used, defined))
    # The polynomial is solved in units of `scale` and handed out in pixels.
    affine = torch.cat([solution[:, -3:-2], solution[:, -2:] / scale[:, None, None]], dim=1)
    control_used = torch.where(used[..., None], first, 0.0)
    return Spline(control_used, used, solution[:, :-3], affine, scale, defined)


def _spread(xy: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Standard deviation along the main direction (b,), and whether the landmarks span the plane (b,)."""
    count = known.sum(1).double()
    centre = xy.sum(1) / count.clamp_min(1)[:, None]
    centred = torch.where(known[..., None], xy - centre[:, None], 0.0)
    variance = torch.einsum("bni,bnj->bij", centred, centred) / count.clamp_min(1)[:, None, None]
    half = (variance[:, 0, 0] - variance[:, 1, 1]) / 2
    middle = (variance[:, 0, 0] + variance[:, 1, 1]) / 2
    root = (half.square() + variance[:, 0, 1].square()).sqrt()
    large, small = (middle + root).clamp_min(0).sqrt(), (middle - root).clamp_min(0).sqrt()
    defined = (count >= 3) & (small > _LEAST_SPREAD * large)
    return torch.where(defined, large, 1.0), defined


def _system(xy: Tensor, used: Tensor, scale: Tensor, defined: Tensor) -> Tensor:
    unit = xy / scale[:, None, None]
    both = used[:, :, None] & used[:, None, :]
    squared = (unit[:, :, None] - unit[:, None, :]).square().sum(-1)
    bent = torch.where(both, _kernel(squared), 0.0) + torch.diag_embed((~used).double())
    polynomial = torch.cat([torch.ones_like(unit[..., :1]), unit], dim=-1) * used[..., None]
    corner = torch.diag_embed((~defined).double()[:, None].expand(-1, 3))
    top = torch.cat([bent, polynomial], dim=2)
    return torch.cat([top, torch.cat([polynomial.transpose(1, 2), corner], dim=2)], dim=1)


def _right_side(target: Tensor, used: Tensor, defined: Tensor) -> Tensor:
    """Targets, and zeros; where the map is the identity, its three coefficients."""
    values = torch.where(used[..., None], target, 0.0)
    identity = target.new_tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    tail = torch.where(defined[:, None, None], 0.0, identity)
    return torch.cat([values, tail], dim=1)


def cell_centres(size: tuple[int, int], cells: tuple[int, int]) -> Tensor:
    """Centres of the (h, w) cells of a frame of `size` (height, width), pixels: shape (h w, 2), double."""
    y = (torch.arange(cells[0], dtype=torch.float64) + 0.5) * size[0] / cells[0]
    x = (torch.arange(cells[1], dtype=torch.float64) + 0.5) * size[1] / cells[1]
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x.reshape(-1), grid_y.reshape(-1)], dim=1)


def warp_positions(spline: Spline, size: tuple[int, int], cells: tuple[int, int]) -> Tensor:
    """Where each cell of the original frame looks in the flipped one: pixels, shape (b, h, w, 2), float32.

    Evaluated at the cells of a feature map, not at the pixels of the image; free of folds there.
    """
    centres = cell_centres(size, cells).to(spline.control.device)
    centres = centres.expand(len(spline.control), -1, 2)
    positions = spline.without_folds(centres).at(centres)
    return positions.float().reshape(len(centres), *cells, 2)


def pixel_positions(spline: Spline, size: tuple[int, int], step: int = 8) -> Tensor:
    """`warp_positions` for every pixel of the frame: evaluated every `step` pixels, linear in between.

    A spline through landmarks that are tens of pixels apart bends little within 8 pixels.
    """
    height, width = (-(-side // step) for side in size)
    y = torch.arange(height + 1, dtype=torch.float64) * size[0] / height
    x = torch.arange(width + 1, dtype=torch.float64) * size[1] / width
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    nodes = torch.stack([grid_x.reshape(-1), grid_y.reshape(-1)], dim=1).to(spline.control.device)
    nodes = nodes.expand(len(spline.control), -1, 2)
    values = spline.without_folds(nodes).at(nodes).float().mT.reshape(len(nodes), 2, height + 1, width + 1)
    # Between corners 0 and n of 2 n intervals, the odd nodes are the centres of the pixels.
    fine = (2 * size[0] + 1, 2 * size[1] + 1)
    dense = F.interpolate(values, size=fine, mode="bilinear", align_corners=True)
    return dense[:, :, 1::2, 1::2].permute(0, 2, 3, 1)


def sampling_grid(positions: Tensor, size: tuple[int, int]) -> Tensor:
    """Positions (b, h, w, 2) in a frame of `size`, pixels, as the -1..1 of `grid_sample`."""
    return positions * positions.new_tensor([2 / size[1], 2 / size[0]]) - 1
