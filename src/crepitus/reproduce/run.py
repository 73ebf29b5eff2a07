"""Runs or resumes the rows of a table on a data set, and judges them beside the published figures."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crepitus.errors import CrepitusError
from crepitus.evaluate.geometry import Radius
from crepitus.evaluate.leakage import refuse_leakage
from crepitus.reproduce.compare import Figure, judge_claim, order_of, over_folds
from crepitus.reproduce.job import Job, do_job
from crepitus.reproduce.judge import Bootstrap, Judged, judged_once
from crepitus.reproduce.plan import Request, configured, decided, job_of, row_folder, with_needed
from crepitus.reproduce.provenance import provenance, settings_of
from crepitus.reproduce.result import Result, RowResult, State
from crepitus.reproduce.sample import fingerprint, folds_of, sampled
from crepitus.reproduce.settings import check_folder, claim_folder
from crepitus.reproduce.table import Row, Table
from crepitus.reproduce.weights import starting_point

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.methods.base import MethodConfig

Say = Callable[[str], None]


def reproduce(request: Request, data: DataSet, say: Say) -> Result:
    """Run what is not finished, and put all finished rows into the table.

    Raises:
        UsageError: wrong options, or `out` was made with other settings.
        LeakageError: patients or pictures lie in two parts of the data set.
        CrepitusError: no row could be run.
    """
    configs = {row.name: configured(request, row) for row in request.table.trained}
    chosen, own_folds = sampled(data, request.scale, request.seed)
    folds = folds_of(chosen, request.scale, request.fold)
    leaks = refuse_leakage(chosen, request.allow_leakage)
    settings = settings_of(request, fingerprint(chosen))
    claim_folder(request.out, settings, f"--out {request.out}")
    for row in request.table.trained:
        for fold in folds:
            folder = row_folder(request.out, row.name, fold)
            check_folder(folder, decided(row, configs[row.name], fold), str(folder))
    wanted = with_needed(request.table, request.rows)
    found = []
    for position, row in enumerate(request.table.rows, start=1):
        label = f"row {position}/{len(request.table.rows)} {row.name}: "
        found.append(_row(request, configs, chosen, folds, row, row in wanted, _prefixed(say, label)))
    failed = [result.error for result in found if result.error is not None]
    if failed and not any(result.state == "finished" for result in found):
        raise failed[0]
    facts = provenance(request, settings, chosen, folds, own_folds=own_folds)
    return _judged(request.table, tuple(found), facts, _warnings(leaks, found))


def _prefixed(say: Say, label: str) -> Say:
    return lambda text: say(label + text)


def _row(
    request: Request,
    configs: Mapping[str, MethodConfig],
    data: DataSet,
    folds: Sequence[int],
    row: Row,
    wanted: bool,
    say: Say,
) -> RowResult:
    """Run a row if it is wanted, and judge it if it is finished on all folds."""
    if row.kind == "published":
        return _result(request, row, "published", ())
    trained = row if row.kind == "train" else request.table.row(row.source)
    started = time.monotonic()
    try:
        jobs = [job_of(request.out, trained, configs[trained.name], data, fold) for fold in folds]
        if not wanted and not all(job.finished for job in jobs):
            return _result(request, row, "not run", ())
        done = [_fold(request, job, row, say) for job in jobs]
    except CrepitusError as error:
        say(f"failed: {error}")
        return replace(_result(request, row, "failed", ()), message=str(error), error=error)
    result = _result(request, row, "finished", [judged for judged, _ in done])
    say(f"{_in_words(request.table, result.figures)} ({time.monotonic() - started:.0f} s)")
    times = [json.loads(job.times.read_text(encoding="utf-8")) for job in jobs if job.times.is_file()]
    return replace(
        result,
        start=starting_point(configs[trained.name]),
        times=tuple(times) if row.kind == "train" else (),
        commits=tuple(dict.fromkeys(commit for _, commit in done)),
    )


def _fold(request: Request, job: Job, row: Row, say: Say) -> tuple[Judged, str]:
    """The figures of a row on a fold, and the commit that trained it."""
    if not job.finished:
        say(f"fold {job.fold}, {job.row.method}")
    predictions = do_job(job, say)
    judged = judged_once(
        row_folder(request.out, row.name, job.fold) / "figures.json",
        predictions,
        job.data,
        request.table.metrics,
        row,
        Radius(request.table.radius_rel, "rel"),
        Bootstrap(request.rounds, request.seed),
    )
    return judged, str(predictions.info.get("commit", ""))


def _result(request: Request, row: Row, state: State, folds: Sequence[Judged]) -> RowResult:
    figures = {
        metric.id: over_folds(folds, metric.id, row.published.get(metric.id))
        for metric in request.table.metrics
    }
    return RowResult(row, state, figures)


def _in_words(table: Table, figures: Mapping[str, Figure]) -> str:
    values = {metric.name: figures[metric.id].value for metric in table.metrics}
    return ", ".join(f"{name} {'undefined' if v is None else f'{v:.3f}'}" for name, v in values.items())


def _warnings(leaks: Iterable[str], found: Iterable[RowResult]) -> list[str]:
    warnings = [
        f"Leakage, allowed by --allow-leakage: {leak}. All figures may be too good." for leak in leaks
    ]
    commits = sorted({commit for result in found for commit in result.commits})
    if len(commits) > 1:
        warnings.append(f"Rows were trained at different commits: {', '.join(c[:12] for c in commits)}.")
    return warnings


def _judged(table: Table, rows: tuple[RowResult, ...], facts: dict[str, Any], warnings: list[str]) -> Result:
    by_metric = {metric.id: {r.row.name: r.figures[metric.id] for r in rows} for metric in table.metrics}
    groups = dict.fromkeys(row.group for row in table.rows)
    return Result(
        table=table,
        rows=rows,
        orders=tuple(
            order_of(metric.id, group, [r for r in table.rows if r.group == group], by_metric[metric.id])
            for group in groups
            for metric in table.metrics
        ),
        claims=tuple(judge_claim(claim, by_metric[claim.metric]) for claim in table.claims),
        provenance=facts,
        warnings=tuple(warnings),
    )
