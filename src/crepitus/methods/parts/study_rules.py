"""One answer for a study from the scores of its views: at least one, majority, noisy-or, or learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from crepitus.errors import PredictionsError, UsageError

FloatArray = NDArray[np.float64]

StudyRuleName = Literal["at-least-one", "majority", "noisy-or", "learned"]
RULES: tuple[StudyRuleName, ...] = get_args(StudyRuleName)

STUDY_SCORE, STUDY_SHARE = "study_score", "study_share"
"""Columns that a method adds to its images where it answers for studies itself: the answer for the study, and
what the image added to it, 0..1, sum 1 within a study."""

EDGE = 1e-6
"""Scores enter log odds no closer than this to 0 and 1."""

RIDGE = 1.0
"""Penalty on the squared weights of the learned rule, against the summed log loss of its studies."""

FEATURES = ("max", "mean", "min")
"""Of the log odds of the views, what the learned rule weighs."""

DEFAULT_THRESHOLD = 0.5


def at_least_one(scores: FloatArray) -> float:
    """The highest score: it reaches a threshold exactly if at least one view does (thesis 004, 6.2.2)."""
    return float(scores.max()) if len(scores) else float("nan")


def majority(scores: FloatArray) -> float:
    """The score that more than half of the views reach (thesis 004, 6.2.2).

    Of n views it is the (n // 2 + 1)-th highest score, so that, at every threshold, the study is positive
    exactly if more than half of its views are. Half of them is no majority: one of two views is not enough.
    """
    return float(np.sort(scores)[::-1][len(scores) // 2]) if len(scores) else float("nan")


def noisy_or(scores: FloatArray) -> float:
    """1 - prod(1 - p): the probability of a fracture in any view, if the views were independent."""
    return float(-np.expm1(np.log1p(-np.clip(scores, 0, 1 - EDGE)).sum())) if len(scores) else float("nan")


def features(scores: FloatArray) -> FloatArray:
    """Maximum, mean and minimum of the log odds of n >= 1 views, shape (3,): independent of their order."""
    clipped = np.clip(scores, EDGE, 1 - EDGE)
    odds = np.log(clipped) - np.log1p(-clipped)
    return np.array([odds.max(), odds.mean(), odds.min()])


@dataclass(frozen=True)
class StudyRule:
    """A rule, with what it learned and its operating point.

    Attributes:
        name: which rule.
        weights: of `FEATURES`, at least 0, so that no view that is more suspicious lowers the answer;
            "learned" only.
        intercept: likewise.
        threshold: a study is called positive if its score reaches it; None: the image threshold.
    """

    name: StudyRuleName
    weights: tuple[float, ...] = ()
    intercept: float = 0.0
    threshold: float | None = None

    def score(self, scores: FloatArray) -> float:
        """The answer of a study, 0..1, from the scores of its views (n,), 0..1; NaN without a view."""
        if not len(scores):
            return float("nan")
        if self.name == "learned":
            return float(_sigmoid(features(scores) @ np.array(self.weights) + self.intercept))
        rules: Mapping[str, Callable[[FloatArray], float]] = {
            "at-least-one": at_least_one,
            "majority": majority,
            "noisy-or": noisy_or,
        }
        return rules[self.name](scores)

    def contributions(self, scores: FloatArray) -> FloatArray:
        """What each view adds to the answer, shape (n,), at least 0, sum 1.

        "at-least-one": the highest view; "majority": the views of the majority, alike; "noisy-or": shares of
        -log(1 - score), which is a sum over views; "learned": how far the log odds of the answer fall when
        the view is left out.
        """
        n = len(scores)
        if n == 0:
            return np.zeros(0)
        if self.name == "at-least-one":
            shares = (scores == scores.max()).astype(np.float64)
        elif self.name == "majority":
            shares = (scores >= majority(scores)).astype(np.float64)
        elif self.name == "noisy-or":
            shares = -np.log1p(-np.clip(scores, 0, 1 - EDGE))
        else:
            shares = self._left_out(scores)
        total = shares.sum()
        return shares / total if total > 0 else np.full(n, 1 / n)

    def _left_out(self, scores: FloatArray) -> FloatArray:
        if len(scores) == 1:
            return np.ones(1)
        weights, whole = np.array(self.weights), features(scores)
        rest = [features(np.delete(scores, k)) for k in range(len(scores))]
        return np.array([max(0.0, float((whole - without) @ weights)) for without in rest])

    def to_json(self) -> dict[str, Any]:
        """The entry of `study_rules` in model.json and predictions.json."""
        entry: dict[str, Any] = {"threshold": self.threshold}
        if self.name == "learned":
            entry |= {"weights": dict(zip(FEATURES, self.weights, strict=True)), "intercept": self.intercept}
        return entry


def stored_rule(name: str, info: Mapping[str, Any]) -> StudyRule:
    """The rule of that name, with what the content of model.json or predictions.json says about it.

    Raises:
        UsageError: there is no such rule, or the learned one was not learned.
        PredictionsError: the entry is damaged.
    """
    if name not in RULES:
        raise UsageError(f"--study-rule: expected one of {', '.join(RULES)}, got {name!r}")
    entries = info.get("study_rules") or {}
    entry = entries.get(name, {}) if isinstance(entries, dict) else None
    if not isinstance(entry, dict):
        raise PredictionsError("study_rules: expected an object with an object for each rule")
    threshold = entry.get("threshold")
    try:
        threshold = None if threshold is None else float(threshold)
        if name != "learned":
            return StudyRule(name, threshold=threshold)
        if not entry:
            raise UsageError(
                "--study-rule learned: expected a model that learned it from validation studies of several "
                "views, this one did not; take another rule"
            )
        weights = tuple(float(entry["weights"][key]) for key in FEATURES)
        return StudyRule(name, weights, float(entry["intercept"]), threshold)
    except (KeyError, TypeError, ValueError) as error:
        raise PredictionsError(f"study_rules.{name}: expected weights and intercept as numbers") from error


def learn_rule(studies: Sequence[FloatArray], labels: NDArray[np.int64]) -> StudyRule | None:
    """Fit the learned rule: logistic regression on `FEATURES` with weights of at least 0 and a small penalty.

    Args:
        studies: scores of the views of each validation study, each of shape (n >= 1,), 0..1.
        labels: shape (s,), 1 fracture, 0 none.

    Returns:
        None where a class is missing, or no study has two views: there is nothing to learn.
    """
    if len(np.unique(labels)) < 2 or max(len(scores) for scores in studies) < 2:
        return None
    x, sign = np.stack([features(scores) for scores in studies]), np.where(labels == 1, 1.0, -1.0)

    def penalised(parameters: FloatArray) -> tuple[float, FloatArray]:
        weights, intercept = parameters[:-1], parameters[-1]
        margin = sign * (x @ weights + intercept)
        pull = -sign * _sigmoid(-margin)
        loss = np.logaddexp(0, -margin).sum() + RIDGE / 2 * weights @ weights
        return float(loss), np.append(x.T @ pull + RIDGE * weights, pull.sum())

    start = np.array([*([1 / len(FEATURES)] * len(FEATURES)), 0.0])
    limits = [(0.0, None)] * len(FEATURES) + [(None, None)]
    found = minimize(penalised, start, jac=True, method="L-BFGS-B", bounds=limits).x
    return StudyRule("learned", tuple(found[:-1].tolist()), float(found[-1]))


def _sigmoid(x: Any) -> Any:
    return np.exp(-np.logaddexp(0, -x))
