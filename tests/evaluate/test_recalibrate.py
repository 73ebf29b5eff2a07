"""Temperature and isotonic calibration: by hand, what they must improve, and what is stored."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.errors import PredictionsError, UsageError
from crepitus.evaluate.recalibrate import fit
from crepitus.predict.score_map import ScoreMap


def cross_entropy(p, truth):
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return -np.mean(np.where(truth == 1, np.log(p), np.log(1 - p)))


def test_temperature_by_hand():
    # Scores 0.9 and 0.1, one in four wrong: the best map says 3/4. Log odds ln 9 / T = ln 3: T = 2.
    scores, truth = np.array([0.9] * 4 + [0.1] * 4), np.array([1, 1, 1, 0, 0, 0, 0, 1])
    found = fit(scores, truth, "temperature")
    assert found.temperature == pytest.approx(2, abs=1e-5)
    assert found.apply(np.array([0.9, 0.5, 0.1])) == pytest.approx([0.75, 0.5, 0.25], abs=1e-5)


def test_isotonic_by_hand():
    # 0.1 -, 0.3 +, 0.5 -, 0.9 +: 0.3 and 0.5 fall the wrong way and are pooled to 1/2. Constant beyond.
    found = fit(np.array([0.1, 0.3, 0.5, 0.9]), np.array([0, 1, 0, 1]), "isotonic")
    assert found.apply(np.array([0.0, 0.1, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0])) == pytest.approx(
        [0, 0, 0.5, 0.5, 0.5, 0.75, 1, 1]
    )


def test_an_overconfident_score_is_taken_back():
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 1.5, 5000)
    truth = (rng.random(5000) < 1 / (1 + np.exp(-odds))).astype(int)
    overconfident = 1 / (1 + np.exp(-3 * odds))
    assert fit(overconfident, truth, "temperature").temperature == pytest.approx(3, rel=0.1)


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 1)), max_size=40))
def test_each_is_best_in_its_own_measure_and_rises(rows):
    rows = [(2, 1), (7, 0), (9, 1), *rows]
    scores, truth = np.array([s / 10 for s, _ in rows]), np.array([t for _, t in rows])
    temperature, isotonic = fit(scores, truth, "temperature"), fit(scores, truth, "isotonic")
    kept = np.clip(scores, 1e-7, 1 - 1e-7)
    assert cross_entropy(temperature.apply(scores), truth) <= cross_entropy(kept, truth) + 1e-6
    brier = np.mean((isotonic.apply(scores) - truth) ** 2)
    for other in (scores, temperature.apply(scores), np.full(len(rows), truth.mean())):
        assert brier <= np.mean((other - truth) ** 2) + 1e-9
    line = np.linspace(0, 1, 50)
    for found in (temperature, isotonic):
        assert (np.diff(found.apply(line)) >= -1e-12).all()
        assert ScoreMap.from_json(json.loads(json.dumps(found.to_json())), "f") == found


def test_one_class_cannot_be_fitted():
    for method in ("temperature", "isotonic"):
        with pytest.raises(UsageError, match="expected images with and without a fracture, got 2 and 0"):
            fit(np.array([0.2, 0.4]), np.ones(2, int), method)
    assert fit(np.array([0.2]), np.ones(1, int), "none") == ScoreMap()


@pytest.mark.parametrize(
    "stored",
    [
        {"method": "magic"},
        {"method": "temperature"},
        {"method": "temperature", "temperature": 0},
        {"method": "temperature", "temperature": float("nan")},
        {"method": "temperature", "temperature": True},
        {"method": "isotonic", "x": [0.1, 0.5], "y": [0.6, 0.5]},
        {"method": "isotonic", "x": [0.1], "y": [0.5, 0.6]},
        {"method": "isotonic", "x": [], "y": []},
        {"method": "isotonic", "x": [0, 2], "y": [0, 1]},
        "temperature",
        [1],
    ],
)
def test_what_is_no_calibration_is_refused(stored):
    with pytest.raises(PredictionsError, match=r"^predictions\.json: expected as 'calibration'"):
        ScoreMap.from_json(stored, "predictions.json")


def test_no_calibration():
    assert ScoreMap.from_json(None, "f").apply(np.array([0.3])) == pytest.approx([0.3])
    assert ScoreMap.from_json({"method": "none"}, "f") == ScoreMap()
