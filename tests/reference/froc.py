"""FROC straight from its definition: explicit loops, fractions, scipy labels; slow and obvious."""

from fractions import Fraction

import numpy as np
from scipy import ndimage


def component_boxes(mask, rows, columns):
    """Boxes (x_min, y_min, x_max, y_max) as fractions, in image coordinates."""
    h, w = mask.shape
    labelled, count = ndimage.label(mask, structure=np.ones((3, 3)))
    boxes = []
    for k in range(1, count + 1):
        i, j = np.nonzero(labelled == k)
        boxes.append(
            (
                Fraction(int(j.min()) * columns, w),
                Fraction(int(i.min()) * rows, h),
                Fraction((int(j.max()) + 1) * columns, w),
                Fraction((int(i.max()) + 1) * rows, h),
            )
        )
    return boxes


def holds(box, point):
    return box[0] <= Fraction(point[0]) < box[2] and box[1] <= Fraction(point[1]) < box[3]


def near_a_point(x, y, points, radius):
    return any(
        (Fraction(x) - Fraction(px)) ** 2 + (Fraction(y) - Fraction(py)) ** 2 <= Fraction(radius) ** 2
        for px, py in points
    )


def disks(points, rows, columns, radius):
    """Which pixels have their centre within the radius of a point."""
    return [[near_a_point(c + 0.5, r + 0.5, points, radius) for c in range(columns)] for r in range(rows)]


def is_false_positive(box, near, rows, columns):
    inside = close = 0
    for r in range(rows):
        for c in range(columns):
            if holds(box, (c + 0.5, r + 0.5)):
                inside += 1
                close += near[r][c]
    return inside > 0 and Fraction(close, inside) < Fraction(1, 10)


def counts(heatmap, points, rows, columns, near, k):
    """Found points and false positive boxes of one image at t = k / 100."""
    boxes = component_boxes(heatmap.astype(np.float64) >= k / 100, rows, columns)
    found = sum(any(holds(box, point) for box in boxes) for point in points)
    return found, sum(is_false_positive(box, near, rows, columns) for box in boxes)


def recall_at(curve, limit):
    """Highest recall over thresholds whose rate does not exceed the limit; None if undefined."""
    if any(rate is None or recall is None for rate, recall in curve):
        return None
    return max([recall for rate, recall in curve if rate <= limit], default=Fraction(0))


def froc_curve(images, radius):
    """(rate, recall) at each threshold; images are (heatmap, points, rows, columns)."""
    total = sum(len(points) for _, points, _, _ in images)
    near = [disks(points, rows, columns, radius) for _, points, rows, columns in images]
    curve = []
    for k in range(1, 100):
        both = [counts(*image, around, k) for image, around in zip(images, near, strict=True)]
        found, false = sum(f for f, _ in both), sum(p for _, p in both)
        curve.append(
            (Fraction(false, len(images)) if images else None, Fraction(found, total) if total else None)
        )
    return curve


def froc_score(curve):
    recalls = [recall_at(curve, Fraction(n, 10)) for n in (1, 2, 3, 4, 5)]
    return None if recalls[0] is None else sum(recalls) / 5
