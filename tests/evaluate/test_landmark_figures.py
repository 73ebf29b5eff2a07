"""Errors of landmarks: by hand, what was not found or has no spacing, and data without landmarks."""

import json

import numpy as np
import pytest

from crepitus.data import DataSet, DataSetWriter
from crepitus.errors import DataSetError
from crepitus.evaluate.run import evaluate
from crepitus.predict import Predictions
from crepitus.predict.writer import PredictionsWriter
from crepitus.structures import Annotation, Landmarks, Prediction, Radiograph

NAMES = ("a-L", "a-R")


def folders(tmp_path, truth, found, spacing=(2.0, None)):
    """Two images of 40 x 40 with landmarks, and predictions of them."""
    with DataSetWriter(tmp_path / "data", {}, annotated=("landmarks",)) as writer:
        for k, rows in enumerate(truth):
            marks = Landmarks(tuple(rows), np.array(list(rows.values())))
            pixels = np.full((40, 40), k, dtype=np.uint8)
            writer.add(Radiograph(f"i{k}", pixels, spacing_mm=spacing[k]), Annotation(landmarks=marks))
    with PredictionsWriter(tmp_path / "found") as writer:
        for k, rows in enumerate(found):
            marks = Landmarks(tuple(rows), np.array(list(rows.values())), np.full(len(rows), 1.5))
            writer.add(Prediction(f"i{k}", 0.5, landmarks=marks))
    return DataSet.read(tmp_path / "data"), Predictions.read(tmp_path / "found")


def test_by_hand(tmp_path):
    truth = [{"a-L": (10, 10), "a-R": (20, 10)}, {"a-L": (10, 10), "a-R": (20, 10)}]
    found = [{"a-L": (13, 14), "a-R": (20, 11)}, {"a-L": (10, 12)}]
    data, predictions = folders(tmp_path, truth, found)
    figures = evaluate(predictions, data).figures
    # Errors 5 and 1 px at 2 mm, 2 px without spacing, one landmark not found.
    assert figures["landmarks.mean_error_px"] == pytest.approx((5 + 1 + 2) / 3)
    assert figures["landmarks.mean_error_mm"] == pytest.approx((10 + 2) / 2)
    assert figures["landmarks.under_8mm"] == pytest.approx(1 / 2)
    assert figures["landmarks.found"] == pytest.approx(3 / 4)
    assert figures["landmarks.error_mm.a-L"] == pytest.approx(10)
    assert figures["landmarks.error_mm.a-R"] == pytest.approx(2)
    # What the method said about its uncertainty is in the folder.
    assert predictions.landmarks["sd_px"].to_list() == [1.5, 1.5, 1.5]


def test_eight_millimetres_are_not_under_eight(tmp_path):
    data, predictions = folders(tmp_path, [{"a-L": (10, 10)}], [{"a-L": (14, 10)}])
    assert evaluate(predictions, data).figures["landmarks.under_8mm"] == 0


def test_nothing_known_is_null_and_other_sets_have_no_such_keys(tmp_path):
    data, predictions = folders(tmp_path, [{"a-L": (10, 10)}], [{"a-R": (14, 10)}])
    figures = evaluate(predictions, data).figures
    assert figures["landmarks.mean_error_mm"] is None
    assert figures["landmarks.found"] == 0
    json.dumps(figures, allow_nan=False)
    (tmp_path / "found" / "landmarks.csv").unlink()
    without = evaluate(Predictions.read(tmp_path / "found"), data).figures
    assert not any(key.startswith("landmarks.") for key in without)


def test_intervals_are_of_patients(tmp_path):
    truth = [{"a-L": (10, 10)}, {"a-L": (10, 10)}]
    found = [{"a-L": (11, 10)}, {"a-L": (13, 10)}]
    data, predictions = folders(tmp_path, truth, found)
    low, high = evaluate(predictions, data, bootstrap_rounds=200).intervals["landmarks.mean_error_px"]
    assert (low, high) == pytest.approx((1, 3))


def test_one_deviation_per_landmark():
    with pytest.raises(DataSetError, match="one deviation per landmark, got 1 for 2"):
        Landmarks(NAMES, np.zeros((2, 2)), np.zeros(1))
