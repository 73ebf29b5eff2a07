"""A figure within strata as dots with their intervals, one line each, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from crepitus.evaluate.strata import Stratum
from crepitus.report.svg import INK, SERIES, style_rows, svg_of

_ROW_IN, _AROUND_IN, _WIDTH_IN = 0.21, 0.75, 6.2
_LONGEST_NAME = 34


def forest(strata: Sequence[Stratum], key: str, overall: float | None, label: str) -> str:
    """The figure `key` of each stratum with its 95 % interval, and a line at the overall figure.

    Args:
        strata: from the top down; those whose figure is undefined have a line without a dot.
        key: of the figure, within 0..1.
        overall: figure of all images, None where undefined.
        label: name of the axis.
    """
    figure = Figure(figsize=(_WIDTH_IN, _AROUND_IN + _ROW_IN * len(strata)), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    for row, stratum in enumerate(strata):
        value, interval = stratum.figures[key], stratum.intervals.get(key)
        if interval is not None:
            axes.plot(interval, [row, row], color=SERIES, alpha=0.5, linewidth=2.2, solid_capstyle="butt")
        if value is not None:
            axes.plot([value], [row], "o", color=SERIES, markersize=4.6, clip_on=False)
    if overall is not None:
        axes.axvline(overall, color=INK, alpha=0.6, linewidth=0.9, dashes=(4, 3))
    low = min(
        [b for s in strata for b in (s.intervals.get(key, (s.figures[key],))[0],) if b is not None] or [0]
    )
    style_rows(axes, [_short(s.name) for s in strata], min(0.53, low))
    axes.set_xlabel(label, color=INK, fontsize=9)
    return svg_of(figure)


def _short(name: str) -> str:
    """The name, cut where it does not fit."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
