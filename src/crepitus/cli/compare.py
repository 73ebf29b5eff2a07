"""`crepitus compare`: two predictions folders on the same images, with the uncertainty of A - B."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crepitus.cli.common import (
    AllowLeakageOption,
    JsonOption,
    SplitOption,
    StudyRuleOption,
    print_json,
    progress,
    say,
)
from crepitus.cli.radius import RadiusMm, RadiusPx, RadiusRel, radius_of

if TYPE_CHECKING:
    from crepitus.evaluate.compare import Comparison, Interval


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Predictions folder.", show_default=False)],
    b: Annotated[
        Path, typer.Argument(metavar="B", help="Another one of the same images.", show_default=False)
    ],
    data: Annotated[Path, typer.Option("--data", help="Data set folder that was predicted.")],
    split: SplitOption = None,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Rounds of the paired bootstrap over patients; 0: none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    study_rule_a: StudyRuleOption = None,
    study_rule_b: StudyRuleOption = None,
    radius_px: RadiusPx = None,
    radius_mm: RadiusMm = None,
    radius_rel: RadiusRel = None,
    allow_leakage: AllowLeakageOption = False,
    out: Annotated[Path | None, typer.Option(help="File for the result as JSON.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two predictions folders: each figure of both, A - B, DeLong's and McNemar's test.

    All figures of a round of the bootstrap rest on the same patients in A and in B.
    """
    from crepitus.data import DataSet
    from crepitus.data.writer import write_text
    from crepitus.evaluate.compare import compare as run
    from crepitus.predict import Predictions
    from crepitus.predict.studies import with_study_rule

    radius = radius_of(radius_px, radius_mm, radius_rel)
    data_set, both = DataSet.read(data), [Predictions.read(a), Predictions.read(b)]
    for k, rule in enumerate((study_rule_a, study_rule_b)):
        if rule is not None:
            both[k] = with_study_rule(both[k], data_set, rule)
    comparison = run(
        both[0],
        both[1],
        data_set,
        split=split,
        bootstrap_rounds=bootstrap,
        seed=seed,
        radius=radius,
        allow_leakage=allow_leakage,
        progress=progress,
    )
    result = {"a": str(a), "b": str(b), "data": str(data), **comparison_json(comparison)}
    result |= {"split": split, "bootstrap": bootstrap, "seed": seed, "radius": radius.value}
    result["study_rules"] = {"a": study_rule_a, "b": study_rule_b}
    for leak in comparison.leakage:
        say(f"Note: Leakage, allowed by --allow-leakage: {leak}. All figures may be too good.")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, json.dumps(result, indent=2, allow_nan=False) + "\n")
        say(f"Written: {out}")
    if as_json:
        print_json(result)
    else:
        sys.stdout.write(table(comparison))


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON: undefined figures are null."""
    areas, test = comparison.areas, comparison.mcnemar
    difference = areas.difference()
    figures: dict[str, dict[str, Any]] = {}
    for key, values in comparison.figures.items():
        row = figures[key] = dict(zip(("a", "b", "difference"), values, strict=True))
        for name, interval in zip(("a", "b", "difference"), comparison.intervals[key], strict=True):
            if interval is not None:
                row[f"{name}.ci95"] = interval
    return {
        "leakage": comparison.leakage,
        "images": comparison.images,
        "patients": comparison.patients,
        "figures": figures,
        "delong": {
            "a": _number(areas.auroc[0]),
            "a.ci95": _pair(areas.interval(0)),
            "b": _number(areas.auroc[1]),
            "b.ci95": _pair(areas.interval(1)),
            "difference": _number(difference.estimate),
            "difference.ci95": _pair(difference.ci95),
            "standard_error": _number(difference.standard_error),
            "z": _number(difference.statistic),
            "p": _number(difference.p_value),
        },
        "mcnemar": {
            "a_threshold": comparison.thresholds[0],
            "b_threshold": comparison.thresholds[1],
            "only_a_right": test.first_only,
            "only_b_right": test.second_only,
            "exact_p": _number(test.exact_p),
            "chi2": _number(test.chi2),
            "chi2_p": _number(test.chi2_p),
            "uncorrected_chi2": _number(test.uncorrected_chi2),
            "uncorrected_p": _number(test.uncorrected_p),
        },
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _pair(values: tuple[float, float]) -> list[float] | None:
    return None if any(_number(value) is None for value in values) else list(values)


def table(comparison: Comparison) -> str:
    """Figure, A, B, A - B and the interval of the difference, one line each, then the two tests."""
    rows = [("figure", "A", "B", "A - B", "95 % interval of A - B")]
    for key, values in comparison.figures.items():
        shown = ("-" if value is None else f"{value:.4f}" for value in values)
        rows.append((key, *shown, _between(comparison.intervals[key][2])))  # type: ignore[arg-type]
    width = max(len(row[0]) for row in rows)
    lines = [f"{row[0]:<{width}}  {row[1]:>8}  {row[2]:>8}  {row[3]:>8}  {row[4]}".rstrip() for row in rows]
    test, difference = comparison.mcnemar, comparison.areas.difference()
    lines += [
        "",
        f"{comparison.images} images of {comparison.patients} patients",
        f"DeLong, AUROC of A - B: {_text(difference.estimate)} ({_between(difference.ci95) or '-'}), "
        f"z {_text(difference.statistic, 3)}, p {_text(difference.p_value)}",
        f"McNemar, images right: only A {test.first_only}, only B {test.second_only}, "
        f"exact p {_text(test.exact_p)}, chi2 with continuity correction {_text(test.chi2, 3)}, "
        f"p {_text(test.chi2_p)}",
    ]
    return "\n".join(lines) + "\n"


def _between(interval: Interval) -> str:
    if interval is None or _pair(interval) is None:
        return ""
    return f"{interval[0]:.4f} to {interval[1]:.4f}"


def _text(value: float, decimals: int = 4) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "-"
