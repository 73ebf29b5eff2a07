"""The explainers by name, which methods they can explain, and the one function that runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from crepitus.errors import UsageError
from crepitus.explain.lrp import Explained, LrpRules, propagate
from crepitus.explain.maps import cam, grad_cam
from crepitus.explain.relevance import Relevance
from crepitus.explain.rollout import rollout
from crepitus.explain.routes import Route, route_of
from crepitus.explain.support import EXPLAINERS, why_not
from crepitus.explain.targets import check_target, weights_of
from crepitus.methods.base import Method, Targets

Found = tuple[Tensor, float, float]
"""Maps (n, h, w) of a unit, the explained output, and what biases absorbed; NaN where there is none."""

NAN = float("nan")


class Explainer:
    """One explainer for one network; the network is rewritten once, for any number of batches.

    Args:
        method: that the network belongs to.
        network: with trained weights, in evaluation mode; it is not changed.
        name: of the explainer, see `EXPLAINERS`.
        target: `fracture`, or a class of the method.
        rules: of LRP.

    Raises:
        UsageError: there is no such explainer or target, or the explainer cannot explain this method.
    """

    def __init__(
        self,
        method: Method[Any],
        network: nn.Module,
        name: str,
        target: str = "fracture",
        rules: LrpRules | None = None,
    ) -> None:
        refuse_unsupported(method.name, name)
        check_target(method, target)
        self.method, self.network = method, network
        self.name, self.target = name, target
        self.rules = rules or LrpRules()
        self._canonical: Explained | None = None

    def __call__(self, images: Tensor, targets: Targets | None = None) -> Relevance:
        """Signed relevance of images.

        Args:
            images: shape (b, 1, h, w), float32, 0..1, as they enter the network.
            targets: of the images: studies, regions and landmarks where the method needs them; None: each
                image is a study.

        Raises:
            UsageError: the network has a layer that this explainer does not know.
        """
        known = targets or Targets.unknown([str(k) for k in range(len(images))])
        numbers = known.study if self.method.batch_unit == "study" else torch.arange(len(images))
        if self.name in _WHOLE_BATCH:
            maps = _WHOLE_BATCH[self.name](self, images, known)
            nothing = torch.full((len(images),), NAN, dtype=torch.float64)
            return Relevance(maps.float().cpu(), self.target, nothing, nothing, numbers.cpu())
        explain_unit = _BY_UNIT[self.name]
        found = [
            (members, explain_unit(self, images[members].float(), select(known, members)))
            for members in _units(numbers)
        ]
        return _joined(found, numbers, self.target, len(images))

    def route(self, images: Tensor, targets: Targets) -> Route:
        """The way of one unit's images to its logits."""
        return route_of(self.method, self.network, images, targets)

    def canonical(self, route: Route) -> Explained:
        """The network that LRP goes back through."""
        if self._canonical is None:
            self._canonical = Explained(route.body, route.head)
        return self._canonical

    def weigh(self, logits: Tensor) -> Tensor:
        """Weights of the logits for the target."""
        return weights_of(self.method, logits, self.target)


def explain(
    method: Method[Any],
    network: nn.Module,
    images: Tensor,
    targets: Targets | None,
    name: str,
    target: str = "fracture",
    rules: LrpRules | None = None,
) -> Relevance:
    """Signed relevance of one batch of images; see `Explainer`."""
    return Explainer(method, network, name, target, rules)(images, targets)


def refuse_unsupported(method: str, name: str) -> None:
    """Refuse an explainer that does not exist, or that cannot explain a method of that name.

    Raises:
        UsageError: it says why.
    """
    if name not in EXPLAINERS:
        raise UsageError(f"--explainer: expected some of {', '.join(EXPLAINERS)}, got {name!r}")
    reason = why_not(method, name)
    if reason:
        raise UsageError(f"--explainer {name}: it cannot explain {method}: {reason}")


def select(targets: Targets, members: Tensor) -> Targets:
    """The targets of some images of a batch, in their order; their studies are numbered anew.

    Args:
        targets: of the batch.
        members: shape (n,), int64.
    """
    index = members.tolist()
    studies = targets.study[members] if len(targets.study) else targets.study
    chosen = {
        name: value[members.to(value.device)]
        for name in ("labels", "place_known", "classes", "landmarks", "views", "regions")
        if len(value := getattr(targets, name))
    }
    return replace(
        targets,
        image_ids=[targets.image_ids[k] for k in index],
        points=[targets.points[k] for k in index],
        boxes=[targets.boxes[k] for k in index] if targets.boxes else targets.boxes,
        study=torch.unique(studies, return_inverse=True)[1] if len(studies) else studies,
        **chosen,
    )


def _units(numbers: Tensor) -> Iterator[Tensor]:
    for number in range(int(numbers.max()) + 1 if len(numbers) else 0):
        members = (numbers == number).nonzero().flatten()
        if len(members):
            yield members


def _joined(found: list[tuple[Tensor, Found]], numbers: Tensor, target: str, count: int) -> Relevance:
    shape = found[0][1][0].shape[1:] if found else (0, 0)
    values = torch.zeros(count, *shape)
    explained = torch.full((count,), NAN, dtype=torch.float64)
    absorbed = explained.clone()
    for members, (maps, output, taken) in found:
        values[members] = maps.float().cpu()
        explained[members], absorbed[members] = output, taken
    return Relevance(values, target, explained, absorbed, numbers.cpu())


def _lrp(explainer: Explainer, images: Tensor, targets: Targets) -> Found:
    route = explainer.route(images, targets)
    inputs = route.normalised(route.seen(images))
    network = explainer.canonical(route)
    found = propagate(network, inputs, explainer.weigh, route.bounds, explainer.rules)
    return route.over_images(found.relevance, images), found.explained, found.absorbed


def _grad_cam(explainer: Explainer, images: Tensor, targets: Targets) -> Found:
    maps, explained = grad_cam(explainer.route(images, targets), images, explainer.weigh)
    return maps, explained, NAN


def _cam(explainer: Explainer, images: Tensor, targets: Targets) -> Found:
    maps, explained = cam(explainer.route(images, targets), images, explainer.weigh)
    return maps, explained, NAN


def _rollout(explainer: Explainer, images: Tensor, targets: Targets) -> Tensor:
    return rollout(explainer.network, images)


def _own(explainer: Explainer, images: Tensor, targets: Targets) -> Tensor:
    decoded = explainer.method.infer(explainer.network, images, targets)
    if decoded.heatmaps is None:
        raise UsageError(f"--explainer own: {explainer.method.name} gives no heatmap; use another explainer")
    return decoded.heatmaps


_BY_UNIT: Mapping[str, Callable[[Explainer, Tensor, Targets], Found]] = {
    "lrp": _lrp,
    "grad-cam": _grad_cam,
    "cam": _cam,
}
_WHOLE_BATCH: Mapping[str, Callable[[Explainer, Tensor, Targets], Tensor]] = {
    "rollout": _rollout,
    "own": _own,
}
