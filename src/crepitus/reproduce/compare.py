"""Ours beside the published: means over folds, the order of rows, and the paper's claims about pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crepitus.evaluate.bootstrap import HIGH, LOW, MIN_DEFINED
from crepitus.reproduce.judge import Judged
from crepitus.reproduce.table import Claim, Row

Interval = tuple[float, float] | None
Verdict = Literal["holds", "does not hold", "undecided"]


@dataclass(frozen=True)
class Figure:
    """One figure of one row.

    Attributes:
        value: ours, the mean over the folds; None where undefined in any of them, or not run.
        interval: 95 % interval by the bootstrap over patients, within each fold.
        rounds: shape (rounds,), NaN where undefined.
        published: None where the paper does not give it.
    """

    value: float | None
    interval: Interval
    rounds: NDArray[np.float64]
    published: float | None


@dataclass(frozen=True)
class Order:
    """Whether the rows of a group stand in the paper's order by one metric.

    Attributes:
        metric: `Metric.id`.
        group: of rows.
        rows: how many have both figures.
        tau: Kendall's tau-b between published and ours; None with fewer than two rows, or all equal.
        interval: 95 % interval of tau by the bootstrap.
        kept: pairs of rows in the paper's order; ties of ours are not kept.
        pairs: pairs that the paper's figures tell apart.
        verdict: "holds" if the interval of tau lies above 0, "does not hold" if below.
    """

    metric: str
    group: str
    rows: int
    tau: float | None
    interval: Interval
    kept: int
    pairs: int
    verdict: Verdict


@dataclass(frozen=True)
class ClaimResult:
    """A claim and what became of it.

    Attributes:
        claim: of the paper.
        difference: ours, better minus worse; None where one of the two is missing.
        interval: 95 % interval by the paired bootstrap.
        published: the paper's own difference.
        verdict: "holds" if the whole interval agrees with the claim, "does not hold" if none of it does.
    """

    claim: Claim
    difference: float | None
    interval: Interval
    published: float | None
    verdict: Verdict


def percentiles(rounds: NDArray[np.float64]) -> Interval:
    """95 % interval of rounds (r,); None if fewer than half of them are defined, or without any."""
    defined = rounds[~np.isnan(rounds)]
    if not len(rounds) or len(defined) < MIN_DEFINED * len(rounds):
        return None
    low, high = np.percentile(defined, [LOW, HIGH])
    return float(low), float(high)


def over_folds(folds: Sequence[Judged], metric: str, published: float | None) -> Figure:
    """The mean over folds; in a round each fold has drawn its own patients."""
    values = [fold.figures[metric] for fold in folds]
    known = [value for value in values if value is not None]
    if not values or len(known) < len(values):
        rounds = np.zeros(0)
        return Figure(None, None, rounds, published)
    rounds = np.mean([fold.rounds[metric] for fold in folds], axis=0)
    return Figure(float(np.mean(known)), percentiles(rounds), rounds, published)


def kendall(published: NDArray[np.float64], ours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kendall's tau-b of rows.

    Args:
        published: shape (n,).
        ours: shape (rounds, n).

    Returns:
        Shape (rounds,); NaN where a figure is, with n < 2, or where one side is all ties.
    """
    first, second = np.triu_indices(len(published), 1)
    theirs = np.sign(published[first] - published[second])
    mine = np.sign(ours[:, first] - ours[:, second])
    apart = np.sqrt(np.count_nonzero(theirs) * np.count_nonzero(mine, axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((mine @ theirs) / apart, dtype=np.float64)


def order_of(metric: str, group: str, rows: Sequence[Row], figures: Mapping[str, Figure]) -> Order:
    """Compare the order of a group of rows with the paper's.

    Args:
        metric: `Metric.id`.
        group: name of the group.
        rows: of the group.
        figures: of this metric, by the name of the row.
    """
    both = [
        f
        for row in rows
        if (f := figures.get(row.name)) is not None and f.value is not None and f.published is not None
    ]
    published = np.array([f.published for f in both], dtype=np.float64)
    ours = np.array([[f.value for f in both]], dtype=np.float64)
    tau = float(kendall(published, ours)[0]) if len(both) > 1 else float("nan")
    interval: Interval = None
    if len(both) > 1 and len({len(f.rounds) for f in both}) == 1:
        interval = percentiles(kendall(published, np.stack([f.rounds for f in both], axis=1)))
    first, second = np.triu_indices(len(both), 1)
    theirs = published[first] - published[second]
    kept = int(np.sum((ours[0, first] - ours[0, second]) * theirs > 0)) if len(both) else 0
    return Order(
        metric=metric,
        group=group,
        rows=len(both),
        tau=None if np.isnan(tau) else tau,
        interval=interval,
        kept=kept,
        pairs=int(np.count_nonzero(theirs)),
        verdict=_above_zero(interval),
    )


def _above_zero(interval: Interval) -> Verdict:
    if interval is None:
        return "undecided"
    return "holds" if interval[0] > 0 else "does not hold" if interval[1] < 0 else "undecided"


def _within(interval: Interval, margin: float) -> Verdict:
    if interval is None:
        return "undecided"
    low, high = interval
    if -margin <= low and high <= margin:
        return "holds"
    return "does not hold" if low > margin or high < -margin else "undecided"


def judge_claim(claim: Claim, figures: Mapping[str, Figure]) -> ClaimResult:
    """Decide a claim.

    Args:
        claim: of the paper.
        figures: of the claim's metric, by the name of the row.
    """
    better, worse = figures.get(claim.better), figures.get(claim.worse)
    if better is None or worse is None:
        return ClaimResult(claim, None, None, None, "undecided")
    published = _minus(better.published, worse.published)
    difference = _minus(better.value, worse.value)
    interval: Interval = None
    if difference is not None and len(better.rounds) == len(worse.rounds):
        interval = percentiles(better.rounds - worse.rounds)
    verdict = _above_zero(interval) if claim.within is None else _within(interval, claim.within)
    return ClaimResult(claim, difference, interval, published, verdict)


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
