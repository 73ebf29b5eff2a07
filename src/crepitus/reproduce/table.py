"""What a table of a paper is: metrics, rows with their settings and published figures, and claims."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

ROW_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
"""Names of tables and rows are typed by users, and are names of folders."""


@dataclass(frozen=True)
class Metric:
    """One column of figures.

    Attributes:
        key: of evaluation.json.
        name: heading, as the paper has it.
        derive: an entry of `derive.DERIVATIONS` that is applied to the predictions before the figure is
            taken, for example another rule for studies; empty takes them as they are.
    """

    key: str
    name: str
    derive: str = ""

    @property
    def id(self) -> str:
        """What `Row.published`, `Row.keys` and claims call this column: `key`, or `key@derive`."""
        return f"{self.key}@{self.derive}" if self.derive else self.key


@dataclass(frozen=True)
class Row:
    """One line of a table.

    A row with a `method` is trained. A row with a `source` takes the predictions of that row through
    `derive`. A row with neither is shown with its published figures alone
    (a reader, a method that is not here).

    Attributes:
        name: unique in its table; letters, digits and `.-_`.
        title: as the table prints it.
        method: of `crepitus methods`.
        variant: which of several configurations of the method, for one that two papers use differently.
        overrides: "table.key=value", on top of the configuration of the scale. `{run:NAME}` stands for the
            run folder of the row NAME on the same fold; that row must come before this one.
        at_scale: further overrides at one scale, for example smaller sizes at "cpu".
        published: figure per `Metric.id`, as a fraction; None where the paper's text is damaged. A metric
            that is missing here was not published.
        group: rows are put into order within their group alone, for example "3 classes".
        keys: per `Metric.id`, another key of evaluation.json for this row, for example that of boxes.
        images: (column, value) that an image must have to enter this row, in training and test.
        source: name of the row whose predictions are taken.
        derive: an entry of `derive.DERIVATIONS`, applied to the predictions of the row.
    """

    name: str
    title: str
    method: str = ""
    variant: str = field(default="", kw_only=True)
    overrides: tuple[str, ...] = ()
    at_scale: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    published: Mapping[str, float | None] = field(default_factory=dict)
    group: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    images: tuple[tuple[str, str], ...] = ()
    source: str = ""
    derive: str = ""

    @property
    def kind(self) -> Literal["train", "derived", "published"]:
        """How this row comes about."""
        if self.method:
            return "train"
        return "derived" if self.source else "published"


@dataclass(frozen=True)
class Claim:
    """A statement of the paper about two rows: `better` is higher than `worse`, or about equal to it.

    Attributes:
        text: the statement, in our words.
        metric: `Metric.id`.
        better, worse: names of rows.
        within: None for "higher"; otherwise the largest difference that counts as equal.
    """

    text: str
    metric: str
    better: str
    worse: str
    within: float | None = None


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    Attributes:
        name: what users type, `<method>-table<number>`.
        title: what it is about.
        paper: authors, venue, number of the table.
        metrics, rows, claims: its content; rows that another one needs come first.
        radius_rel: radius around points as a share of the longer side of an image.
        radius_note: how that follows from the paper.
        notes: what a reader must know, sentences.
    """

    name: str
    title: str
    paper: str
    metrics: tuple[Metric, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...] = ()
    radius_rel: float = 50 / 1024
    radius_note: str = "the papers' 50 px on images of 1,024 px"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise ValueError(f"table {self.name}: {problem}")

    def row(self, name: str) -> Row:
        """The row of that name; it must exist."""
        return next(row for row in self.rows if row.name == name)

    @property
    def trained(self) -> tuple[Row, ...]:
        """The rows that are trained."""
        return tuple(row for row in self.rows if row.kind == "train")


def all_pairs(
    text: str, metric: str, better: Iterable[str], worse: Iterable[str], within: float | None = None
) -> tuple[Claim, ...]:
    """The claim that each row of `better` is higher than each of `worse` (or about equal to it)."""
    against = tuple(worse)
    return tuple(Claim(text, metric, b, w, within) for b in better for w in against)


def runs_needed(row: Row) -> list[str]:
    """Names of the rows whose runs or predictions this row needs."""
    named = [
        name
        for text in (*row.overrides, *(t for texts in row.at_scale.values() for t in texts))
        for name in re.findall(r"\{run:([^}]*)\}", text)
    ]
    return [*named, *([row.source] if row.source else [])]


def _problems(table: Table) -> Iterable[str]:
    """What is wrong with the data of a table; programming errors, found by the tests of the registry."""
    names = [row.name for row in table.rows]
    ids = [metric.id for metric in table.metrics]
    for name in (table.name, *names):
        if not ROW_NAME.fullmatch(name):
            yield f"expected a name of {ROW_NAME.pattern}, got {name!r}"
    if len(set(names)) < len(names) or len(set(ids)) < len(ids):
        yield "expected every row and metric once"
    for position, row in enumerate(table.rows):
        if row.method and row.source:
            yield f"row {row.name}: expected a method or a source, got both"
        if unknown := sorted({*row.published, *row.keys} - set(ids)):
            yield f"row {row.name}: {unknown[0]} is no metric of the table"
        for needed in runs_needed(row):
            if needed not in names[:position] or table.rows[names.index(needed)].kind != "train":
                yield f"row {row.name}: expected a trained row before it, got {needed!r}"
    for claim in table.claims:
        if claim.metric not in ids or not {claim.better, claim.worse} <= set(names):
            yield f"claim {claim.text!r}: unknown metric or row"
