"""Study rules from validation studies: which studies count, and what is stored."""

import numpy as np
import pytest

from crepitus.methods.parts.study_rules import stored_rule
from crepitus.train.finish import youden_threshold
from crepitus.train.study_rules import learn_study_rules, validation_studies

NAN = float("nan")


def test_which_studies_count_by_hand():
    # a: one positive, one unknown: positive. b: both negative. c: negative and unknown: nobody knows.
    studies = ["a", "b", None, "a", "b", "c", "c"]
    labels = np.array([1, 0, 1, NAN, 0, 0, NAN])
    scores = np.array([0.9, 0.1, 0.5, 0.8, 0.2, 0.3, 0.4])
    found, truth = validation_studies(studies, labels, scores)
    assert [views.tolist() for views in found] == [[0.9, 0.8], [0.1, 0.2]]
    assert truth.tolist() == [1, 0]


def test_what_is_stored_is_a_rule_again():
    # Both views of a fracture are suspicious, one of the others.
    studies = [f"s{k // 2}" for k in range(40)]
    labels = np.repeat([1.0, 0.0], 20)
    scores = np.array([0.9, 0.8] * 10 + [0.9, 0.1] * 10)
    entries = learn_study_rules(studies, labels, scores, youden_threshold)
    assert set(entries) == {"noisy-or", "learned"}
    rule = stored_rule("learned", {"study_rules": entries})
    positive, negative = rule.score(np.array([0.9, 0.8])), rule.score(np.array([0.9, 0.1]))
    assert negative < rule.threshold < positive
    # Noisy-or: 1 - 0.1 * 0.2 = 0.98 and 1 - 0.1 * 0.9 = 0.91; the threshold lies in the middle.
    assert entries["noisy-or"]["threshold"] == pytest.approx(0.945)


@pytest.mark.parametrize(
    ("studies", "labels"),
    [([None, None], [1, 0]), (["a", "b"], [1, 0]), (["a", "a"], [1, 1]), ([], [])],
    ids=["no studies", "one view each", "one class", "nothing"],
)
def test_nothing_is_learned(studies, labels):
    scores = np.full(len(labels), 0.5)
    assert learn_study_rules(studies, np.array(labels, float), scores, youden_threshold) == {}
