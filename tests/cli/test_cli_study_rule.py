"""`--study-rule` of evaluate and compare: the same predictions judged by each rule."""

import json

import polars as pl
import pytest

from crepitus.cli import main

# Study s (positive): views 0.9, 0.6, 0.2; study t (negative): 0.8, 0.1, 0.1; study u (negative): 0.3.
# Threshold 0.5. At least one: s 0.9, t 0.8, u 0.3: t is wrong, accuracy 2/3. Majority: s 0.6, t 0.1, u 0.3:
# all right. Noisy-or with its own threshold 0.9: s 1 - 0.1 * 0.4 * 0.8 = 0.968, u 0.3,
# t 1 - 0.2 * 0.9 * 0.9 = 0.838: all right.
IMAGES = [
    *((f"s{k}", "s", 1, score) for k, score in enumerate([0.9, 0.6, 0.2])),
    *((f"t{k}", "t", 0, score) for k, score in enumerate([0.8, 0.1, 0.1])),
    ("u0", "u", 0, 0.3),
]
EXPECTED = {"at-least-one": 2 / 3, "majority": 1.0, "noisy-or": 1.0}


def run(*arguments):
    """Exit status of the command."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code or 0


@pytest.fixture
def folders(tmp_path):
    table = pl.DataFrame(IMAGES, ["image_id", "study_id", "label", "score"], orient="row")
    data, predictions = tmp_path / "data", tmp_path / "predictions"
    data.mkdir()
    predictions.mkdir()
    described = table.drop("score").with_columns(
        file=pl.lit("images/x.png"), rows=8, columns=8, patient_id="study_id"
    )
    described.write_csv(data / "images.csv")
    table.select("image_id", "score").write_csv(predictions / "images.csv")
    info = {"thresholds": {"image": 0.5}, "study_rules": {"noisy-or": {"threshold": 0.9}}}
    (predictions / "predictions.json").write_text(json.dumps(info))
    return data, predictions


@pytest.mark.parametrize("rule", EXPECTED)
def test_each_rule_judges_the_same_predictions(folders, capsys, rule):
    data, predictions = folders
    assert run("evaluate", predictions, "--data", data, "--study-rule", rule, "--json") == 0
    assert json.loads(capsys.readouterr().out)["study.accuracy"] == pytest.approx(EXPECTED[rule])
    settings = json.loads((predictions / "evaluation-settings.json").read_text())
    assert settings["study_rule"] == rule


def test_two_rules_are_compared_on_the_same_predictions(folders, capsys):
    data, predictions = folders
    options = ["--study-rule-a", "at-least-one", "--study-rule-b", "majority", "--bootstrap", "0", "--json"]
    assert run("compare", predictions, predictions, "--data", data, *options) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["figures"]["study.accuracy"]["difference"] == pytest.approx(-1 / 3)
    assert result["study_rules"] == {"a": "at-least-one", "b": "majority"}


@pytest.mark.parametrize("rule", ["most", "learned"])
def test_a_rule_that_cannot_be_used_is_one_line(folders, capsys, rule):
    data, predictions = folders
    assert run("evaluate", predictions, "--data", data, "--study-rule", rule) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--study-rule" in error


def test_without_studies_there_is_nothing_to_judge(folders, capsys):
    data, predictions = folders
    table = pl.read_csv(data / "images.csv").drop("study_id")
    table.write_csv(data / "images.csv")
    assert run("evaluate", predictions, "--data", data, "--study-rule", "majority") == 2
    assert "study_id" in capsys.readouterr().err
