"""Which floating-point type a device computes in."""

from __future__ import annotations

from pathlib import Path

import torch


def resolve_precision(setting: str, device: str) -> str:
    """Make "auto" concrete: the short type where the device computes in it natively.

    Args:
        setting: "fp32", "bf16", "fp16" or "auto".
        device: "cpu" or "cuda".

    Returns:
        "fp32", "bf16" or "fp16".
    """
    if setting != "auto":
        return setting
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if _cpu_has_bf16() else "fp32"


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def autocast(setting: str, device: str) -> torch.autocast:
    """A context in which a network computes in the resolved precision."""
    precision = resolve_precision(setting, device)
    kind = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device, kind, enabled=precision != "fp32")
