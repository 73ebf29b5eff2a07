"""Which explainer can explain which method, and why not; known without loading a network library."""

from __future__ import annotations

from collections.abc import Mapping

from crepitus.methods.registry import METHODS

EXPLAINERS: Mapping[str, str] = {
    "lrp": "layer-wise relevance propagation: signed, per pixel, conserves the explained output",
    "grad-cam": "last features, weighed by the gradient: signed, coarse",
    "cam": "the classifier on each cell of the last features: signed, coarse",
    "rollout": "flow of attention to the answer of a transformer: no sign, no class",
    "own": "the heatmap that the method itself gives: 0..1",
}
"""Every explainer with what it shows, one line each."""

_PAIRED = ("aasn", "liu-metric", "deepsymnet", "cbn")
_DETECTORS = ("faster-rcnn", "retinanet", "fcos")
_LANDMARKS = ("landmarks", "landmarks-heatmap")
_NO_HEATMAP = ("wrist-resnet18", "wrist-rx", "wrist-aggregator", "wrist-vit", "wrist-attention")
_HIDDEN_LAYERS = ("wrist-rx", "wrist-aggregator", "femur-stl", "window-loss")

_TWO_SIDES = "its answer is a comparison of two warped sides, and a share for one of them has no meaning"
_AFTER_SUPPRESSION = "its answer is a set of boxes after suppression, not one output of a network"
_PLACES = "it answers with places of landmarks, not with a fracture"
_FURTHER = "layers stand between its last features and its answer"
_TOKENS = "its layers are attention and layer normalisation, for which there is no rule here; use rollout"
_NO_MAPS = "it has no maps of features; use rollout"
_NO_ATTENTION = "it is no Vision Transformer"
_NO_OWN = "it gives no heatmap"


def why_not(method: str, explainer: str) -> str:
    """Why an explainer cannot explain a method; empty where it can."""
    if method in _LANDMARKS:
        return _PLACES
    if explainer == "own":
        return _NO_OWN if method in _NO_HEATMAP else ""
    if explainer == "rollout":
        return "" if method == "wrist-vit" else _NO_ATTENTION
    if method in _PAIRED:
        return _TWO_SIDES
    if method in _DETECTORS:
        return _AFTER_SUPPRESSION
    if method == "wrist-vit":
        return _TOKENS if explainer == "lrp" else _NO_MAPS
    return _FURTHER if explainer == "cam" and method in _HIDDEN_LAYERS else ""


def explainers_of(method: str) -> tuple[str, ...]:
    """The explainers that can explain a method, in the order of `EXPLAINERS`."""
    return tuple(name for name in EXPLAINERS if not why_not(method, name))


def support_table() -> list[tuple[str, dict[str, str]]]:
    """Every method with, per explainer, why it cannot be explained; empty where it can."""
    return [(method, {name: why_not(method, name) for name in EXPLAINERS}) for method in METHODS]
