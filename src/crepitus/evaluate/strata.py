"""Figures within strata of the images: by body part, view, age, hardware, number or size of fractures.

A stratum of a property of images (body part, age) holds the images with its value. A stratum of a property of
fractures (visibility, size, number) holds the fractured images with its value and all normal ones, because a
normal image has no such property.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from crepitus.errors import UsageError
from crepitus.evaluate.bootstrap import Statistic, bootstrap, point_estimates
from crepitus.evaluate.classification import ImageFigures, Ranking
from crepitus.evaluate.froc import Froc

if TYPE_CHECKING:
    from crepitus.evaluate.cases import Cases
    from crepitus.evaluate.parts import Parts

FRACTURE_COUNT, FRACTURE_SIZE = "fracture_count", "fracture_size"
DERIVED = (FRACTURE_COUNT, FRACTURE_SIZE)
"""Strata that are computed from the annotations, not read from a column."""

MAX_CATEGORIES = 6
"""A numeric column with more different values than this is cut into three parts of equal mass."""
MAX_STRATA = 40
"""A column with more strata than this (an identifier, for example) is refused."""
MIN_CASES = 10
"""A stratum with fewer fractured or fewer normal images is not called the worst: chance would name it."""

KEYS = ("image.auroc", "image.ap", "image.sensitivity", "image.specificity", "localization.froc_score")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Stratum:
    """One stratum and its figures.

    Attributes:
        column: what the images are divided by.
        value: which part this is, in words.
        positives, negatives: images of each kind whose truth is known.
        figures: those of `KEYS`; None where undefined.
        intervals: 95 % intervals of those that have one.
    """

    column: str
    value: str
    positives: int
    negatives: int
    figures: dict[str, float | None]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`column = value`."""
        return f"{self.column} = {self.value}"


@dataclass(frozen=True)
class _Member:
    """Statistics of the images of one stratum, under keys that start with its number."""

    number: int
    statistics: tuple[Statistic, ...]

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        found = {key: v for part in self.statistics for key, v in part.figures(weights).items()}
        return {f"{self.number}:{key}": found[key] for key in KEYS if key in found}


def strata(
    cases: Cases, parts: Parts, wanted: Sequence[str], rounds: int, rng: np.random.Generator
) -> list[Stratum]:
    """Figures of every stratum of every wanted column.

    Args:
        cases: the evaluated images.
        parts: their statistics.
        wanted: columns of the images table, `fracture_count` or `fracture_size`; numbers may be cut at given
            edges, as in `age:18:65`.
        rounds: of the bootstrap, 0 for no intervals.
        rng: source of randomness.

    Raises:
        UsageError: there is no such column, its edges are no rising numbers, or it has too many values.
    """
    members: list[_Member] = []
    rows: list[tuple[str, str, int, int]] = []
    for text in wanted:
        column, labels, of_fractures = _labels(cases, text)
        values = sorted({v for v in labels if v is not None})
        if len(values) > MAX_STRATA:
            raise UsageError(
                f"--strata {column}: expected at most {MAX_STRATA} different values, got {len(values)}"
            )
        for value in values:
            chosen = np.array([v == value for v in labels], dtype=np.bool_)
            if of_fractures:
                chosen |= np.array([t == 0 for t in cases.truth], dtype=np.bool_)
            truth = [t for t, kept in zip(cases.truth, chosen, strict=True) if kept]
            members.append(_Member(len(members), _statistics(cases, parts, chosen)))
            rows.append((column, value[1], truth.count(1), truth.count(0)))
    figures = point_estimates(members, cases.n_patients)
    intervals = bootstrap(members, {}, cases.n_patients, rounds, rng).intervals if rounds and members else {}
    return [
        Stratum(
            *row,
            figures={key: figures[f"{n}:{key}"] for key in KEYS},
            intervals={key: intervals[f"{n}:{key}"] for key in KEYS if f"{n}:{key}" in intervals},
        )
        for n, row in enumerate(rows)
    ]


def in_words(stratum: Stratum, key: str) -> str:
    """`body_part = hand: 0.812 (0.740 to 0.871), 40 images with and 120 without a fracture`."""
    value, interval = stratum.figures[key], stratum.intervals.get(key)
    shown = "undefined" if value is None else f"{value:.3f}"
    between = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    counts = f"{stratum.positives} images with and {stratum.negatives} without a fracture"
    return f"{stratum.name}: {shown}{between}, {counts}"


def worst(found: Sequence[Stratum], key: str) -> Stratum | None:
    """The stratum with the lowest figure among those with enough images; None if there are no two of them."""
    known = [
        s
        for s in found
        if s.figures[key] is not None and s.positives >= MIN_CASES and s.negatives >= MIN_CASES
    ]
    return min(known, key=lambda s: (s.figures[key], s.name)) if len(known) > 1 else None


def _statistics(cases: Cases, parts: Parts, chosen: NDArray[np.bool_]) -> tuple[Statistic, ...]:
    known = cases.known()
    kept = known[chosen[known]]
    truth = np.array([cases.truth[k] for k in kept], dtype=np.int64)
    ranking = Ranking.of(cases.table["score"].to_numpy()[kept], truth, cases.patients[kept])
    froc, inside = parts.heatmaps.froc, chosen[parts.heatmaps.positions]
    return (
        ImageFigures(ranking, parts.image.threshold),
        Froc(froc.patients[inside], froc.n_points[inside], froc.found[inside], froc.false_positives[inside]),
    )


Label = tuple[float, str]
"""Position among the strata of a column, and name."""


def _labels(cases: Cases, text: str) -> tuple[str, list[Label | None], bool]:
    """Name of the column, the stratum of each image (None: in none), and whether it is one of fractures."""
    column, *edges = (part.strip() for part in text.split(":"))
    values = _values(cases, column)
    negatives = [v for v, t in zip(values, cases.truth, strict=True) if t == 0]
    positives = [v for v, t in zip(values, cases.truth, strict=True) if t == 1]
    # A column that is empty for every normal image, and not for every fractured one, describes fractures.
    of_fractures = bool(negatives) and not any(v is not None for v in negatives)
    of_fractures &= any(v is not None for v in positives)
    labels = _cut(column, values, edges) if edges else _divide(values)
    missing: Label = (float("inf"), UNKNOWN)
    for k, (label, truth) in enumerate(zip(labels, cases.truth, strict=True)):
        if label is None and not (of_fractures and truth == 0):
            labels[k] = missing
    return column, labels, of_fractures


def _values(cases: Cases, column: str) -> list[Any]:
    if column in cases.table.columns:
        values = cases.table[column]
        if values.dtype in (pl.Float32, pl.Float64):
            values = values.fill_nan(None)
        # A table that counts 0 fractures in a normal image says what an empty cell says.
        return [v or None for v in values] if column == FRACTURE_COUNT else values.to_list()
    if column == FRACTURE_COUNT:
        return [_count(cases, k) or None for k in range(len(cases.image_ids))]
    if column == FRACTURE_SIZE:
        return [_size(cases, k) for k in range(len(cases.image_ids))]
    known = [name for name in cases.table.columns if name not in ("image_id", "file", "score", "label")]
    raise UsageError(f"--strata {column}: expected one of {', '.join(dict.fromkeys([*known, *DERIVED]))}")


def _count(cases: Cases, position: int) -> int:
    if cases.data.points is not None:
        return len(cases.points(position))
    return len(cases.boxes(position))


def _size(cases: Cases, position: int) -> float | None:
    """Longer side of the largest fracture box, as a share of the longer side of the image."""
    boxes = cases.boxes(position)
    if not len(boxes):
        return None
    return float((boxes[:, 2:] - boxes[:, :2]).max() / max(cases.sizes[position]))


def _divide(values: list[Any]) -> list[Label | None]:
    """Each value as a stratum of its own, or numbers with many values in three parts of equal mass."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == sum(v is not None for v in values):
        if len(set(numbers)) > MAX_CATEGORIES:
            edges = np.unique(np.quantile(np.array(numbers, dtype=np.float64), [1 / 3, 2 / 3]))
            return [None if v is None else _part(float(v), edges.tolist()) for v in values]
        return [None if v is None else (float(v), f"{v:g}") for v in values]
    return [None if v is None else (0.0, str(v)) for v in values]


def _cut(column: str, values: list[Any], edges: list[str]) -> list[Label | None]:
    try:
        limits = [float(edge) for edge in edges]
    except ValueError:
        limits = []
    if not limits or not all(np.isfinite(limits)) or sorted(set(limits)) != limits:
        raise UsageError(
            f"--strata {':'.join([column, *edges])}: expected rising numbers as its edges, like age:18:65"
        )
    if any(v is not None and not isinstance(v, int | float) for v in values):
        raise UsageError(f"--strata {column}: expected numbers to cut at {', '.join(edges)}, got text")
    return [None if v is None else _part(float(v), limits) for v in values]


def _part(value: float, edges: list[float]) -> Label:
    """The part between two edges that holds a value; a part holds its lower edge."""
    above = int(np.searchsorted(edges, value, side="right"))
    if above == 0:
        return 0.0, f"below {edges[0]:.3g}"
    if above == len(edges):
        return float(above), f"{edges[-1]:.3g} and above"
    return float(above), f"{edges[above - 1]:.3g} to below {edges[above]:.3g}"
