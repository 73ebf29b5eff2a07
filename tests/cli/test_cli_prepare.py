"""`crepitus prepare` as a user meets it: what it prints, how it ends, what it refuses."""

import json

import numpy as np
import polars as pl
import pytest

from crepitus.cli.app import main
from crepitus.data import DataSet, DataSetWriter
from crepitus.structures import Annotation, Radiograph


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    with DataSetWriter(tmp_path / "in", {}) as writer:
        for name, tag in (("a", "Wrist"), ("b", "MU?ECA"), ("c", "Rodilla"), ("d", None)):
            pixels = np.zeros((40, 30), np.uint8)
            pixels[:, 8:20] = rng.integers(100, 200, 12)
            writer.add(Radiograph(name, pixels), Annotation(), body_part=tag)
    return tmp_path / "in"


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["prepare", *map(str, arguments)])
    return ended.value.code


def test_filter_prints_the_histogram_and_ends_with_3(data, tmp_path, capsys):
    options = ("--body-part", "muñeca", "--size", "32", "--workers", "1")
    assert run(data, "--out", tmp_path / "out", *options, "--json") == 3
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert (result["sources"], result["images"], result["rejected"]) == (4, 2, 2)
    assert {"tag": "MU?ECA", "images": 1, "parts": ["wrist"]} in result["tags"]
    assert "'Rodilla'  knee" in output.err
    assert "(empty)  unknown" in output.err
    assert DataSet.read(tmp_path / "out").images["rows"].to_list() == [32, 32]
    rejected = pl.read_csv(tmp_path / "out" / "rejected.csv")
    assert rejected["code"].to_list() == ["not-assessable"] * 2


def test_without_a_size_the_size_stays(data, tmp_path):
    assert run(data, "--out", tmp_path / "out", "--steps", "polarity", "--workers", "1") == 0
    assert DataSet.read(tmp_path / "out").images["rows"].to_list() == [40] * 4


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ((), "polarity"),
        (("--size", "32"), "polarity pad resize"),
        (("--pad", "2:1"), "polarity pad"),
        (("--body-part", "wrist", "--keep-untagged"), "body-part polarity"),
    ],
)
def test_splitter_and_aligner_are_left_out_unless_named(data, tmp_path, options, steps):
    run(data, "--out", tmp_path / "out", "--workers", "1", *options)
    assert set(DataSet.read(tmp_path / "out").images["prepared"]) == {steps}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--steps", "polarity,bleach"), "--steps: expected some of body-part"),
        (("--steps", "resize"), "--size"),
        (("--body-part", "banana"), "--body-part: expected some of wrist"),
        (("--body-part", "skull"), "got None (1), 'MU?ECA' (1)"),
        (("--pad", "2"), "WIDTH:HEIGHT"),
        (("--heuristic", "guess"), "--heuristic: expected crepitus or thesis"),
    ],
)
def test_wrong_options_end_with_one_line(data, tmp_path, capsys, options, words):
    assert run(data, "--out", tmp_path / "out", *options) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line
    assert not (tmp_path / "out").exists()


def test_what_is_no_data_set_is_refused(tmp_path, capsys):
    assert run(tmp_path / "nothing", "--out", tmp_path / "out") == 2
    assert "expected a data set folder" in capsys.readouterr().err
