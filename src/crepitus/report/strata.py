"""The section of a report on strata: its table, its sentence about the worst one, its plot."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from crepitus.evaluate.evaluation import Evaluation
from crepitus.evaluate.strata import KEYS, MIN_CASES, Stratum, in_words, worst
from crepitus.report.forest import forest
from crepitus.report.svg import with_unique_ids
from crepitus.report.tables import describe, format_figure, is_undefined

MAIN = "image.auroc"


def strata_context(evaluation: Evaluation) -> dict[str, Any]:
    """What the template needs; `strata` is empty where none were asked for."""
    found = evaluation.strata
    if not found:
        return {"strata": [], "strata_keys": [], "strata_worst": [], "strata_plot": None, "strata_alt": ""}
    keys = [key for key in KEYS if any(not is_undefined(s.figures[key]) for s in found)]
    sentences = []
    for key in (MAIN, "localization.froc_score"):
        lowest = worst(found, key)
        if lowest is not None:
            sentences.append(_sentence(lowest, key, evaluation.figures.get(key)))
    if not sentences:
        sentences.append(
            f"No stratum is called the worst: fewer than two of them have {MIN_CASES} images of each kind."
        )
    svg = forest(found, MAIN, evaluation.figures.get(MAIN), describe(MAIN).name)
    return {
        "strata": [(s, [format_figure(s.figures[key], s.intervals.get(key)) for key in keys]) for s in found],
        "strata_keys": [describe(key).name for key in keys],
        "strata_worst": sentences,
        # The names of strata come from the data; Matplotlib draws them as shapes, not as text of the page.
        "strata_plot": Markup(with_unique_ids(svg, "plot-strata")),  # noqa: S704
        "strata_alt": "AUROC within strata. " + "; ".join(in_words(s, MAIN) for s in found),
    }


def _sentence(lowest: Stratum, key: str, overall: float | None) -> str:
    text = f"Worst stratum by {describe(key).name}: {in_words(lowest, key)}."
    if overall is None:
        return text
    text += f" All images together: {overall:.3f}."
    interval = lowest.intervals.get(key)
    if interval is not None and interval[1] < overall:
        text += " Its interval lies below that: the difference is more than chance."
    return text
