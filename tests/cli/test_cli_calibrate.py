"""`crepitus calibrate`: chosen, stored, and used by what comes after."""

import json

import numpy as np
import polars as pl
import pytest

from crepitus.cli import main


def run(*arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    output = capsys.readouterr()
    return ended.value.code, output.out, output.err


@pytest.fixture
def folders(tmp_path):
    """200 images, validation and test; scores overconfident by a factor of 3 in the log odds."""
    rng = np.random.default_rng(1)
    odds = rng.normal(-0.3, 1.5, 200)
    label = (rng.random(200) < 1 / (1 + np.exp(-odds))).astype(int)
    ids = [f"i{k:03d}" for k in range(200)]
    data = tmp_path / "data"
    data.mkdir()
    pl.DataFrame(
        {
            "image_id": ids,
            "file": [f"{i}.png" for i in ids],
            "rows": 8,
            "columns": 8,
            "patient_id": [f"p{k // 2}" for k in range(200)],
            "label": label,
            "split": ["val"] * 100 + ["test"] * 100,
        }
    ).write_csv(data / "images.csv")
    folder = tmp_path / "predictions"
    folder.mkdir()
    pl.DataFrame({"image_id": ids, "score": 1 / (1 + np.exp(-3 * odds))}).write_csv(folder / "images.csv")
    return folder, data


def evaluated(folder, data, capsys):
    status, out, err = run("evaluate", folder, "--data", data, "--split", "test", "--json", capsys=capsys)
    assert status == 0, err
    return json.loads(out)


def test_chosen_on_validation_stored_and_used_on_the_test_images(folders, capsys):
    predictions, data = folders
    before = evaluated(predictions, data, capsys)
    options = ("--data", data, "--split", "val", "--sensitivity", 0.9, "--doubt", 0.95, 0.9)
    status, out, err = run(
        "calibrate", predictions, *options, "--scores", "temperature", "--store", predictions, capsys=capsys
    )
    assert status == 0
    assert "100 images of 50 patients" in out
    stored = json.loads((predictions / "predictions.json").read_text())
    assert 0 < stored["thresholds"]["doubt_low"] < stored["thresholds"]["doubt_high"] < 1
    assert stored["calibration"]["temperature"] == pytest.approx(3, rel=0.5)
    after = evaluated(predictions, data, capsys)
    assert after["image.auroc"] == before["image.auroc"]
    assert after["calibration.ece"] < before["calibration.ece"] - 0.05
    assert after["image.sensitivity"] > before["image.sensitivity"]
    assert 0 < after["doubt.share"] < 1
    assert "doubt.share" not in before
    settings = json.loads((predictions / "evaluation-settings.json").read_text())
    assert (settings["image_threshold_stored"], settings["calibration"]) == (True, "temperature")
    assert "too good" not in err


def test_refit_for_a_site_keeps_the_record_of_earlier_times(folders, capsys, tmp_path):
    predictions, data = folders
    model = tmp_path / "run"
    model.mkdir()
    (model / "model.json").write_text('{"thresholds": {"image": 0.4, "box_floor": 0.1}, "sha256": "ab"}')
    options = ("--data", data, "--split", "val", "--bootstrap", 0, "--store", model)
    first = ("--doubt", 0.9, 0.9, "--scores", "isotonic", "--site", "A")
    assert run("calibrate", predictions, *options, *first, capsys=capsys)[0] == 0
    assert run("calibrate", predictions, *options, "--specificity", 0.8, "--site", "B", capsys=capsys)[0] == 0
    stored = json.loads((model / "model.json").read_text())
    assert [record["site"] for record in stored["operating_points"]] == ["A", "B"]
    assert stored["thresholds"]["box_floor"] == 0.1
    assert stored["thresholds"]["image"] == stored["operating_points"][1]["thresholds"]["image"]
    # The tier of A would contradict the threshold of B; A's calibration stays, as B asked for none.
    assert "doubt_low" not in stored["thresholds"]
    assert stored["calibration"]["method"] == "isotonic"
    assert stored["sha256"] == "ab"


def test_says_when_the_images_are_the_wrong_ones(folders, capsys):
    predictions, data = folders
    _, out, err = run("calibrate", predictions, "--data", data, "--json", capsys=capsys)
    assert "belong to the split test of the data set" in " ".join(err.split())
    result = json.loads(out)
    assert set(result["thresholds"]) == {"image"}
    assert result["reached"]["image.sensitivity.ci95"][0] < result["reached"]["image.sensitivity"]
    assert not (predictions / "predictions.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sensitivity", 0.9, "--specificity", 0.9), "got both"),
        (("--sensitivity", 95), "--sensitivity: expected a share within 0..1"),
        (("--fp-per-image", 0.2), "expected heatmaps and points"),
        (("--store", "nowhere"), "--store nowhere: expected a finished run"),
        (("--doubt", 0.9), "--doubt"),
        (("--scores", "platt"), "--scores"),
    ],
)
def test_one_line_and_status_2(folders, capsys, options, message):
    predictions, data = folders
    status, out, err = run("calibrate", predictions, "--data", data, *options, capsys=capsys)
    assert (status, out) == (2, "")
    assert message in err.splitlines()[-1]


def test_a_broken_calibration_is_refused(folders, capsys):
    predictions, data = folders
    (predictions / "predictions.json").write_text('{"calibration": {"method": "temperature"}}')
    status, _, err = run("evaluate", predictions, "--data", data, capsys=capsys)
    assert (status, len(err.splitlines())) == (2, 1)
    (predictions / "predictions.json").write_text('{"thresholds": {"doubt_low": 0.8, "doubt_high": 0.2}}')
    status, _, err = run("evaluate", predictions, "--data", data, capsys=capsys)
    assert (status, len(err.splitlines())) == (2, 1)
    assert "doubt_low of at most doubt_high" in err
