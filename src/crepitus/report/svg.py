"""A Matplotlib figure as an inline SVG element that follows the colours of the page it stands in."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK: Final = "#010203"
SERIES: Final = "#010204"
SECOND: Final = "#010205"
_PAGE_COLOURS: Final = {
    INK: "currentColor",
    SERIES: "var(--series, #0b5cad)",
    SECOND: "var(--second, #8a6d00)",
}
"""Stand-ins that matplotlib accepts, and the CSS colours they become: legible on a light and a dark page."""


def svg_of(figure: Figure) -> str:
    """The figure as an SVG element to stand in a page: page colours, no ids twice, nothing external."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Its rules would hold for the whole page; the page's own style sheet has them for plots.
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = text.replace("<svg", '<svg class="plot" aria-hidden="true" focusable="false"', 1)
    text = re.sub(r'\bd="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)
    for stand_in, colour in _PAGE_COLOURS.items():
        text = text.replace(stand_in, colour)
    return re.sub(r"\s*\n\s*", "\n", text)


def style_rows(axes: Axes, titles: Sequence[str], low: float) -> None:
    """Give axes with one row per title, from the top down, the look of the report.

    Args:
        axes: figures lie along x, within 0..1.
        titles: of the rows; plain text.
        low: least figure that is drawn.
    """
    # A dollar would start a formula.
    axes.set_yticks(range(len(titles)), [t.replace("$", r"\$") for t in titles], color=INK, fontsize=8)
    axes.set_ylim(len(titles) - 0.4, -0.6)
    axes.set_xlim(max(0.0, low - 0.03), 1.005)
    axes.tick_params(colors=INK, labelsize=8, length=3, width=0.8)
    axes.grid(axis="x", color=INK, alpha=0.13, linewidth=0.6)
    for side, spine in axes.spines.items():
        spine.set_color(INK)
        spine.set_linewidth(0.8)
        spine.set_visible(side == "bottom")


def with_unique_ids(svg: str, prefix: str) -> str:
    """The SVG with every id numbered under `prefix`, so that several can stand in one page.

    Matplotlib draws some ids at random; numbering makes the same figures give the same file.
    """
    ids = list(dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg)))
    used = [i for i in ids if f"#{i}" in svg]
    names = {old: f"{prefix}-{number}" for number, old in enumerate(used)}
    svg = re.sub(r'\sid="([^"]+)"', lambda m: f' id="{names[m[1]]}"' if m[1] in names else "", svg)
    svg = re.sub(r'href="#([^"]+)"', lambda m: f'href="#{names[m[1]]}"', svg)
    return re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{names[m[1]]})", svg)
