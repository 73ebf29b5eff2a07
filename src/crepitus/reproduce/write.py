"""Writes a reproduced table as JSON, CSV, Markdown and one HTML page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from crepitus.data.writer import write_table, write_text
from crepitus.reproduce.page import html
from crepitus.reproduce.result import Result, as_json
from crepitus.reproduce.words import (
    cell,
    claim_words,
    difference_text,
    how_long,
    number,
    order_sentence,
    plain,
    row_title,
    signed,
    starts,
)

NAMES = ("table.json", "table.csv", "table.md", "table.html")


def write_result(result: Result, out: Path) -> list[Path]:
    """Write the four files into `out`, each whole or not at all; returns them."""
    paths = [out / name for name in NAMES]
    write_text(paths[0], json.dumps(as_json(result), indent=2, allow_nan=False) + "\n")
    write_table(paths[1], table_csv(result))
    write_text(paths[2], markdown(result))
    write_text(paths[3], html(result))
    return paths


def table_csv(result: Result) -> pl.DataFrame:
    """One row per row of the table: row, title, group, state, and for each metric four columns."""
    rows = []
    for found in result.rows:
        row: dict[str, Any] = {"row": found.row.name, "title": found.row.title}
        row |= {"group": found.row.group, "state": found.state}
        for name, figure in found.figures.items():
            low, high = figure.interval or (None, None)
            row |= {name: figure.value, f"{name}.low": low, f"{name}.high": high}
            row[f"{name}.published"] = figure.published
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def markdown(result: Result) -> str:
    """The table, the order of rows, the claims and how all came about, as Markdown."""
    table, names = result.table, {m.id: m.name for m in result.table.metrics}
    lines = [f"# {table.title}", "", f"{table.name}: {table.paper}.", ""]
    lines += [f"- Warning: {warning}" for warning in result.warnings]
    heads = [h for name in names.values() for h in (f"{name}, ours", "published")]
    grouped = any(row.row.group for row in result.rows)
    lead = ["row", *(["group"] if grouped else [])]
    lines += ["", _line([*lead, *heads]), _line(["---"] * (len(lead) + len(heads)))]
    for found in result.rows:
        cells = [text for f in found.figures.values() for text in (cell(f), number(f.published))]
        lines.append(_line([row_title(found), *([found.row.group] if grouped else []), *cells]))
    lines += ["", "## Order of the rows", ""]
    lines += [f"- {order_sentence(order, names[order.metric])}" for order in result.orders]
    if result.claims:
        lines += ["", "## Claims of the paper", ""]
        lines += [_line(["claim", "figure", "rows", "ours", "published", "verdict"]), _line(["---"] * 6)]
    for claim in result.claims:
        shown = [claim.claim.text, names[claim.claim.metric], claim_words(claim), difference_text(claim)]
        lines.append(_line([*shown, signed(claim.published), claim.verdict]))
    lines += ["", "## How it was made", ""]
    lines += [f"- {key}: {plain(value)}" for key, value in result.provenance.items()]
    lines += [f"- {start}" for start in (*starts(result), *how_long(result))]
    lines += [f"- {note}" for note in table.notes]
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"
