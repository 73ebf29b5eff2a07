"""A timm Vision Transformer with one logit (the future work of thesis 004; Dosovitskiy et al., 2021)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import timm
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from crepitus.errors import ConfigError, WeightsError
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.parts.weights import load_weights
from crepitus.methods.wrist.grey_statistics import GreyStatistics

DEFAULT_PATCH = 16


class TransformerNetwork(nn.Module):
    """Logits (b,) of grey images (b, 1, h, w), 0..1, padded with black to whole patches.

    Args:
        backbone: a timm name that begins with `vit`; its `options` may set patch_size, embed_dim, depth and
            num_heads. Pretrained positions are resized to the input by timm.
        size: height and width of the input, pixels.
        initialise: load the starting weights.
    """

    def __init__(self, backbone: BackboneConfig, size: tuple[int, int], *, initialise: bool = True) -> None:
        super().__init__()
        self.statistics = GreyStatistics()
        patch = backbone.options.get("patch_size", _patch_in_name(backbone.name))
        if not isinstance(patch, int) or patch < 1:
            raise ConfigError(f"backbone.options.patch_size: expected a whole number, got {patch}")
        self.padding = (-size[1] % patch, -size[0] % patch)
        padded = (size[0] + self.padding[1], size[1] + self.padding[0])
        self.transformer: Any = _create(backbone, padded, initialise=initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a fracture."""
        right, below = self.padding
        padded = F.pad(images, (0, right, 0, below))
        tokens = self.transformer.forward_features(self.statistics(padded))
        # In full precision: a logit of 8 significant bits would tie the scores of images.
        with torch.autocast(images.device.type, enabled=False):
            return cast("Tensor", self.transformer.forward_head(tokens.float()))[:, 0]


def _patch_in_name(name: str) -> int:
    """Patch size of a name such as vit_small_patch16_224."""
    _, separator, rest = name.partition("patch")
    digits = rest.split("_")[0]
    return int(digits) if separator and digits.isdigit() else DEFAULT_PATCH


def _create(config: BackboneConfig, size: tuple[int, int], *, initialise: bool) -> nn.Module:
    if not config.name.startswith("vit") or not timm.is_model(config.name):
        raise ConfigError(
            f"backbone.name: expected a Vision Transformer of timm such as vit_small_patch16_224, "
            f"got {config.name!r}"
        )
    overlay: dict[str, Any] | None = None
    if initialise and config.weights not in ("imagenet", "random"):
        load_weights(Path(config.weights), config.weights_sha256)  # refuses pickles and other files
        overlay = {"file": config.weights}
    pretrained = initialise and config.weights != "random"
    try:
        network = timm.create_model(
            config.name,
            pretrained=pretrained,
            pretrained_cfg_overlay=overlay,
            num_classes=1,
            in_chans=1,
            img_size=size,
            **config.options,
        )
    except (OSError, RuntimeError, TypeError, ValueError, LookupError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if pretrained:
            raise WeightsError(
                f"backbone.weights: expected weights of {config.name}, got: {reason}; give a local file "
                "with --set backbone.weights=FILE.safetensors, or --set backbone.weights=random"
            ) from error
        raise ConfigError(
            f"backbone.options: expected arguments that {config.name} takes, got {config.options} ({reason})"
        ) from error
    return cast("nn.Module", network)
