"""Help texts that name the kinds of values in words, where Typer prints the types of Python."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

KINDS = {
    "<bool>": "",
    "<str>": "<text>",
    "<list[str]>": "<text>",
    "<list[Path]>": "<path>",
    "<int>": "<number>",
    "<int range>": "<number>",
    "<float>": "<number>",
    "<float range>": "<number>",
}
"""What Typer prints, and what is shown instead. A switch takes no value, so nothing stands beside it."""


def _in_words(params: list[Any], context: Any) -> list[Any]:
    for param in params:
        shown = param.display_type(context)
        # Set on the instance: options have a metavar for this, arguments use theirs as their name.
        param.display_type = lambda ctx, text=KINDS.get(shown, shown): text
    return params


class Command(TyperCommand):
    """A command with plain help."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Arguments and options, `--help` included."""
        return _in_words(super().get_params(ctx), ctx)


class Group(TyperGroup):
    """The program itself with plain help."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Options of the program, `--help` included."""
        return _in_words(super().get_params(ctx), ctx)
