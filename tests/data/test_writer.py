"""What a writer writes, the reader reads: properties, and what a writer refuses."""

import string
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.data.folder import DataSet
from crepitus.data.writer import DataSetWriter
from crepitus.errors import Damaged, DataSetError, UsageError
from crepitus.structures import Annotation, Boxes, Landmarks, Points, Radiograph

ROWS, COLUMNS = 7, 9
ids = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=20)
x = st.floats(0, COLUMNS, exclude_max=True)
y = st.floats(0, ROWS, exclude_max=True)
# Blanks around a cell are no part of it: a table that went through a spreadsheet has them anywhere.
words = st.text(string.ascii_letters + " ,\"'é", min_size=1, max_size=8).filter(lambda t: t == t.strip())
boxes = st.tuples(st.floats(0, 4), st.floats(0, 3), st.floats(5, COLUMNS), st.floats(4, ROWS), words)


@st.composite
def images(draw):
    marked = draw(st.booleans())
    return {
        image_id: {
            "dtype": draw(st.sampled_from([np.uint8, np.uint16])),
            "label": draw(st.sampled_from([None, 0, 1])),
            "patient_id": draw(st.none() | words),
            "spacing_mm": draw(st.none() | st.floats(0.01, 1)),
            "points": draw(st.lists(st.tuples(x, y), max_size=3)) if marked else None,
            "boxes": draw(st.lists(boxes, max_size=3)) if marked else None,
            "marks": draw(st.dictionaries(words, st.tuples(x, y), max_size=2)) if marked else None,
        }
        for image_id in draw(st.lists(ids, max_size=4, unique=True))
    }


@settings(max_examples=40, deadline=None)
@given(images())
def test_round_trip(given_images):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        with DataSetWriter(out, {"name": "x"}) as writer:
            for number, (image_id, one) in enumerate(given_images.items()):
                pixels = np.random.default_rng(number).integers(0, 255, (ROWS, COLUMNS)).astype(one["dtype"])
                one["pixels"] = pixels * (250 if one["dtype"] == np.uint16 else 1)
                radiograph = Radiograph(image_id, one["pixels"], one["spacing_mm"])
                writer.add(radiograph, _annotation(one), patient_id=one["patient_id"])
        data = DataSet.read(out)
        assert data.images["image_id"].to_list() == list(given_images)
        for image_id, one in given_images.items():
            row, got = data.row(image_id), data.annotation(image_id)
            assert (row["label"], row["patient_id"]) == (one["label"], one["patient_id"])
            read = data.radiograph(image_id)
            assert np.array_equal(read.pixels, one["pixels"])
            assert read.pixels.dtype == one["dtype"]
            assert read.spacing_mm == one["spacing_mm"]
            if one["points"] is None:
                assert (got.points, got.boxes, got.landmarks) == (None, None, None)
                continue
            assert got.points.xy.tolist() == [list(p) for p in one["points"]]
            assert got.boxes.xyxy.tolist() == [list(b[:4]) for b in one["boxes"]]
            assert got.boxes.labels == tuple(b[4] for b in one["boxes"])
            assert dict(zip(got.landmarks.names, map(tuple, got.landmarks.xy), strict=True)) == one["marks"]


def _annotation(one):
    if one["points"] is None:
        return Annotation(one["label"])
    return Annotation(
        one["label"],
        Points(np.array(one["points"])),
        Boxes(np.array([b[:4] for b in one["boxes"]]), tuple(b[4] for b in one["boxes"])),
        Landmarks(tuple(one["marks"]), np.array(list(one["marks"].values()))),
    )


def test_an_id_is_written_once(tmp_path, picture):
    writer = DataSetWriter(tmp_path / "d", {})
    writer.add(Radiograph("a", picture(1)), Annotation())
    before = (tmp_path / "d/images/a.png").read_bytes()
    with pytest.raises(DataSetError, match=r"no earlier image has, got 'a'"):
        writer.add(Radiograph("a", picture(2)), Annotation())
    assert (tmp_path / "d/images/a.png").read_bytes() == before
    with pytest.raises(DataSetError, match=r"got '\.\./b'"):
        writer.add_file(tmp_path / "d/images/a.png", Annotation(), image_id="../b", rows=48, columns=64)


@pytest.mark.parametrize("xy", [(64.0, 1.0), (float("nan"), 1.0), (-1.0, 1.0)])
def test_nothing_invalid_is_written(tmp_path, picture, xy):
    writer = DataSetWriter(tmp_path / "d", {})
    writer.add(Radiograph("a", picture(1)), Annotation(points=Points(np.array([xy]))))
    with pytest.raises(DataSetError, match=r"points\.csv, row 1, column x"):
        writer.close()
    assert not (tmp_path / "d/images.parquet").exists()


def test_an_error_leaves_no_tables(tmp_path, picture):
    def interrupted():
        with DataSetWriter(tmp_path / "d", {}) as writer:
            writer.add(Radiograph("a", picture(1)), Annotation())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    with pytest.raises(DataSetError, match=r"expected images\.parquet"):
        DataSet.read(tmp_path / "d")


def test_empty_set_and_rejected(tmp_path):
    with DataSetWriter(tmp_path / "d", {}, ("points",)) as writer:
        writer.set_aside("a, b.png", Damaged('ends "early"'))
    data = DataSet.read(tmp_path / "d")
    assert len(data) == 0
    assert data.points is not None
    assert data.boxes is None
    assert (tmp_path / "d/rejected.csv").read_text() == (
        'file,code,message\n"a, b.png",damaged,"ends ""early"""\n'
    )


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x").write_text("mine")
    with pytest.raises(UsageError, match="expected a new or empty folder"):
        DataSetWriter(tmp_path / "d", {})
