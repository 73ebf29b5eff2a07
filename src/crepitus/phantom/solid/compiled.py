"""Numba compilation with an on-disk cache where one can be written, and without one elsewhere.

The cache of a function is renewed when its own file changes, not when a function that it calls in another
file does: after a change in one of these files, touch those that import from it (`rays`, `chords`, `clay`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from numba import njit

_SAFE_MATH = {"contract", "reassoc", "nsz", "arcp"}
"""Rearranging sums is allowed; infinity and NaN keep their meaning."""

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile `function` to machine code; cached, unless neither the install nor the home is writable."""
    try:
        result: F = njit(cache=True, error_model="numpy", fastmath=_SAFE_MATH)(function)
    except RuntimeError:
        # Numba finds no folder for its cache: a read-only install and no home, as in many containers.
        result = njit(error_model="numpy", fastmath=_SAFE_MATH)(function)
    return result
