"""Two predictions folders on the same images: every figure, and whether the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crepitus.errors import PredictionsError, UsageError
from crepitus.evaluate.bootstrap import Statistic, bootstrap, point_estimates
from crepitus.evaluate.cases import Cases
from crepitus.evaluate.delong import Areas, delong
from crepitus.evaluate.geometry import Radius
from crepitus.evaluate.leakage import refuse_leakage
from crepitus.evaluate.mcnemar import McNemar, mcnemar
from crepitus.evaluate.parts import Parts

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.evaluate.gather import Progress
    from crepitus.predict import Predictions


@dataclass(frozen=True)
class Comparison:
    """The figures of two predictions folders, A and B.

    Attributes:
        figures: for each key of evaluation.json: A, B and A - B; None where undefined.
        intervals: for each key: 95 % intervals of the three by the paired bootstrap over patients.
        areas: AUROCs of A and B with their covariance by DeLong.
        mcnemar: A against B, right or wrong on each image at the threshold of each.
        thresholds: of A and of B.
        images, patients: how many were compared.
        leakage: between the parts of the data set, where it was allowed.
    """

    figures: dict[str, tuple[float | None, float | None, float | None]]
    intervals: dict[str, tuple[Interval, Interval, Interval]]
    areas: Areas
    mcnemar: McNemar
    thresholds: tuple[float, float]
    images: int
    patients: int
    leakage: list[str]


Interval = tuple[float, float] | None


@dataclass(frozen=True)
class _Both:
    """Figures of two sets under the keys `a.…` and `b.…`, and their difference under `difference.…`."""

    first: Sequence[Statistic]
    second: Sequence[Statistic]

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        a, b = (
            {k: v for s in part for k, v in s.figures(weights).items()} for part in (self.first, self.second)
        )
        undefined = np.full(len(weights), np.nan)
        found: dict[str, NDArray[np.float64]] = {}
        for key in dict.fromkeys([*a, *b]):
            left, right = a.get(key, undefined), b.get(key, undefined)
            found |= {f"a.{key}": left, f"b.{key}": right, f"difference.{key}": left - right}
        return found


def compare(
    first: Predictions,
    second: Predictions,
    data: DataSet,
    *,
    split: str | None = None,
    bootstrap_rounds: int = 1000,
    seed: int = 0,
    radius: Radius | None = None,
    allow_leakage: bool = False,
    progress: Progress[int] | None = None,
) -> Comparison:
    """Compare two predictions folders of the same images; every round draws the same patients for both.

    Args:
        first: A.
        second: B, with the same image ids in any order.
        data: the data set that was predicted.
        split: restricts the images to one split of the data set.
        bootstrap_rounds: rounds over patients, 0 for no intervals.
        seed: of the bootstrap.
        radius: around points, 50 px if not given.
        allow_leakage: compare although patients or pictures lie in two parts of the data set.
        progress: shows progress over the heatmaps.

    Raises:
        PredictionsError: the two hold different images, or do not fit the data set.
        LeakageError: patients, studies or pictures lie in two splits or folds.
        UsageError: an option is impossible for this data set.
    """
    if bootstrap_rounds < 0:
        raise UsageError(f"--bootstrap: expected a number of rounds of at least 0, got {bootstrap_rounds}")
    leaked = refuse_leakage(data, allow_leakage)
    cases = Cases.of(first, data, split), Cases.of(_in_order_of(first, second), data, split)
    a, b = (Parts.of(part, radius or Radius(), progress) for part in cases)
    both = _Both(a.statistics, b.statistics)
    n_patients = cases[0].n_patients
    values = point_estimates([both], n_patients)
    intervals: dict[str, tuple[float, float]] = {}
    if bootstrap_rounds and n_patients:
        rng = np.random.default_rng(seed)
        intervals = bootstrap([both], {}, n_patients, bootstrap_rounds, rng).intervals
    keys = [key.removeprefix("a.") for key in values if key.startswith("a.")]
    known = cases[0].known()
    truth = np.array([cases[0].truth[k] for k in known], dtype=np.int64)
    scores = np.stack([part.table["score"].to_numpy()[known] for part in cases])
    thresholds = a.image.threshold, b.image.threshold
    right = [(row >= threshold) == (truth == 1) for row, threshold in zip(scores, thresholds, strict=True)]
    return Comparison(
        figures={k: (values[f"a.{k}"], values[f"b.{k}"], values[f"difference.{k}"]) for k in keys},
        intervals={
            k: (intervals.get(f"a.{k}"), intervals.get(f"b.{k}"), intervals.get(f"difference.{k}"))
            for k in keys
        },
        areas=delong(scores, truth),
        mcnemar=mcnemar(right[0], right[1]),
        thresholds=thresholds,
        images=len(cases[0].image_ids),
        patients=n_patients,
        leakage=leaked,
    )


def _in_order_of(first: Predictions, second: Predictions) -> Predictions:
    """The second predictions with their images in the order of the first, so that patients get one number."""
    for one, other, name in ((first, second, second.root), (second, first, first.root)):
        missing = one.images.join(other.images, on="image_id", how="anti", maintain_order="left")
        if missing.height:
            raise PredictionsError(
                f"{name}: expected the same images in both predictions, {missing.height} of {one.root} are "
                f"missing here, the first is {missing['image_id'][0]!r}; predict the same images with both"
            )
    ordered = first.images.select("image_id").join(
        second.images, on="image_id", how="left", maintain_order="left"
    )
    return replace(second, images=ordered)
