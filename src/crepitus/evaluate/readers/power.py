"""Power of a planned study of two treatments, and the cases that it needs, from the components of a pilot.

S. L. Hillis, N. A. Obuchowski and K. S. Berbaum, Academic Radiology 18 (2011), 129-142.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import chi2, f, ncf, ncx2

from crepitus.errors import UsageError
from crepitus.evaluate.readers.components import Components

MAX_CASES = 1_000_000
"""A study that needs more is called impossible."""


@dataclass(frozen=True)
class Pilot:
    """Variance components of a study with `cases` cases, with the meaning of `Components`."""

    var_interaction: float
    variance: float
    cov1: float
    cov2: float
    cov3: float
    cases: int

    @classmethod
    def of(cls, components: Components, cases: int) -> Pilot:
        """The components of a study that was done."""
        c = components
        return cls(c.var_interaction, c.variance, c.cov1, c.cov2, c.cov3, cases)


def power(
    pilot: Pilot,
    *,
    effect: float,
    readers: int,
    cases: int,
    generalization: str = "random",
    alpha: float = 0.05,
) -> float:
    """Probability of finding a true difference of `effect` between two treatments.

    Args:
        pilot: where the components come from; error covariances shrink as 1 / cases.
        effect: difference of the figures.
        readers: of the planned study.
        cases: of the planned study, with the pilot's share of positives.
        generalization: "random", "fixed_readers" or "fixed_cases".
        alpha: two-sided level of the test.

    Raises:
        UsageError: fewer than two readers where readers are random, or less than one case.
    """
    if cases < 1 or readers < (1 if generalization == "fixed_readers" else 2):
        raise UsageError(
            f"power: expected at least 2 readers and 1 case, got {readers} readers and {cases} cases"
        )
    scale = pilot.cases / cases
    interaction, shared = max(pilot.var_interaction, 0.0), max(pilot.cov2 - pilot.cov3, 0.0)
    own = pilot.variance - pilot.cov1
    if generalization == "fixed_readers":
        error = scale * (own + (readers - 1) * shared)
        distance = readers * effect**2 / 2 / error
        return float(ncx2.sf(chi2.isf(alpha, 1), 1, distance))
    # Expected mean square of treatment by reader.
    square = interaction + scale * (own - shared)
    error = square if generalization == "fixed_cases" else square + readers * scale * shared
    ddf = error**2 / (square**2 / (readers - 1))
    return float(ncf.sf(f.isf(alpha, 1, ddf), 1, ddf, readers * effect**2 / 2 / error))


def cases_needed(
    pilot: Pilot,
    *,
    effect: float,
    readers: int,
    wanted: float = 0.8,
    generalization: str = "random",
    alpha: float = 0.05,
) -> int | None:
    """The fewest cases with which the power is at least `wanted`; None if no number of cases is enough."""

    def enough(cases: int) -> bool:
        reached = power(
            pilot, effect=effect, readers=readers, cases=cases, generalization=generalization, alpha=alpha
        )
        return reached >= wanted

    if not enough(MAX_CASES):
        return None
    low, high = 0, MAX_CASES
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
