"""What an explainer says about a batch of images: a signed map each, and the sums that it has to keep."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Relevance:
    """Signed relevance for b prepared images: above 0 speaks for the target, below 0 against it.

    Attributes:
        values: shape (b, h, w), float32, covering the prepared image at any resolution.
        target: what was explained: `fracture`, or the name of a class.
        explained: shape (b,), float64: the value of the output that was explained, a logit; of a method that
            answers for studies that of the image's study. NaN where no single output was explained.
        absorbed: shape (b,), float64: the part of `explained` that biases took on the way to the input, of
            all images of the unit together. NaN for explainers that distribute nothing.
        unit: shape (b,), int64: images with the same number were explained as one, such as a study.
    """

    values: Tensor
    target: str
    explained: Tensor
    absorbed: Tensor
    unit: Tensor

    def conservation_error(self) -> Tensor:
        """|explained - (sum of the unit's relevance + absorbed)| / |explained|, shape (b,), float64.

        0 where nothing was lost; NaN where nothing is distributed or the explained output is 0.
        """
        sums = self.values.double().flatten(1).sum(dim=1)
        units = torch.zeros(int(self.unit.max()) + 1 if len(self.unit) else 0, dtype=torch.float64)
        units.index_add_(0, self.unit.cpu(), sums.cpu())
        explained = self.explained.double().cpu()
        lost = (explained - units[self.unit.cpu()] - self.absorbed.double().cpu()).abs()
        return torch.where(explained != 0, lost / explained.abs(), torch.nan)
