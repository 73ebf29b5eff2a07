"""Curved plates through points in space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.solid.clay import Clay, Stuff
from crepitus.phantom.solid.outline import outline

FloatArray = NDArray[np.float64]

_RIDGE = 1e-3
"""Keeps the cubic surface tame between few points, relative to the spread of the points."""


def fitted_plate(
    clay: Clay,
    rim: FloatArray,
    inner: FloatArray,
    thickness: FloatArray,
    stuff: Stuff,
    *,
    spacing_mm: float = 1.5,
) -> None:
    """Add a plate whose edge runs through `rim` (n, 3), in order, and its middle near `inner` (m, 3).

    The plate's plane is the one of least squares, its middle surface a cubic over it. `thickness` as in
    `Clay.plate`, with u along the longest extent.
    """
    points = np.concatenate([rim, inner])
    origin = points.mean(axis=0)
    axes = np.linalg.svd(points - origin, full_matrices=False)[2]
    u, v, w = ((points - origin) @ axes.T).T
    scale = float(np.abs(np.concatenate([u, v])).max())
    a, b = u / scale, v / scale
    terms = np.stack([np.ones_like(a), a, b, a * a, a * b, b * b, a**3, a * a * b, a * b * b, b**3], axis=1)
    ridge = np.sqrt(_RIDGE * len(points)) * np.eye(10)
    shape = np.linalg.lstsq(np.concatenate([terms, ridge]), np.concatenate([w, np.zeros(10)]), rcond=None)[0]
    shape = shape / scale ** np.array([0, 1, 1, 2, 2, 2, 3, 3, 3, 3])
    flat = outline(((rim - origin) @ axes.T)[:, :2], spacing_mm=spacing_mm)
    clay.plate(flat, origin, np.ascontiguousarray(axes), shape, thickness, stuff)
