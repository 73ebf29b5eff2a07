"""Expected calibration error straight from its definition, in fractions; slow and obvious."""

from fractions import Fraction


def expected_calibration_error(scores, truth, bins=15):
    """Every case is a unit of mass; cases of equal score form one block whose content is evenly mixed."""
    pairs = sorted(zip(scores, truth, strict=True))
    n = len(pairs)
    if n == 0:
        return None
    mixed = []
    for score, _ in pairs:
        tied = [t for s, t in pairs if s == score]
        mixed.append((Fraction(score), Fraction(sum(tied), len(tied))))
    size, rest = divmod(n, bins)
    total, start = Fraction(0), 0
    for b in range(bins):
        stop = start + size + (b < rest)
        total += abs(sum((t - s for s, t in mixed[start:stop]), Fraction(0)))
        start = stop
    return total / n


def best_box_map(images):
    """mAP of paper 002; images are (boxes, scores, true boxes) of fractured images; None without images."""
    from reference.boxes import iou

    if not images:
        return None
    precision = []
    for level in (0.1, 0.25, 0.5, 0.75, 0.9):
        hits = 0
        for boxes, scores, truth in images:
            if len(scores):
                best = boxes[list(scores).index(max(scores))]
                hits += any(iou(best, other) > level for other in truth)
        precision.append(Fraction(hits, len(images)))
    return sum(precision) / 5
