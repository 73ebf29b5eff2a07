"""Thin-plate spline, line of symmetry, contrastive loss from their definitions; slow and obvious."""

import math

import numpy as np


def bending(r):
    return 0.0 if r == 0 else r * r * math.log(r * r)


def spline(control, target):
    """Bookstein's thin-plate spline of one image: a function of (x, y)."""
    n = len(control)
    system, right = np.zeros((n + 3, n + 3)), np.zeros((n + 3, 2))
    for i in range(n):
        for j in range(n):
            system[i, j] = bending(math.dist(control[i], control[j]))
        system[i, n:] = system[n:, i] = (1.0, *control[i])
        right[i] = target[i]
    solution = np.linalg.solve(system, right)

    def at(x, y):
        value = solution[n] + x * solution[n + 1] + y * solution[n + 2]
        for i in range(n):
            value = value + bending(math.dist((x, y), control[i])) * solution[i]
        return value

    return at


def determinant(at, x, y, step=1e-4):
    """Determinant of the Jacobian by differences."""
    across = (at(x + step, y) - at(x - step, y)) / (2 * step)
    down = (at(x, y + step) - at(x, y - step)) / (2 * step)
    return across[0] * down[1] - across[1] * down[0]


def asymmetry(landmarks, partner, angle, offset):
    """Sum over landmarks of the squared distance between the mirror image of one and its partner."""
    normal = np.array([math.cos(angle), math.sin(angle)])
    total = 0.0
    for i, j in enumerate(partner):
        reflected = landmarks[i] - 2 * (normal @ landmarks[i] - offset) * normal
        total += ((reflected - landmarks[j]) ** 2).sum()
    return total


def contrastive(first, second, affected, margin):
    """Eq. 2 as a mean over cells: first, second (c, h, w), affected (h, w)."""
    terms = []
    for row in range(affected.shape[0]):
        for column in range(affected.shape[1]):
            squared = sum(
                (a - b) ** 2 for a, b in zip(first[:, row, column], second[:, row, column], strict=True)
            )
            terms.append(max(0.0, margin - squared) if affected[row, column] else squared)
    return sum(terms) / len(terms)
