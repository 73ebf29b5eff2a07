"""Log-sum-exp pooling: between the mean and the maximum, differentiable (papers 001 and 003; 003, Eq. 1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from crepitus.errors import ConfigError


def lse_pool(values: Tensor, sharpness: float, dims: tuple[int, ...] = (-2, -1)) -> Tensor:
    """(1 / r) log(mean(exp(r x))) over `dims`, paper 003, Eq. 1, without overflow for any finite x.

    Args:
        values: any shape, floating point; computed and returned in float32 or wider.
        sharpness: r >= 0. 0 is its limit, the mean; infinity is its limit, the maximum.
        dims: dimensions that are pooled away.

    Returns:
        Shape of `values` without `dims`; each within [mean, maximum] of what it pools.

    Raises:
        ConfigError: `sharpness` is negative or NaN.
    """
    if not sharpness >= 0:
        raise ConfigError(f"the sharpness of LSE pooling: expected a number of at least 0, got {sharpness}")
    wide = values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
    if sharpness == 0:
        return wide.mean(dim=dims)
    if math.isinf(sharpness):
        return wide.amax(dim=dims)
    peak = wide.amax(dim=dims, keepdim=True).detach()
    pooled = peak.squeeze(dims)
    if sharpness < 1:
        # exp(r x) is close to 1: its logarithm would lose the digits that are divided by r afterwards.
        return pooled + torch.log1p(torch.expm1(sharpness * (wide - peak)).mean(dim=dims)) / sharpness
    return pooled + torch.log(torch.exp(sharpness * (wide - peak)).mean(dim=dims)) / sharpness
