"""`crepitus reproduce`: a table of a paper, run on a data set and set beside the published figures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crepitus.cli.common import AllowLeakageOption, JsonOption, needs_extra, print_json, say
from crepitus.errors import UsageError

if TYPE_CHECKING:
    from crepitus.reproduce.table import Table


def reproduce(
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="Name of a table, see --list.", show_default=False)
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data set folder.", show_default=False)] = None,
    scale: Annotated[
        str, typer.Option(help="smoke (seconds), cpu (minutes a row), full (one GPU) or paper.")
    ] = "cpu",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the runs and of the table; goes on with one. Default: TABLE-SCALE."),
    ] = None,
    rows: Annotated[
        str | None, typer.Option(help="Only these rows, names separated by commas. Default: all.")
    ] = None,
    fold: Annotated[
        int | None, typer.Option(min=0, help="Only this fold. Default: the first, or all of them.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the images drawn, of folds, training and bootstrap.")
    ] = 0,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Rounds of the bootstrap over patients; 0: no intervals.")
    ] = 1000,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WEIGHTS",
            help="What all rows start from: random, imagenet or a safetensors file; BACKBONE=FILE for one "
            "backbone of several; repeatable. Default: as the scale says.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value of every row; repeatable."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the tables, or the rows of TABLE.")] = False,
    allow_leakage: AllowLeakageOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the rows of a paper's TABLE on a data set, or go on with them: ours beside the published.

    Writes table.json, table.csv, table.md and table.html, with intervals, and says whether the paper's order
    of rows and its claims hold.
    """
    from crepitus.reproduce.registry import find_rows, find_table
    from crepitus.reproduce.scales import find_scale

    if list_:
        _list(table, as_json)
        return
    if table is None:
        raise UsageError("expected the name of a table as TABLE; list them with 'crepitus reproduce --list'")
    chosen, size = find_table(table), find_scale(scale)
    picked = find_rows(chosen, [n.strip() for n in rows.split(",") if n.strip()] if rows else None)
    if data is None:
        raise UsageError("expected a data set folder, give it with --data")
    with needs_extra("train", "crepitus reproduce"):
        from crepitus.data import DataSet
        from crepitus.reproduce.plan import Request
        from crepitus.reproduce.result import as_json as result_json
        from crepitus.reproduce.run import reproduce as run
        from crepitus.reproduce.weights import StartingWeights
        from crepitus.reproduce.write import markdown, write_result
    request = Request(
        table=chosen,
        scale=size,
        out=out or Path(f"{chosen.name}-{size.name}"),
        rows=picked,
        fold=fold,
        seed=seed,
        rounds=bootstrap,
        weights=StartingWeights.parse(weights or ()),
        overrides=tuple(settings or ()),
        allow_leakage=allow_leakage,
    )
    result = run(request, DataSet.read(data), say)
    paths = write_result(result, request.out)
    for warning in result.warnings:
        say(f"Note: {warning}")
    if as_json:
        print_json(result_json(result))
    else:
        sys.stdout.write(markdown(result))
    say(f"Written: {', '.join(map(str, paths))}")
    if result.failed:
        say(f"{len(result.failed)} of {len(result.rows)} rows failed: {result.failed[0].message}")
        raise typer.Exit(3)


def _list(name: str | None, as_json: bool) -> None:
    """Tables, or the rows of one."""
    from crepitus.reproduce.registry import TABLES, find_table

    tables = list(TABLES.values()) if name is None else [find_table(name)]
    if as_json:
        print_json({table.name: _about(table) for table in tables})
        return
    if name is None:
        width = max(len(table.name) for table in tables)
        lines = [f"{t.name:<{width}}  {t.title}; {t.paper}; {len(t.rows)} rows" for t in tables]
    else:
        width = max(len(row.name) for row in tables[0].rows)
        lines = [f"{r.name:<{width}}  {r.title}; {r.method or r.kind}" for r in tables[0].rows]
    sys.stdout.write("\n".join(lines) + "\n")


def _about(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "paper": table.paper,
        "metrics": [metric.id for metric in table.metrics],
        "rows": [
            {"name": r.name, "title": r.title, "group": r.group, "kind": r.kind, "method": r.method or None}
            for r in table.rows
        ],
    }
