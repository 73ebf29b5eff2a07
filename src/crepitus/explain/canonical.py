"""Rewrites a trained network so that every step has a rule: no normalisation, no sum outside a layer.

The same function, in the form that relevance propagation is defined for (Pahde et al. 2023, "network
canonization"). The network is traced into a graph; the graph is written again:

- A batch normalisation after a convolution that only it reads is merged into the convolution.
- Any other, as in a DenseNet, becomes a 1x1 convolution of each channel by itself: weight and bias then share
  out relevance by the rule of all layers. (Pahde et al. exchange it with the ReLU behind it and merge it into
  the next convolution; that makes channels which the ReLU has switched off take part again.)
- A sum of two branches becomes a layer, so that relevance is shared between them and not doubled.
- A soft mask becomes a gate, which gets no relevance.

The original network is not changed.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from zennit.types import Activation, AvgPool, MaxPool

from crepitus.errors import UsageError
from crepitus.explain.layers import PASSED_THROUGH, Gate, Scale, Sum

ADDITIONS = (operator.add, operator.iadd, torch.add)
PRODUCTS = (operator.mul, torch.mul)
RELUS = (F.relu, torch.relu)
FREE_FUNCTIONS = (torch.cat, torch.flatten, operator.getitem, getattr, F.interpolate)
"""Functions whose plain gradient shares out relevance: they only move, copy or average values."""

FREE_METHODS = ("flatten", "contiguous", "size")
FREE_LAYERS = (nn.Flatten, nn.Identity, nn.Dropout, *PASSED_THROUGH)


class _Tracer(fx.Tracer):
    """Looks into everything but single layers and soft masks."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        known = isinstance(m, (nn.modules.batchnorm._BatchNorm, Scale, *PASSED_THROUGH)) or _is_mask(m)
        return known or super().is_leaf_module(m, module_qualified_name)


def _is_mask(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential) and len(module) > 0 and isinstance(module[-1], nn.Sigmoid)


def canonical(network: nn.Module) -> fx.GraphModule:
    """The network in canonical form, in evaluation mode, without gradients of its parameters.

    Raises:
        UsageError: it has a step that no rule covers; the message names it.
    """
    source = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
    graph = _Tracer().trace(source)
    layers = nn.Module()
    for node in list(graph.nodes):
        _rewrite(graph, node, source, layers)
    module = fx.GraphModule(layers, graph).eval()
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def _rewrite(graph: fx.Graph, node: fx.Node, source: nn.Module, layers: nn.Module) -> None:
    if node.op == "call_module":
        _rewrite_layer(graph, node, source.get_submodule(str(node.target)), layers)
    elif node.op == "call_function":
        _rewrite_function(graph, node, layers)
    elif node.op == "call_method" and node.target not in FREE_METHODS:
        raise _without_rule(str(node.target))


def _rewrite_layer(graph: fx.Graph, node: fx.Node, layer: nn.Module, layers: nn.Module) -> None:
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        _rewrite_norm(graph, node, layer, layers)
    elif _is_mask(layer):
        _set(layers, node, copy.deepcopy(layer))
    elif isinstance(layer, (nn.Conv2d, nn.Linear, Activation, AvgPool, MaxPool, Scale, *FREE_LAYERS)):
        own = copy.deepcopy(layer)  # one layer per call: a rule remembers its last input
        _not_in_place(own)
        _set(layers, node, own)
    else:
        raise _without_rule(type(layer).__name__)


def _rewrite_norm(graph: fx.Graph, node: fx.Node, norm: Any, layers: nn.Module) -> None:
    before = cast("fx.Node", node.args[0])
    conv = getattr(layers, before.name, None)
    act = getattr(norm, "act", nn.Identity())  # timm joins a normalisation and its activation
    if type(conv) is nn.Conv2d and len(before.users) == 1:
        setattr(layers, before.name, fuse_conv_bn_eval(conv, norm))
        own: nn.Module = copy.deepcopy(act)
    else:
        own = nn.Sequential(_per_channel(norm), copy.deepcopy(act))
    for part in own.modules():
        _not_in_place(part)
    _set(layers, node, own)


def _not_in_place(layer: Any) -> None:
    """A layer that writes over its input would destroy what the rule of the layer before still needs."""
    if hasattr(layer, "inplace"):
        layer.inplace = False


def _per_channel(norm: Any) -> nn.Conv2d:
    """A batch normalisation as a 1x1 convolution of each channel by itself."""
    channels = int(norm.num_features)
    empty = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
    empty.weight.data.fill_(1.0)
    merged: nn.Conv2d = fuse_conv_bn_eval(empty.to(norm.running_mean).eval(), norm)
    return merged.requires_grad_(requires_grad=False)


def _rewrite_function(graph: fx.Graph, node: fx.Node, layers: nn.Module) -> None:
    function = cast("Callable[..., Any]", node.target)
    nodes = [a for a in node.args if isinstance(a, fx.Node)]
    if function in RELUS:
        _replace(graph, node, layers, nn.ReLU(), nodes[0])
    elif function in ADDITIONS and len(nodes) == 2:
        with graph.inserting_before(node):
            stacked = graph.call_function(torch.stack, (nodes,), {"dim": -1})
        _replace(graph, node, layers, Sum(), stacked)
    elif function in PRODUCTS and len(nodes) == 2:
        gates = [_from_mask(one, layers) for one in nodes]
        if gates[0] == gates[1]:
            raise _without_rule("a product of two maps")
        signal, gate = (nodes[1], nodes[0]) if gates[0] else (nodes[0], nodes[1])
        _replace(graph, node, layers, Gate(), signal, gate)
    elif function in ADDITIONS and _from_mask(nodes[0], layers):
        return  # 1 + mask, a gate as well
    elif function not in FREE_FUNCTIONS:
        raise _without_rule(getattr(function, "__name__", str(function)))


def _from_mask(node: fx.Node, layers: nn.Module) -> bool:
    """Whether a value is a soft mask, or one plus a constant."""
    if node.op == "call_module":
        return _is_mask(getattr(layers, node.name, nn.Identity()))
    inner = [a for a in node.args if isinstance(a, fx.Node)]
    return node.target in ADDITIONS and len(inner) == 1 and _from_mask(inner[0], layers)


def _set(layers: nn.Module, node: fx.Node, layer: nn.Module) -> None:
    setattr(layers, node.name, layer)
    node.target = node.name


def _replace(graph: fx.Graph, node: fx.Node, layers: nn.Module, layer: nn.Module, *inputs: fx.Node) -> None:
    name = f"{node.name}_layer"
    setattr(layers, name, layer)
    with graph.inserting_after(node):
        new = graph.create_node("call_module", name, tuple(inputs), name=name)
    node.replace_all_uses_with(new)
    graph.erase_node(node)


def _without_rule(what: str) -> UsageError:
    return UsageError(
        f"lrp: expected convolutions, normalisations, poolings, linear layers and sums, got {what}, for "
        "which there is no rule; use --explainer grad-cam"
    )
