"""Each layout against a tiny tree like the published one."""

import json

import numpy as np
import pytest

from crepitus.data.folder import DataSet
from crepitus.data.importing import import_layout
from crepitus.data.sources import READERS, Options
from crepitus.data.writer import DataSetWriter
from crepitus.errors import DataSetError, UsageError


def load(source, layout, tmp_path, **options):
    """Import `source`; returns the data set and the warnings."""
    found = READERS[layout](source, Options(**options))
    with DataSetWriter(tmp_path / "out", found.info, found.annotated) as writer:
        warnings = import_layout(found, writer)
    data = DataSet.read(tmp_path / "out")
    return data, warnings


# ---- FracAtlas

HEADER = (
    "image_id,hand,leg,hip,shoulder,mixed,hardware,multiscan,fractured,fracture_count,frontal,lateral,oblique"
)


@pytest.fixture
def fracatlas(tmp_path, save):
    root = tmp_path / "FracAtlas"
    save(root / "images/Fractured/IMG1.jpg", 1)
    save(root / "images/Non_fractured/IMG2.jpg", 2)
    rows = ["IMG1.jpg,1,0,0,1,1,1,0,1,2,1,1,0", "IMG2.jpg,0,1,0,0,0,0,1,0,0,0,0,1"]
    (root / "dataset.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    coco = {
        "images": [{"id": 1, "width": 64, "height": 48, "file_name": "IMG1.jpg"}],
        "annotations": [
            {"id": 0, "image_id": 1, "category_id": 0, "bbox": [10.1, 20.2, 5.2, 4.4], "segmentation": []},
            {"id": 1, "image_id": 1, "category_id": 0, "segmentation": [[1, 2, 7, 3, 4, 9]]},
        ],
        "categories": [{"id": 0, "name": "fractured"}],
    }
    path = root / "Annotations/COCO JSON/COCO_fracture_masks.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(coco))
    split = root / "Utilities/Fracture Split"
    split.mkdir(parents=True)
    (split / "valid.csv").write_text("image_id\nIMG1.jpg\n")
    return root


def test_fracatlas(fracatlas, tmp_path):
    data, warnings = load(fracatlas, "fracatlas", tmp_path)
    assert warnings == []
    # 10.1 + 5.2 is 15.299999999999999 in binary; the polygon's box is (1, 2, 7, 9), its centre (4, 5.5).
    assert data.boxes.rows() == [
        ("IMG1", 10.1, 20.2, 15.3, 24.6, "fracture"),
        ("IMG1", 1, 2, 7, 9, "fracture"),
    ]
    assert data.points["x"].to_list() == pytest.approx([12.7, 4])
    assert data.points["y"].to_list() == pytest.approx([22.4, 5.5])
    columns = (
        "label",
        "body_part",
        "view",
        "hardware",
        "multiscan",
        "fracture_count",
        "published_split",
        "split",
    )
    first, second = (tuple(data.row(i)[c] for c in columns) for i in ("IMG1", "IMG2"))
    assert first == (1, "hand+shoulder", "frontal+lateral", 1, 0, 2, "val", None)
    assert second == (0, "leg", "oblique", 0, 1, 0, None, None)
    assert data.info["licence"] == "CC BY 4.0"


def test_fracatlas_listed_file_is_missing(fracatlas, tmp_path):
    (fracatlas / "images/Non_fractured/IMG2.jpg").unlink()
    load(fracatlas, "fracatlas", tmp_path)
    rejected = (tmp_path / "out/rejected.csv").read_text().splitlines()
    assert rejected[1].startswith("images/Non_fractured/IMG2.jpg,damaged,")


def test_fracatlas_broken_table(fracatlas, tmp_path):
    table = fracatlas / "dataset.csv"
    table.write_text(table.read_text().replace("IMG2.jpg,0,1", "IMG2.jpg,0,yes"))
    with pytest.raises(DataSetError, match=r"dataset\.csv, row 2, column leg: expected a number, got 'yes'"):
        READERS["fracatlas"](fracatlas, Options())
    table.write_text(table.read_text().replace("fractured", "broken"))
    with pytest.raises(DataSetError, match="column 'fractured' is missing"):
        READERS["fracatlas"](fracatlas, Options())
    table.unlink()
    with pytest.raises(UsageError, match=r"is --format right\?"):
        READERS["fracatlas"](fracatlas, Options())


# ---- GRAZPEDWRI-DX

GRAZ_HEADER = (
    "filestem,patient_id,study_number,timehash,gender,age,laterality,projection,initial_exam,"
    "ao_classification,cast,diagnosis_uncertain,osteopenia,fracture_visible,metal,pixel_spacing,"
    "device_manufacturer"
)


@pytest.fixture
def grazpedwri(tmp_path, save):
    root = tmp_path / "graz"
    stems = ["0001_1_01_WRI-L1_M014", "0001_1_02_WRI-L2_M014", "0002_7_01_WRI-R1_F009"]
    rows = [
        f"{stems[0]},1,5,99,M,14.1,L,1,1,23r-M/2.1,,,,1,,0.144,Siemens",
        f"{stems[1]},1,5,99,M,14.1,L,2,1,23r-M/2.1,,,,,,0.144,Siemens",
        f"{stems[2]},2,1,98,F,9.0,R,2,1,,1,,,,1,,Agfa",
    ]
    (root / "yolov5/labels").mkdir(parents=True)
    (root / "dataset.csv").write_text("\n".join([GRAZ_HEADER, *rows]) + "\n")
    names = ["boneanomaly", "bonelesion", "foreignbody", "fracture", "metal", "periostealreaction"]
    (root / "yolov5/meta.yaml").write_text(
        "names:\n" + "".join(f"- {n}\n" for n in [*names, "text"]) + "nc: 7\n"
    )
    # x centre 0.5 of 64, y centre 0.25 of 48, 16 x 12 pixels: (24, 6, 40, 18).
    (root / f"yolov5/labels/{stems[0]}.txt").write_text("3 0.5 0.25 0.25 0.25\n6 0.125 0.5 0.25 0.5\n")
    (root / f"yolov5/labels/{stems[1]}.txt").write_text("")
    (root / f"yolov5/labels/{stems[2]}.txt").write_text("4 0.5 0.5 1.0 1.0\n")
    for number, stem in enumerate(stems):
        save(root / f"images_part{1 + number}/{stem}.png", number, dtype=np.uint16)
    return root


def test_grazpedwri(grazpedwri, tmp_path):
    data, warnings = load(grazpedwri, "grazpedwri", tmp_path)
    first, second, third = data.images["image_id"].to_list()
    assert warnings == []
    assert data.boxes.rows() == [
        (first, 24, 6, 40, 18, "fracture"),
        (first, 0, 12, 16, 36, "text"),
        (third, 0, 0, 64, 48, "metal"),
    ]
    assert data.points.rows() == [(first, 32, 12)]
    assert data.truth == {first: 1, second: 0, third: 0}
    assert data.radiograph(first).pixels.dtype == np.uint16
    row = data.row(first)
    assert (row["patient_id"], row["study_id"], row["laterality"], row["projection"]) == (
        "1",
        "1-5",
        "L",
        "1",
    )
    assert (row["spacing_mm"], row["ao_classification"], row["ao_class"]) == (0.144, "23r-M/2.1", None)
    assert (row["hardware"], data.row(third)["hardware"], data.row(third)["spacing_mm"]) == (0, 1, None)
    assert data.row(third)["cast"] == 1


def test_grazpedwri_contradictions_are_told(grazpedwri, tmp_path):
    stem = "0002_7_01_WRI-R1_F009"
    (grazpedwri / f"yolov5/labels/{stem}.txt").write_text("3 0.5 0.5 0.1 0.1\n")
    (grazpedwri / "yolov5/labels/0001_1_01_WRI-L1_M014.txt").unlink()
    data, warnings = load(grazpedwri, "grazpedwri", tmp_path)
    assert list(data.truth.values()) == [1, 0, 1]
    assert warnings == [
        "dataset.csv: 1 images are boxed but not 'fracture_visible'; labelled 1",
        "dataset.csv: 1 images are 'fracture_visible' but not boxed; labelled 1",
        "labels: 1 images have no label file and are taken as without boxes",
    ]


def test_grazpedwri_elsewhere(grazpedwri, tmp_path):
    """The whole archive keeps the labels in folder_structure, and images may lie in one folder."""
    (grazpedwri / "folder_structure").mkdir()
    (grazpedwri / "yolov5").rename(grazpedwri / "folder_structure/yolov5")
    for number in (2, 3):
        for path in (grazpedwri / f"images_part{number}").iterdir():
            path.rename(grazpedwri / "images_part1" / path.name)
    (grazpedwri / "images_part1").rename(grazpedwri / "images")
    data, _ = load(grazpedwri, "grazpedwri", tmp_path)
    assert len(data) == 3
    assert len(data.points) == 1


# ---- MURA


def test_mura(tmp_path, save):
    root = tmp_path / "data/MURA-v1.1"
    save(root / "train/XR_WRIST/patient00001/study1_positive/image1.png", 1)
    save(root / "train/XR_HAND/patient00001/study1_negative/image1.png", 2)
    save(root / "valid/XR_WRIST/patient11186/study2_negative/image3.png", 3)
    (root / "train/XR_HAND/patient00001/study1_negative/._image1.png").write_bytes(b"left by an archiver")
    data, warnings = load(tmp_path / "data", "mura", tmp_path)
    assert warnings == []
    assert (data.points, data.boxes) == (None, None)
    assert set(data.truth.values()) == {None}
    row = data.row("patient00001_WRIST_study1_image1")
    assert (row["abnormal"], row["label"], row["patient_id"]) == (1, None, "patient00001")
    assert (row["body_part"], row["study_id"]) == ("wrist", "patient00001_WRIST_study1")
    assert dict(zip(data.images["image_id"], data.images["published_split"], strict=True)) == {
        "patient00001_WRIST_study1_image1": "train",
        "patient00001_HAND_study1_image1": "train",
        "patient11186_WRIST_study2_image3": "val",
    }
    with pytest.raises(UsageError, match="is --format right"):
        READERS["mura"](tmp_path / "out", Options())


# ---- COCO


def coco_folder(root, save, **changes):
    save(root / "images/a.png", 1)
    save(root / "images/b c.png", 2)
    coco = {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 64, "height": 48, "patient_id": 12},
            {"id": 8, "file_name": "b c.png"},
        ],
        "categories": [{"id": 1, "name": "Fracture"}, {"id": 2, "name": "metal"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 10, 20, 10]},
            {"id": 2, "image_id": 7, "category_id": 2, "bbox": [0, 0, 5, 5]},
        ],
        **changes,
    }
    (root / "annotations.json").write_text(json.dumps(coco))
    return root


def test_coco(tmp_path, save):
    data, _ = load(coco_folder(tmp_path / "c", save), "coco", tmp_path)
    assert data.images["image_id"].to_list() == ["a", "b_c"]
    assert data.truth == {"a": 1, "b_c": 0}
    assert data.boxes.rows() == [("a", 10, 10, 30, 20, "fracture"), ("a", 0, 0, 5, 5, "metal")]
    assert data.points.rows() == [("a", 20, 15)]
    assert data.images["patient_id"].to_list() == ["12", None]


def test_coco_needs_a_category_that_means_fracture(tmp_path, save):
    root = coco_folder(
        tmp_path / "c", save, categories=[{"id": 1, "name": "break"}, {"id": 2, "name": "metal"}]
    )
    with pytest.raises(UsageError, match="got break, metal; name it with --fracture-name"):
        READERS["coco"](root, Options())
    data, _ = load(root, "coco", tmp_path, fracture_names=("break",))
    assert data.boxes["label"].to_list() == ["fracture", "metal"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": [{"image_id": 9, "category_id": 1}]}, "annotations row 1, column image_id.*got 9"),
        (
            {"annotations": [{"image_id": 7, "category_id": 5}]},
            "annotations row 1, column category_id.*got 5",
        ),
        ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [1, 2]}]}, "row 1, column bbox"),
        ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": "abcd"}]}, "row 1, column bbox"),
        (
            {"annotations": [{"image_id": 7, "category_id": 1, "bbox": [1, float("nan"), 2, 2]}]},
            "annotations row 1, column bbox: expected finite numbers, got .*nan",
        ),
        (
            {"annotations": [{"image_id": 7, "category_id": 1, "segmentation": [[1, 1, 2, 1e999, 3, 3]]}]},
            "annotations row 1, column segmentation: expected finite numbers",
        ),
        (
            {"annotations": [{"image_id": 7, "category_id": 1, "segmentation": [[1]]}]},
            "annotations row 1, column segmentation: expected polygons of x, y",
        ),
        ({"annotations": [{"image_id": [7], "category_id": 1}]}, r"row 1, column image_id.*got \[7\]"),
        ({"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]}, "images row 2, column id"),
        (
            {"images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "a"}]},
            "images row 2, column file_name",
        ),
        ({"images": [{"id": 1}]}, "images row 1, column file_name: .*got None"),
        ({"images": None}, "expected an object with a list 'images'"),
        ({"categories": [{"id": 1}]}, "expected categories with id and name"),
    ],
)
def test_coco_faults(tmp_path, save, changes, message):
    root = coco_folder(tmp_path / "c", save, **changes)
    with pytest.raises(DataSetError, match=rf"annotations\.json.*{message}"):
        READERS["coco"](root, Options())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"points": 5}, "points: expected a list of pairs of finite numbers, got '5'"),
        ({"points": [[1, 2], [1]]}, "points: expected a list of pairs"),
        ({"points": [[1, "2"]]}, "points: expected a list of pairs"),
        ({"points": [[1, float("nan")]]}, "points: expected a list of pairs of finite"),
        ({"landmarks": [["tip", 1]]}, "landmarks: expected a list of a name and two"),
        ({"landmarks": {"tip": [1, 2]}}, "landmarks: expected a list of a name and two"),
        ({"label": "yes"}, "label: expected a whole number or nothing, got 'yes'"),
        ({"label": True}, "label: expected a whole number"),
        ({"label": 2}, "label: expected 1, 0 or nothing, got 2"),
        ({"fold": 1.5}, "fold: expected a whole number"),
        ({"fold": -1}, "fold: expected a whole number of at least 0"),
        ({"spacing_mm": "0.1 mm"}, "spacing_mm: expected a finite number"),
        ({"spacing_mm": 0}, "spacing_mm: expected a length above 0"),
        ({"patient_id": ["7"]}, "patient_id: expected text or nothing"),
        ({"split": "train2017"}, "split: expected train, val, test or nothing"),
        ({"image_id": "../x"}, "image_id: expected an id"),
        ({"width": "wide"}, "width: expected a whole number"),
    ],
)
def test_coco_further_keys(tmp_path, save, keys, message):
    images = [{"id": 1, "file_name": "b c.png"}, {"id": 7, "file_name": "a.png", **keys}]
    root = coco_folder(tmp_path / "c", save, images=images, annotations=[])
    with pytest.raises(DataSetError, match=rf"annotations\.json, images,? row 2, column {message}"):
        READERS["coco"](root, Options())


def test_coco_numbers_as_other_tools_write_them(tmp_path, save):
    images = [
        {"id": 1, "file_name": "a.png", "label": 1.0, "fold": 2.0, "patient_id": 7, "view": None, "w": 1}
    ]
    images.append({"id": 2, "file_name": "b c.png", "spacing_mm": 1, "w": "x"})
    data, _ = load(coco_folder(tmp_path / "c", save, images=images, annotations=[]), "coco", tmp_path)
    assert data.images.select("label", "fold", "patient_id", "spacing_mm", "w").rows() == [
        (1, 2, "7", None, "1"),
        (None, None, None, 1.0, "x"),
    ]


def test_coco_nested_too_deep(tmp_path, save):
    root = coco_folder(tmp_path / "c", save)
    (root / "annotations.json").write_text('{"images": ' + "[" * 200_000)
    with pytest.raises(DataSetError, match=r"annotations\.json: expected a COCO file in JSON"):
        READERS["coco"](root, Options())


def test_coco_finds_its_file(tmp_path, save):
    root = coco_folder(tmp_path / "c", save)
    (root / "annotations").mkdir()
    (root / "annotations.json").rename(root / "annotations/instances.json")
    assert len(READERS["coco"](root, Options()).images) == 2
    (root / "other.json").write_text("{}")
    with pytest.raises(UsageError, match=r"got 2 \(instances\.json, other\.json\); use --annotations"):
        READERS["coco"](root, Options())
    with pytest.raises(DataSetError, match="expected a COCO file in JSON"):
        READERS["coco"](root, Options(annotations=root / "images/a.png"))


# ---- YOLO


def yolo_folder(root, save, names="names: [fracture, metal]\n"):
    for part, stem in (("train", "a"), ("val", "b"), ("val", "c")):
        save(root / f"images/{part}/{stem}.png", ord(stem))
        (root / f"labels/{part}").mkdir(parents=True, exist_ok=True)
    (root / "data.yaml").write_text(f"train: images/train\nval: images/val\n{names}")
    (root / "labels/train/a.txt").write_text("0 0.5 0.5 0.25 0.5\n1 0.25 0.25 0.75 0.25 0.75 0.5\n")
    (root / "labels/val/b.txt").write_text("\n")
    return root


@pytest.mark.parametrize(
    "names",
    [
        "names: [fracture, metal]\n",
        "names:\n- fracture\n- metal\n",
        "names:\n  0: fracture\n  1: metal\nnc: 2\n",
    ],
)
def test_yolo(tmp_path, save, names):
    data, warnings = load(yolo_folder(tmp_path / "y", save, names), "yolo", tmp_path)
    # 64 columns and 48 rows: centre (32, 24), 16 x 24; the polygon spans (16, 12) to (48, 24).
    assert data.boxes.rows() == [("a", 24, 12, 40, 36, "fracture"), ("a", 16, 12, 48, 24, "metal")]
    assert data.points.rows() == [("a", 32, 24)]
    assert data.truth == {"a": 1, "b": 0, "c": 0}
    assert data.images["published_split"].to_list() == ["train", "val", "val"]
    assert data.images["split"].to_list() == [None] * 3
    assert warnings == ["1 images have no label file and are taken as without boxes"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 0.5 0.5 0.1 0.1", "a.txt, row 1, column 1: expected a class of 0 to 1, got '2'"),
        ("0 0.5 0.5 0.1", "a.txt, row 1: expected 4 numbers or a polygon, got 3"),
        ("0 0.5 x 0.1 0.1", "a.txt, row 1: expected numbers"),
        ("1 .5 .5 .1 .1\n0 0.5 nan 0.1 0.1", "a.txt, row 2, column 3: expected a finite number, got 'nan'"),
        ("0 0.5 0.5 inf 0.1", "a.txt, row 1, column 4: expected a finite number, got 'inf'"),
    ],
)
def test_yolo_faults(tmp_path, save, line, message):
    root = yolo_folder(tmp_path / "y", save)
    (root / "labels/train/a.txt").write_text(line)
    with pytest.raises(DataSetError, match=message):
        READERS["yolo"](root, Options())


def test_yolo_without_its_parts(tmp_path, save):
    root = yolo_folder(tmp_path / "y", save, names="names: !!python/object/apply:os.system [true]\n")
    with pytest.raises(DataSetError, match=r"data\.yaml: expected YAML with a list 'names'") as caught:
        READERS["yolo"](root, Options())
    assert "\n" not in str(caught.value)
    (root / "data.yaml").write_text("names: [fracture]\n")
    for path in root.rglob("*.txt"):
        path.unlink()
    with pytest.raises(UsageError, match="expected label files such as labels/train/a"):
        READERS["yolo"](root, Options())
    (root / "data.yaml").unlink()
    with pytest.raises(UsageError, match=r"expected data\.yaml with the class names, got none"):
        READERS["yolo"](root, Options())


# ---- CSV


def csv_folder(root, save, table, **tables):
    save(root / "x/a.png", 1)
    save(root / "x/b.png", 2)
    (root / "images.csv").write_text(table)
    for name, text in tables.items():
        (root / f"{name}.csv").write_text(text)
    return root


def test_csv_with_one_row_per_fracture(tmp_path, save):
    table = "file,label,x,y,patient_id,ward\nx/a.png,1,10,20,007,W\nx/a.png,1,30,40,007,W\nx/b.png,0,,,8,V\n"
    data, _ = load(csv_folder(tmp_path / "c", save, table), "csv", tmp_path)
    assert data.images["image_id"].to_list() == ["a", "b"]
    assert data.points.rows() == [("a", 10, 20), ("a", 30, 40)]
    assert data.boxes is None
    assert data.truth == {"a": 1, "b": 0}
    assert data.images["patient_id"].to_list() == ["007", "8"]
    assert data.images["ward"].to_list() == ["W", "V"]


def test_csv_with_boxes_only(tmp_path, save):
    table = "image_id,x_min,y_min,x_max,y_max\na,10,20,20,30\nb,,,,\n"
    data, _ = load(csv_folder(tmp_path / "c", save, table), "csv", tmp_path)
    assert data.boxes.rows() == [("a", 10, 20, 20, 30, "fracture")]
    assert data.points.rows() == [("a", 15, 25)]
    assert data.truth == {"a": 1, "b": 0}


def test_csv_rows_of_an_image_may_leave_shared_cells_empty(tmp_path, save):
    table = "file,label,x,y,patient_id\nx/a.png,,10,20,\nx/a.png,1,30,40,007\nx/b.png,,,,8\n"
    data, _ = load(csv_folder(tmp_path / "c", save, table), "csv", tmp_path)
    assert data.points.rows() == [("a", 10, 20), ("a", 30, 40)]
    assert data.images["label"].to_list() == [1, None]
    assert data.images["patient_id"].to_list() == ["007", "8"]


def test_csv_with_labels_only(tmp_path, save):
    data, _ = load(csv_folder(tmp_path / "c", save, "file,label\nx/a.png,1\nx/b.png,\n"), "csv", tmp_path)
    assert (data.points, data.boxes) == (None, None)
    assert data.truth == {"a": 1, "b": None}


@pytest.mark.parametrize(
    ("table", "tables", "message"),
    [
        ("name,label\nx,1\n", {}, "images.csv: column 'file' is missing; expected file or image_id"),
        ("file,label\nx/a.png,3\n", {}, "images.csv, row 1, column label: expected 1, 0 or nothing, got 3"),
        ("file,label\nx/a.png,1\n,0\n", {}, "images.csv, row 2, column file: expected a name"),
        ("file,label\nx/a.png,1\nx/a.png,1\n", {}, "images.csv, row 2, column file: .*no earlier row"),
        ("file,x,y,ward\nx/a.png,1,1,A\nx/a.png,2,2,B\n", {}, "column ward: expected one value for all rows"),
        ("file,x,y\nx/a.png,1,one\n", {}, "images.csv, row 1, column y: expected a number, got 'one'"),
        ("image_id\na\n", {"points": "image_id,x,y\nz,1,1\n"}, "points.csv, column image_id: .*got 'z'"),
        ("image_id\na\n", {"points": "image_id,x\na,1\n"}, "points.csv: column 'y' is missing"),
        # Half a point, half a box, half a table.
        (
            "file,x,y\nx/b.png,,\nx/a.png,5,\n",
            {},
            "images.csv, row 2, column y: expected a number beside .*x, y",
        ),
        (
            "file,x_min,y_min,x_max,y_max\nx/a.png,1,2,3,\n",
            {},
            "images.csv, row 1, column y_max: expected a number beside",
        ),
        ("file,x\nx/a.png,5\n", {}, "images.csv: column 'y' is missing; x, y go together, got x"),
        (
            "image_id\na\n",
            {"points": "image_id,x,y\na,1,1\na,1,\n"},
            "points.csv, row 2, column y: .*got None",
        ),
        # Not finite.
        ("file,x,y\nx/a.png,5,nan\n", {}, "images.csv, row 1, column y: expected a finite number, got nan"),
        ("image_id\na\n", {"points": "image_id,x,y\na,inf,1\n"}, "points.csv, row 1, column x: .*finite"),
        # Rows of one image that contradict each other.
        (
            "file,label,x,y\nx/a.png,0,,\nx/a.png,1,5,5\n",
            {},
            "row 2, column label: expected one value for all rows of 'x/a.png', got 1 after 0",
        ),
        ("file,patient_id,x,y\nx/a.png,1,5,5\nx/b.png,2,,\nx/a.png,3,5,6\n", {}, "row 3, column patient_id"),
        ("image_id,file,x,y\na,x/a.png,5,5\na,x/b.png,,\n", {}, "images.csv, row 2, column file"),
    ],
)
def test_csv_faults(tmp_path, save, table, tables, message):
    with pytest.raises(DataSetError, match=message):
        READERS["csv"](csv_folder(tmp_path / "c", save, table, **tables), Options())


def test_csv_missing_file_is_set_aside(tmp_path, save):
    root = csv_folder(tmp_path / "c", save, "file,label\nx/a.png,1\nx/z.png,0\n../../x.png,0\n")
    data, _ = load(root, "csv", tmp_path)
    assert data.images["image_id"].to_list() == ["a"]
    rejected = (tmp_path / "out/rejected.csv").read_text().splitlines()[1:]
    assert [line.split(",")[:2] for line in rejected] == [["x/z.png", "damaged"], ["../../x.png", "damaged"]]
