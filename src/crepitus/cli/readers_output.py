"""How a reader study is written: as text for the screen, as JSON, and as a CSV table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import polars as pl

from crepitus.data.writer import write_table, write_text
from crepitus.evaluate.readers.analysis import GENERALIZATIONS, Estimate
from crepitus.evaluate.readers.study import Study

IN_WORDS = {
    "random": "other readers and other cases",
    "fixed_readers": "these readers, other cases",
    "fixed_cases": "other readers, these cases",
}


def write_study(study: Study, folder: Path, against: float | None) -> None:
    """Write readers.csv, the table, and readers.json, all of it, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "readers.csv", pl.DataFrame(_rows(study)))
    text = json.dumps(study_json(study, against), indent=2, allow_nan=False)
    write_text(folder / "readers.json", text + "\n")


def study_json(study: Study, against: float | None) -> dict[str, Any]:
    """The study as JSON; undefined figures are null."""
    names, c = study.answers.treatments, study.components
    components = {
        "variance": c.variance,
        "cov1": c.cov1,
        "cov2": c.cov2,
        "cov3": c.cov3,
        "ms_treatment": c.ms_treatment,
        "ms_reader": c.ms_reader,
        "ms_interaction": c.ms_interaction,
        "var_reader": c.var_reader,
        "var_interaction": c.var_interaction,
    }
    result: dict[str, Any] = {
        "readers": len(study.answers.readers),
        "cases": len(study.answers.cases),
        "treatments": list(names),
        "figure": study.figure,
        "covariance": study.method,
        "against": against,
        "table": _rows(study),
        "components": {key: _number(value) for key, value in components.items()},
        "single": {
            g: {name: _estimate(e) for name, e in zip(names, study.single[g], strict=True)}
            for g in GENERALIZATIONS
        },
    }
    if len(names) > 1:
        result["treatments_equal"] = {
            g: {k: _number(getattr(test, k)) for k in ("statistic", "ndf", "ddf", "p_value")}
            for g, test in study.equal.items()
        }
        result["differences"] = {
            g: [{"first": names[i], "second": names[j], **_estimate(e)} for (i, j), e in pairs.items()]
            for g, pairs in study.differences.items()
        }
        result["reader_differences"] = [
            {"reader": study.answers.readers[r], "first": names[i], "second": names[j], **_estimate(e)}
            for (r, i, j), e in study.by_reader.items()
        ]
    if study.plan is not None:
        result["plan"] = {
            "effect": study.plan.effect,
            "readers": study.plan.readers,
            "power_with_these_cases": study.plan.power,
            "power_wanted": study.plan.wanted,
            "cases_needed": study.plan.cases,
        }
    return result


def study_text(study: Study, against: float | None) -> str:
    """The table, and below it the analysis in lines that name what they generalize to."""
    lines = [*_table(study), ""]
    names = study.answers.treatments
    lines.append(
        f"{study.figure}: {len(study.answers.readers)} readers, {len(study.answers.cases)} cases, "
        f"Obuchowski-Rockette with {study.method} covariance"
    )
    for k, name in enumerate(names):
        for g in GENERALIZATIONS:
            e = study.single[g][k]
            tested = "" if against is None else f"; against {against:g}: p {_text(e.p_value)}"
            lines.append(f"  {_label(name)}mean {_text(e.value)} ({_interval(e)}){tested}  [{IN_WORDS[g]}]")
    for g in GENERALIZATIONS if study.differences else ():
        for (i, j), e in study.differences[g].items():
            lines.append(
                f"  {names[i]} - {names[j]}: {_text(e.value)} ({_interval(e)}), p {_text(e.p_value)}  "
                f"[{IN_WORDS[g]}]"
            )
    if study.plan is not None:
        lines += ["", f"To find a difference of {study.plan.effect:g} with {study.plan.readers} readers:"]
        for g in GENERALIZATIONS:
            cases = study.plan.cases[g]
            needed = "no number of cases is enough" if cases is None else f"{cases} cases"
            lines.append(
                f"  power {study.plan.wanted:g} needs {needed}; with {len(study.answers.cases)} cases the "
                f"power is {_text(study.plan.power[g], 3)}  [{IN_WORDS[g]}]"
            )
    return "\n".join(lines) + "\n"


def _label(treatment: str) -> str:
    return "" if treatment == "all" else f"{treatment}: "


def _table(study: Study) -> list[str]:
    rows = _rows(study)
    several = len(study.answers.treatments) > 1
    columns = [c for c in rows[0] if c != "treatment" or several]
    cells = [columns]
    for row in rows:
        cells.append([_text(row[c]) if isinstance(row[c], float) else str(row[c] or "-") for c in columns])
    widths = [max(len(line[k]) for line in cells) for k in range(len(columns))]
    return [
        "  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip() for line in cells
    ]


def _rows(study: Study) -> list[dict[str, Any]]:
    return [
        {
            "kind": row.kind,
            "name": row.name,
            "treatment": row.treatment,
            "readers": row.readers,
            **{key: _number(value) for key, value in row.figures.items()},
        }
        for row in study.table
    ]


def _estimate(e: Estimate) -> dict[str, Any]:
    low, high = (_number(bound) for bound in e.ci95)
    return {
        "value": _number(e.value),
        "standard_error": _number(e.standard_error),
        "df": _number(e.df),
        "ci95": None if low is None or high is None else [low, high],
        "statistic": _number(e.statistic),
        "p": _number(e.p_value),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _interval(e: Estimate) -> str:
    return f"{_text(e.ci95[0])} to {_text(e.ci95[1])}"


def _text(value: float, decimals: int = 4) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "-"
