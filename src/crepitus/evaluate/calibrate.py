"""Chooses operating points and a calibration where the truth is known, and says what they reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from crepitus.errors import UsageError
from crepitus.evaluate.bootstrap import Statistic, bootstrap, point_estimates
from crepitus.evaluate.calibration import CalibrationFigures
from crepitus.evaluate.cases import Cases
from crepitus.evaluate.classification import Ranking, at_threshold
from crepitus.evaluate.gather import heatmap_figures, image_figures
from crepitus.evaluate.geometry import Radius
from crepitus.evaluate.operating import (
    DoubtFigures,
    by_false_marks,
    by_sensitivity,
    by_specificity,
    by_youden,
    doubt_tier,
)
from crepitus.evaluate.recalibrate import fit
from crepitus.evaluate.remarks import FEW
from crepitus.predict.score_map import ScoreMap

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.evaluate.gather import Progress
    from crepitus.predict import Predictions

FOLDS = 5
"""Folds over patients in which the calibration is judged on images that it was not fitted to."""

ScoreMethod = Literal["none", "temperature", "isotonic"]


@dataclass(frozen=True)
class Wishes:
    """What the operating points shall reach; without sensitivity and specificity, Youden's index decides.

    Attributes:
        sensitivity, specificity: at least, of the image threshold; not both.
        fp_per_image: most false marks per image, of the heatmap threshold; None: it is not chosen.
        doubt: (sensitivity, specificity) of the two ends of a doubt tier; None: there is none.
        scores: how scores become probabilities.
    """

    sensitivity: float | None = None
    specificity: float | None = None
    fp_per_image: float | None = None
    doubt: tuple[float, float] | None = None
    scores: ScoreMethod = "none"


@dataclass(frozen=True)
class OperatingPoints:
    """What was chosen, and what it reaches on the images that it was chosen from.

    Attributes:
        thresholds: `image`, and where asked for `localization`, `doubt_low`, `doubt_high`.
        score_map: from scores to probabilities.
        reached: figures at these thresholds, and the calibration figures before and after (the latter on
            patients that the map was not fitted to); None where undefined.
        intervals: 95 % intervals of those at fixed thresholds, by the bootstrap over patients.
        images, positives, patients: what it rests on.
        warnings: sentences for the user.
    """

    thresholds: dict[str, float]
    score_map: ScoreMap
    reached: dict[str, float | None]
    intervals: dict[str, tuple[float, float]]
    images: int
    positives: int
    patients: int
    warnings: list[str]


def calibrate(
    predictions: Predictions,
    data: DataSet,
    wishes: Wishes,
    *,
    split: str | None = None,
    bootstrap_rounds: int = 1000,
    seed: int = 0,
    radius: Radius | None = None,
    progress: Progress[int] | None = None,
) -> OperatingPoints:
    """Choose operating points from validation images, or from the first images of a new site.

    Raises:
        PredictionsError: the predictions do not fit the data set.
        UsageError: a wish is impossible, or there are not both fractured and normal images.
    """
    if wishes.sensitivity is not None and wishes.specificity is not None:
        raise UsageError(
            "expected --sensitivity or --specificity, got both; one threshold cannot promise two"
        )
    cases = Cases.of(predictions, data, split)
    ranking = image_figures(cases).ranking
    thresholds = {"image": _image_threshold(ranking, wishes)}
    if wishes.fp_per_image is not None:
        froc = heatmap_figures(cases, radius or Radius(), progress).froc
        thresholds["localization"] = by_false_marks(froc, wishes.fp_per_image)
    if wishes.doubt is not None:
        thresholds["doubt_low"], thresholds["doubt_high"] = doubt_tier(ranking, *wishes.doubt)
    truth = ranking.positive.astype(np.int64)
    score_map = fit(ranking.scores, truth, wishes.scores)
    statistics: list[Statistic] = [_AtThreshold(ranking, thresholds["image"]), CalibrationFigures(ranking)]
    if wishes.doubt is not None:
        statistics.append(DoubtFigures(ranking, thresholds["doubt_low"], thresholds["doubt_high"]))
    rng = np.random.default_rng(seed)
    reached = point_estimates(statistics, cases.n_patients)
    intervals = {}
    if bootstrap_rounds:
        intervals = bootstrap(statistics, {}, cases.n_patients, bootstrap_rounds, rng).intervals
    if wishes.scores != "none":
        unseen = _unseen_probabilities(ranking, wishes.scores, rng)
        judged = CalibrationFigures(Ranking.of(unseen, truth, ranking.patients))
        after = point_estimates([judged], cases.n_patients) if not np.isnan(unseen).any() else {}
        reached |= {f"{key}.after": after.get(key) for key in ("calibration.ece", "calibration.brier")}
    return OperatingPoints(
        thresholds=thresholds,
        score_map=score_map,
        reached=reached,
        intervals=intervals,
        images=len(truth),
        positives=int(truth.sum()),
        patients=len(np.unique(ranking.patients)),
        warnings=_warnings(cases, truth),
    )


@dataclass(frozen=True)
class _AtThreshold:
    """`image.accuracy`, `image.sensitivity` and `image.specificity` at a threshold."""

    ranking: Ranking
    threshold: float

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        found = at_threshold(self.ranking, weights, self.threshold)
        return {f"image.{name}": values for name, values in found.items()}


def _image_threshold(ranking: Ranking, wishes: Wishes) -> float:
    if wishes.sensitivity is not None:
        return by_sensitivity(ranking, wishes.sensitivity)
    if wishes.specificity is not None:
        return by_specificity(ranking, wishes.specificity)
    return by_youden(ranking)


def _unseen_probabilities(
    ranking: Ranking, method: ScoreMethod, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Probabilities of each image by a map fitted to other patients; NaN where that cannot be done."""
    truth = ranking.positive.astype(np.int64)
    patients = np.unique(ranking.patients)
    fold_of = np.zeros(int(patients.max(initial=-1)) + 1, dtype=np.int64)
    fold_of[rng.permutation(patients)] = np.arange(len(patients)) % FOLDS
    fold = fold_of[ranking.patients]
    result = np.full(len(truth), np.nan)
    for number in range(FOLDS):
        others = fold != number
        if len(np.unique(truth[others])) == 2:
            result[~others] = fit(ranking.scores[others], truth[others], method).apply(
                ranking.scores[~others]
            )
    return result


def _warnings(cases: Cases, truth: NDArray[np.int64]) -> list[str]:
    found = []
    for value, name in ((1, "with"), (0, "without")):
        if (count := int((truth == value).sum())) < FEW:
            found.append(f"Only {count} images {name} a fracture: the thresholds are uncertain.")
    foreign = cases.table.filter(cases.table["split"].is_in(["train", "test"]))["split"].unique().sort()
    if len(foreign):
        found.append(
            f"Some of the images belong to the split {' and '.join(foreign)} of the data set: unless another "
            "fold was trained, figures at these thresholds on the same images are too good. Choose them on "
            "validation images (--split val)."
        )
    return found
