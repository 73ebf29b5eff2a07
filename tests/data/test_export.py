"""Out and back in: ids, boxes, points, landmarks, labels and columns stay the same."""

import json

import numpy as np
import polars as pl
import polars.testing
import pytest
from PIL import Image
from pycocotools.coco import COCO

from crepitus.data.export import export
from crepitus.data.folder import DataSet
from crepitus.data.importing import import_layout
from crepitus.data.sources import READERS, Options
from crepitus.data.writer import DataSetWriter
from crepitus.errors import DataSetError, UsageError

BOXES = {
    "a.1": [(10.123457, 20.1, 63.999999, 47.9, "fracture"), (0.0, 0.0, 64.0, 48.0, "metal")],
    "b": [(1.1, 2.2, 3.3, 4.4, "fracture")],
}


@pytest.fixture
def data(make_set):
    made = make_set(
        {
            "a.1": {
                "label": 1,
                "split": "train",
                "fold": 1,
                "patient_id": "007",
                "ward": "W",
                "spacing_mm": 0.1,
            },
            "b": {"split": "test", "fold": 0, "patient_id": "8", "ward": "V"},
            "c": {"label": 1, "split": "test", "fold": 0, "ward": "V", "age": 3.5},
            "d": {"label": 0, "fold": 1, "ward": "V"},
        },
        # The second point of a.1 is no centre of a box.
        points={"a.1": [(37.061728, 34.0), (1 / 3, 2 / 3)], "b": [(2.2, 3.3)]},
        boxes=BOXES,
    )
    (made.root / "landmarks.csv").write_text("image_id,name,x,y\na.1,tip,1.5,2.5\na.1,base,3,4\nd,tip,5,6\n")
    return DataSet.read(made.root)


def back(folder, layout, out):
    found = READERS[layout](folder, Options())
    with DataSetWriter(out, found.info, found.annotated) as writer:
        assert import_layout(found, writer) == []
    assert writer.rejected == []
    return DataSet.read(out)


@pytest.mark.parametrize("layout", ["coco", "yolo", "csv"])
def test_round_trip(data, tmp_path, layout):
    export(data, layout, tmp_path / "x")
    again = back(tmp_path / "x", layout, tmp_path / "again")
    same = pl.testing.assert_frame_equal
    for kind in ("points", "boxes", "landmarks"):
        order = ["image_id", *[c for c in getattr(data, kind).columns if c != "image_id"]]
        same(getattr(again, kind).sort(order), getattr(data, kind).sort(order), check_exact=True)
    before, after = data.images.drop("file"), again.images.sort("image_id")
    same(after.select(before.columns), before, check_exact=True)
    assert again.truth == data.truth
    for image_id in data.images["image_id"]:
        assert np.array_equal(again.radiograph(image_id).pixels, data.radiograph(image_id).pixels)


@pytest.mark.parametrize("layout", ["coco", "yolo", "csv"])
@pytest.mark.parametrize(
    ("kinds", "empty"),
    [
        (("boxes",), None),
        (("boxes",), "landmarks"),
        (("points", "boxes"), "landmarks"),
        (("boxes",), "points"),
    ],
)
def test_the_annotation_tables_come_back_and_no_other(make_set, tmp_path, layout, kinds, empty):
    """A set without points.csv must not come back with centres of boxes as if someone had marked them."""
    images = {"a.1": {"label": 1}, "b": {}, "c": {}}
    given = {"boxes": BOXES, "points": {"a.1": [(20, 30)]}}
    made = make_set(images, **{kind: given[kind] for kind in kinds})
    if empty:
        header = {"points": "image_id,x,y\n", "landmarks": "image_id,name,x,y\n"}[empty]
        (made.root / f"{empty}.csv").write_text(header)
    made = DataSet.read(made.root)
    made.info.update(licence="CC BY 4.0", source="Hospital")
    export(made, layout, tmp_path / "x")
    again = back(tmp_path / "x", layout, tmp_path / "again")
    for kind in ("points", "boxes", "landmarks"):
        before, after = getattr(made, kind), getattr(again, kind)
        assert (before is None) == (after is None), kind
        if before is not None:
            assert sorted(after.rows()) == sorted(before.rows())
    assert again.truth == made.truth == {"a.1": 1, "b": 1, "c": 0}
    assert {k: again.info[k] for k in ("name", "licence", "source")} == {
        "name": "set",
        "licence": "CC BY 4.0",
        "source": "Hospital",
    }


def test_a_source_that_lists_unknown_tables(data, tmp_path):
    export(data, "csv", tmp_path / "x")
    (tmp_path / "x/dataset.json").write_text('{"annotated": ["points", "masks"]}')
    with pytest.raises(
        DataSetError, match=r"dataset\.json, key annotated: expected a list of points, boxes, land"
    ):
        READERS["csv"](tmp_path / "x", Options())


def test_what_is_there_is_not_left_out(data, tmp_path):
    """A table that somebody added after the export counts, whatever dataset.json says."""
    export(data, "csv", tmp_path / "x")
    (tmp_path / "x/dataset.json").write_text('{"annotated": []}')
    assert READERS["csv"](tmp_path / "x", Options()).annotated == ("points", "boxes", "landmarks")


def test_coco_is_read_by_its_own_library(data, tmp_path, capsys):
    export(data, "coco", tmp_path / "x")
    coco = COCO(str(tmp_path / "x/annotations.json"))
    number = next(i["id"] for i in coco.imgs.values() if i["file_name"] == "images/a.1.png")
    fracture = coco.getCatIds(catNms=["fracture"])
    (annotation,) = coco.loadAnns(coco.getAnnIds(imgIds=[number], catIds=fracture))
    assert annotation["bbox"] == pytest.approx([10.123457, 20.1, 53.876542, 27.8])
    assert annotation["area"] == pytest.approx(53.876542 * 27.8)


def test_yolo_layout(data, tmp_path):
    export(data, "yolo", tmp_path / "x")
    text = (tmp_path / "x/data.yaml").read_text()
    assert text == "train: images/train\ntest: images/test\nnames:\n  0: fracture\n  1: metal\n"
    lines = (tmp_path / "x/labels/train/a.1.txt").read_text().splitlines()
    # The whole image: centre (0.5, 0.5), size (1, 1).
    assert lines[1] == "1 0.5 0.5 1.0 1.0"
    assert (tmp_path / "x/labels/test/c.txt").read_text() == ""
    assert Image.open(tmp_path / "x/images/train/a.1.png").size == (64, 48)
    assert (tmp_path / "x/images/d.png").is_file()


def test_refusals(data, make_set, tmp_path):
    points_only = make_set({"a": {}}, points={"a": [(1, 1)]}, name="points")
    for layout in ("coco", "yolo"):
        with pytest.raises(UsageError, match="expected a data set with boxes"):
            export(points_only, layout, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").write_text("mine")
    with pytest.raises(UsageError, match="expected a new or empty folder"):
        export(data, "coco", tmp_path / "full")
    (data.root / "images/b.png").unlink()
    with pytest.raises(DataSetError, match=r"images/b\.png of b is missing"):
        export(data, "csv", tmp_path / "y")
    assert not (tmp_path / "y/images.csv").exists()


def test_names_stay_inside(data, tmp_path):
    export(data, "coco", tmp_path / "x")
    names = [i["file_name"] for i in json.loads((tmp_path / "x/annotations.json").read_text())["images"]]
    assert sorted(names) == [f"images/{i}.png" for i in ("a.1", "b", "c", "d")]
