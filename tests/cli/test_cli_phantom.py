"""`crepitus phantom` as a user runs it."""

import json

import numpy as np
import pytest

from crepitus.cli import main
from crepitus.data.folder import DataSet
from crepitus.dicom.read import read_dicom


def run(*arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in arguments])
    return caught.value.code


def test_writes_a_data_set_that_can_be_read(tmp_path, capsys):
    out = tmp_path / "set"
    arguments = ("phantom", "long-bone", "--count", 4, "--seed", 1, "--size", 64, "--out", out, "--dicom")
    assert run(*arguments, "--preset", "easy", "--workers", 1, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["images"], result["fractured"]) == (4, 2)
    data = DataSet.read(out)
    assert len(data) == 4
    assert data.info["settings"]["seed"] == 1
    for image_id in data.images["image_id"]:
        image, truth = data.radiograph(image_id), data.annotation(image_id)
        assert bool(truth.label) == bool(len(truth.points)) == bool(len(truth.boxes))
        dicom = read_dicom(out / "dicom" / f"{image_id}.dcm")
        np.testing.assert_array_equal(dicom.pixels, image.pixels.astype(np.uint16) * 257)
        assert dicom.spacing_mm == pytest.approx(image.spacing_mm, rel=1e-4)
    assert {"gap_mm", "displacement_mm", "angulation_deg", "visibility"} <= set(data.images.columns)


def test_all_negative_set_is_still_annotated(tmp_path):
    # One image: whether it is broken or not, both tables exist.
    assert run("phantom", "long-bone", "--count", 1, "--size", 64, "--out", tmp_path / "one") == 0
    data = DataSet.read(tmp_path / "one")
    assert data.points is not None
    assert data.boxes is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("spine", "--count", 1), "spine"),
        (("long-bone", "--count", 0), "--count"),
        (("long-bone", "--count", 1, "--size", 100), "multiple of 32"),
        (("long-bone", "--count", 1, "--preset", "simple"), "simple"),
        (("long-bone",), "--count"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(tmp_path, capsys, arguments, message):
    assert run("phantom", *arguments, "--out", tmp_path / "x") == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "Traceback" not in error


def test_existing_folder_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "kept.txt").write_text("mine")
    assert run("phantom", "long-bone", "--count", 1, "--out", tmp_path) == 2
    assert (tmp_path / "kept.txt").read_text() == "mine"
    assert "--out" in capsys.readouterr().err
