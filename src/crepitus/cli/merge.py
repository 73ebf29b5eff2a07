"""`crepitus merge`: several sites in one data set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from crepitus.cli.common import JsonOption, print_json, progress, say


def merge(
    datasets: Annotated[list[Path], typer.Argument(help="Data set folders, at least two.")],
    out: Annotated[Path, typer.Option("--out", help="New data set folder.", show_default=False)],
    same_patients: Annotated[
        bool, typer.Option("--same-patients", help="Equal patient_id in two data sets: the same person.")
    ] = False,
    leave_out_unknown: Annotated[
        bool, typer.Option("--leave-out-unknown", help="Leave out images whose truth would be lost.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Merge data sets; ids that occur twice get the data set's name in front, a column 'site' says whence.

    split and fold are emptied, since they were made without the other data sets: run 'crepitus split' again.
    """
    from crepitus.data.folder import DataSet
    from crepitus.data.merge import merge as run

    sets = [DataSet.read(path) for path in datasets]
    result = run(
        sets,
        out,
        same_patients=same_patients,
        leave_out_unknown=leave_out_unknown,
        watch=lambda files: progress(files, sum(map(len, sets)), "merge"),
    )
    if json_:
        print_json(asdict(result))
        return
    typer.echo(f"{result.images} images of {', '.join(result.sites)} -> {out}")
    if result.prefixed:
        say(f"prefixed with the data set's name, since they collided: {', '.join(result.prefixed)}")
    if result.left_out:
        say(f"{result.left_out} images without a known truth were left out")
    say("split and fold are empty now; run 'crepitus split' on the result")
