"""The wrist example at smoke scale: from DICOM studies to answers for studies and explanations."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

import crepitus

EXAMPLE = Path(__file__).parents[2] / "examples" / "wrist_study.py"


def run(*arguments):
    source = str(Path(crepitus.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    command = [sys.executable, str(EXAMPLE), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_from_dicom_studies_to_a_report(tmp_path):
    small = ("--set", "training.epochs=1", "--set", "input.size_px=64", "--set", "rx.channels=[4,8]")
    done = run("--out", tmp_path, "--count", 20, "--size", 64, "--explain", 2, *small)
    assert done.returncode == 0, done.stderr[-2000:]
    with (tmp_path / "predictions" / "studies.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2  # ten studies in five folds
    for row in rows:
        assert row["images"] == "2"
        assert row["views"]
        assert 0 <= float(row["score"]) <= 1
    assert (tmp_path / "predictions" / "report.html").is_file()
    with (tmp_path / "explained" / "explanations.csv").open(encoding="utf-8") as stream:
        maps = list(csv.DictReader(stream))
    assert [row["explainer"] for row in maps] == ["lrp", "grad-cam"] * 2
    assert all(float(row["conservation_error"]) < 0.01 for row in maps if row["explainer"] == "lrp")
    assert (tmp_path / "explained" / "explain.html").is_file()


@pytest.mark.parametrize("given", ["--incoming", "--labels"])
def test_files_of_ones_own_need_labels(tmp_path, given):
    done = run("--out", tmp_path, given, tmp_path)
    assert done.returncode == 2
    assert "expected --incoming and --labels" in done.stderr
