"""Attention rollout: how much of each patch reaches the class token of a Vision Transformer."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from crepitus.errors import UsageError
from crepitus.methods.wrist.vit import TransformerNetwork


def rollout(network: nn.Module, images: Tensor) -> Tensor:
    """Attention rollout (Abnar and Zuidema 2020, Eq. 1): the product over layers of (A + I) / 2.

    A is the mean over heads of the attention of a layer. The rollout knows no class and no sign: it says
    where the network looked.

    Args:
        network: a `TransformerNetwork` with a class token.
        images: shape (b, 1, h, w).

    Returns:
        Shape (b, h, w), float32, at least 0: the share of each pixel's patch in the class token.

    Raises:
        UsageError: the network pools its tokens in another way than by a class token.
    """
    vit = cast("TransformerNetwork", network)
    transformer: Any = vit.transformer
    if not transformer.num_prefix_tokens or transformer.global_pool != "token":
        raise UsageError("rollout: expected a Vision Transformer that answers from a class token")
    layers: list[Tensor] = []
    with _readable_attention(transformer, layers), torch.no_grad():
        network(images)
    flow: Tensor | None = None
    for attention in layers:
        mean = attention.float().mean(dim=1)
        step = (mean + torch.eye(mean.shape[-1], device=mean.device)) / 2
        flow = step if flow is None else step @ flow
    if flow is None:
        raise UsageError("rollout: expected a Vision Transformer with attention layers, got none")
    patches = flow[:, 0, transformer.num_prefix_tokens :]
    rows, columns = transformer.patch_embed.grid_size
    down, right = transformer.patch_embed.patch_size
    pixels = patches.reshape(len(images), rows, columns)
    pixels = pixels.repeat_interleave(down, dim=1).repeat_interleave(right, dim=2)
    # The network adds black below and at the right until the patches are whole.
    return pixels[:, : images.shape[-2], : images.shape[-1]]


class _readable_attention:  # noqa: N801
    """While it lasts, attention is computed in steps, and each layer's matrix is noted."""

    def __init__(self, transformer: Any, found: list[Tensor]) -> None:
        self.attentions = [block.attn for block in transformer.blocks]
        self.fused = [attention.fused_attn for attention in self.attentions]
        self.found = found
        self.handles: list[Any] = []

    def __enter__(self) -> None:
        for attention in self.attentions:
            attention.fused_attn = False
            # The dropout sees the matrix after its softmax; in evaluation it changes nothing.
            hook = attention.attn_drop.register_forward_hook(lambda _m, _i, out: self.found.append(out))
            self.handles.append(hook)

    def __exit__(self, *_: object) -> None:
        for attention, fused in zip(self.attentions, self.fused, strict=True):
            attention.fused_attn = fused
        for handle in self.handles:
            handle.remove()
