"""Faults in a folder are refused with file, row and column (row 19), and good ones are read as written."""

import json

import numpy as np
import pytest

from crepitus.data.folder import DataSet
from crepitus.errors import Damaged, DataSetError

IMAGES = "image_id,file,rows,columns,label\na,images/a.png,48,64,1\nb,images/b.png,48,64,0\n"
POINTS = "image_id,x,y\na,10,20\n"
BOXES = "image_id,x_min,y_min,x_max,y_max,label\na,1,2,64,48,fracture\n"
LANDMARKS = "image_id,name,x,y\na,tip,1,2\n"


def write(folder, **tables):
    folder.mkdir(exist_ok=True)
    for name, text in {"images": IMAGES, **tables}.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def test_a_good_folder(tmp_path, save):
    folder = write(tmp_path / "d", points=POINTS, boxes=BOXES, landmarks=LANDMARKS)
    pixels = save(folder / "images" / "a.png", 1)
    data = DataSet.read(folder)
    assert len(data) == 2
    assert data.truth == {"a": 1, "b": 0}
    assert np.array_equal(data.radiograph("a").pixels, pixels)
    annotation = data.annotation("a")
    # A box may end on the far edge, since boxes are half-open.
    assert annotation.boxes.xyxy.tolist() == [[1, 2, 64, 48]]
    assert annotation.points.xy.tolist() == [[10, 20]]
    assert annotation.landmarks.names == ("tip",)
    assert len(data.annotation("b").points) == 0
    with pytest.raises(Damaged, match="there is none"):
        data.radiograph("b")
    with pytest.raises(DataSetError, match="expected an image_id of the data set, got 'z'"):
        data.path("z")


def test_annotations_are_those_of_the_image_in_the_order_of_the_tables(tmp_path):
    points = "image_id,x,y\nb,1,2\na,3,4\nb,5,6\n"
    boxes = "image_id,x_min,y_min,x_max,y_max,label\nb,1,2,3,4,metal\na,2,2,4,4,fracture\nb,5,6,7,8,ulna\n"
    marks = "image_id,name,x,y\nb,tip,1,2\na,tip,3,4\nb,base,5,6\n"
    data = DataSet.read(write(tmp_path / "d", points=points, boxes=boxes, landmarks=marks))
    for image_id in data.images["image_id"]:
        found = data.annotation(image_id)
        for kept, table, columns in (
            (found.points.xy, data.points, ("x", "y")),
            (found.boxes.xyxy, data.boxes, ("x_min", "y_min", "x_max", "y_max")),
            (found.landmarks.xy, data.landmarks, ("x", "y")),
        ):
            own = table.filter(table["image_id"] == image_id)
            assert np.array_equal(kept, own.select(columns).to_numpy())
    assert data.annotation("b").boxes.labels == ("metal", "ulna")
    assert data.annotation("b").landmarks.names == ("tip", "base")


def test_truth_without_labels(tmp_path):
    text = "image_id,file,rows,columns\na,a.png,48,64\nb,b.png,48,64\n"
    assert DataSet.read(write(tmp_path / "d", images=text)).truth == {"a": None, "b": None}
    assert DataSet.read(write(tmp_path / "d", images=text, points=POINTS)).truth == {"a": 1, "b": 0}
    # A box of another kind is no fracture.
    metal = BOXES.replace("fracture", "metal")
    data = DataSet.read(write(tmp_path / "e", images=text, boxes=metal))
    assert data.truth == {"a": 0, "b": 0}


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("points", "image_id,x,y\na,10,20\na,64,20\n", "points.csv, row 2, column x: .*inside.*got 64"),
        ("points", "image_id,x,y\na,10,48.0\n", "points.csv, row 1, column y: .*inside"),
        ("points", "image_id,x,y\na,-0.1,4\n", "points.csv, row 1, column x: .*inside"),
        ("points", "image_id,x,y\na,nan,4\n", "points.csv, row 1, column x: expected a finite number"),
        ("points", "image_id,x,y\na,inf,4\n", "points.csv, row 1, column x: expected a finite number"),
        ("points", "image_id,x,y\na,,4\n", "points.csv, row 1, column x: expected a finite number"),
        ("points", "image_id,x,y\na,ten,4\n", "points.csv, row 1, column x: expected a number, got 'ten'"),
        ("points", "image_id,x,y\nz,1,4\n", "points.csv, row 1, column image_id: .*got 'z'"),
        ("points", "image_id,x,y\n,1,4\n", "points.csv, row 1, column image_id"),
        ("points", "image_id,x\na,1\n", "points.csv: column 'y' is missing"),
        ("points", "", "points.csv: .*the file is empty"),
        ("boxes", BOXES + "a,5,5,5,9,fracture\n", "boxes.csv, row 2, column x_max: expected more than x_min"),
        ("boxes", BOXES + "a,5,5,65,9,fracture\n", "boxes.csv, row 2, column x_max: .*inside"),
        ("boxes", BOXES + "a,5,5,6,9,\n", "boxes.csv, row 2, column label"),
        ("boxes", BOXES + "a,5,nan,6,9,m\n", "boxes.csv, row 2, column y_min"),
        ("landmarks", LANDMARKS + "a,tip,3,3\n", "landmarks.csv, row 2, column name: .*once"),
        ("landmarks", LANDMARKS + "a,,3,3\n", "landmarks.csv, row 2, column name"),
        ("images", IMAGES + "a,images/c.png,4,4,0\n", "images.csv, row 3, column image_id: .*earlier"),
        ("images", IMAGES + ".c,c.png,4,4,0\n", "images.csv, row 3, column image_id: .*leading dot"),
        ("images", IMAGES + "c/d,c.png,4,4,0\n", "images.csv, row 3, column image_id"),
        ("images", IMAGES + ",c.png,4,4,0\n", "images.csv, row 3, column image_id: expected an id"),
        ("images", IMAGES + "c,../c.png,4,4,0\n", "images.csv, row 3, column file: .*inside the folder"),
        ("images", IMAGES + "c,/etc/passwd,4,4,0\n", "images.csv, row 3, column file"),
        ("images", IMAGES + "c,,4,4,0\n", "images.csv, row 3, column file"),
        ("images", IMAGES + "c,c.png,0,4,0\n", "images.csv, row 3, column rows: .*at least 1"),
        ("images", IMAGES + "c,c.png,4,,0\n", "images.csv, row 3, column columns"),
        (
            "images",
            IMAGES + "c,c.png,4,4.5,0\n",
            "images.csv, row 3, column columns: expected a whole number",
        ),
        ("images", IMAGES + "c,c.png,4,4,2\n", "images.csv, row 3, column label: expected 1, 0 or nothing"),
        ("images", "image_id,file,rows\na,a.png,4\n", "images.csv: column 'columns' is missing"),
        ("images", IMAGES.replace("label", "split"), "images.csv, row 1, column split: expected train"),
        ("images", IMAGES.replace("label", "spacing_mm"), "images.csv, row 2, column spacing_mm"),
        (
            "images",
            IMAGES.replace("label", "ao_class"),
            "images.csv, row 1, column ao_class: expected one of N",
        ),
        ("images", IMAGES.replace("1\n", "-1\n").replace("label", "fold"), "images.csv, row 1, column fold"),
    ],
)
def test_faults_name_file_row_and_column(tmp_path, table, text, message):
    folder = write(tmp_path / "d", **{table: text})
    with pytest.raises(DataSetError, match=message) as caught:
        DataSet.read(folder)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_missing_folder_and_tables(tmp_path):
    with pytest.raises(DataSetError, match="there is none"):
        DataSet.read(tmp_path / "nowhere")
    with pytest.raises(DataSetError, match=r"expected images\.parquet or images\.csv"):
        DataSet.read(tmp_path)


def test_parquet_of_something_else(tmp_path):
    (tmp_path / "images.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DataSetError, match=r"images\.parquet: expected a readable table") as caught:
        DataSet.read(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["{", "[1]", "\xff", '{"a": ' + "[" * 200_000, "9" * 5000])
def test_bad_dataset_json(tmp_path, content):
    folder = write(tmp_path / "d")
    (folder / "dataset.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(DataSetError, match=r"dataset\.json"):
        DataSet.read(folder)


def test_size_that_differs_from_the_table(tmp_path, save):
    folder = write(tmp_path / "d")
    save(folder / "images" / "a.png", 1, rows=40)
    with pytest.raises(DataSetError, match=r"expected 48 x 64 pixels.*got 40 x 64"):
        DataSet.read(folder).radiograph("a")


def test_csv_wins_over_parquet_and_keeps_further_columns(make_set):
    data = make_set({"a": {"patient_id": "007", "site": "x"}, "b": {"site": "y"}})
    text = "image_id,file,rows,columns,patient_id,ward,old\na,images/a.png,48,64,007,01,1\n"
    (data.root / "images.csv").write_text("\ufeff" + text)
    again = DataSet.read(data.root)
    assert again.images["image_id"].to_list() == ["a"]
    assert again.images["patient_id"].to_list() == ["007"]
    # A leading zero makes a text; a plain number is a number.
    assert again.images["ward"].to_list() == ["01"]
    assert again.images["old"].to_list() == [1]
    assert data.images["site"].to_list() == ["x", "y"]


def test_select_keeps_order_and_annotations(make_set):
    data = make_set({i: {} for i in "abc"}, points={"a": [(1, 2)], "c": [(3, 4)]})
    part = data.select(["c", "b"])
    assert part.images["image_id"].to_list() == ["c", "b"]
    assert part.points["image_id"].to_list() == ["c"]
    assert part.truth == {"c": 1, "b": 0}
    assert len(data) == 3
    assert json.loads((data.root / "dataset.json").read_text())["name"] == "set"
