"""Image-level figures: ROC, precision and recall, operating points; each for any weights of the patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.evaluate.compiled import compiled
from crepitus.evaluate.rates import ratio

CONDITION = 0.95
"""Recall or specificity that the operating points must reach."""


@compiled
def _counts(
    weights: NDArray[np.float64],
    patients: NDArray[np.intp],
    positive: NDArray[np.float64],
    ends: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rounds, m = len(weights), len(ends)
    true, false = np.zeros((rounds, m + 1)), np.zeros((rounds, m + 1))
    for q in range(rounds):
        hits = alarms = 0.0
        k = 0
        for d in range(len(patients)):
            weight = weights[q, patients[d]]
            hits += weight * positive[d]
            alarms += weight * (1 - positive[d])
            if d == ends[k]:
                k += 1
                true[q, k] = hits
                false[q, k] = alarms
    return true, false


@dataclass(frozen=True)
class Ranking:
    """Scored cases of two classes, sorted by falling score, ties as one threshold.

    Attributes:
        patients: (n,), number of the patient of each case, in sorted order.
        positive: (n,), float64, 1 for positive cases, in sorted order.
        scores: (n,), float64, falling.
        ends: (m,), position of the last case of each distinct score.
    """

    patients: NDArray[np.intp]
    positive: NDArray[np.float64]
    scores: NDArray[np.float64]
    ends: NDArray[np.intp]

    @classmethod
    def of(cls, scores: NDArray[np.float64], truth: NDArray[np.int64], patients: NDArray[np.intp]) -> Ranking:
        """Sort cases with scores in 0..1 and truth 1 or 0, each of shape (n,)."""
        order = np.argsort(-scores, kind="stable")
        falling = scores[order]
        last = np.append(falling[1:] != falling[:-1], True) if len(falling) else np.zeros(0, np.bool_)
        return cls(patients[order], truth[order].astype(np.float64), falling, np.flatnonzero(last))

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """(m + 1,), infinity (nothing is positive), then every distinct score, falling."""
        return np.append(np.inf, self.scores[self.ends])

    def counts(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """True and false positives at each threshold (score >= t), each (rounds, m + 1)."""
        weights = np.ascontiguousarray(weights, dtype=np.float64)
        return _counts(weights, self.patients, self.positive, self.ends)

    def of_patients(self, values: NDArray[np.float64], n_patients: int) -> NDArray[np.float64]:
        """Sums of `values` (n,) of the cases over their patients, (n_patients,)."""
        return np.bincount(self.patients, values, minlength=n_patients).astype(np.float64)


def auroc(true: NDArray[np.float64], false: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area under the ROC curve by trapezoids, (rounds,); NaN with one class only."""
    steps = np.diff(false, axis=1) * (true[:, 1:] + true[:, :-1]) / 2
    return ratio(steps.sum(axis=1), true[:, -1] * false[:, -1])


def average_precision(true: NDArray[np.float64], false: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of precision times the gain in recall, (rounds,); NaN with one class only.

    Not interpolated, as in scikit-learn's `average_precision_score`.
    """
    called = true + false
    precision = np.divide(true, called, out=np.zeros_like(true), where=called > 0)
    gained = np.diff(true, axis=1) * precision[:, 1:]
    return _with_both(true, false, ratio(gained.sum(axis=1), true[:, -1]))


def _with_both(
    true: NDArray[np.float64], false: NDArray[np.float64], figure: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.where((true[:, -1] > 0) & (false[:, -1] > 0), figure, np.nan)


def _best(figure: NDArray[np.float64], allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    best = np.where(allowed, figure, -np.inf).max(axis=1)
    return np.where(np.isfinite(best), best, np.nan)


def operating_points(true: NDArray[np.float64], false: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The best value of one measure over the thresholds at which another is at least 95 %, (rounds,)."""
    # Specificity from its own count: 1 - false / negatives is not 0.95 in floats when it should be.
    recall = ratio(true, true[:, -1:])
    specificity = ratio(false[:, -1:] - false, false[:, -1:])
    precision = ratio(true, true + false)
    sensitive = recall >= CONDITION
    figures = {
        "specificity_at_recall_95": _best(specificity, sensitive),
        "recall_at_specificity_95": _best(recall, specificity >= CONDITION),
        "precision_at_recall_95": _best(precision, sensitive),
    }
    return {name: _with_both(true, false, figure) for name, figure in figures.items()}


def at_threshold(
    ranking: Ranking, weights: NDArray[np.float64], threshold: float
) -> dict[str, NDArray[np.float64]]:
    """Accuracy, sensitivity and specificity of score >= threshold, (rounds,); NaN where undefined."""
    positive = ranking.positive
    called = (ranking.scores >= threshold).astype(np.float64)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        summed: NDArray[np.float64] = weights @ ranking.of_patients(values, weights.shape[1])
        return summed

    hits, passed = total(called * positive), total((1 - called) * (1 - positive))
    positives, negatives = total(positive), total(1 - positive)
    return {
        "accuracy": ratio(hits + passed, positives + negatives),
        "sensitivity": ratio(hits, positives),
        "specificity": ratio(passed, negatives),
    }


@dataclass(frozen=True)
class ImageFigures:
    """The `image.*` figures of a set of images.

    Attributes:
        ranking: the images whose truth is known.
        threshold: operating point of accuracy, sensitivity and specificity.
    """

    ranking: Ranking
    threshold: float

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Every `image.*` figure, each (rounds,), for patient weights (rounds, m)."""
        true, false = self.ranking.counts(weights)
        figures = {
            "auroc": auroc(true, false),
            "ap": average_precision(true, false),
            **operating_points(true, false),
            **at_threshold(self.ranking, weights, self.threshold),
        }
        return {f"image.{name}": figure for name, figure in figures.items()}

    def curve_rounds(self, weights: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
        """Recall of the ROC curve at the false positive rates of `grid` (n,), shape (rounds, n)."""
        true, false = self.ranking.counts(weights)
        rate, recall = ratio(false, false[:, -1:]), ratio(true, true[:, -1:])
        return np.stack([np.interp(grid, x, y) for x, y in zip(rate, recall, strict=True)])

    def precision_rounds(
        self, weights: NDArray[np.float64], grid: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Precision at the highest threshold that reaches each recall of `grid` (n,), shape (rounds, n)."""
        true, false = self.ranking.counts(weights)
        called = true + false
        recall, precision = ratio(true, true[:, -1:]), ratio(true, called)
        first = np.argmax(called > 0, axis=1)
        rows = zip(recall, precision, first, strict=True)
        # A recall of 19/20 computed from other counts may be a rounding error away.
        return np.stack(
            [p[np.clip(np.searchsorted(r, grid - 1e-12), start, len(p) - 1)] for r, p, start in rows]
        )


@dataclass(frozen=True)
class StudyFigures:
    """The `study.*` figures; a study is positive if any of its images is.

    Attributes:
        ranking: the studies whose truth is known.
        threshold: operating point of the accuracy.
    """

    ranking: Ranking
    threshold: float

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Every `study.*` figure, each (rounds,), for patient weights (rounds, m)."""
        called = at_threshold(self.ranking, weights, self.threshold)
        return {
            **{f"study.{name}": figure for name, figure in called.items()},
            "study.auroc": auroc(*self.ranking.counts(weights)),
        }


@dataclass(frozen=True)
class ClassFigures:
    """F1 of several classes, per class and weighted by support, and the share of images called right.

    Attributes:
        classes: names of the classes.
        patients: (n,), number of the patient of each image.
        truth: (n,), position of the true class.
        called: (n,), position of the class with the highest score.
    """

    classes: tuple[str, ...]
    patients: NDArray[np.intp]
    truth: NDArray[np.intp]
    called: NDArray[np.intp]

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """`class.f1.<class>`, `class.f1.weighted` and `class.accuracy`, each (rounds,).

        F1 is NaN for a class that never occurs.
        """
        of_image = weights[:, self.patients]
        identity = np.eye(len(self.classes))
        is_truth, is_called = identity[self.truth], identity[self.called]
        support, called, hits = of_image @ is_truth, of_image @ is_called, of_image @ (is_truth * is_called)
        f1 = ratio(2 * hits, support + called)
        weighted = ratio((np.nan_to_num(f1) * support).sum(axis=1), support.sum(axis=1))
        figures = {f"class.f1.{name}": f1[:, k] for k, name in enumerate(self.classes)}
        accuracy = ratio(hits.sum(axis=1), support.sum(axis=1))
        return {**figures, "class.f1.weighted": weighted, "class.accuracy": accuracy}
