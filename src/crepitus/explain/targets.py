"""Which output is explained: a fracture, or one class; as weights on the logits of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from crepitus.data.ao_classes import FRACTURE, NORMAL
from crepitus.errors import UsageError
from crepitus.methods.base import Method
from crepitus.methods.femur.classes import log_probabilities, nodes_of
from crepitus.methods.femur.method import FemurMethod
from crepitus.methods.roi_mining.method import RoiMining


def target_names(method: Method[Any]) -> tuple[str, ...]:
    """What can be explained of a method: `fracture`, and its classes."""
    return (FRACTURE, *(name for name in method.class_names if name != FRACTURE))


def check_target(method: Method[Any], target: str) -> None:
    """Refuse a target that the method has not.

    Raises:
        UsageError: it names those that there are.
    """
    if target not in target_names(method):
        raise UsageError(
            f"--target: expected one of {', '.join(target_names(method))} of {method.name}, got {target!r}"
        )


def weights_of(method: Method[Any], logits: Tensor, target: str) -> Tensor:
    """Weights (b, k) on logits (b, k) whose weighted sum is the explained output.

    A method with one logit: that logit. Of several classes: the logit of the class; for `fracture` that of
    the likeliest fracture class minus that of the normal class, where there is one. With the "tree" output of
    the femur methods: the logits of the answers that lead to the class; for `fracture` those of the first
    question, fracture minus normal. Of `roi-mining`: the fracture logit, or that of the kind.
    """
    check_target(method, target)
    if isinstance(method, FemurMethod):
        return _of_classes(logits, method.class_names, target, method.config.output)
    weights = torch.zeros_like(logits)
    if isinstance(method, RoiMining) and target in method.class_names:
        if logits.shape[1] == 1:
            raise UsageError(
                f"--target {target}: expected a trained second stage that tells the kinds apart, it is "
                "not trained yet; use --target fracture"
            )
        weights[:, 1 + method.class_names.index(target)] = 1
    else:
        weights[:, 0] = 1
    return weights


def _of_classes(logits: Tensor, names: Sequence[str], target: str, output: Any) -> Tensor:
    weights = torch.zeros_like(logits)
    answers = log_probabilities(logits, names, output)
    broken = [k for k, name in enumerate(names) if name != NORMAL]
    for row, own in enumerate(answers):
        place: int | None = names.index(target) if target in names else None
        if target == FRACTURE and (NORMAL not in names or output == "softmax"):
            place = max(broken, key=lambda k, own=own: float(own[k]))  # type: ignore[misc]
        if output == "tree":
            weights[row] = _of_tree(weights[row], names, place)
        else:
            weights[row, cast("int", place)] = 1
            if target == FRACTURE and NORMAL in names:
                weights[row, names.index(NORMAL)] = -1
    return weights


def _of_tree(empty: Tensor, names: Sequence[str], place: int | None) -> Tensor:
    """Answers on the way to a class, or to any fracture; of a question with two answers minus the other."""
    weights = empty.clone()
    start = 0
    for node in nodes_of(names):
        for answer, group in enumerate(node.groups):
            wanted = place in group if place is not None else node.level == 0 and names[group[0]] != NORMAL
            if wanted:
                weights[start + answer] += 1
                if len(node.groups) == 2:
                    weights[start + 1 - answer] -= 1
        start += len(node.groups)
    return weights
