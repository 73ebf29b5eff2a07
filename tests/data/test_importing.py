"""Boxes and points at the image's edge, damaged and missing files, files taken over or rewritten."""

import csv

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from crepitus.data.folder import DataSet
from crepitus.data.importing import clip_box, import_layout
from crepitus.data.sources.layout import Layout, SourceImage, image_ids
from crepitus.data.writer import DataSetWriter
from crepitus.structures import is_image_id


def run(tmp_path, images, annotated=("points", "boxes")):
    with DataSetWriter(tmp_path / "out", {}, annotated) as writer:
        warnings = import_layout(Layout({}, annotated, images), writer, workers=2)
    return DataSet.read(tmp_path / "out"), warnings, writer.rejected


def test_boxes_are_clipped_and_give_points(tmp_path, save):
    save(tmp_path / "a.png", 1)  # 48 rows, 64 columns
    boxes = (
        ((-10.0, 40.0, 20.0, 60.0), "fracture"),  # clipped to (0, 40, 20, 48), centre (10, 44)
        ((1.0, 2.0, 3.0, 4.0), "metal"),  # no point
        ((64.0, 2.0, 70.0, 4.0), "fracture"),  # outside: left out, with a line
        ((5.0, 5.0, 5.0, 9.0), "fracture"),  # empty: likewise
        ((5.0, float("nan"), 6.0, 9.0), "fracture"),
    )
    data, warnings, _ = run(tmp_path, [SourceImage("a", "a.png", tmp_path / "a.png", boxes=boxes)])
    assert data.boxes.rows() == [("a", 0, 40, 20, 48, "fracture"), ("a", 1, 2, 3, 4, "metal")]
    assert data.points.rows() == [("a", 10, 44)]
    assert len(warnings) == 3
    assert warnings[0] == "a.png: left out the box (64, 2, 70, 4) (fracture), it is empty or outside"


def test_points_on_the_far_edge_are_moved_inside(tmp_path, save):
    save(tmp_path / "a.png", 1)
    points = ((64.0, 48.0), (64.1, 5.0), (0.0, 0.0), (float("nan"), 1.0))
    data, warnings, _ = run(tmp_path, [SourceImage("a", "a.png", tmp_path / "a.png", points=points)])
    assert data.points.rows() == [("a", np.nextafter(64, 0), np.nextafter(48, 0)), ("a", 0, 0)]
    assert len(warnings) == 2


def test_a_positive_that_loses_its_last_place_stays_positive(tmp_path, save):
    """The place is unknown then; an image without rows and without a label would be a negative."""
    save(tmp_path / "a.png", 1)  # 48 rows, 64 columns
    outside, within = (70.0, 2.0, 80.0, 9.0), (1.0, 1.0, 5.0, 5.0)

    def image(image_id, **annotations):
        return SourceImage(image_id, f"{image_id}.png", tmp_path / "a.png", **annotations)

    images = [
        image("box", boxes=((outside, "fracture"),)),
        image("point", points=((-1.0, 5.0),)),
        image("both", boxes=((outside, "fracture"), (within, "fracture"))),
        image("point-of-two", points=((-1.0, 5.0), (3.0, 3.0))),
        image("box-without-point", boxes=((within, "fracture"),), points=((70.0, 5.0),)),
        image("metal", boxes=((outside, "metal"),)),
        image("whole"),
        image("labelled", boxes=((outside, "fracture"),), label=1),
        image("said-to-be-negative", boxes=((outside, "fracture"),), label=0),
    ]
    data, warnings, _ = run(tmp_path, images)
    assert data.truth == {
        "box": 1,
        "point": 1,
        "both": 1,
        "point-of-two": 1,
        "box-without-point": 1,
        "metal": 0,
        "whole": 0,
        "labelled": 1,
        "said-to-be-negative": 0,
    }
    assert data.images["label"].to_list() == [1, 1, *[None] * 5, 1, 0]
    assert [w for w in warnings if "unknown place" in w] == [
        f"{name}.png: no fracture place is left; labelled 1, at an unknown place" for name in ("box", "point")
    ]


@given(
    st.tuples(*[st.floats(-1e4, 1e4)] * 4),
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
)
def test_a_clipped_box_lies_in_the_image_and_in_the_box(box, shape):
    clipped = clip_box(box, shape)
    if clipped is None:
        return
    rows, columns = shape
    x_min, y_min, x_max, y_max = clipped
    assert 0 <= x_min < x_max <= columns
    assert 0 <= y_min < y_max <= rows
    assert x_min >= box[0]
    assert y_min >= box[1]
    assert x_max <= box[2]
    assert y_max <= box[3]


def test_what_cannot_be_used_is_set_aside_and_the_rest_goes_on(tmp_path, save):
    save(tmp_path / "good.jpg", 1, quality=90)
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "closed.jpg").write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray(np.full((9, 9, 3), (200, 0, 0), np.uint8)).save(tmp_path / "red.png")
    names = ("cut.jpg", "good.jpg", "closed.jpg", "text.png", "red.png")
    images = [SourceImage(n.replace(".", "_"), n, tmp_path / n) for n in names]
    images.append(SourceImage("listed", "listed.png", None))
    images.append(SourceImage("size", "size.jpg", tmp_path / "good.jpg", size=(64, 48)))
    data, _, rejected = run(tmp_path, images)
    assert data.images["image_id"].to_list() == ["good_jpg"]
    assert [row[:2] for row in rejected] == [
        ("cut.jpg", "damaged"),
        ("closed.jpg", "damaged"),
        ("text.png", "not-dicom"),
        ("red.png", "not-radiograph"),
        ("listed.png", "damaged"),
        ("size.jpg", "damaged"),
    ]
    assert "annotations are for 64 x 48 pixels, the file has 48 x 64" in rejected[-1][2]
    with (tmp_path / "out/rejected.csv").open() as stream:
        assert [tuple(row) for row in csv.reader(stream)] == [("file", "code", "message"), *rejected]
    assert len(list((tmp_path / "out/images").iterdir())) == 1


def test_grey_files_are_taken_over_and_others_rewritten(tmp_path, save):
    grey = save(tmp_path / "grey.png", 1)
    deep = save(tmp_path / "deep.png", 2, dtype=np.uint16)
    save(tmp_path / "photo.JPG", 3, format="JPEG", quality=80)
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "colour.png")
    Image.fromarray(grey > 100).save(tmp_path / "bits.png")
    files = sorted(tmp_path.iterdir())
    data, _, _ = run(tmp_path, [SourceImage(f.stem, f.name, f) for f in files])
    out = tmp_path / "out/images"
    assert (out / "photo.jpg").read_bytes() == (tmp_path / "photo.JPG").read_bytes()
    assert (out / "deep.png").read_bytes() == (tmp_path / "deep.png").read_bytes()
    assert np.array_equal(data.radiograph("deep").pixels, deep)
    with Image.open(out / "colour.png") as image:
        assert image.mode == "L"
    assert np.array_equal(data.radiograph("colour").pixels, grey)
    assert np.array_equal(data.radiograph("bits").pixels, np.where(grey > 100, 255, 0))


def test_ids_of_files():
    assert image_ids(["a/x.png", "b/y.png"]) == ["x", "y"]
    assert image_ids(["a/x.png", "b/x.png"]) == ["a_x", "b_x"]
    assert image_ids(["left hand (1).png", ".hidden.png"]) == ["left_hand_1_", "hidden"]
    assert image_ids(["a.b.png"]) == ["a.b"]


# A file name that is no UTF-8 comes as surrogates.
@example([":", "00", "0", "\ud800"])
@given(st.lists(st.text(st.characters(exclude_characters="\0/"), min_size=1, max_size=150), unique=True))
def test_ids_are_valid_and_unique(stems):
    names = [f"folder{k % 3}/{stem}.png" for k, stem in enumerate(stems)]
    ids = image_ids(names)
    assert len(set(ids)) == len(names)
    assert all(map(is_image_id, ids))


def test_pipes_and_links_are_not_opened(tmp_path, save):
    import os

    from crepitus.data.sources.layout import image_files, inside

    save(tmp_path / "outside.png", 1)
    folder = tmp_path / "in"
    save(folder / "a.png", 2)
    os.mkfifo(folder / "pipe.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    assert image_files(folder) == [folder / "a.png"]
    assert inside(folder, "pipe.png") is None
    assert inside(folder, "../outside.png") is None
    assert inside(folder, "x" * 5000) is None
    assert inside(folder, "a\0b") is None
    assert inside(folder, "a.png") == folder / "a.png"


@pytest.mark.parametrize("workers", [1, 3])
def test_order_is_kept(tmp_path, save, workers):
    images = []
    for number in range(30):
        save(tmp_path / f"{number}.png", number, rows=8 + number, columns=16)
        images.append(SourceImage(str(number), f"{number}.png", tmp_path / f"{number}.png"))
    with DataSetWriter(tmp_path / "out", {}) as writer:
        import_layout(Layout({}, (), images), writer, workers=workers)
    assert DataSet.read(tmp_path / "out").images["rows"].to_list() == [8 + n for n in range(30)]
