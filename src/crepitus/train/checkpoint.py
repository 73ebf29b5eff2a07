"""Resumable checkpoints without pickle: tensors as safetensors, the rest as JSON in the file's header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from crepitus.errors import TrainingError

TREE = "tree"


def encode(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A nested value as JSON; tensors are moved into `tensors` and replaced by their names.

    Raises:
        TypeError: the value holds something else than tensors, containers, numbers and text.
    """
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[encode(k, tensors), encode(v, tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [encode(v, tensors) for v in value]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__}")


def decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `encode`."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {decode(k, tensors): decode(v, tensors) for k, v in content}
    items = [decode(v, tensors) for v in content]
    return tuple(items) if kind == "tuple" else items


class SafetensorsIO(CheckpointIO):
    """Writes Lightning's checkpoints so that one is whole or absent, and reads them without running code."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint."""
        tensors: dict[str, Tensor] = {}
        tree = json.dumps(encode(checkpoint, tensors))
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".tmp")
        save_file(tensors, partial, metadata={TREE: tree})
        partial.replace(path)

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint.

        Raises:
            TrainingError: the file is not one.
        """
        try:
            with safe_open(path, framework="pt") as file:
                tree = json.loads(file.metadata()[TREE])
                # Copies: a checkpoint that stays mapped cannot be replaced on every system.
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no iterator
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"{path}: expected a checkpoint of this program, got: {error}") from error
        if map_location is not None and isinstance(map_location, (str, torch.device)):
            tensors = {name: tensor.to(map_location) for name, tensor in tensors.items()}
        checkpoint: dict[str, Any] = decode(tree, tensors)
        return checkpoint

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)
