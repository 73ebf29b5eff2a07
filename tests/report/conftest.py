"""A small data set with predictions and their evaluation, written by hand, for the tests of the report."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from crepitus.data.folder import DataSet
from crepitus.data.writer import DataSetWriter
from crepitus.errors import PredictionsError
from crepitus.evaluate.evaluation import Curve, Evaluation
from crepitus.structures import Annotation, Boxes, Points, Radiograph

HOSTILE = '<script>alert("x")</script>'


@dataclass(frozen=True)
class FakePredictions:
    root: Path
    images: pl.DataFrame
    detections: pl.DataFrame | None = None
    info: dict[str, Any] = field(default_factory=dict)
    has_heatmaps: bool = False
    heatmaps: dict[str, np.ndarray] = field(default_factory=dict)

    def heatmap(self, image_id):
        if image_id not in self.heatmaps:
            raise PredictionsError(f"{image_id}.npy: expected a heatmap, there is none")
        return self.heatmaps[image_id]


@dataclass(frozen=True)
class Scene:
    data: DataSet
    predictions: FakePredictions
    evaluation: Evaluation


# image_id, truth, score, points, found, false positives
ROWS = [
    ("f1", 1, 0.9, [(40.0, 30.0)], 1, 0),
    ("f2", 1, 0.7, [(20.0, 20.0), (60.0, 50.0)], 1, 1),
    ("f3", 1, 0.2, [(50.0, 50.0)], 0, 0),
    ("n1", 0, 0.6, [], 0, 1),
    ("n2", 0, 0.1, [], 0, 0),
    ("n3", 0, 0.3, [], 0, 0),
]


@pytest.fixture
def scene(tmp_path):
    rng = np.random.default_rng(0)
    with DataSetWriter(tmp_path / "data", {"name": f"Wrists {HOSTILE}", "site": {"ward": HOSTILE}}) as writer:
        for image_id, truth, _, points, _, _ in ROWS:
            pixels = rng.integers(0, 4096, (80, 100)).astype(np.uint16)
            boxes = [[x - 8, y - 6, x + 8, y + 6] for x, y in points]
            annotation = Annotation(truth, Points(points), Boxes(boxes))
            writer.add(Radiograph(image_id, pixels), annotation, patient_id=image_id[0])
    data = DataSet.read(tmp_path / "data")
    heatmaps = {}
    for image_id, *_ in ROWS:
        heatmaps[image_id] = np.zeros((8, 10))
    heatmaps["f1"][3, 4] = 0.9  # holds (40, 30)
    heatmaps["f2"][5, 6] = 0.8  # holds (60, 50)
    images = pl.DataFrame(
        [(i, t, s, len(p), f, fp) for i, t, s, p, f, fp in ROWS],
        schema=["image_id", "truth", "score", "points", "found", "false_positives"],
        orient="row",
    )
    detections = pl.DataFrame(
        [("f1", 30.0, 20.0, 50.0, 40.0, 0.83)],
        schema=["image_id", "x_min", "y_min", "x_max", "y_max", "score"],
        orient="row",
    )
    thresholds = np.array([0.9, 0.5, 0.1])
    line = Curve(
        np.array([0.0, 0.2, 1.0]), np.array([0.4, 0.7, 1.0]), thresholds, "x", "y",
        np.array([0.3, 0.6, 0.9]), np.array([0.5, 0.8, 1.0]),
    )  # fmt: skip
    evaluation = Evaluation(
        figures={
            "image.auroc": 0.8889,
            "image.ap": 0.9167,
            "localization.froc_score": 0.51,
            "boxes.ap_50": None,
            "count.images": 6,
        },
        intervals={"image.auroc": (0.71234, 0.98765)},
        curves=dict.fromkeys(("roc", "pr", "froc", "area_froc", "boxes_froc", "reliability"), line),
        images=images,
        warnings=[f"Something about {HOSTILE} & more."],
        settings={
            "image_threshold": 0.5,
            "localization_threshold": 0.5,
            "split": "test",
            "command": ["crepitus", "evaluate", HOSTILE],
            "radius_px": 50,
        },
    )
    predictions = FakePredictions(
        tmp_path / "p",
        images.select("image_id", "score"),
        detections,
        {"model": f"window-loss {HOSTILE}", "sha256": "ab" * 32},
        True,
        heatmaps,
    )
    return Scene(data, predictions, evaluation)
