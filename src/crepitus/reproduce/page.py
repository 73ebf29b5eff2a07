"""The reproduced table as one HTML page that needs nothing but itself."""

from __future__ import annotations

from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure as Drawing

from crepitus import __version__
from crepitus.report.svg import SECOND, SERIES, style_rows, svg_of, with_unique_ids
from crepitus.reproduce.result import Result, RowResult
from crepitus.reproduce.words import (
    claim_words,
    difference_text,
    how_long,
    interval_text,
    number,
    order_sentence,
    plain,
    row_title,
    signed,
    starts,
)

_ROW_IN: Final = 0.26
_AROUND_IN: Final = 0.8
_WIDTH_IN: Final = 6.2


def html(result: Result) -> str:
    """The whole page; the style sheet is that of the evaluation's report."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("crepitus.reproduce"), PackageLoader("crepitus.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = {metric.id: metric.name for metric in result.table.metrics}
    facts = result.provenance
    context: dict[str, Any] = {
        "version": __version__,
        "table": result.table,
        "facts": facts,
        "warnings": result.warnings,
        "names": list(names.values()),
        "grouped": any(row.row.group for row in result.rows),
        "rows": [_row(found) for found in result.rows],
        "orders": [order_sentence(order, names[order.metric]) for order in result.orders],
        "claims": [
            (c, names[c.claim.metric], claim_words(c), difference_text(c), signed(c.published))
            for c in result.claims
        ],
        "starts": starts(result),
        "times": how_long(result),
        "appendix": [(key, plain(value)) for key, value in facts.items()],
        # The SVG is made of numbers and of the titles of the registry.
        "plots": [
            (name, Markup(with_unique_ids(plot(result, key), f"p{n}")))  # noqa: S704
            for n, (key, name) in enumerate(names.items())
        ],
    }
    return environment.get_template("table.html.j2").render(context)


def _row(found: RowResult) -> tuple[str, str, str, list[tuple[str, str, str]]]:
    """Title, group, message, and per metric ours, its interval, published."""
    cells = [
        (number(f.value), interval_text(f.interval), number(f.published)) for f in found.figures.values()
    ]
    return row_title(found), found.row.group, found.message, cells


def plot(result: Result, metric: str) -> str:
    """One figure of all rows as inline SVG: ours as dots with their intervals, published as open diamonds."""
    rows = result.rows
    drawing = Drawing(figsize=(_WIDTH_IN, _AROUND_IN + _ROW_IN * len(rows)), layout="constrained")
    drawing.patch.set_visible(False)
    axes = drawing.add_subplot()
    axes.patch.set_visible(False)
    lowest = 1.0
    for position, found in enumerate(rows):
        figure = found.figures[metric]
        if figure.interval is not None:
            line = {"color": SERIES, "alpha": 0.5, "linewidth": 2.2, "solid_capstyle": "butt"}
            axes.plot(figure.interval, [position, position], **line)  # type: ignore[arg-type]
            lowest = min(lowest, figure.interval[0])
        if figure.value is not None:
            axes.plot([figure.value], [position], "o", color=SERIES, markersize=4.8, clip_on=False)
            lowest = min(lowest, figure.value)
        if figure.published is not None:
            axes.plot(
                [figure.published], [position], "D", mfc="none", mec=SECOND, markersize=5, clip_on=False
            )
            lowest = min(lowest, figure.published)
    style_rows(axes, [found.row.title for found in rows], lowest)
    return svg_of(drawing)
