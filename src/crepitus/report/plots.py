"""Plots of a report as small inline SVG pictures that follow the colours of the page they stand in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from crepitus.evaluate.evaluation import Curve
from crepitus.report.svg import INK, SERIES, svg_of

Values = NDArray[np.float64]

FP_RATES: Final = (0.1, 0.2, 0.3, 0.4, 0.5)
AREA_RATIOS: Final = (0.01, 0.10)
RATE_TOLERANCE: Final = 1e-12
"""3 / 10 images may come out a rounding error above 0.3."""
AREA_AXIS_START: Final = 1e-3
_GRID: Final = 400
"""Vertices closer than 1/400 of an axis are drawn as one: half a pixel of a printed plot."""
_SIZE_IN: Final = (4.0, 3.35)


@dataclass(frozen=True)
class Mark:
    """The operating point on a curve, in the units of its axes."""

    x: float
    y: float
    label: str


def roc(curve: Curve, mark: Mark | None = None) -> str:
    """ROC with the chance diagonal, as SVG."""
    figure, axes = _frame(curve.x_label, curve.y_label)
    axes.plot([0, 1], [0, 1], color=INK, alpha=0.45, linewidth=0.9, dashes=(4, 3))
    axes.text(0.62, 0.57, "chance", color=INK, fontsize=8, alpha=0.8)
    x, y, low, high = _ordered(curve)
    _band(axes, x, low, high, step=None)
    _line(axes, x, y)
    _mark(axes, mark)
    return svg_of(figure)


def precision_recall(curve: Curve, prevalence: float | None = None, mark: Mark | None = None) -> str:
    """Precision over recall as steps, with the prevalence that chance would reach, as SVG."""
    figure, axes = _frame(curve.x_label, curve.y_label)
    if prevalence is not None:
        axes.axhline(prevalence, color=INK, alpha=0.45, linewidth=0.9, dashes=(4, 3))
        above = prevalence < 0.9
        axes.text(
            0.02,
            prevalence + (0.02 if above else -0.02),
            f"prevalence {prevalence:.2f}",
            color=INK,
            fontsize=8,
            alpha=0.8,
            va="bottom" if above else "top",
        )
    x, y, low, high = _ordered(curve)
    # Average precision sums steps: the precision at a recall holds back to the recall before it, and the
    # first one back to recall 0.
    x = np.concatenate((np.zeros(min(len(x), 1)), x))
    y = np.concatenate((y[:1], y))
    low, high = (None if v is None else np.concatenate((v[:1], v)) for v in (low, high))
    _band(axes, x, low, high, step="pre")
    _line(axes, x, y, drawstyle="steps-pre")
    _mark(axes, mark)
    return svg_of(figure)


def froc(curve: Curve, mark: Mark | None = None) -> str:
    """FROC: the recall reached within each allowance of false positives per image, 0 to 1, as SVG.

    The line is the upper envelope (the highest recall over thresholds whose rate does not exceed x),
    which the FROC score reads at the five marked rates.
    """
    figure, axes = _frame(curve.x_label, curve.y_label)
    x, y, low, high = _ordered(curve)
    _envelope(axes, x, y, low, high, start=0.0, end=1.0)
    _read_off(axes, x, y, FP_RATES)
    _mark(axes, mark)
    return svg_of(figure)


def area_froc(curve: Curve, mark: Mark | None = None) -> str:
    """Modified FROC over the falsely marked share of the area, on a log axis, as SVG."""
    figure, axes = _frame(curve.x_label, curve.y_label)
    axes.set_xscale("log")
    axes.set_xlim(AREA_AXIS_START, 1.0)
    axes.set_xticks([0.001, 0.01, 0.1, 1.0], ["0.001", "0.01", "0.1", "1"])
    axes.minorticks_off()
    x, y, low, high = _ordered(curve)
    _envelope(axes, x, y, low, high, start=AREA_AXIS_START, end=1.0)
    _read_off(axes, x, y, AREA_RATIOS)
    _mark(axes, mark)
    return svg_of(figure)


def reliability(curve: Curve) -> str:
    """Observed share of fractures over the mean score of each bin, with the diagonal of a probability."""
    figure, axes = _frame(curve.x_label, curve.y_label)
    axes.plot([0, 1], [0, 1], color=INK, alpha=0.45, linewidth=0.9, dashes=(4, 3), label="calibrated")
    axes.plot(curve.x, curve.y, "o-", color=SERIES, markersize=4.2, linewidth=1.4, clip_on=False)
    if curve.low is not None and curve.high is not None:
        axes.vlines(curve.x, curve.low, curve.high, color=SERIES, alpha=0.45, linewidth=2.2)
    axes.legend(loc="upper left", fontsize=8, frameon=False, labelcolor=INK)
    return svg_of(figure)


def histogram(scores: Values, truth: NDArray[np.int64], threshold: float | None = None) -> str:
    """Scores of images with and without a fracture, each as a share of its group, as SVG.

    Args:
        scores: shape (n,), finite.
        truth: shape (n,), 1 fracture, 0 none.
        threshold: operating threshold, drawn as a line.
    """
    figure, axes = _frame("score", "share of the group")
    low, high = min(0.0, scores.min(initial=0.0)), max(1.0, scores.max(initial=1.0))
    bins = np.linspace(low, high, 26)
    top = 0.0
    for value, name in ((0, "no fracture"), (1, "fracture")):
        group = scores[truth == value]
        if not len(group):
            continue
        share = np.histogram(group, bins)[0] / len(group)
        top = max(top, float(share.max()))
        label = f"{name} (n = {len(group)})"
        if value:
            axes.stairs(share, bins, color=SERIES, linewidth=1.7, label=label)
        else:
            axes.stairs(share, bins, color=INK, alpha=0.28, fill=True, label=label)
    if threshold is not None:
        axes.axvline(threshold, color=INK, linewidth=1.0, dashes=(4, 3), label=f"threshold {threshold:.3g}")
    axes.set_xlim(low, high)
    axes.set_ylim(0, min(1.0, 1.08 * top) if top else 1.0)
    if axes.get_legend_handles_labels()[0]:
        # Above the axes, where it hides no bar.
        figure.legend(
            loc="outside upper center",
            ncols=3,
            fontsize=7.5,
            frameon=False,
            labelcolor=INK,
            handlelength=1.3,
            columnspacing=0.9,
            handletextpad=0.4,
        )
    return svg_of(figure)


def _frame(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """Axes from 0 to 1 with a calm frame; every colour is one of the stand-ins."""
    figure = Figure(figsize=_SIZE_IN, layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    axes.set_xlim(0, 1)
    # A little above 1, so that a line at 1 is drawn in its full width.
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(x_label, color=INK, fontsize=9)
    axes.set_ylabel(y_label, color=INK, fontsize=9)
    axes.tick_params(colors=INK, labelsize=8, length=3, width=0.8)
    axes.grid(color=INK, alpha=0.13, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_color(INK)
        spine.set_linewidth(0.8)
        spine.set_visible(side in ("left", "bottom"))
    return figure, axes


def _ordered(curve: Curve) -> tuple[Values, Values, Values | None, Values | None]:
    """The curve from small to large x, keeping the order of thresholds where x does not change."""
    backward = len(curve.x) > 1 and curve.x[0] > curve.x[-1]
    step = -1 if backward else 1
    order = np.argsort(curve.x[::step], kind="stable")
    parts = [None if v is None else v[::step][order] for v in (curve.x, curve.y, curve.low, curve.high)]
    x, y, low, high = parts
    if x is None or y is None:  # never: both are arrays; it tells the type checker
        raise TypeError
    return x, y, low, high


def _sparse(columns: Sequence[Values]) -> NDArray[np.intp]:
    """Indices of vertices that fall on another cell of a fine grid than the one before them."""
    cells = np.rint(np.stack(columns) * _GRID)
    changes = np.any(np.diff(cells, axis=1) != 0, axis=0)
    keep = np.concatenate(([True], changes))
    keep[-1:] = True
    return np.flatnonzero(keep)


def _line(axes: Axes, x: Values, y: Values, drawstyle: str = "default") -> None:
    if not len(x):
        return
    at = _sparse((x, y))
    axes.plot(x[at], y[at], color=SERIES, linewidth=1.7, drawstyle=drawstyle, solid_joinstyle="round")


def _band(
    axes: Axes, x: Values, low: Values | None, high: Values | None, step: Literal["pre", "post"] | None
) -> None:
    """The 95 % band; vertices without one leave a gap."""
    if low is None or high is None or not len(x):
        return
    at = _sparse((x, np.nan_to_num(low, nan=-1.0), np.nan_to_num(high, nan=-1.0)))
    where = np.isfinite(low[at]) & np.isfinite(high[at])
    axes.fill_between(
        x[at], low[at], high[at], where=where.tolist(), step=step, color=SERIES, alpha=0.18, linewidth=0
    )


def _envelope(
    axes: Axes, x: Values, y: Values, low: Values | None, high: Values | None, *, start: float, end: float
) -> None:
    """Draw the highest y reached up to each x, from `start` to `end`, and the single thresholds as dots."""
    usable = x <= end
    if not usable.any():
        axes.text(
            0.5,
            0.5,
            f"no threshold reaches\n{end:g} or less",
            transform=axes.transAxes,
            ha="center",
            color=INK,
            fontsize=9,
        )
        return
    shown_x = np.append(np.maximum(x[usable], start), end)
    best = np.maximum.accumulate(y[usable])
    if low is not None and high is not None:
        bounds = [np.append(v[usable], v[usable][-1:]) for v in (low, high)]
        _band(axes, shown_x, bounds[0], bounds[1], step="post")
    _line(axes, shown_x, np.append(best, best[-1]), drawstyle="steps-post")


def _read_off(axes: Axes, x: Values, y: Values, rates: Sequence[float]) -> None:
    """Dots where the figures are read off the envelope, each with a thin line down to its rate."""
    for rate in rates:
        usable = x <= rate + RATE_TOLERANCE
        recall = float(y[usable].max()) if usable.any() else 0.0
        axes.plot([rate, rate], [0, recall], color=INK, alpha=0.35, linewidth=0.8)
        axes.plot(
            [rate], [recall], "o", markersize=4.2, color=SERIES, markeredgecolor=INK, markeredgewidth=0.6,
            clip_on=False,
        )  # fmt: skip


def _mark(axes: Axes, mark: Mark | None) -> None:
    """The operating point: a diamond, its label where there is room."""
    if mark is None or not (np.isfinite(mark.x) and np.isfinite(mark.y)):
        return
    low, high = axes.get_xlim()
    if not low <= mark.x <= high:
        return
    axes.plot(
        [mark.x], [mark.y], "D", markersize=6.5, color=INK, markerfacecolor="none", markeredgewidth=1.5,
        clip_on=False, label=mark.label,
    )  # fmt: skip
    axes.legend(loc="lower right", fontsize=8, frameon=False, labelcolor=INK, handletextpad=0.3)
