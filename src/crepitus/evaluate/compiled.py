"""Compiles a numeric function to machine code, kept on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """`function` compiled by Numba without fast-math, so that floats behave as in NumPy.

    The machine code is cached beside the source or in the user's cache; on a machine where neither can
    be written (a read-only container), it is compiled anew in each process. Numba renews it when the file
    of `function` changes and looks at no other file, so that `function` may use compiled functions and
    constants of its own file only.
    """
    try:
        result: F = numba.njit(cache=True)(function)
    except RuntimeError:
        result = numba.njit()(function)
    return result
