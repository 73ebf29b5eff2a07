"""Average precision and FROC of boxes straight from their definitions; slow and obvious."""

from fractions import Fraction

import numpy as np

from reference import froc


def area(box):
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def iou(a, b):
    shared = area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return shared / (area(a) + area(b) - shared) if area(a) + area(b) > shared else 0


def average_precision(detections, truth):
    """COCO's: detections are (image, box, score) in file order, truth maps images to boxes."""
    total = sum(len(boxes) for boxes in truth.values())
    if total == 0:
        return None
    free = {image: list(boxes) for image, boxes in truth.items()}
    true = false = 0
    curve = []
    for image, box, _ in sorted(detections, key=lambda d: -d[2]):  # stable: ties keep file order
        overlaps = [iou(box, other) for other in free.get(image, [])]
        if overlaps and max(overlaps) >= 0.5:
            # Of equal overlaps COCO takes the last one.
            del free[image][max(range(len(overlaps)), key=lambda g: (overlaps[g], g))]
            true += 1
        else:
            false += 1
        curve.append((true / total, true / (true + false)))
    points = np.linspace(0, 1, 101)
    return sum(max([p for r, p in curve if r >= point], default=0) for point in points) / 101


def box_froc_curve(images, radius):
    """(rate, recall) over all score thresholds; images are (boxes, scores, points, rows, columns)."""
    total = sum(len(points) for _, _, points, _, _ in images)
    near_of = [froc.disks(points, rows, columns, radius) for _, _, points, rows, columns in images]
    curve = [(Fraction(0) if images else None, Fraction(0) if total else None)]
    for t in sorted({s for _, scores, *_ in images for s in scores}, reverse=True):
        found = false = 0
        for (boxes, scores, points, rows, columns), near in zip(images, near_of, strict=True):
            kept = [b for b, s in zip(boxes, scores, strict=True) if s >= t]
            found += sum(any(froc.holds(b, p) for b in kept) for p in points)
            false += sum(froc.is_false_positive(b, near, rows, columns) for b in kept)
        curve.append((Fraction(false, len(images)), Fraction(found, total) if total else None))
    return curve
