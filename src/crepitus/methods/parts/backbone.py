"""Any timm backbone as a feature pyramid's bottom-up path, with weights from a hub, a local file or none."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal, cast

import timm
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from crepitus.errors import ConfigError, WeightsError
from crepitus.methods.parts.weights import backbone_tensors, first_mismatch, load_weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Statistics of the RGB input, 0..1, that timm's ImageNet weights expect (timm.data.constants)."""

OWN_OPTIONS = frozenset(
    {
        "cache_dir",
        "checkpoint_path",
        "exportable",
        "features_only",
        "in_chans",
        "num_classes",
        "out_indices",
        "pretrained",
        "pretrained_cfg",
        "pretrained_cfg_overlay",
        "scriptable",
    }
)
"""Arguments of timm.create_model that say where weights come from or what the network returns."""


class BackboneConfig(BaseModel):
    """Which network extracts features, and what it starts from.

    Attributes:
        name: a timm model name.
        weights: "imagenet" (timm's default weights, from its hub or cache), "random", or the path of a
            safetensors file in timm's parameter names, without classifier or with it, or the
            `model.safetensors` of a run of any method whose backbone this is.
        weights_sha256: expected SHA-256 of that file; empty accepts any.
        options: further arguments of the timm model, numbers and lists of numbers, for example
            `channels = [16, 32, 64, 128]` for a narrow residual network; ImageNet weights no longer fit then.
        frozen_stages: how many of the earliest stages stay as they were loaded, batch statistics included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "resnet50"
    weights: Literal["imagenet", "random"] | str = "imagenet"
    weights_sha256: str = ""
    options: dict[str, int | float | list[int]] = Field(default_factory=dict)
    frozen_stages: int = Field(default=0, ge=0, le=5)

    @field_validator("options")
    @classmethod
    def _of_the_architecture(cls, options: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(OWN_OPTIONS & options.keys())
        if taken:
            raise ValueError(f"expected arguments of the architecture, {taken[0]} is decided elsewhere")
        return options


class Backbone(nn.Module):
    """A timm network that returns its last four feature maps, finest first.

    Input is grey: shape (b, 1, h, w), 0..1; it is repeated to three channels and normalised with
    ImageNet's statistics inside, so that every method prepares images alike.

    Args:
        config: name of the network and what it starts from.
        initialise: load the starting weights; False when trained weights follow anyway.
    """

    levels = 4

    def __init__(self, config: BackboneConfig, *, initialise: bool = True) -> None:
        super().__init__()
        self.network: Any = _create(config, initialise=initialise)
        info: Any = self.network.feature_info
        self.channels: list[int] = info.channels()[-self.levels :]
        self.reductions: list[int] = info.reduction()[-self.levels :]
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self._frozen = _stages(self.network, config.frozen_stages)
        for part in self._frozen:
            part.requires_grad_(requires_grad=False)
        # Trainers restore the mode that they find, and need not call train() at all.
        self.train(self.training)

    def train(self, mode: bool = True) -> Backbone:
        """Switch to training; frozen stages keep their batch statistics."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of grey images (b, 1, h, w): one tensor per level, at the strides in `reductions`."""
        normalised = (images - cast("Tensor", self.mean)) / cast("Tensor", self.std)
        normalised = normalised.contiguous(memory_format=torch.channels_last)
        return list(self.network(normalised))[-self.levels :]


def _stages(network: Any, count: int) -> list[nn.Module]:
    """Children up to the end of the `count`-th stage that the network itself lists."""
    if count == 0:
        return []
    ends = [info["module"].replace(".", "_") for info in network.feature_info.info]
    if count > len(ends):
        raise ConfigError(
            f"backbone.frozen_stages: expected at most {len(ends)} for this backbone, got {count}"
        )
    children = list(network.named_children())
    names = [name for name, _ in children]
    if ends[count - 1] not in names:
        raise ConfigError("backbone.frozen_stages: this backbone has no stages that can be frozen one by one")
    return [child for _, child in children[: names.index(ends[count - 1]) + 1]]


def _create(config: BackboneConfig, *, initialise: bool) -> nn.Module:
    if not timm.is_model(config.name):
        raise ConfigError(f"backbone.name: expected a timm model name such as resnet50, got {config.name!r}")
    hub = initialise and config.weights == "imagenet"
    try:
        network = timm.create_model(config.name, features_only=True, pretrained=hub, **config.options)
    except (OSError, RuntimeError, TypeError, ValueError, LookupError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if config.options and not isinstance(error, OSError):
            raise ConfigError(
                f"backbone.options: expected arguments that {config.name} takes, got {config.options} "
                f"({reason})"
            ) from error
        if not hub:
            raise
        raise WeightsError(
            f"backbone.weights: expected ImageNet weights of {config.name} from timm's hub or cache, "
            f"got: {reason}; give a local file with --set backbone.weights=FILE.safetensors, "
            "or --set backbone.weights=random"
        ) from error
    if len(network.feature_info) < Backbone.levels:
        raise ConfigError(
            f"backbone.name: expected a network with {Backbone.levels} feature levels: {config.name}"
        )
    if initialise and config.weights not in ("imagenet", "random"):
        _load_local(network, config)
    return cast("nn.Module", network)


def _load_local(network: nn.Module, config: BackboneConfig) -> None:
    """Load timm parameters from a file; every tensor of the feature network must be in it."""
    path = Path(config.weights)
    state = network.state_dict()
    # The count of batches seen by BatchNorm is not a weight: files from other frameworks lack it.
    wanted = {n.replace(".", "_"): t for n, t in state.items() if not n.endswith("num_batches_tracked")}
    given = backbone_tensors(load_weights(path, config.weights_sha256), wanted)
    problem = first_mismatch(wanted, {n: given[n] for n in wanted if n in given})
    if problem:
        raise WeightsError(f"{path}: the weights are not those of {config.name} ({problem})")
    unused = [name for name in given if name not in wanted and not name.endswith("num_batches_tracked")]
    if unused:
        logging.getLogger(__name__).info("%s: %d tensors (classifier) are not used", path, len(unused))
    network.load_state_dict(
        {
            n: given[n.replace(".", "_")].to(t.dtype) if n.replace(".", "_") in given else t
            for n, t in state.items()
        }
    )
