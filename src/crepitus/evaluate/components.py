"""Connected components of a heatmap at 99 thresholds at once, by flooding from the highest downwards.

Lowering the threshold only adds cells, so that components appear, grow and merge, but never split. One
union-find pass over the cells in falling order follows all of them with their boxes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.evaluate.compiled import compiled

N_THRESHOLDS = 99
THRESHOLDS: NDArray[np.float64] = np.arange(1, N_THRESHOLDS + 1) / 100
"""t = k / 100 for k = 1 ... 99, as float64; position k - 1."""

NEAR_NUMERATOR, NEAR_DENOMINATOR = 1, 10
"""A box is a false positive when less than 10 % of its pixels lie in a disk (paper 001)."""


def threshold_levels(heatmap: NDArray[np.float64]) -> NDArray[np.uint8]:
    """How many thresholds each cell reaches: the largest k with value >= k / 100, 0 if none.

    Args:
        heatmap: (h, w), float64, 0..1.

    Returns:
        Shape (h, w), uint8, 0..99.
    """
    return _levels(np.ascontiguousarray(heatmap, dtype=np.float64), THRESHOLDS)


@compiled
def _levels(heatmap: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.uint8]:
    levels = np.empty(heatmap.shape, dtype=np.uint8)
    for i in range(heatmap.shape[0]):
        for j in range(heatmap.shape[1]):
            value = heatmap[i, j]
            # The product is rounded, so that the level may be off by one; the comparison settles it.
            level = min(max(int(value * 100), 0), N_THRESHOLDS)
            while level < N_THRESHOLDS and value >= thresholds[level]:
                level += 1
            while level > 0 and value < thresholds[level - 1]:
                level -= 1
            levels[i, j] = level
    return levels


@compiled
def _find(parent: NDArray[np.int32], cell: int) -> int:
    while parent[cell] != cell:
        parent[cell] = parent[parent[cell]]
        cell = parent[cell]
    return cell


@compiled
def _cells_by_level(levels: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Cells sorted by level, and where each level starts: order[start[k]:start[k + 1]] has level k."""
    flat = levels.ravel()
    start = np.zeros(N_THRESHOLDS + 2, dtype=np.int64)
    for cell in range(flat.size):
        start[flat[cell] + 1] += 1
    for level in range(N_THRESHOLDS + 1):
        start[level + 1] += start[level]
    following = start.copy()
    order = np.empty(flat.size, dtype=np.int32)
    for cell in range(flat.size):
        order[following[flat[cell]]] = cell
        following[flat[cell]] += 1
    return order, start


@compiled
def _merge(
    parent: NDArray[np.int32], boxes: NDArray[np.int32], counted: NDArray[np.bool_], a: int, b: int
) -> int:
    """Join the components of the roots a and b; returns how many counted boxes this dissolves."""
    dissolved = int(counted[a]) + int(counted[b])
    counted[a] = counted[b] = False
    # The larger box is a good stand-in for the larger tree; path halving does the rest.
    if boxes[a, 1] - boxes[a, 0] + boxes[a, 3] - boxes[a, 2] < (
        boxes[b, 1] - boxes[b, 0] + boxes[b, 3] - boxes[b, 2]
    ):
        a, b = b, a
    parent[b] = a
    boxes[a, 0] = min(boxes[a, 0], boxes[b, 0])
    boxes[a, 1] = max(boxes[a, 1], boxes[b, 1])
    boxes[a, 2] = min(boxes[a, 2], boxes[b, 2])
    boxes[a, 3] = max(boxes[a, 3], boxes[b, 3])
    return dissolved


@compiled
def is_false_positive(
    row0: int, row1: int, column0: int, column1: int, integral: NDArray[np.int32], top: int, left: int
) -> bool:
    """Whether less than 10 % of the pixels [row0, row1) x [column0, column1) lie in a disk.

    A box without pixels is never a false positive. The last three arguments are those of `NearPixels`.
    """
    total = (row1 - row0) * (column1 - column0)
    if row1 <= row0 or column1 <= column0:
        return False
    height, width = integral.shape[0] - 1, integral.shape[1] - 1
    r0, r1 = min(max(row0 - top, 0), height), min(max(row1 - top, 0), height)
    c0, c1 = min(max(column0 - left, 0), width), min(max(column1 - left, 0), width)
    near = integral[r1, c1] - integral[r0, c1] - integral[r1, c0] + integral[r0, c0]
    return bool(near * NEAR_DENOMINATOR < total * NEAR_NUMERATOR)


@compiled
def flood(
    levels: NDArray[np.uint8],
    row_edges: NDArray[np.int64],
    column_edges: NDArray[np.int64],
    cells: NDArray[np.int64],
    integral: NDArray[np.int32],
    top: int,
    left: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Follow the boxes of the 8-connected components from the highest threshold to the lowest.

    Args:
        levels: (h, w), from `threshold_levels`.
        row_edges: (h + 1,), from `pixel_edges`.
        column_edges: (w + 1,), likewise.
        cells: (n, 2), cells (row, column) that hold the points.
        integral: of `NearPixels`.
        top: of `NearPixels`.
        left: of `NearPixels`.

    Returns:
        The level at which each point is first found, shape (n,), 0 for never: components only grow, so
        that it stays found below. And the number of false positive boxes at each threshold, shape (99,).
    """
    height, width = levels.shape
    order, start = _cells_by_level(levels)
    parent = np.full(height * width, -1, dtype=np.int32)
    boxes = np.empty((height * width, 4), dtype=np.int32)  # first and last row, first and last column
    counted = np.zeros(height * width, dtype=np.bool_)
    judged = np.zeros(height * width, dtype=np.uint8)  # the last level at which the root was judged
    found = np.zeros(len(cells), dtype=np.int64)
    false_positives = np.zeros(N_THRESHOLDS, dtype=np.int64)
    current = 0
    for level in range(N_THRESHOLDS, 0, -1):
        added = order[start[level] : start[level + 1]]
        for cell in added:
            i, j = cell // width, cell % width
            parent[cell] = cell
            boxes[cell, 0] = boxes[cell, 1] = i
            boxes[cell, 2] = boxes[cell, 3] = j
            root = cell
            for ni in range(max(i - 1, 0), min(i + 2, height)):
                for nj in range(max(j - 1, 0), min(j + 2, width)):
                    neighbour = ni * width + nj
                    if neighbour != cell and parent[neighbour] >= 0:
                        other = _find(parent, neighbour)
                        root = _find(parent, root)
                        if other != root:
                            current -= _merge(parent, boxes, counted, root, other)
        # Every component that changed holds a cell that was added; the others keep their judgement.
        for cell in added:
            root = _find(parent, cell)
            if judged[root] == level:
                continue
            judged[root] = level
            i0, i1, j0, j1 = boxes[root, 0], boxes[root, 1], boxes[root, 2], boxes[root, 3]
            counted[root] = is_false_positive(
                row_edges[i0], row_edges[i1 + 1], column_edges[j0], column_edges[j1 + 1], integral, top, left
            )
            current += int(counted[root])
            for p in range(len(cells)):
                if found[p] == 0 and i0 <= cells[p, 0] <= i1 and j0 <= cells[p, 1] <= j1:
                    found[p] = level
        false_positives[level - 1] = current
    return found, false_positives
