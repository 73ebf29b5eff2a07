"""Pointing game, energy inside a mask, deletion and insertion with loops, in the words of the papers."""

from math import hypot


def pointing_game(relevance, points, radius):
    """Every pixel with the highest value lies within the radius of some point; None without points."""
    rows, columns = len(relevance), len(relevance[0])
    if not len(points):
        return None
    highest = max(max(row) for row in relevance)
    if highest <= 0:
        return False
    for i in range(rows):
        for j in range(columns):
            if relevance[i][j] == highest and not any(
                hypot(j + 0.5 - x, i + 0.5 - y) <= radius for x, y in points
            ):
                return False
    return True


def energy_inside(relevance, mask):
    """Sum of the positive relevance in the mask over the sum of all of it; None where undefined."""
    inside = total = 0.0
    for row, covered in zip(relevance, mask, strict=True):
        for value, hit in zip(row, covered, strict=True):
            if value > 0:
                total += value
                inside += value if hit else 0.0
    if total == 0 or not any(any(row) for row in mask):
        return None
    return inside / total


def curve(start, end, relevance, score, steps):
    """Scores while the pixels of `start` become those of `end`, most relevant first, one image at a time."""
    rows, columns = len(start), len(start[0])
    cells = sorted(
        ((i, j) for i in range(rows) for j in range(columns)), key=lambda at: (-relevance[at[0]][at[1]], at)
    )
    found = []
    for step in range(steps + 1):
        image = [list(row) for row in start]
        for i, j in cells[: step * len(cells) // steps]:
            image[i][j] = end[i][j]
        found.append(score(image))
    return found


def area(curve_values, fractions):
    """Sum of the trapezoids."""
    return sum(
        (x1 - x0) * (y0 + y1) / 2
        for x0, x1, y0, y1 in zip(fractions, fractions[1:], curve_values, curve_values[1:], strict=False)
    )
