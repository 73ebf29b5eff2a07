"""import, split, audit, export and merge as a user types them: exit status, messages, JSON."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from crepitus.cli import main
from crepitus.data.folder import DataSet


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        printed = capsys.readouterr()
        return end.value.code, printed.out, printed.err

    return call


@pytest.fixture
def folder(tmp_path):
    """Twelve images in the csv layout; one listed image is cut, yet closed by an end marker."""
    root = tmp_path / "source"
    root.mkdir()
    lines = ["file,label,patient_id,x,y"]
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 50), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{number}.jpg", quality=95)
        mark = "10,20" if number % 3 == 0 else ","
        lines.append(f"{number}.jpg,{int(number % 3 == 0)},p{number},{mark}")
    whole = (root / "11.jpg").read_bytes()
    (root / "11.jpg").write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    (root / "images.csv").write_text("\n".join(lines) + "\n")
    return root


def test_from_import_to_merge(run, folder, tmp_path):
    out = tmp_path / "set"
    status, printed, messages = run("import", folder, "--format", "csv", "--out", out)
    assert status == 3
    assert printed == f"11 images, 1 rejected, 4 points -> {out}\n"
    assert "1 input was set aside (damaged); see" in messages
    assert (out / "rejected.csv").read_text().splitlines()[1].startswith("11.jpg,damaged,")

    status, printed, _ = run("split", out, "--folds", "3", "--seed", "4", "--json")
    assert status == 0
    result = json.loads(printed)
    assert [fold["images"] for fold in result["fold"].values()] == [4, 4, 3]
    assert result["split"]["test"]["images"] == 4
    assert DataSet.read(out).images["fold"].null_count() == 0

    status, printed, _ = run("audit", out, "--json")
    assert status == 0
    assert json.loads(printed)["damaged"] == []
    status, printed, _ = run("audit", out)
    assert (status, printed.splitlines()[0]) == (0, f"11 images in {out}")

    status, printed, messages = run("export", out, "--format", "csv", "--out", tmp_path / "x")
    assert (status, printed) == (0, "")
    assert messages.endswith(f"11 images -> {tmp_path / 'x'}\n")
    status, printed, _ = run("export", out, "--format", "csv", "--out", tmp_path / "y", "--json")
    assert status == 0
    # Images 0, 3, 6 and 9 have a point each; the source has neither boxes nor landmarks.
    assert json.loads(printed) == {
        "out": str(tmp_path / "y"),
        "format": "csv",
        "images": 11,
        "points": 4,
        "boxes": None,
        "landmarks": None,
    }
    assert run("import", tmp_path / "x", "--format", "csv", "--out", tmp_path / "again")[0] == 0
    status, printed, messages = run("merge", out, tmp_path / "again", "--out", tmp_path / "both")
    assert status == 0
    assert "22 images" in printed
    assert "split and fold are empty now" in messages
    # Every image is there twice, from two "sites": the split keeps both together.
    status, printed, _ = run("split", tmp_path / "both", "--folds", "2", "--json")
    assert json.loads(printed)["duplicate_groups"] == 11
    assert json.loads(run("audit", tmp_path / "both", "--json")[1])["duplicates_across_folds"] == []


@pytest.mark.parametrize("existing", [False, True])
def test_an_import_without_a_usable_image_writes_nothing(run, folder, tmp_path, existing):
    out = tmp_path / "set"
    if existing:
        out.mkdir()
    for path in folder.glob("*.jpg"):
        path.write_bytes(path.read_bytes()[:300])
    status, printed, messages = run("import", folder, "--format", "csv", "--out", out, "--json")
    assert (status, printed) == (2, "")
    last = messages.splitlines()[-1]
    assert last.startswith(
        "crepitus: expected images, none of the 12 of the source can be used; the first: 0.jpg"
    )
    assert last.endswith("(damaged); nothing was written")
    assert list(out.iterdir()) == [] if existing else not out.exists()


def test_an_import_of_an_empty_table_writes_nothing(run, folder, tmp_path):
    (folder / "images.csv").write_text("file,label\n")
    status, _, messages = run("import", folder, "--format", "csv", "--out", tmp_path / "set")
    assert status == 2
    assert len(messages.splitlines()) == 1
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "nowhere", "--format", "csv", "--out", "o"], "SOURCE nowhere: expected a folder"),
        (["import", ".", "--format", "csv", "--out", "o"], "expected a table of the images"),
        (["import", ".", "--format", "voc", "--out", "o"], "'voc' is not one of"),
        (
            ["import", ".", "--format", "csv", "--out", "o", "--annotations", "t"],
            "--annotations t: expected a file",
        ),
        (["import", ".", "--format", "csv"], "--out"),
        (["split", "nowhere"], "nowhere: expected a data set folder"),
        (["audit", "."], "expected images.parquet or images.csv"),
        (["export", ".", "--format", "coco", "--out", "o"], "expected images.parquet or images.csv"),
        (["merge", "nowhere", "--out", "o"], "nowhere: expected a data set folder"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, printed, messages = run(*arguments)
    assert (status, printed) == (2, "")
    assert message in messages
    assert len(messages.strip().splitlines()) == 1


def test_a_broken_data_set_is_status_2(run, folder, tmp_path):
    run("import", folder, "--format", "csv", "--out", tmp_path / "set")
    (tmp_path / "set/points.csv").write_text("image_id,x,y\n0,10,999\n")
    status, _, messages = run("split", tmp_path / "set")
    assert status == 2
    assert "points.csv, row 1, column y: expected a position inside the image, got 999.0" in messages
    (tmp_path / "set/points.csv").unlink()
    (tmp_path / "set/images/0.jpg").unlink()
    status, _, messages = run("split", tmp_path / "set")
    assert status == 2
    assert (
        "0.jpg: expected an image file, there is none; find all such files with 'crepitus audit'" in messages
    )
    assert run("split", tmp_path / "set", "--no-duplicates")[0] == 0


@pytest.mark.parametrize("command", ["import", "split", "audit", "export", "merge"])
def test_help_loads_nothing_heavy(command):
    """Help comes at once: polars, OpenCV and scikit-learn are imported by the work, not by the parser."""
    code = (
        "import sys; from crepitus.cli import main\n"
        f"try: main([{command!r}, '--help'])\n"
        "except SystemExit as end: print(end.code, [m for m in ('polars', 'cv2', 'sklearn', 'torch') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
