"""The predictions folder: what is read, what is refused and how it is named, and what the writer leaves."""

import csv
import json

import numpy as np
import polars as pl
import pytest

from crepitus.errors import Damaged, PredictionsError, UsageError
from crepitus.predict import Predictions, PredictionsWriter
from crepitus.structures import Detections, Heatmap, Landmarks, Prediction


def write(root, **files):
    root.mkdir(exist_ok=True)
    for name, content in {"images": "image_id,score\na,0.5\nb,1\n", **files}.items():
        suffix = "json" if name == "predictions" else "csv"
        (root / f"{name}.{suffix}").write_text(content, encoding="utf-8")
    return root


def save(root, array, name="a"):
    (root / "heatmaps").mkdir(exist_ok=True)
    np.save(root / "heatmaps" / f"{name}.npy", array)


def test_reads_everything(tmp_path):
    root = write(
        tmp_path,
        images="image_id,score,score_N,score_A1,site\n007,0.25,0.75,0,x\nb,1,0,1,\n",
        detections="image_id,x_min,y_min,x_max,y_max,score\nb,1,2,3.5,4,0.5\nb,0,0,0,0,0\n",
        landmarks="image_id,name,x,y,sd_px\nb,head,1,2,\n",
        studies="study_id,score\n12,0.5\n",
        predictions=json.dumps({"model": "m", "thresholds": {"image": 0.3}}),
    )
    predictions = Predictions.read(root)
    assert predictions.images["image_id"].to_list() == ["007", "b"]
    assert predictions.classes == ("N", "A1")
    assert predictions.images["score_A1"].dtype == pl.Float64
    assert predictions.images["site"].to_list() == ["x", None]
    assert predictions.detections.height == 2
    assert predictions.landmarks["sd_px"].to_list() == [None]
    assert predictions.studies["study_id"].to_list() == ["12"]
    assert predictions.thresholds == {"image": 0.3}
    assert not predictions.has_heatmaps


def test_only_images_csv_is_needed(tmp_path):
    predictions = Predictions.read(write(tmp_path))
    assert (predictions.detections, predictions.studies, predictions.landmarks) == (None, None, None)
    assert (predictions.info, predictions.thresholds, len(predictions)) == ({}, {}, 2)


DETECTIONS = "image_id,x_min,y_min,x_max,y_max,score\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"images": "image_id,score\na,0.5\na,0.1\n"}, "images.csv, row 2, column image_id"),
        ({"images": "image_id,score\na,nan\n"}, "images.csv, row 1, column score"),
        ({"images": "image_id,score\na,0.5\nb,\n"}, "images.csv, row 2, column score"),
        ({"images": "image_id,score\na,1.01\n"}, "images.csv, row 1, column score: .* got 1.01"),
        ({"images": "image_id,score\na,-0.1\n"}, "images.csv, row 1, column score"),
        ({"images": "image_id,score\na,high\n"}, "images.csv, row 1, column score: .* got 'high'"),
        ({"images": "image_id,score\n../a,0.1\n"}, "images.csv, row 1, column image_id"),
        ({"images": "image_id,score\n,0.1\n"}, "images.csv, row 1, column image_id"),
        ({"images": "image_id,score,score_A\na,0.5,0\nb,0.5,\n"}, "images.csv, row 2, column score_A"),
        ({"images": "image_id,score,score_A\na,0.5,x\n"}, "images.csv, row 1, column score_A"),
        ({"images": "image_id,probability\na,0.5\n"}, "images.csv: column 'score' is missing"),
        ({"images": ""}, "images.csv: expected a header"),
        (
            {"detections": DETECTIONS + "a,0,0,1,1,0.5\nc,0,0,1,1,0.5\n"},
            "detections.csv, row 2, column image_id",
        ),
        ({"detections": DETECTIONS + "a,2,0,1,1,0.5\n"}, "detections.csv, row 1, column x_max"),
        ({"detections": DETECTIONS + "a,0,inf,1,1,0.5\n"}, "detections.csv, row 1, column y_min"),
        ({"detections": DETECTIONS + "a,0,0,1,1,7\n"}, "detections.csv, row 1, column score"),
        ({"detections": "image_id,score\na,0.1\n"}, "detections.csv: column 'x_min' is missing"),
        ({"landmarks": "image_id,name,x,y\na,head,nan,1\n"}, "landmarks.csv, row 1, column x"),
        ({"studies": "study_id,score\ns,2\n"}, "studies.csv, row 1, column score"),
        ({"studies": "study_id,score\ns,0\ns,1\n"}, "studies.csv, row 2, column study_id"),
        ({"predictions": "{"}, "predictions.json: expected JSON"),
        ({"predictions": "[]"}, "predictions.json: expected an object"),
        ({"predictions": '{"thresholds": {"image": "high"}}'}, "predictions.json"),
        ({"predictions": '{"thresholds": {"image": NaN}}'}, "predictions.json"),
    ],
)
def test_refuses_naming_file_row_and_column(tmp_path, files, message):
    with pytest.raises(PredictionsError, match=message) as caught:
        Predictions.read(write(tmp_path, **files))
    assert "\n" not in str(caught.value)


def test_refuses_what_is_no_folder(tmp_path):
    with pytest.raises(PredictionsError, match="there is none"):
        Predictions.read(tmp_path / "nothing")
    with pytest.raises(PredictionsError, match=r"images\.csv"):
        Predictions.read(tmp_path)


class TestHeatmap:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f4"])
    def test_values_survive(self, tmp_path, dtype):
        values = np.array([[0, 0.25, 1], [0.5, 0.75, 0.125]])
        save(write(tmp_path), values.astype(dtype))
        read = Predictions.read(tmp_path).heatmap("a")
        assert read.dtype == np.float64
        np.testing.assert_array_equal(read, values)

    def test_rounding_beyond_the_range_is_clipped(self, tmp_path):
        save(write(tmp_path), np.array([[-1e-7, 1 + 1e-6]], np.float32))
        assert Predictions.read(tmp_path).heatmap("a").tolist() == [[0, 1]]

    @pytest.mark.parametrize(
        "array",
        [
            np.full((2, 2), 1.5, np.float32),
            np.full((2, 2), -0.1, np.float32),
            np.full((2, 2), np.nan, np.float32),
            np.array([[0.5, np.inf]], np.float32),
            np.zeros((2, 2, 1), np.float32),
            np.zeros((0, 4), np.float32),
            np.zeros((2, 2), np.uint8),
            np.zeros((2, 2), np.float64),
        ],
    )
    def test_refuses_other_arrays(self, tmp_path, array):
        save(write(tmp_path), array)
        with pytest.raises(PredictionsError, match=r"heatmaps/a\.npy"):
            Predictions.read(tmp_path).heatmap("a")

    @pytest.mark.parametrize(("cells", "count"), [([np.nan] * 4, 4), ([0, 1, np.nan, 0], 1)])
    def test_says_that_values_are_no_numbers(self, tmp_path, cells, count):
        save(write(tmp_path), np.array(cells, np.float16).reshape(2, 2))
        with pytest.raises(
            PredictionsError, match=f"expected values within 0..1, got NaN in {count} of 4 cells"
        ):
            Predictions.read(tmp_path).heatmap("a")

    def test_refuses_pickles(self, tmp_path):
        write(tmp_path)
        (tmp_path / "heatmaps").mkdir()
        np.save(tmp_path / "heatmaps" / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
        with pytest.raises(PredictionsError, match=r"heatmaps/a\.npy"):
            Predictions.read(tmp_path).heatmap("a")

    @pytest.mark.parametrize("keep", [0, 5, 60, 130])
    def test_refuses_truncated_files(self, tmp_path, keep):
        save(write(tmp_path), np.zeros((8, 8), np.float16))
        path = tmp_path / "heatmaps" / "a.npy"
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(PredictionsError, match=r"heatmaps/a\.npy: .*, the file ends early$"):
            Predictions.read(tmp_path).heatmap("a")

    def test_refuses_a_header_that_announces_more_than_the_file_holds(self, tmp_path):
        write(tmp_path)
        (tmp_path / "heatmaps").mkdir()
        with (tmp_path / "heatmaps" / "a.npy").open("wb") as stream:
            header = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)}
            np.lib.format.write_array_header_1_0(stream, header)
        with pytest.raises(PredictionsError, match=r"heatmaps/a\.npy"):
            Predictions.read(tmp_path).heatmap("a")

    def test_missing(self, tmp_path):
        save(write(tmp_path), np.zeros((8, 8), np.float16))
        with pytest.raises(PredictionsError, match=r"heatmaps/b\.npy.*there is none"):
            Predictions.read(tmp_path).heatmap("b")


def prediction(image_id, heatmap=True, **parts):
    values = np.array([[0, 0.5], [1, 0.25]], dtype=np.float32)
    return Prediction(image_id, 0.5, heatmap=Heatmap(values, 20, 10) if heatmap else None, **parts)


class TestWriter:
    def test_round_trip(self, tmp_path):
        out, classes = tmp_path / "new" / "p", {"N": 0.5, "A": 0.25}
        with PredictionsWriter(out, {"model": "m", "thresholds": {"image": 0.4}}) as writer:
            writer.add(prediction("a", class_scores=classes), file="x/a.png")
            assert (out / "heatmaps" / "a.npy").is_file()  # at once
            assert not (out / "images.csv").exists()
            found = Detections(np.array([[0, 1, 2, 3.5]]), np.array([0.75]))
            marks = Landmarks(("head",), np.array([[1, 2]]))
            writer.add(
                prediction("b", class_scores=classes, detections=found, landmarks=marks), file="x/b.png"
            )
            writer.set_aside("x/c.png", Damaged("c.png: ends early"))
        read = Predictions.read(out)
        assert read.images.columns == ["image_id", "score", "score_N", "score_A", "file"]
        assert read.images["file"].to_list() == ["x/a.png", "x/b.png"]
        assert read.detections.rows() == [("b", 0, 1, 2, 3.5, 0.75)]
        assert read.landmarks.rows() == [("b", "head", 1, 2, None)]
        assert read.heatmap("b").tolist() == [[0, 0.5], [1, 0.25]]
        assert np.load(out / "heatmaps" / "b.npy").dtype == np.float16
        assert read.thresholds == {"image": 0.4}
        with (out / "rejected.csv").open(newline="", encoding="utf-8") as stream:
            assert list(csv.reader(stream))[1:] == [["x/c.png", "damaged", "c.png: ends early"]]
        assert not list(out.rglob("*.tmp"))

    def test_no_images(self, tmp_path):
        with PredictionsWriter(tmp_path / "p", boxes=True):
            pass
        read = Predictions.read(tmp_path / "p")
        assert (len(read), read.detections.height, read.has_heatmaps) == (0, 0, False)

    def test_boxes_only_if_the_method_finds_some(self, tmp_path):
        with PredictionsWriter(tmp_path / "p") as writer:
            writer.add(prediction("a", heatmap=False))
        assert Predictions.read(tmp_path / "p").detections is None

    def test_a_run_that_fails_leaves_no_folder_that_is_taken_for_whole(self, tmp_path):
        def run():
            with PredictionsWriter(tmp_path / "p") as writer:
                writer.add(prediction("a"))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run()
        assert (tmp_path / "p" / "heatmaps" / "a.npy").is_file()
        with pytest.raises(PredictionsError, match=r"images\.csv"):
            Predictions.read(tmp_path / "p")

    def test_never_into_a_folder_with_files(self, tmp_path):
        (tmp_path / "note.txt").write_text("mine")
        with pytest.raises(UsageError, match="--out"):
            PredictionsWriter(tmp_path)

    @pytest.mark.parametrize(
        "wrong",
        [
            prediction("a"),
            prediction("../b"),
            prediction("b", heatmap=False),
            Prediction("b", float("nan")),
            prediction("b", class_scores={"A": 0.5}),
            Prediction("b", 0.5, heatmap=prediction("b").heatmap, class_scores={"A": 1.5}),
            prediction("b", detections=Detections(np.array([[0, 0, 1, 1]]), np.array([2.0]))),
            Prediction("b", 0.5, heatmap=Heatmap(np.full((2, 2), np.nan, np.float32), 9, 9)),
            Prediction("b", 0.5, heatmap=Heatmap(np.full((2, 2), 1.5, np.float32), 9, 9)),
        ],
    )
    def test_refuses_what_it_could_not_read_again(self, tmp_path, wrong):
        writer = PredictionsWriter(tmp_path / "p")
        writer.add(prediction("a"))
        with pytest.raises(PredictionsError):
            writer.add(wrong)
