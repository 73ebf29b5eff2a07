"""Percentile bootstrap over patients: a round is a weighted sum over images, not a new evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

ROUNDS_AT_ONCE = 32
"""Bounds the memory of a step; the result does not depend on it."""

LOW, HIGH = 2.5, 97.5
"""Percentiles of a 95 % interval."""

MIN_DEFINED = 0.5
"""Below this share of rounds in which a figure is defined, it gets no interval."""


class Statistic(Protocol):
    """Figures of records that belong to patients, for any weights of the patients."""

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Each figure, shape (rounds,), NaN where undefined, for weights (rounds, patients)."""
        ...


CurveRounds = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""y of a curve (rounds, n) for patient weights (rounds, patients) and the grid x (n,)."""


def number_patients(patient_ids: Sequence[str | None]) -> tuple[NDArray[np.intp], int]:
    """Number the patients of images; an empty id is a patient of its own.

    Returns:
        The number of each image's patient, shape (n,), and how many patients there are.
    """
    numbers: dict[object, int] = {}
    codes = [
        numbers.setdefault((row,) if patient is None else patient, len(numbers))
        for row, patient in enumerate(patient_ids)
    ]
    return np.array(codes, dtype=np.intp), len(numbers)


def draw_weights(n_patients: int, rounds: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """How often each patient is drawn, with replacement, as blocks of shape (some rounds, patients)."""
    for start in range(0, rounds, ROUNDS_AT_ONCE):
        block = np.zeros((min(ROUNDS_AT_ONCE, rounds - start), n_patients))
        for row in block:
            row[:] = np.bincount(rng.integers(0, n_patients, n_patients), minlength=n_patients)
        yield block


def point_estimates(statistics: Sequence[Statistic], n_patients: int) -> dict[str, float | None]:
    """Every figure with each patient counted once; None where undefined."""
    once = np.ones((1, n_patients))
    return {
        key: None if np.isnan(value[0]) else float(value[0])
        for statistic in statistics
        for key, value in statistic.figures(once).items()
    }


@dataclass(frozen=True)
class Resampled:
    """Result of a bootstrap.

    Attributes:
        intervals: 95 % interval of each figure that is defined in at least half of the rounds.
        bands: low and high, each (n,), of each curve over its grid.
        partly_undefined: figures that are undefined in some rounds.
    """

    intervals: dict[str, tuple[float, float]]
    bands: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    partly_undefined: list[str]


def bootstrap(
    statistics: Sequence[Statistic],
    curves: Mapping[str, tuple[CurveRounds, NDArray[np.float64]]],
    n_patients: int,
    rounds: int,
    rng: np.random.Generator,
) -> Resampled:
    """Resample patients with replacement; all figures of a round share the same patients.

    Args:
        statistics: what to compute.
        curves: by name, the curve and the grid (n,) over which its band is wanted.
        n_patients: number of patients, at least 1.
        rounds: number of rounds, at least 1.
        rng: source of randomness.
    """
    figures: dict[str, list[NDArray[np.float64]]] = {}
    lines: dict[str, list[NDArray[np.float64]]] = {name: [] for name in curves}
    for weights in draw_weights(n_patients, rounds, rng):
        for statistic in statistics:
            for key, values in statistic.figures(weights).items():
                figures.setdefault(key, []).append(values)
        for name, (curve, grid) in curves.items():
            lines[name].append(curve(weights, grid))
    intervals, partly_undefined = {}, []
    for key, blocks in figures.items():
        values = np.concatenate(blocks)
        defined = values[~np.isnan(values)]
        if 0 < len(defined) < rounds:
            partly_undefined.append(key)
        if len(defined) >= MIN_DEFINED * rounds:
            low, high = np.percentile(defined, [LOW, HIGH])
            intervals[key] = (float(low), float(high))
    return Resampled(intervals, {name: _band(blocks) for name, blocks in lines.items()}, partly_undefined)


def _band(blocks: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = np.concatenate(blocks)
    defined = rows[~np.isnan(rows).any(axis=1)]
    if not len(defined):
        undefined = np.full(rows.shape[1], np.nan)
        return undefined, undefined
    low, high = np.percentile(defined, [LOW, HIGH], axis=0)
    return low, high
