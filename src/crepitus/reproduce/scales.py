"""Scales: how many images and folds, and which configuration of a method, a reproduction takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from crepitus.errors import UsageError
from crepitus.methods.config_file import load_config
from crepitus.methods.registry import MethodInfo, method_info
from crepitus.reproduce.table import Row

if TYPE_CHECKING:
    from crepitus.methods.base import MethodConfig

FOLDS = 5
"""Folds of the papers' protocol, dealt out where the data set has none."""


@dataclass(frozen=True)
class Scale:
    """How much is done.

    Attributes:
        name: smoke, cpu, full or paper.
        images: at most so many, whole patients drawn by the seed; None takes all.
        all_folds: every fold of the data set; otherwise the first one.
        meaning: one line for users.
    """

    name: str
    images: int | None
    all_folds: bool
    meaning: str


SCALES = {
    scale.name: scale
    for scale in (
        Scale("smoke", 40, False, "40 images, one epoch: whether everything works, in seconds"),
        Scale("cpu", 400, False, "400 images, one fold, a small network: minutes a row on two cores"),
        Scale("full", None, True, "all images and folds, the paper's protocol fitted to one GPU"),
        Scale("paper", None, True, "all images and folds, the paper's settings to the letter"),
    )
}


def find_scale(name: str) -> Scale:
    """The scale of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in SCALES:
        raise UsageError(f"--scale: expected one of {', '.join(SCALES)}, got {name!r}")
    return SCALES[name]


@cache
def config_file(info: MethodInfo, scale: str, variant: str = "") -> Any:
    """The configuration that a method ships for a scale, as a resource of its package.

    It lies in the folder `configs` of the method's package, as `<method>-<scale>.toml`, or as `<scale>.toml`
    where the methods of a package share one. `<method>-<scale>-<variant>.toml` comes before these for rows
    with a variant. "full" falls back to "paper".

    Raises:
        UsageError: the method has none.
    """
    folder = files(info.module.rpartition(".")[0]) / "configs"
    for wanted in (scale, "paper") if scale == "full" else (scale,):
        own = f"{info.name}-{wanted}"
        for name in (*([f"{own}-{variant}.toml"] if variant else []), f"{own}.toml", f"{wanted}.toml"):
            if (folder / name).is_file():
                return folder / name
    raise UsageError(f"{info.name}: expected a configuration for the scale {scale}, the method ships none")


def row_config(row: Row, scale: str, overrides: Iterable[str] = ()) -> MethodConfig:
    """The checked configuration of a trained row.

    Args:
        row: with a method.
        scale: name of a scale.
        overrides: of the user, last.

    Raises:
        ConfigError: an override does not fit the method.
        UsageError: the method has no configuration for this scale.
    """
    info = method_info(row.method)
    with as_file(config_file(info, scale, row.variant)) as path:
        return load_config(
            info.load().config_class, path, (*row.overrides, *row.at_scale.get(scale, ()), *overrides)
        )
