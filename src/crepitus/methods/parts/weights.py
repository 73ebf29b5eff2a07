"""Weights as safetensors with a SHA-256: writing them, and refusing what is not as it was recorded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from crepitus.errors import WeightsError


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def save_weights(path: Path, state: Mapping[str, torch.Tensor]) -> str:
    """Write tensors as safetensors, whole or not at all.

    Returns:
        SHA-256 of the file.
    """
    partial = path.with_name(path.name + ".tmp")
    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}, partial)
    # safetensors makes files for their owner alone; a model is shared like any other result.
    partial.chmod(0o644)
    digest = sha256_of(partial)
    partial.replace(path)
    return digest


def load_weights(path: Path, sha256: str = "") -> dict[str, torch.Tensor]:
    """Read a safetensors file.

    Args:
        path: the file; no other format is read, because a pickle runs code.
        sha256: expected SHA-256, empty for "not recorded".

    Raises:
        WeightsError: missing, another format, or another content than recorded.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: expected a safetensors file, there is none; check the path")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if sha256 and digest != sha256.lower():
        raise WeightsError(
            f"{path}: expected SHA-256 {sha256.lower()[:16]}…, got {digest[:16]}…; the file is not the one "
            "that was recorded: get the original, or record the new hash if you trust it"
        )
    _refuse_other_formats(path, content)
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: expected a whole safetensors file, got: {error}") from error


def _refuse_other_formats(path: Path, content: bytes) -> None:
    """A safetensors file begins with the length of a JSON header, then '{'; pickles and ZIPs do not."""
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size]
    try:
        whole = len(content) > 8 and len(header) == size and isinstance(json.loads(header), dict)
    except ValueError:
        whole = False
    if not whole:
        kind = (
            "a pickle or a PyTorch archive"
            if content[:2] in (b"PK", b"\x80\x02", b"\x80\x04")
            else "something else"
        )
        raise WeightsError(
            f"{path}: expected safetensors, got {kind}; only safetensors is read: convert it with "
            "safetensors.torch.save_file in a place where you trust the file"
        )


def load_into(module: torch.nn.Module, weights: Mapping[str, torch.Tensor], source: str) -> None:
    """Load a full set of weights into `module`.

    Raises:
        WeightsError: names or shapes differ: another architecture.
    """
    wanted = module.state_dict()
    problem = first_mismatch(wanted, weights)
    if problem:
        raise WeightsError(f"{source}: the weights belong to another architecture ({problem})")
    module.load_state_dict({name: weights[name].to(wanted[name].dtype) for name in wanted})


def first_mismatch(wanted: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> str:
    """The first difference in names or shapes as words, empty if there is none."""
    for name, tensor in wanted.items():
        if name not in weights:
            return f"expected a tensor {name}, it is missing"
        if weights[name].shape != tensor.shape:
            return f"{name}: expected shape {tuple(tensor.shape)}, got {tuple(weights[name].shape)}"
    extra = [name for name in weights if name not in wanted]
    return f"unexpected tensor {extra[0]}" if extra else ""


def backbone_tensors(
    weights: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Tensors of a backbone out of its own file or out of the weights of a method that was trained with it.

    Names are compared with "." as "_": timm flattens 'features.conv0' to 'features_conv0' when it cuts a
    network into feature levels. In the weights of a method they have a prefix such as 'pyramid_network_'.

    Args:
        weights: of the file.
        wanted: of the backbone, by flattened names.

    Returns:
        The tensors by flattened names without prefix, all others (a classifier) under their own names.
    """
    given = {name.replace(".", "_"): tensor for name, tensor in weights.items()}
    first = next(iter(wanted), "")
    prefixes = {name.removesuffix(first) for name in given if first and name.endswith("_" + first)}

    def fitting(prefix: str) -> int:
        own = [(given.get(prefix + name), tensor) for name, tensor in wanted.items()]
        return sum(found is not None and found.shape == tensor.shape for found, tensor in own)

    best = max(("", *sorted(prefixes)), key=fitting)
    return {name.removeprefix(best): tensor for name, tensor in given.items()}
