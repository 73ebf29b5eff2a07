"""The rules of layer-wise relevance propagation, each with a count of what the biases of its layer absorb.

A bias is an input of its layer that is always 1. Its relevance is what the rule would give to that input: it
is computed by the rule itself, and not as the difference between what came in and what went out. Relevance
that gets lost in any other way is therefore seen as an error of conservation.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from zennit.core import BasicHook, Composite, Hook, ParamMod, stabilize
from zennit.rules import ClampMod, Epsilon, Gamma, NoMod, Pass, ZBox
from zennit.types import Activation, AvgPool

from crepitus.explain.layers import Scale, Sum

BodyRule = Literal["sign", "gamma", "epsilon"]

STABILIZER = 1e-9
"""Added to denominators, so that 0 / 0 is 0; far below any contribution that matters."""


class Account:
    """Sums up what biases absorb during one pass back."""

    def __init__(self) -> None:
        self.absorbed = 0.0


class Counted(BasicHook):  # type: ignore[misc]
    """A rule of zennit that also gives the layer's bias its share; mixed in before the rule."""

    account: Account

    @classmethod
    def into(cls, account: Account, *arguments: Any, **options: Any) -> Self:
        """The rule with its options, counting into `account`."""
        rule = cls(*arguments, **options)
        rule.account = account
        return rule

    def copy(self) -> Self:
        """The same rule for another layer, counting into the same account."""
        copied: Self = super().copy()
        copied.account = self.account
        return copied

    def backward(self, module: nn.Module, grad_input: Any, grad_output: Any) -> tuple[Tensor | None, ...]:
        """Relevance of the layer's input from that of its output; the bias's share goes to the account."""
        given = self.stored_tensors["input"][0]
        inputs, outputs, biases = [], [], []
        modifiers = zip(self.input_modifiers, self.param_modifiers, self.output_modifiers, strict=True)
        for of_input, of_parameters, of_output in modifiers:
            changed_input = of_input(given.clone()).requires_grad_()
            with ParamMod.ensure(of_parameters)(module) as changed, torch.enable_grad():
                outputs.append(of_output(changed.forward(changed_input)))
                bias = getattr(changed, "bias", None)
                biases.append(given.new_zeros(()) if bias is None else bias.detach())
            inputs.append(changed_input)
        weights = self.gradient_mapper(grad_output[0], outputs)
        weights = [weights] if isinstance(weights, Tensor) else list(weights)
        gradients = torch.autograd.grad(outputs, inputs, grad_outputs=weights)
        if any(bias.ndim for bias in biases):
            shares = self.reducer(biases, [_per_channel(weight, module) for weight in weights])
            self.account.absorbed += float(shares.double().sum())
        relevance = self.reducer(inputs, gradients)
        return tuple(relevance if one.shape == relevance.shape else None for one in grad_input)


def _per_channel(values: Tensor, module: nn.Module) -> Tensor:
    """Sum over everything but the channels that a bias belongs to."""
    channel = values.ndim - 1 if isinstance(module, nn.Linear) else 1
    return values.double().sum(dim=[d for d in range(values.ndim) if d != channel])


class EpsilonRule(Counted, Epsilon):  # type: ignore[misc]
    """R_i = sum_j x_i w_ij / z_j R_j: every contribution counts with its sign (Bach et al. 2015, Eq. 58)."""


class GammaRule(Counted, Gamma):  # type: ignore[misc]
    """Contributions of the sign of z_j count 1 + gamma times (Montavon et al. 2019, 10.2.3)."""


class BoxRule(Counted, ZBox):  # type: ignore[misc]
    """For pixels within [l, h]: contributions x w - l w+ - h w- (Montavon et al. 2017, Eq. 14).

    The bias has no share in it: b - b+ - b- is 0.
    """


class SignRule(Counted):
    """Only contributions of the sign of z_j count: the limit of the gamma rule for an infinite gamma.

    For positive outputs this is the z+ rule, alpha 1 and beta 0 (Bach et al. 2015, Eq. 60). An output below 0
    reaches the next layer where no ReLU follows, for example in a DenseNet; it was made by the contributions
    below 0, and those get its relevance. The sum of |R| never grows, however deep the network.
    """

    def __init__(self) -> None:
        super().__init__(
            input_modifiers=[_above, _below, _above, _below, _same],
            param_modifiers=[
                ClampMod(min=0.0),
                ClampMod(max=0.0, zero_params=["bias"]),
                ClampMod(max=0.0),
                ClampMod(min=0.0, zero_params=["bias"]),
                NoMod(),
            ],
            output_modifiers=[_same] * 5,
            gradient_mapper=_by_sign,
            reducer=_products,
        )


def _above(values: Tensor) -> Tensor:
    return values.clamp(min=0)


def _below(values: Tensor) -> Tensor:
    return values.clamp(max=0)


def _same(values: Tensor) -> Tensor:
    return values


def _by_sign(relevance: Tensor, outputs: list[Tensor]) -> list[Tensor]:
    """Relevance over the sum of the contributions above 0, or below 0, whichever made the output."""
    plus = relevance * (outputs[4] > 0) / stabilize(outputs[0] + outputs[1], STABILIZER)
    minus = relevance * (outputs[4] < 0) / stabilize(outputs[2] + outputs[3], STABILIZER)
    return [plus, plus, minus, minus, torch.zeros_like(relevance)]


def _products(inputs: list[Tensor], gradients: list[Tensor]) -> Tensor:
    terms = [one * gradient for one, gradient in zip(inputs[:4], gradients[:4], strict=True)]
    return terms[0] + terms[1] + terms[2] + terms[3]


def composite(
    account: Account, first: str, low: Tensor, high: Tensor, *, body: BodyRule, gamma: float
) -> Composite:
    """Which layer gets which rule; names are those of `Explained`.

    Args:
        account: counts what biases absorb.
        first: name of the layer that sees the pixels.
        low: least value of its input, shape (1, c, 1, 1).
        high: greatest value.
        body: rule of the layers between the first and the classifier.
        gamma: of the rule "gamma".
    """
    middle: dict[BodyRule, Counted] = {
        "sign": SignRule.into(account),
        "gamma": GammaRule.into(account, gamma, stabilizer=STABILIZER),
        "epsilon": EpsilonRule.into(account, STABILIZER),
    }
    classifier = EpsilonRule.into(account, STABILIZER)
    pixels = BoxRule.into(account, low, high, stabilizer=STABILIZER)

    def rule_of(context: dict[str, Any], name: str, module: nn.Module) -> Hook | None:
        if name == first:
            return pixels
        if isinstance(module, (Activation, Scale)):
            return Pass()
        if isinstance(module, (Sum, AvgPool)):
            return middle[body]
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            return classifier if name.startswith("head.") else middle[body]
        return None

    return Composite(module_map=rule_of)
