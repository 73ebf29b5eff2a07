"""By commands from pelves to an answer: detector, regions, aasn, files without landmarks."""

import json
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

import crepitus as crepitus_package
from crepitus.cli.app import main
from crepitus.data import DataSet, DataSetWriter
from crepitus.structures import Annotation, Landmarks, Points, Radiograph

METHODS = Path(crepitus_package.__file__).parent / "methods"
SMOKE = {name: METHODS / name / "configs" / "smoke.toml" for name in ("aasn", "landmarks")}
NAMES = ("pubis-a-L", "pubis-a-R", "ischium-a-L", "ischium-a-R", "asis-L", "asis-R")
SHAPE = np.array([[40.0, 30], [24, 30], [48, 44], [16, 44], [56, 12], [8, 12]])
SET_NAMES = f"={json.dumps(NAMES)}"


def crepitus(*arguments):
    """Exit status of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    return ended.value.code


@pytest.fixture(scope="module")
def pelves(tmp_path_factory):
    """Twelve pictures of 64 x 64 with six bright landmarks; every second has a dark spot at one of them."""
    root = tmp_path_factory.mktemp("pelves") / "data"
    generator = np.random.default_rng(0)
    with DataSetWriter(root, {"name": "pelves"}, annotated=("points", "landmarks")) as writer:
        for k in range(12):
            pixels = generator.integers(20, 60, (64, 64)).astype(np.uint8)
            xy = SHAPE + generator.uniform(-3, 3, 2)
            for x, y in xy:
                cv2.circle(pixels, (int(x), int(y)), 4, 220, -1)
            points = xy[[k % 4]] if k % 2 else np.zeros((0, 2))
            for x, y in points:
                cv2.circle(pixels, (int(x), int(y)), 2, 0, -1)
            writer.add(
                Radiograph(f"p{k:02d}", pixels, spacing_mm=2.0),
                Annotation(label=k % 2, points=Points(points), landmarks=Landmarks(NAMES, xy)),
                split=("train", "train", "train", "train", "val", "test")[k // 2],
            )
    return root


@pytest.fixture(scope="module")
def detector(pelves):
    run = pelves.parent / "detector"
    status = crepitus(
        "train", "landmarks", "--data", pelves, "--out", run,
        "--config", SMOKE["landmarks"],
        "--set", "detector.names" + SET_NAMES, "--set", "training.epochs=1",
        "--set", "assess.max_sd=100", "--set", "assess.max_residual=1",
    )  # fmt: skip
    assert status == 0
    return run


def test_detector_writes_landmarks_with_deviations_that_are_evaluated(pelves, detector, capsys):
    found = pelves.parent / "found"
    assert crepitus("predict", detector, pelves, "--split", "test", "--out", found) == 0
    assert crepitus("explain", detector, pelves, "--out", pelves.parent / "none") == 2
    assert "it answers with places of landmarks, not with a fracture" in capsys.readouterr().err
    table = pl.read_csv(found / "landmarks.csv")
    assert table["name"].to_list() == list(NAMES) * 2
    assert (table["sd_px"] > 0).all()
    capsys.readouterr()
    assert crepitus("evaluate", found, "--data", pelves, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["landmarks.found"] == 1
    assert figures["landmarks.mean_error_mm"] == pytest.approx(2 * figures["landmarks.mean_error_px"])
    # The untrained graph stands at the mean shape, 3 px off at most, and has had one epoch since.
    assert figures["landmarks.mean_error_px"] < 12


def test_regions_then_aasn_with_the_landmarks_of_the_data_set(pelves, tmp_path):
    regions, run = tmp_path / "regions", tmp_path / "run"
    assert crepitus("regions", pelves, "--out", regions, "--rows", 32, "--columns", 64) == 0
    assert DataSet.read(regions).annotation("p01").landmarks.names == NAMES[:4]
    status = crepitus(
        "train", "aasn", "--data", regions, "--out", run, "--config", SMOKE["aasn"],
        "--set", "landmarks.names" + SET_NAMES, "--set", "training.epochs=1",
    )  # fmt: skip
    assert status == 0
    found = tmp_path / "found"
    assert crepitus("predict", run, regions, "--split", "test", "--out", found) == 0
    maps = tmp_path / "maps"
    assert crepitus("explain", run, regions, "--split", "test", "--steps", 2, "--out", maps) == 0
    explained = pl.read_csv(maps / "explanations.csv")
    assert explained["explainer"].to_list() == ["own"] * 2
    assert explained["deletion_auc"].null_count() == 0
    assert pl.read_csv(found / "images.csv").height == 2
    # The distance map: 32 x 64 at a stride of 16.
    evidence = [np.load(path) for path in (found / "evidence").glob("*.npy")]
    assert [values.shape for values in evidence] == [(2, 4)] * 2
    # A file says nothing about landmarks, and this model has no detector.
    picture = DataSet.read(regions).path("p00")
    assert crepitus("predict", run, picture, "--out", tmp_path / "file") == 3
    assert pl.read_csv(tmp_path / "file" / "rejected.csv")["code"].to_list() == ["not-assessable"]


def test_aasn_with_a_detector_inside_answers_about_files(pelves, detector, tmp_path):
    run = tmp_path / "run"
    status = crepitus(
        "train", "aasn", "--data", pelves, "--out", run, "--config", SMOKE["aasn"],
        "--set", f"landmarks.run={detector}", "--set", "training.epochs=1",
        "--set", "region.source=landmarks", "--set", "input.rows_px=64", "--set", "input.fit=pad",
    )  # fmt: skip
    assert status == 0
    picture = DataSet.read(pelves).path("p00")
    assert crepitus("predict", run, picture, "--out", tmp_path / "file") == 0
    assert pl.read_csv(tmp_path / "file" / "landmarks.csv").height == len(NAMES)
    heatmap = np.load(next((tmp_path / "file" / "heatmaps").glob("*.npy")))
    assert heatmap.shape == (8, 8)
    score = pl.read_csv(tmp_path / "file" / "images.csv")["score"].item()
    assert score == pytest.approx(float(heatmap.max()), abs=1e-3)


def test_wrong_run_is_one_line(pelves, tmp_path, capsys):
    status = crepitus(
        "train", "aasn", "--data", pelves, "--out", tmp_path / "run", "--set", f"landmarks.run={tmp_path}"
    )
    assert status == 2
    assert "expected the folder of a finished" in capsys.readouterr().err
