"""`crepitus audit`: what is wrong with a data set, before a model learns it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from crepitus.cli.common import JsonOption, print_json, progress

SHOWN = 3
"""Findings of each kind in the table; --json has all."""


def audit(
    dataset: Annotated[Path, typer.Argument(help="Data set folder.", show_default=False)],
    json_: JsonOption = False,
) -> None:
    """Check files, duplicates, leakage between splits, and contradictions in the truth.

    Findings are a result, not a failure: the exit status is 0 when the audit ran.
    """
    from crepitus.data.audit import audit as run
    from crepitus.data.folder import DataSet
    from crepitus.evaluate.probes import MEANINGS, probe

    data = DataSet.read(dataset)
    result = run(data, watch=lambda files: progress(files, len(data), "read images"))
    probes = probe(data, result.looks, result.same)
    if json_:
        print_json(
            {**result.to_dict(), "probes": {p.name: {"auroc": p.auroc, "ci95": p.ci95} for p in probes}}
        )
        return
    typer.echo(f"{result.images} images in {dataset}")
    for check in result.checks:
        shown = "; ".join(_text(finding) for finding in check.findings[:SHOWN])
        more = "; …" if len(check.findings) > SHOWN else ""
        example = f" ({shown}{more})" if shown else ""
        typer.echo(f"{len(check.findings):>7}  {check.name:<26} {check.meaning}{example}")
    auroc = result.resolution_auroc
    typer.echo(
        f"{'-' if auroc is None else f'{auroc:.3f}':>7}  {'resolution_auroc':<26} "
        "AUROC of the image size for the label; 0.5 is none"
    )
    typer.echo("Can the label be guessed without anatomy? Cross-validated AUROC of a probe that sees only …")
    for found in probes:
        shown = "-" if found.auroc is None else f"{found.auroc:.3f}"
        between = f" ({found.ci95[0]:.3f} to {found.ci95[1]:.3f})" if found.ci95 else ""
        sign = "!" if found.predicts else " "
        typer.echo(f"{sign}{shown:>6}  {found.name:<12}{MEANINGS[found.name]}{between}")
    typer.echo("! better than chance: a network can learn this instead of fractures")


def _text(finding: Any) -> str:
    return " ".join(map(str, finding)) if isinstance(finding, list) else str(finding)
