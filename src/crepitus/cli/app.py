"""The `crepitus` program: registers the commands and turns errors into one line and an exit status."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer
from typer.core import TyperCommand

from crepitus import __version__
from crepitus.cli import (
    audit,
    calibrate,
    compare,
    convert,
    evaluate,
    explain,
    export,
    import_,
    merge,
    methods,
    phantom,
    predict,
    prepare,
    readers,
    regions,
    reproduce,
    split,
    train,
)
from crepitus.cli.common import say
from crepitus.cli.plain_help import Command, Group
from crepitus.errors import CrepitusError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells give it."""

app = typer.Typer(
    name="crepitus",
    cls=Group,
    help="Find, localize and classify bone fractures in radiographs.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"crepitus {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Find, localize and classify bone fractures in radiographs. Not a medical device."""


app.command("methods")(methods.methods)
app.command("convert")(convert.convert)
app.command("prepare")(prepare.prepare)
app.command("import")(import_.import_)
app.command("merge")(merge.merge)
app.command("regions")(regions.regions)
app.command("export")(export.export)
app.command("split")(split.split)
app.command("audit")(audit.audit)
app.command("phantom", cls=phantom.PhantomCommand)(phantom.phantom)
app.command("train")(train.train)
app.command("predict")(predict.predict)
app.command("calibrate")(calibrate.calibrate)
app.command("evaluate")(evaluate.evaluate)
app.command("explain")(explain.explain)
app.command("compare")(compare.compare)
app.command("readers")(readers.readers)
app.command("reproduce")(reproduce.reproduce)
for registered in app.registered_commands:
    if not issubclass(registered.cls or TyperCommand, Command):
        registered.cls = Command


def _fail(message: str, status: int) -> NoReturn:
    """End with one line, whatever line breaks a library put into its message."""
    say(f"crepitus: {' '.join(message.splitlines())}")
    sys.exit(status)


def main(arguments: list[str] | None = None) -> None:
    """Run the program; never returns."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    if debug:
        # Accepted anywhere on the line, so that it can simply be appended to a failing command.
        arguments = ["--debug", *(a for a in arguments if a != "--debug")]
    try:
        status = app(args=arguments, standalone_mode=False)
    except CrepitusError as error:
        if debug:
            raise
        _fail(str(error), error.exit_status)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except Exception as error:
        if debug:
            raise
        shown = getattr(error, "format_message", None)
        if shown is not None and not shown().strip():
            sys.exit(2)  # the help was printed
        if shown is not None:
            _fail(f"{shown()} See 'crepitus --help' or 'crepitus COMMAND --help'.", 2)
        if isinstance(error, OSError):
            _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 2)
        _fail(f"unexpected {type(error).__name__}: {error}. Run again with --debug and report it.", 1)
    if status == INTERRUPTED:  # Typer turns the key into this status without a word
        _fail("interrupted", INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)
