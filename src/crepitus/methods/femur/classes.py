"""The class sets of paper 002, and their hierarchy as questions: fracture, then A or B, then which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crepitus.data.ao_classes import FRACTURE, NORMAL
from crepitus.errors import ConfigError

LEAVES = ("A1", "A2", "A3", "B1", "B2", "B3")
ClassCount = Literal[2, 3, 6, 7]
Output = Literal["softmax", "tree"]

CLASS_NAMES: dict[int, tuple[str, ...]] = {
    2: (FRACTURE, NORMAL),
    3: ("A", "B", NORMAL),
    6: LEAVES,
    7: (*LEAVES, NORMAL),
}
"""Names by number of classes (paper 002, section III); 7 is this project's: the six classes and normal."""


@dataclass(frozen=True)
class Node:
    """One question of the hierarchy: its answers, each a group of classes, and how deep it stands.

    Attributes:
        groups: positions of the classes below each answer.
        level: 0 fracture or not, 1 A or B, 2 which of three.
    """

    groups: tuple[tuple[int, ...], ...]
    level: int


def nodes_of(names: Sequence[str]) -> tuple[Node, ...]:
    """The questions that these classes leave open, from the top; one with a single answer is none."""
    place = {name: k for k, name in enumerate(names)}
    broken = [name for name in names if name != NORMAL]

    def below(letter: str) -> tuple[int, ...]:
        return tuple(place[name] for name in broken if name.startswith(letter))

    questions = (
        (0, [tuple(place[name] for name in broken), (place[NORMAL],) if NORMAL in place else ()]),
        (1, [below("A"), below("B")]),
        (2, [(k,) for k in below("A")]),
        (2, [(k,) for k in below("B")]),
    )
    answered = [(level, tuple(g for g in groups if g)) for level, groups in questions]
    return tuple(Node(groups, level) for level, groups in answered if len(groups) > 1)


def logit_count(names: Sequence[str], output: Output) -> int:
    """How many logits a network gives: one per class, or one per answer of each question."""
    return len(names) if output == "softmax" else sum(len(node.groups) for node in nodes_of(names))


def log_probabilities(
    logits: Tensor, names: Sequence[str], output: Output, *, dim: int = 1, levels: int = 3
) -> Tensor:
    """Logarithms of the class probabilities.

    With "tree" the probability of a class is the product of the answers on its path, so that the sums over
    A and B and over all fractures are exactly the answers of the questions above.

    Args:
        logits: `logit_count` of them along `dim`; any other dimensions.
        names: of the classes.
        output: "softmax" over the classes, or "tree": a softmax for each question.
        dim: of the logits.
        levels: only the questions of the first levels count (a curriculum); "tree" alone. The classes that
            the rest would tell apart then share the logarithm of their group.

    Returns:
        The classes along `dim`, float32, at most 0.

    Raises:
        ConfigError: another number of logits.
    """
    if logits.shape[dim] != logit_count(names, output):
        raise ConfigError(f"expected {logit_count(names, output)} logits, got {logits.shape[dim]}")
    moved = logits.float().movedim(dim, 0)
    if output == "softmax":
        return torch.log_softmax(moved, dim=0).movedim(0, dim)
    total = moved.new_zeros((len(names), *moved.shape[1:]))
    start = 0
    for node in nodes_of(names):
        answers = torch.log_softmax(moved[start : start + len(node.groups)], dim=0)
        start += len(node.groups)
        if node.level >= levels:
            continue
        # Which answer leads to each class; a class elsewhere in the tree keeps its own path.
        lead = moved.new_zeros((len(names), len(node.groups)))
        for answer, group in enumerate(node.groups):
            lead[list(group), answer] = 1
        total = total + torch.einsum("ca,a...->c...", lead, answers)
    return total.movedim(0, dim)


def fracture_probability(probabilities: Tensor, names: Sequence[str], *, dim: int = 1) -> Tensor:
    """Sum over the classes that are fractures; 1 - P(normal) where there is a normal class, else 1."""
    chosen = [k for k, name in enumerate(names) if name != NORMAL]
    index = torch.tensor(chosen, device=probabilities.device)
    return probabilities.index_select(dim, index).sum(dim=dim)


def hierarchy(probabilities: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """The levels above the classes, from class probabilities; sums, so that they always agree with them.

    Args:
        probabilities: shape (b, c), rows that sum to 1.
        names: of the c classes.

    Returns:
        Shape (b,) each: "fracture", and, where the classes tell them apart, "A" and "B".
    """
    levels = {FRACTURE: fracture_probability(probabilities, names)}
    for letter in ("A", "B"):
        chosen = [k for k, name in enumerate(names) if name.startswith(letter)]
        if chosen:
            levels[letter] = probabilities[:, chosen].sum(dim=1)
    return levels


def reading(probabilities: Sequence[float], names: Sequence[str]) -> tuple[str, ...]:
    """The answers from the top, each the likelier one given those before: ("fracture", "B", "B2").

    Args:
        probabilities: one per class, sum 1.
        names: of the classes.

    Returns:
        ("N",) or the path to a class. It may end in another class than the likeliest one: B as a whole can
        be likelier than A although A2 is the likeliest class.
    """
    kept = set(range(len(names)))
    path: list[str] = []
    for node in nodes_of(names):
        groups = [group for group in node.groups if set(group) <= kept]
        if len(groups) != len(node.groups):
            continue
        best = max(groups, key=lambda group: sum(probabilities[k] for k in group))
        kept = set(best)
        path.append(_name(best, names, node.level))
    return tuple(path)


def _name(group: Sequence[int], names: Sequence[str], level: int) -> str:
    if level == 0 and names[group[0]] != NORMAL:
        return FRACTURE
    return names[group[0]][:1] if level == 1 else names[group[0]]
