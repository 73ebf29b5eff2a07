"""The list of methods; importing it loads no network library."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from crepitus.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from crepitus.methods.base import Method


@dataclass(frozen=True)
class MethodInfo:
    """One line about a method, and where its class is."""

    name: str
    paper: str
    task: str
    supervision: str
    module: str
    class_name: str

    def load(self) -> type[Method[Any]]:
        """Import the method's class."""
        try:
            loaded = getattr(import_module(self.module), self.class_name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("crepitus"):
                raise
            raise MissingExtraError("train", f"the method {self.name} (module {error.name})") from error
        return loaded  # type: ignore[no-any-return]


METHODS = {
    info.name: info
    for info in (
        MethodInfo(
            name="window-loss",
            paper="Zhang et al., AAAI 2021 (001)",
            task="localization and image score",
            supervision="points",
            module="crepitus.methods.window_loss.method",
            class_name="WindowLoss",
        ),
    )
}


def method_info(name: str) -> MethodInfo:
    """The method of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        raise UsageError(
            f"expected one of {', '.join(METHODS)} as METHOD, got {name!r}; see 'crepitus methods'"
        )
    return METHODS[name]
