"""The reproduced table as a value, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from crepitus.errors import CrepitusError
from crepitus.reproduce.compare import ClaimResult, Figure, Order
from crepitus.reproduce.table import Row, Table

State = Literal["finished", "failed", "not run", "published"]


@dataclass(frozen=True)
class RowResult:
    """One row after the run.

    Attributes:
        row: of the table.
        state: "published" for a row that is not run at all.
        message: why it failed.
        figures: by `Metric.id`.
        start: what it was trained from, in words.
        times: for each fold the `seconds` and `cpu_seconds` of training and prediction, and whether it was
            `resumed`: then they are those of the last part.
        commits: that trained it.
        error: that `message` is of.
    """

    row: Row
    state: State
    figures: Mapping[str, Figure]
    message: str = ""
    start: str = ""
    times: tuple[Mapping[str, Any], ...] = ()
    commits: tuple[str, ...] = ()
    error: CrepitusError | None = None


@dataclass(frozen=True)
class Result:
    """A reproduced table.

    Attributes:
        table: as published.
        rows: all rows of the table, run or not.
        orders: one for each metric and group.
        claims: of the paper, decided.
        provenance: how it came about: command, commit, device, data, seed and so on.
        warnings: sentences for the reader.
    """

    table: Table
    rows: tuple[RowResult, ...]
    orders: tuple[Order, ...]
    claims: tuple[ClaimResult, ...]
    provenance: Mapping[str, Any]
    warnings: tuple[str, ...] = field(default=())

    @property
    def failed(self) -> list[RowResult]:
        """Rows that could not be run."""
        return [row for row in self.rows if row.state == "failed"]


def as_json(result: Result) -> dict[str, Any]:
    """The content of table.json; undefined figures are null."""
    table = result.table
    return {
        "table": table.name,
        "title": table.title,
        "paper": table.paper,
        "provenance": dict(result.provenance),
        "warnings": list(result.warnings),
        "metrics": [{"id": metric.id, "key": metric.key, "name": metric.name} for metric in table.metrics],
        "rows": [_row(row) for row in result.rows],
        "orders": [_order(order) for order in result.orders],
        "claims": [_claim(claim) for claim in result.claims],
    }


def _row(found: RowResult) -> dict[str, Any]:
    row = found.row
    return {
        "name": row.name,
        "title": row.title,
        "group": row.group,
        "kind": row.kind,
        "method": row.method or None,
        "state": found.state,
        "message": found.message,
        "start": found.start,
        "times": [dict(time) for time in found.times],
        "commits": list(found.commits),
        "figures": {
            name: {
                "value": figure.value,
                "ci95": None if figure.interval is None else list(figure.interval),
                "published": figure.published,
            }
            for name, figure in found.figures.items()
        },
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "metric": order.metric,
        "group": order.group,
        "rows": order.rows,
        "tau": order.tau,
        "tau.ci95": None if order.interval is None else list(order.interval),
        "pairs_kept": order.kept,
        "pairs": order.pairs,
        "verdict": order.verdict,
    }


def _claim(result: ClaimResult) -> dict[str, Any]:
    claim = result.claim
    return {
        "text": claim.text,
        "metric": claim.metric,
        "better": claim.better,
        "worse": claim.worse,
        "within": claim.within,
        "difference": result.difference,
        "difference.ci95": None if result.interval is None else list(result.interval),
        "published_difference": result.published,
        "verdict": result.verdict,
    }
