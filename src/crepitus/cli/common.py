"""What every command shares: where output goes, how progress is shown, how a command ends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from crepitus.errors import MissingExtraError

T = TypeVar("T")

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on standard output, and nothing else there.")
]

SplitOption = Annotated[
    str | None, typer.Option(help="Only the images of this split: train, val or test. Default: all.")
]
AllowLeakageOption = Annotated[
    bool,
    typer.Option("--allow-leakage", help="Go on although patients or pictures lie in two splits or folds."),
]

RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="Work on a Ray cluster: HOST:PORT of its head node, or auto for the one that runs on this "
        "machine; where there is none, auto starts one here. Needs the extra 'scale'.",
    ),
]
STUDY_RULE_HELP = "How the images of a study become one answer: at-least-one, majority, noisy-or or learned."
StudyRuleOption = Annotated[
    str | None, typer.Option(help=f"{STUDY_RULE_HELP} Default: studies.csv, otherwise the highest score.")
]

messages = Console(stderr=True, soft_wrap=True, highlight=False)
"""Progress and messages go to standard error, so that standard output stays clean for results."""


def say(text: str) -> None:
    """Print one line of message for the user."""
    messages.print(text, markup=False)


@contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Turn a missing optional library into one line that names the extra which brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("crepitus"):
            raise
        raise MissingExtraError(extra, f"{purpose} (module {error.name})") from error


def workers_for(workers: int, ray: str | None) -> int:
    """Processes for `--workers`: 0 is one per core here, and stays 0, all CPUs, on a cluster."""
    return workers if workers or ray is not None else len(os.sched_getaffinity(0))


def print_json(result: Mapping[str, Any]) -> None:
    """Print a result as JSON on standard output; NaN has become null before."""
    sys.stdout.write(json.dumps(result, indent=2, allow_nan=False, default=str) + "\n")


def progress(items: Iterable[T], total: int | None, what: str) -> Iterator[T]:
    """Yield `items` with a bar on a terminal, and a plain line every tenth elsewhere."""
    if messages.is_terminal:
        from rich.progress import track

        yield from track(items, description=what, total=total, console=messages)
        return
    step = max(1, (total or 0) // 10)
    for done, item in enumerate(items, start=1):
        yield item
        if total and (done % step == 0 or done == total):
            say(f"{what}: {done}/{total}")


def end_with_rejected(rejected: list[tuple[str, str, str]], folder: Path | str) -> None:
    """Exit with status 3 and one line if inputs were set aside."""
    if rejected:
        codes = sorted({code for _, code, _ in rejected})
        noun = "input was" if len(rejected) == 1 else "inputs were"
        table = f"{str(folder).rstrip('/')}/rejected.csv"
        say(f"{len(rejected)} {noun} set aside ({', '.join(codes)}); see {table}")
        raise typer.Exit(3)
