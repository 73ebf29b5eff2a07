"""Layer-wise relevance propagation: an output is shared out, layer by layer, down to the pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, fx, nn

from crepitus.explain.canonical import canonical
from crepitus.explain.rules import Account, BodyRule, composite


class LrpRules(BaseModel):
    """The rules between the pixels and the classifier.

    The layer that sees the pixels has the z-box rule, the classifier the epsilon rule, those between the
    gamma rule: the composite that Montavon et al. (2019, 10.3) and Kohlbrenner et al. (2020) recommend.

    Attributes:
        body: of the layers between: "gamma" favours contributions of an output's sign, "sign" takes no
            others, "epsilon" takes all alike. Averaged features know no place, and behind them "sign" gives
            all pixels of a cell one sign; "epsilon" is noise in a deep network.
        gamma: of the rule "gamma"; 0.25 as in both papers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    body: BodyRule = "gamma"
    gamma: float = Field(default=0.25, gt=0)


class Propagated(NamedTuple):
    """Relevance of n inputs that lead to one output: what it was, who got it, what biases took."""

    relevance: Tensor
    explained: float
    absorbed: float


class Explained(nn.Module):
    """A network in canonical form: `body` to features, `head` to logits (1, k)."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body: fx.GraphModule = canonical(body)
        self.head: fx.GraphModule = canonical(head)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of normalised inputs (n, c, h, w)."""
        logits: Tensor = self.head(self.body(inputs))
        return logits

    @property
    def first(self) -> str:
        """Name of the layer that sees the inputs."""
        for node in self.body.graph.nodes:
            if node.op == "call_module" and isinstance(self.body.get_submodule(node.target), nn.Conv2d):
                return f"body.{node.target}"
        return ""


def propagate(
    network: Explained,
    inputs: Tensor,
    weigh: Callable[[Tensor], Tensor],
    bounds: tuple[Tensor, Tensor],
    rules: LrpRules,
) -> Propagated:
    """Relevance of normalised inputs.

    Args:
        network: in canonical form.
        inputs: shape (n, c, h, w), all of what leads to one output.
        weigh: from logits (1, k) to their weights (1, k); the explained output is their weighted sum.
        bounds: least and greatest possible input, shape (1, c, 1, 1).
        rules: of the layers between.

    Returns:
        Relevance of shape (n, c, h, w).
    """
    account = Account()
    rules_of = composite(account, network.first, *bounds, body=rules.body, gamma=rules.gamma)
    leaf = inputs.detach().clone().requires_grad_()
    with torch.enable_grad(), rules_of.context(network):
        logits = network(leaf)
        weights = weigh(logits.detach())
        output = logits * weights
        # Relevance starts as the explained logits themselves, signs included.
        (relevance,) = torch.autograd.grad(logits, leaf, grad_outputs=output.detach())
    return Propagated(relevance.detach(), float(output.detach().double().sum()), account.absorbed)
