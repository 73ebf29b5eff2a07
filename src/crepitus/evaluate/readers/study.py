"""A whole reader study: its table, and the Obuchowski-Rockette analysis of one of its figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crepitus.errors import UsageError
from crepitus.evaluate.readers.analysis import (
    GENERALIZATIONS,
    Estimate,
    Global,
    differences,
    reader_differences,
    single,
    treatments_equal,
)
from crepitus.evaluate.readers.answers import Answers
from crepitus.evaluate.readers.components import Components
from crepitus.evaluate.readers.figures import Method, covariance
from crepitus.evaluate.readers.power import Pilot, cases_needed, power
from crepitus.evaluate.readers.table import Row, figures_of, reader_table


@dataclass(frozen=True)
class Plan:
    """A planned study: power with the cases of this one, and the cases that `wanted` needs (None: never)."""

    effect: float
    readers: int
    wanted: float
    power: dict[str, float]
    cases: dict[str, int | None]


@dataclass(frozen=True)
class Study:
    """Everything that is known about a reader study.

    Attributes:
        answers: what it rests on.
        table: readers, groups and average.
        figure: name of the analysed figure.
        method: how its covariance was estimated.
        components: figures, variance and covariances.
        equal: test that the treatments are equal, by generalization; empty with one treatment.
        differences: by generalization, first minus second treatment.
        single: by generalization, each treatment against the fixed figure.
        by_reader: (reader, first, second treatment): difference of this reader.
        plan: of a further study, None if not asked for.
    """

    answers: Answers
    table: list[Row]
    figure: str
    method: Method
    components: Components
    equal: dict[str, Global]
    differences: dict[str, dict[tuple[int, int], Estimate]]
    single: dict[str, list[Estimate]]
    by_reader: dict[tuple[int, int, int], Estimate]
    plan: Plan | None = None


def analyse(
    answers: Answers,
    *,
    figure: str | None = None,
    method: Method = "jackknife",
    against: float | None = None,
    negative: str | None = None,
    rng: np.random.Generator | None = None,
) -> Study:
    """Make the table and analyse one figure.

    Args:
        answers: a complete study.
        figure: a name of `figures_of`; by default `auroc` or `accuracy`.
        method: of the covariance of the errors.
        against: fixed figure, for example of a model, that each treatment is tested against.
        negative: option that stands for no finding.
        rng: source of randomness of the bootstrap.

    Raises:
        UsageError: the study has no such figure, or the method does not fit it.
    """
    figures = figures_of(answers, negative)
    name = figure or next(iter(figures))
    if name not in figures:
        raise UsageError(f"--figure {name}: expected one of {', '.join(figures)}")
    shape = (len(answers.treatments), len(answers.readers))
    values = figures[name].of_cases(np.arange(len(answers.cases))).reshape(shape)
    components = Components.of(values, covariance(figures[name], method, rng))
    several = shape[0] > 1
    fixed = float("nan") if against is None else against
    return Study(
        answers=answers,
        table=reader_table(answers, negative),
        figure=name,
        method=method,
        components=components,
        equal={g: treatments_equal(components, g) for g in GENERALIZATIONS} if several else {},
        differences={g: differences(components, g) for g in GENERALIZATIONS} if several else {},
        single={g: [single(components, k, g, fixed) for k in range(shape[0])] for g in GENERALIZATIONS},
        by_reader=reader_differences(components),
    )


def plan(study: Study, *, effect: float, readers: int, wanted: float = 0.8) -> Plan:
    """Power and cases of a further study of two treatments, taking this one as its pilot.

    Raises:
        UsageError: this study has one treatment, or an argument is impossible.
    """
    if len(study.answers.treatments) < 2 or len(study.answers.readers) < 2:
        raise UsageError("--effect: expected a pilot with two treatments and two readers to plan from")
    if not (effect > 0 and 0 < wanted < 1):
        raise UsageError(
            f"--effect, --power: expected an effect above 0 and a power within 0..1, got {effect}, {wanted}"
        )
    n = len(study.answers.cases)
    pilot = Pilot.of(study.components, n)
    if np.isnan(pilot.cov3):
        raise UsageError(f"--effect: the covariances of {study.figure} are undefined: too few cases")
    return Plan(
        effect,
        readers,
        wanted,
        {g: power(pilot, effect=effect, readers=readers, cases=n, generalization=g) for g in GENERALIZATIONS},
        {
            g: cases_needed(pilot, effect=effect, readers=readers, wanted=wanted, generalization=g)
            for g in GENERALIZATIONS
        },
    )
