"""What study rules learn from the validation studies of a run: thresholds, and the weights of one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crepitus.methods.parts.study_rules import StudyRule, learn_rule

FloatArray = NDArray[np.float64]


def validation_studies(
    study_ids: Sequence[str | None], labels: FloatArray, scores: FloatArray
) -> tuple[list[FloatArray], NDArray[np.int64]]:
    """Scores of the views of each study whose truth is known, and that truth.

    A study is positive if any of its images is, and negative if all of them are known to be negative.

    Args:
        study_ids: study of each of n images; those without one are left out.
        labels: shape (n,), 1, 0 or NaN.
        scores: shape (n,), 0..1.
    """
    members: dict[str, list[int]] = {}
    for k, study in enumerate(study_ids):
        if study is not None:
            members.setdefault(study, []).append(k)
    studies, truth = [], []
    for own in members.values():
        known = labels[own]
        if (known == 1).any() or not np.isnan(known).any():
            studies.append(scores[own])
            truth.append(int((known == 1).any()))
    return studies, np.array(truth, dtype=np.int64)


def learn_study_rules(
    study_ids: Sequence[str | None],
    labels: FloatArray,
    scores: FloatArray,
    choose: Callable[[FloatArray, FloatArray], float],
) -> dict[str, Any]:
    """The entry `study_rules` of model.json; empty where no study has several views or a class is missing.

    Args:
        study_ids: as for `validation_studies`.
        labels: likewise.
        scores: likewise.
        choose: makes a threshold of the labels and scores of studies.
    """
    studies, truth = validation_studies(study_ids, labels, scores)
    if not studies:
        return {}
    learned = learn_rule(studies, truth)
    if learned is None:
        return {}
    entries: dict[str, Any] = {}
    for rule in (StudyRule("noisy-or"), learned):
        answers = np.array([rule.score(views) for views in studies])
        threshold = choose(truth.astype(np.float64), answers)
        entries[rule.name] = StudyRule(rule.name, rule.weights, rule.intercept, threshold).to_json()
    return entries
