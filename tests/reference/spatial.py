"""A crop by an affine transform, one output pixel after the other."""

import math

import numpy as np


def slow_warp(image, theta, size):
    """Bilinear samples of an image (h, w) at theta (2, 3) times the centres of a grid; black outside."""
    height, width = image.shape
    result = np.zeros(size)
    for row in range(size[0]):
        for column in range(size[1]):
            # Centres of the crop's pixels, -1..1 between its outer edges.
            u, v = (2 * column + 1) / size[1] - 1, (2 * row + 1) / size[0] - 1
            x, y = theta @ np.array([u, v, 1.0])
            at_x, at_y = (x + 1) * width / 2 - 0.5, (y + 1) * height / 2 - 0.5
            for r in (math.floor(at_y), math.floor(at_y) + 1):
                for c in (math.floor(at_x), math.floor(at_x) + 1):
                    if 0 <= r < height and 0 <= c < width:
                        result[row, column] += image[r, c] * (1 - abs(at_y - r)) * (1 - abs(at_x - c))
    return result
