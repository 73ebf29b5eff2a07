"""A data set of regions: what moves along, what a label becomes, what is set aside, the command."""

import json

import numpy as np
import polars as pl
import pytest

from crepitus.cli.app import main
from crepitus.data import DataSet, DataSetWriter
from crepitus.data.regions import write_regions
from crepitus.errors import DataSetError
from crepitus.structures import Annotation, Boxes, Landmarks, Points, Radiograph

XY = np.array([[60.0, 30.0], [20.0, 30.0], [60.0, 40.0], [20.0, 40.0], [90.0, 5.0]])
NAMES = ("pubis-L", "pubis-R", "ischium-L", "ischium-R", "asis-L")


@pytest.fixture
def data(tmp_path):
    """Regions are x 10..70, y 20..50 at margin 0.25; ids say where the fracture is."""
    points = {"inside": [[40.0, 35.0], [80.0, 35.0]], "outside": [[80.0, 70.0]], "none": [], "unmarked": []}
    with DataSetWriter(
        tmp_path / "whole", {"name": "w"}, annotated=("points", "boxes", "landmarks")
    ) as writer:
        for k, (name, xy) in enumerate(points.items()):
            writer.add(
                Radiograph(name, np.full((80, 100), 50 + k, dtype=np.uint8), spacing_mm=1.5),
                Annotation(
                    label=int(name != "none"),
                    points=Points(np.array(xy).reshape(-1, 2)),
                    boxes=Boxes(np.array([[0.0, 20.0, 30.0, 50.0], [60.0, 20.0, 90.0, 50.0]])),
                    landmarks=Landmarks(NAMES, XY),
                ),
                patient_id=f"p{k}",
                site="a",
            )
        writer.add(Radiograph("lost", np.zeros((80, 100), dtype=np.uint8)), Annotation(label=0))
    return DataSet.read(tmp_path / "whole")


def test_everything_moves_along(data, tmp_path):
    writer = write_regions(data, tmp_path / "regions", rows=60, columns=120, margin=0.25)
    regions = DataSet.read(tmp_path / "regions")
    assert [code for _, code, _ in writer.rejected] == ["not-assessable"]
    row = regions.row("inside")
    assert (row["rows"], row["columns"], row["patient_id"], row["site"]) == (60, 120, "p0", "a")
    # 120 px for 60: half the spacing.
    assert row["spacing_mm"] == pytest.approx(0.75)
    known = regions.annotation("inside")
    # (40, 35) - (10, 20) = (30, 15), twice as large; the second point lies outside.
    assert known.points.xy.tolist() == [[60, 30]]
    # Boxes: x 0..30 is cut to 10..30 (two thirds), x 60..90 has a third inside and goes.
    assert known.boxes.xyxy.tolist() == [[0, 0, 40, 60]]
    assert known.landmarks.names == NAMES[:4]
    assert known.landmarks.xy[0].tolist() == [100, 20]
    assert (regions.radiograph("inside").pixels == 50).all()
    assert regions.info["regions"]["landmarks"] == "data set"


def test_labels_are_those_of_the_region(data, tmp_path):
    write_regions(data, tmp_path / "regions", rows=60, columns=120, margin=0.25)
    truth = DataSet.read(tmp_path / "regions").truth
    # A fracture at an unknown place may be in the region.
    assert truth == {"inside": 1, "outside": 0, "none": 0, "unmarked": 1}


def test_landmarks_of_a_detector_decide(data, tmp_path):
    found = pl.DataFrame(
        [("none", name, x + 5, y) for name, (x, y) in zip(NAMES, XY.tolist(), strict=True)],
        schema=["image_id", "name", "x", "y"],
        orient="row",
    )
    writer = write_regions(data, tmp_path / "regions", rows=60, columns=120, margin=0.25, found=found)
    assert len(writer) == 1
    assert DataSet.read(tmp_path / "regions").annotation("none").landmarks.xy[0].tolist() == [100, 20]


def test_without_landmarks_there_is_nothing_to_cut(data, tmp_path):
    (data.root / "landmarks.csv").unlink()
    with pytest.raises(DataSetError, match=r"expected landmarks\.csv"):
        write_regions(DataSet.read(data.root), tmp_path / "regions")


def test_no_region_at_all_is_refused_and_leaves_nothing(data, tmp_path):
    with pytest.raises(DataSetError, match="none of the 5 images"):
        write_regions(data, tmp_path / "regions", members=("femur",))
    assert not (tmp_path / "regions").exists()


def test_command(data, tmp_path, capsys):
    out = tmp_path / "regions"
    with pytest.raises(SystemExit) as ended:
        main(["regions", str(data.root), "--out", str(out), "--rows", "60", "--columns", "120", "--json"])
    assert ended.value.code == 3
    assert json.loads(capsys.readouterr().out)["regions"] == 4
    with pytest.raises(SystemExit) as ended:
        main(["regions", str(data.root), "--out", str(tmp_path / "x"), "--landmarks", str(data.root)])
    assert ended.value.code == 2
    assert "images.csv" in capsys.readouterr().err
