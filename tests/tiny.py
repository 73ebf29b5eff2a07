"""A tiny data set and configuration, enough to train in a second."""

import numpy as np

from crepitus.data import DataSet, DataSetWriter
from crepitus.structures import Annotation, Boxes, Points, Radiograph

TINY = (
    "backbone.name=test_resnet",
    "backbone.weights=random",
    "input.size_px=64",
    "pyramid.channels=16",
    "training.batch_size=4",
    "training.learning_rate=3e-3",
    "training.precision=fp32",
    "training.workers=0",
    "training.epochs=4",
)
"""Overrides of the window-loss configuration; test_resnet is timm's own network for tests."""


def make_tiny(root, count=20, seed=0):
    """`count` images of 48 x 60, every second one with a bright mark as its fracture; split 12/4/4 of 20."""
    generator = np.random.default_rng(seed)
    with DataSetWriter(root, {"name": "tiny"}, annotated=("points", "boxes")) as writer:
        for index in range(count):
            pixels = generator.integers(20, 90, (48, 60)).astype(np.uint8)
            points, boxes = np.zeros((0, 2)), np.zeros((0, 4))
            if index % 2:
                row, column = generator.integers(4, 36), generator.integers(4, 48)
                pixels[row : row + 8, column : column + 8] = 250
                boxes = np.array([[column, row, column + 8, row + 8]])
                points = (boxes[:, :2] + boxes[:, 2:]) / 2
            writer.add(
                Radiograph(f"tiny-{index:02d}", pixels),
                Annotation(label=index % 2, points=Points(points), boxes=Boxes(boxes)),
                split=("train", "train", "train", "val", "test")[(index // 2) % 5],
                fold=(index // 2) % 5,
            )
    return DataSet.read(root)
