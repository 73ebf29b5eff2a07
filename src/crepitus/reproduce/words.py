"""A reproduced table in words: the same in Markdown and on the page."""

from __future__ import annotations

import json
from typing import Any

from crepitus.reproduce.compare import ClaimResult, Figure, Interval, Order
from crepitus.reproduce.result import Result, RowResult


def number(value: float | None, digits: int = 3) -> str:
    """A figure as text; "-" where it is undefined, not run or not published."""
    return "-" if value is None else f"{value:.{digits}f}"


def interval_text(interval: Interval, sign: bool = False) -> str:
    """An interval as text, empty without one."""
    if interval is None:
        return ""
    low, high = (f"{v:+.3f}" if sign else f"{v:.3f}" for v in interval)
    return f"[{low}, {high}]"


def cell(figure: Figure) -> str:
    """Ours with its interval."""
    return f"{number(figure.value)} {interval_text(figure.interval)}".strip()


def order_sentence(order: Order, name: str) -> str:
    """What became of the paper's order by one metric."""
    where = f"{name}, {order.group}" if order.group else name
    if order.tau is None:
        return f"{where}: fewer than two rows to put in order, or all alike."
    tau = f"Kendall's tau {order.tau:+.2f} {interval_text(order.interval, sign=True)}".strip()
    complete = order.kept == order.pairs and order.pairs > 0
    verdict = {
        "holds": "ours agrees with it more than chance would",
        "does not hold": "ours is rather the opposite",
        "undecided": "undecided",
    }[order.verdict]
    return (
        f"{where}: {order.kept} of {order.pairs} pairs of rows stand in the paper's order"
        f"{', which holds completely' if complete else ''}; {tau}: {verdict}."
    )


def claim_words(claim: ClaimResult) -> str:
    """The relation that is claimed, between rows by name."""
    c = claim.claim
    return f"{c.better} > {c.worse}" if c.within is None else f"{c.better} = {c.worse} +- {c.within:g}"


def difference_text(claim: ClaimResult) -> str:
    """Our difference with its interval."""
    return f"{signed(claim.difference)} {interval_text(claim.interval, sign=True)}".strip()


def row_title(found: RowResult) -> str:
    """The title of a row, with its state if it has no figures for a reason."""
    return found.row.title + ("" if found.state in ("finished", "published") else f" ({found.state})")


def signed(value: float | None) -> str:
    """A difference as text; "-" where there is none."""
    return "-" if value is None else f"{value:+.3f}"


def plain(value: Any) -> str:
    """A value of the provenance as text."""
    return value if isinstance(value, str) else json.dumps(value)


def how_long(result: Result) -> list[str]:
    """A sentence on how long a row took on a fold, without those that were resumed; none without any."""
    whole = [time for found in result.rows for time in found.times if not time["resumed"]]
    if not whole:
        return []
    wall, cpu = (_range([time[key] for time in whole]) for key in ("seconds", "cpu_seconds"))
    return [f"A row took {wall} s on a fold for training and prediction, {cpu} s of processor time"]


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"


def starts(result: Result) -> list[str]:
    """What the rows were trained from; one sentence where all share it."""
    named = {found.start for found in result.rows if found.start}
    if len(named) == 1:
        return [f"All rows start from the same weights, {named.pop()}"]
    return [f"{found.row.name} starts from {found.start}" for found in result.rows if found.start]
