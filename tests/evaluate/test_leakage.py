"""Evaluation refuses what leaks between splits or folds, and says so where it is allowed."""

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image

from crepitus.cli import main
from crepitus.data import DataSet
from crepitus.errors import LeakageError
from crepitus.evaluate.compare import compare
from crepitus.evaluate.leakage import leaks
from crepitus.evaluate.run import evaluate
from crepitus.predict import Predictions


@pytest.fixture
def make(tmp_path):
    def build(**columns):
        root = tmp_path / "data"
        (root / "images").mkdir(parents=True, exist_ok=True)
        table = {
            "image_id": list("abcd"),
            "file": [f"images/{i}.png" for i in "abcd"],
            "rows": 8,
            "columns": 8,
            "label": [0, 1, 0, 1],
            "split": ["train", "val", "test", "test"],
            **columns,
        }
        pl.DataFrame(table).write_csv(root / "images.csv")
        folder = tmp_path / "predictions"
        folder.mkdir(exist_ok=True)
        (folder / "images.csv").write_text("image_id,score\nc,0.2\nd,0.9\n")
        return Predictions.read(folder), DataSet.read(root)

    return build


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"patient_id": ["p", "q", "p", "r"]}, "the same patient in two splits (p)"),
        ({"study_id": ["s", "s", "t", "t"]}, "the same study in two splits (s)"),
        ({"fold": [1, 2, 0, 0], "patient_id": ["p", "p", "q", "q"]}, "the same patient in two folds (p)"),
        ({"duplicate_group": ["a", None, "a", None]}, "the same picture in two splits (group of a)"),
    ],
)
def test_refused_with_the_names(make, columns, message):
    predictions, data = make(**columns)
    with pytest.raises(LeakageError) as caught:
        evaluate(predictions, data)
    assert message in str(caught.value)
    assert "--allow-leakage" in str(caught.value)
    with pytest.raises(LeakageError):
        compare(predictions, predictions, data, bootstrap_rounds=0)
    found = evaluate(predictions, data, allow_leakage=True)
    assert found.figures["count.leaks"] >= 1
    assert message in found.settings["leakage"]
    assert any(message in warning for warning in found.warnings)


def test_the_same_file_in_two_splits(make):
    predictions, data = make()
    rng = np.random.default_rng(9)
    for name, seed in zip("abcd", (0, 1, 0, 3), strict=True):
        pixels = np.random.default_rng(seed).integers(0, 255, (8, 8)).astype(np.uint8)
        Image.fromarray(pixels).save(data.root / "images" / f"{name}.png")
    assert leaks(data) == ["the same picture in two splits (a = c)"]
    pixels = rng.integers(0, 255, (8, 8)).astype(np.uint8)
    Image.fromarray(pixels).save(data.root / "images" / "a.png")
    assert leaks(data) == []
    assert "count.leaks" not in evaluate(predictions, data).figures


def test_no_leak(make):
    # A patient within one split, empty ids, no files, images without a split.
    assert leaks(make(patient_id=["p", "q", "r", "r"])[1]) == []
    assert leaks(make(split=[None] * 4, patient_id=["p"] * 4)[1]) == []
    assert leaks(make(split=["test", None, "test", "test"], patient_id=["p"] * 4)[1]) == []
    many = make(split=["train", "test"] * 2, patient_id=["p", "p", "q", "q"])[1]
    assert leaks(many) == ["the same patient in two splits (p, q)"]


def test_as_a_user_sees_it(make, capsys):
    predictions, data = make(patient_id=["p", "q", "p", "r"])
    arguments = ["evaluate", str(predictions.root), "--data", str(data.root)]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    err = capsys.readouterr().err
    assert (ended.value.code, len(err.splitlines())) == (2, 1)
    assert "the same patient in two splits (p)" in err
    assert not (predictions.root / "evaluation.json").exists()
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--allow-leakage"])
    assert ended.value.code == 0
    result = json.loads((predictions.root / "evaluation.json").read_text())
    assert result["count.leaks"] == 1
    settings = json.loads((predictions.root / "evaluation-settings.json").read_text())
    assert settings["allow_leakage"] is True
    assert "Leakage" in (predictions.root / "report.html").read_text()
