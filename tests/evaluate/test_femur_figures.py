"""Figures of paper 002 on whole folders: mAP against regions, and F1 of fracture against normal."""

import numpy as np
import pytest

from crepitus.data import DataSet, DataSetWriter
from crepitus.evaluate.run import evaluate
from crepitus.predict import Predictions
from crepitus.predict.writer import PredictionsWriter
from crepitus.structures import Annotation, Boxes, Detections, Prediction, Radiograph


def dataset(root, rows, *, roi=True):
    """Images of 40 x 40; `rows` are (image_id, label, ao_class), regions are 10..30."""
    with DataSetWriter(root, {"name": "femora"}, annotated=("boxes",)) as writer:
        for image_id, label, ao_class in rows:
            box = Boxes(np.array([[10.0, 10, 30, 30]]), ("roi",)) if roi else Boxes(np.zeros((0, 4)))
            writer.add(
                Radiograph(image_id, np.zeros((40, 40), np.uint8)),
                Annotation(label=label, boxes=box),
                ao_class=ao_class,
            )
    return DataSet.read(root)


def predictions(root, answers, *, boxes=None):
    with PredictionsWriter(root, {}) as writer:
        for image_id, classes in answers.items():
            found = None
            if boxes is not None:
                found = Detections(np.array([boxes[image_id]], dtype=float), np.array([0.5]))
            writer.add(Prediction(image_id, classes.get("fracture", 0.5), classes, detections=found))
    return Predictions.read(root)


ROWS = [("a", 1, "A1"), ("b", 1, "B2"), ("c", 0, "N")]


def two(fracture):
    return {"fracture": fracture, "N": 1 - fracture}


def test_map_against_regions_by_hand(tmp_path):
    data = dataset(tmp_path / "data", ROWS)
    # a: the region itself, above all five levels. b: IoU 200 / 400 = 0.5, above 0.1 and 0.25 only.
    # c is no fracture and plays no part: (5 + 2) / 10.
    found = {"a": (10, 10, 30, 30), "b": (10, 10, 30, 20), "c": (0, 0, 1, 1)}
    folder = predictions(tmp_path / "out", dict.fromkeys("abc", two(0.5)), boxes=found)
    figures = evaluate(folder, data).figures
    assert figures["boxes.map_roi"] == pytest.approx(0.7)
    assert figures["boxes.map_femur"] is None


def test_no_key_without_regions_or_without_detections(tmp_path):
    answers = dict.fromkeys("abc", two(0.5))
    without_regions = dataset(tmp_path / "data", ROWS, roi=False)
    boxes = dict.fromkeys("abc", (0, 0, 9, 9))
    folder = predictions(tmp_path / "out", answers, boxes=boxes)
    assert "boxes.map_roi" not in evaluate(folder, without_regions).figures
    folder = predictions(tmp_path / "none", answers)
    assert "boxes.map_roi" not in evaluate(folder, dataset(tmp_path / "with", ROWS)).figures


def test_any_fracture_is_of_the_class_fracture_and_the_label_answers_where_no_ao_class_is(tmp_path):
    data = dataset(tmp_path / "data", [*ROWS, ("d", 1, None), ("e", 0, None), ("f", None, None)])
    # f is normal: boxes were annotated, and it has none. Called: a, b, e fracture; c, d, f normal.
    # fracture: 2 right of 3 true and 3 called, F1 = 2 * 2 / 6; with e normal and d a fracture the same for N.
    answers = {i: two(0.9 if i in "abe" else 0.1) for i in "abcdef"}
    figures = evaluate(predictions(tmp_path / "out", answers), data).figures
    assert figures["class.f1.fracture"] == pytest.approx(2 / 3)
    assert figures["class.f1.N"] == pytest.approx(2 / 3)
    assert figures["class.f1.weighted"] == pytest.approx(2 / 3)
