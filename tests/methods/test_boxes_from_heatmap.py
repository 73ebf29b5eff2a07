"""Boxes from heatmaps by hand."""

import numpy as np
import pytest

from crepitus.methods.parts.boxes_from_heatmap import boxes_from_heatmap, iou
from crepitus.structures import Heatmap


def found(values, rows=None, columns=None, **options):
    values = np.array(values, np.float32)
    heatmap = Heatmap(values, rows or values.shape[0], columns or values.shape[1])
    return boxes_from_heatmap(heatmap, **({"floor": 0.1, "relative": 0.5} | options))


def test_two_findings_by_hand():
    values = np.zeros((6, 8))
    values[1, 1:4] = [0.4, 0.8, 0.39]
    values[4, 6] = 0.3
    # Left: cells of at least 0.4 are columns 1 and 2 of row 1, that is x in [1, 3), y in [1, 2).
    boxes = found(values)
    assert boxes.xyxy.tolist() == [[1, 1, 3, 2], [6, 4, 7, 5]]
    assert boxes.scores.tolist() == pytest.approx([0.8, 0.3])


def test_diagonal_cells_are_one_finding():
    assert found([[0.9, 0], [0, 0.9]]).xyxy.tolist() == [[0, 0, 2, 2]]


def test_only_what_hangs_together_with_the_peak():
    # 0.2 joins the two cores into one region, but the right core is cut off from the peak at 0.45.
    assert found([[0.9, 0.2, 0.6]]).xyxy.tolist() == [[0, 0, 1, 1]]


def test_boxes_are_in_pixels_of_the_image():
    # 2 x 4 cells over 100 rows and 200 columns: a cell is 50 x 50 px.
    assert found([[0, 0, 0, 0], [0, 0, 0.7, 0]], 100, 200).xyxy.tolist() == [[100, 50, 150, 100]]


def test_nothing_above_the_floor():
    boxes = found(np.full((3, 3), 0.05))
    assert boxes.xyxy.shape == (0, 4)
    assert boxes.scores.shape == (0,)


def test_iou_by_hand():
    # Two 2 x 2 boxes that share 1 x 2: 2 / (4 + 4 - 2).
    a, b = np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])
    assert iou(a, b)[0].tolist() == pytest.approx([1 / 3, 0])
    assert iou(np.zeros((0, 4)), b).shape == (0, 2)
