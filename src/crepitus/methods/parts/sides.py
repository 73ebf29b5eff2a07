"""Names of landmarks that come in pairs, left and right."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SIDES = ("-L", "-R")
"""Endings that make two names a pair: "asis-L" and "asis-R"; a name without one lies in the midline."""


def partners(names: Sequence[str]) -> list[int]:
    """Index of each landmark's partner on the other side; its own for a landmark of the midline.

    A landmark with a side whose partner is not among `names` gets -1: it says nothing about symmetry.
    """
    index = {name: at for at, name in enumerate(names)}
    left, right = SIDES

    def other(name: str) -> str:
        if name.endswith(left):
            return name[: -len(left)] + right
        if name.endswith(right):
            return name[: -len(right)] + left
        return name

    return [index.get(other(name), -1) for name in names]


def exchange(values: Tensor, partner: Sequence[int]) -> Tensor:
    """Values (b, L, ...) with those of partners exchanged; NaN where a landmark has none."""
    index = torch.tensor([max(k, 0) for k in partner], device=values.device)
    known = torch.tensor([k >= 0 for k in partner], device=values.device)
    shape = (1, len(partner), *([1] * (values.ndim - 2)))
    return torch.where(known.reshape(shape), values[:, index], torch.nan)
