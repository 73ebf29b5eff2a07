"""Modified FROC straight from its definition, cell by cell; slow and obvious."""

from fractions import Fraction


def cell_of(point, h, w, rows, columns):
    for i in range(h):
        for j in range(w):
            if Fraction(j * columns, w) <= Fraction(point[0]) < Fraction((j + 1) * columns, w) and Fraction(
                i * rows, h
            ) <= Fraction(point[1]) < Fraction((i + 1) * rows, h):
                return i, j
    raise ValueError("the point lies outside")


def is_negative(i, j, h, w, points, rows, columns, radius):
    x, y = Fraction((2 * j + 1) * columns, 2 * w), Fraction((2 * i + 1) * rows, 2 * h)
    return all((x - Fraction(px)) ** 2 + (y - Fraction(py)) ** 2 > Fraction(radius) ** 2 for px, py in points)


def area_froc_curve(images, radius):
    """(ratio, recall) at each threshold; images are (heatmap, points, rows, columns)."""
    prepared = []
    for heatmap, points, rows, columns in images:
        h, w = heatmap.shape
        negative = [
            float(heatmap[i, j])
            for i in range(h)
            for j in range(w)
            if is_negative(i, j, h, w, points, rows, columns, radius)
        ]
        prepared.append((negative, [float(heatmap[cell_of(p, h, w, rows, columns)]) for p in points]))
    curve = []
    for k in range(1, 100):
        t = k / 100
        ratios = [Fraction(sum(v >= t for v in n), len(n)) for n, _ in prepared if n]
        values = [v for _, at_points in prepared for v in at_points]
        curve.append(
            (
                sum(ratios) / len(ratios) if ratios else None,
                Fraction(sum(v >= t for v in values), len(values)) if values else None,
            )
        )
    return curve
