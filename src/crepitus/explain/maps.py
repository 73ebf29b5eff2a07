"""Maps of the last features: Grad-CAM, and the class activation map of heads that are linear in each cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

from crepitus.explain.routes import Route

Weigh = Callable[[Tensor], Tensor]


def grad_cam(route: Route, images: Tensor, weigh: Weigh) -> tuple[Tensor, float]:
    """Grad-CAM on the last features (Selvaraju et al. 2017, Eq. 1 and 2), with what is below 0.

    The paper keeps only what speaks for a class; here what speaks against it stays, and is negative.

    Args:
        route: of the images.
        images: shape (n, 1, h, w), of one unit.
        weigh: from logits (1, k) to their weights.

    Returns:
        Maps (n, h', w') over the images, and the explained output.
    """
    with torch.no_grad():
        features = route.body(route.normalised(route.seen(images)))
    levels: Sequence[Tensor] = [features] if isinstance(features, Tensor) else features
    last = levels[-1].detach().clone().requires_grad_()
    with torch.enable_grad():
        given = last if isinstance(features, Tensor) else [*levels[:-1], last]
        # Layers may work in place, and a leaf must not be changed.
        logits = route.head(given.clone() if isinstance(given, Tensor) else given)
        output = (logits * weigh(logits.detach())).sum()
        (gradient,) = torch.autograd.grad(output, last)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return _placed(route, (weights * last.detach()).sum(dim=1)), float(output.detach())


def cam(route: Route, images: Tensor, weigh: Weigh) -> tuple[Tensor, float]:
    """The map w f of each cell over the number of cells (Zhou et al. 2016, Eq. 2), w weighed by the target.

    With average pooling the sum over the cells and the classifier's bias are the explained output.

    Returns:
        Maps (n, h', w') over the images, and the explained output.
    """
    with torch.no_grad():
        features = route.body(route.normalised(route.seen(images)))
        logits = route.head(features)
        weights = weigh(logits)
        classifier = cast("torch.nn.Linear", route.cells)
        of_channels = (weights @ classifier.weight.flatten(1)).view(1, -1, 1, 1)
        cells = features.shape[-2] * features.shape[-1]
        maps = (of_channels * features).sum(dim=1) / cells
    return _placed(route, maps), float((logits * weights).sum())


def _placed(route: Route, maps: Tensor) -> Tensor:
    return maps if route.place is None else route.place(maps[:, None])[:, 0]
