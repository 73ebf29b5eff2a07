"""Bootstrap rounds of a row: against a slow reference, paired between rows, kept while nothing changes."""

import hashlib
import json

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from crepitus.data import DataSet
from crepitus.evaluate.geometry import Radius
from crepitus.predict import Predictions
from crepitus.reproduce.judge import Bootstrap, judge, judged_once
from crepitus.reproduce.table import Metric, Row

AUROC, AP = "image.auroc", "image.ap"
METRICS = (Metric(AUROC, "AUROC"), Metric(AP, "AP"), Metric("boxes.ap_50", "AP50"))
ROW = Row("a", "A")
IDS = [f"i{k}" for k in range(12)]
PATIENTS = [f"p{k // 2}" for k in range(12)]
LABELS = [1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 1]


@pytest.fixture
def data(tmp_path):
    """Twelve images of six patients."""
    columns = {"image_id": IDS, "file": [f"{i}.png" for i in IDS], "rows": [8] * 12, "columns": [8] * 12}
    (tmp_path / "data").mkdir()
    pl.DataFrame({**columns, "patient_id": PATIENTS, "label": LABELS}).write_csv(tmp_path / "data/images.csv")
    return DataSet.read(tmp_path / "data")


def predictions(folder, scores, ids=IDS, sha256="0"):
    folder.mkdir()
    pl.DataFrame({"image_id": ids, "score": scores}).write_csv(folder / "images.csv")
    (folder / "predictions.json").write_text(json.dumps({"sha256": sha256}))
    return Predictions.read(folder)


def judged(predicted, data, rounds=40, seed=3, row=ROW):
    return judge(predicted, data, METRICS, row, Radius(0.1, "rel"), Bootstrap(rounds, seed))


def test_rounds_are_those_of_a_slow_reference(data, tmp_path):
    scores = np.random.default_rng(0).random(12).round(1)
    found = judged(predictions(tmp_path / "a", scores), data)
    assert found.figures[AUROC] == pytest.approx(roc_auc_score(LABELS, scores))
    # Six patients are drawn in each round; an image counts as often as its patient was drawn.
    stream = int.from_bytes(hashlib.sha256("\n".join(IDS).encode()).digest()[:8], "big")
    rng = np.random.default_rng([3, stream])
    for value in found.rounds[AUROC]:
        drawn = rng.integers(0, 6, 6)
        weights = np.array([np.sum(drawn == k // 2) for k in range(12)])
        labels = {label for label, weight in zip(LABELS, weights, strict=True) if weight}
        if len(labels) < 2:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(roc_auc_score(LABELS, scores, sample_weight=weights))


def test_rows_with_the_same_images_are_paired(data, tmp_path):
    scores = np.linspace(0.1, 0.9, 12)
    first, same = (judged(predictions(tmp_path / name, scores), data) for name in "ab")
    assert np.array_equal(first.rounds[AUROC], same.rounds[AUROC], equal_nan=True)
    assert len(np.unique(first.rounds[AUROC])) > 1
    # Fewer images: another stream. Another seed: other rounds.
    fewer = judged(predictions(tmp_path / "c", scores[:10], IDS[:10]), data)
    other = judged(predictions(tmp_path / "d", scores), data, seed=4)
    for different in (fewer, other):
        assert not np.array_equal(first.rounds[AUROC], different.rounds[AUROC], equal_nan=True)


def test_what_is_undefined_is_none_and_nan(data, tmp_path):
    found = judged(predictions(tmp_path / "a", np.linspace(0, 1, 12)), data, rounds=5)
    assert found.figures["boxes.ap_50"] is None
    assert np.isnan(found.rounds["boxes.ap_50"]).tolist() == [True] * 5
    nothing = judged(predictions(tmp_path / "b", np.linspace(0, 1, 12)), data, rounds=0)
    assert nothing.figures[AUROC] is not None
    assert [len(rounds) for rounds in nothing.rounds.values()] == [0, 0, 0]


def test_a_row_may_take_another_key(data, tmp_path):
    predicted = predictions(tmp_path / "a", np.linspace(0, 1, 12))
    swapped = judged(predicted, data, row=Row("a", "A", keys={AUROC: AP}))
    assert swapped.figures[AUROC] == swapped.figures[AP] != judged(predicted, data).figures[AUROC]


def test_figures_are_kept_until_something_changes(data, tmp_path):
    path, radius = tmp_path / "row/figures.json", Radius(0.1, "rel")
    first = predictions(tmp_path / "a", np.linspace(0, 1, 12))
    fresh = judged_once(path, first, data, METRICS, ROW, radius, Bootstrap(5, 0))
    # The file is what is read: a mark in it comes back.
    marked = json.loads(path.read_text())
    marked["figures"][AUROC] = 0.125
    path.write_text(json.dumps(marked))
    kept = judged_once(path, first, data, METRICS, ROW, radius, Bootstrap(5, 0))
    assert kept.figures[AUROC] == 0.125
    assert np.array_equal(kept.rounds[AP], fresh.rounds[AP], equal_nan=True)
    retrained = predictions(tmp_path / "b", np.linspace(0, 1, 12), sha256="1")
    for changed in (
        (retrained, ROW, radius, Bootstrap(5, 0)),
        (first, ROW, Radius(0.2, "rel"), Bootstrap(5, 0)),
        (first, ROW, radius, Bootstrap(6, 0)),
        (first, Row("a", "A", keys={AUROC: AP}), radius, Bootstrap(5, 0)),
    ):
        path.write_text(json.dumps(marked))
        predicted, row, *rest = changed
        assert judged_once(path, predicted, data, METRICS, row, *rest).figures[AUROC] != 0.125
