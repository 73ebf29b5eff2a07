"""Mining of regions and painting of boxes with loops, in the words of the papers."""


def allowed_cells(probabilities, threshold):
    """S' = {i, j | p_ij > p-hat} (paper 003, Eq. 2) as a set."""
    return {(i, j) for i, row in enumerate(probabilities) for j, p in enumerate(row) if p > threshold}


def sensitivity(maxima, threshold):
    """Share of positive images that have a cell above the threshold."""
    return sum(m > threshold for m in maxima) / len(maxima)


def cut(image, left, top, side):
    """A square of an image (nested lists), 0 beyond its border."""
    rows, columns = len(image), len(image[0])
    return [
        [image[i][j] if 0 <= i < rows and 0 <= j < columns else 0.0 for j in range(left, left + side)]
        for i in range(top, top + side)
    ]


def painted(boxes, height, width, rows, columns):
    """Highest score of the boxes (x0, y0, x1, y1, score) that hold the centre of each cell."""
    result = [[0.0] * columns for _ in range(rows)]
    for i in range(rows):
        for j in range(columns):
            x, y = (j + 0.5) * width / columns, (i + 0.5) * height / rows
            for x0, y0, x1, y1, score in boxes:
                if x0 <= x < x1 and y0 <= y < y1:
                    result[i][j] = max(result[i][j], score)
    return result
