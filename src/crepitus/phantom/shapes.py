"""Bones and soft tissue as signed distance functions of generalised cylinders along splines.

All shapes of a limb live in one limb frame (s, a, b) in mm: s along the limb, a and b across it. A `Tube`
follows a centre line (u(s), v(s)) with an elliptic cross-section whose radius and cortical thickness vary
with s and with the angle around it; an ellipsoid is a tube whose radius closes at both ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from crepitus.phantom.compiled import compiled

FloatArray = NDArray[np.float64]

TABLE_STEP_MM = 0.5
"""Distance between the rows of a tube's table."""

U, V, R1, R2, SLOPE, CORTEX, TRABECULAR, BOUND = range(8)
RADIUS_COS2, RADIUS_SIN2, RADIUS_COS3, RADIUS_SIN3 = range(8, 12)
CORTEX_COS1, CORTEX_SIN1, CORTEX_COS2, CORTEX_SIN2 = range(12, 16)
COLUMNS = 16

_BOUND_WINDOW_MM = 14.0
_HARMONIC_MARGIN = 1.12


@dataclass(frozen=True)
class Tube:
    """A generalised cylinder.

    Attributes:
        name: for example "radius".
        start_mm: s of the first row of the table.
        table: shape (k, 16), float64, one row every `TABLE_STEP_MM`: centre u, v; radii r1 (along a), r2
            (along b); slope of the mean radius; cortical thickness; share of trabecular bone; bounding
            radius; then relative harmonics around the axis of the radius (2, 3) and the cortex (1, 2).
    """

    name: str
    start_mm: float
    table: FloatArray

    @property
    def s(self) -> FloatArray:
        """Position of each row of the table along the limb in mm."""
        return np.asarray(self.start_mm + TABLE_STEP_MM * np.arange(len(self.table)), dtype=np.float64)

    @property
    def end_mm(self) -> float:
        """Position of the last row in mm."""
        return self.start_mm + TABLE_STEP_MM * (len(self.table) - 1)

    def at(self, s: float | FloatArray) -> FloatArray:
        """Rows of the table at positions `s`, linearly interpolated, shape (..., 16)."""
        index = np.clip((np.asarray(s) - self.start_mm) / TABLE_STEP_MM, 0, len(self.table) - 1)
        low = np.minimum(index.astype(int), len(self.table) - 2)
        part = (index - low)[..., None]
        return np.asarray(self.table[low] * (1 - part) + self.table[low + 1] * part)


def spline(knots: FloatArray, values: FloatArray, s: FloatArray) -> FloatArray:
    """A monotone cubic spline through (knots, values), evaluated at `s`, constant beyond the ends."""
    return np.asarray(PchipInterpolator(knots, values)(np.clip(s, knots[0], knots[-1])))


def make_tube(name: str, s: FloatArray, columns: dict[int, FloatArray | float]) -> Tube:
    """A tube from the columns of its table; slope and bound are derived here, missing ones are 0.

    Args:
        name: for example "radius".
        s: equally spaced positions, `TABLE_STEP_MM` apart, shape (k,).
        columns: values by column index, each of shape (k,) or one number.
    """
    table = np.zeros((len(s), COLUMNS))
    for column, values in columns.items():
        table[:, column] = values
    radius = np.sqrt(table[:, R1] * table[:, R2])
    table[:, SLOPE] = np.gradient(radius, TABLE_STEP_MM)
    table[:, BOUND] = _bound(table)
    return Tube(name, float(s[0]), table)


def _bound(table: FloatArray) -> FloatArray:
    """Radius around the centre line within which a ray near each row can meet the tube."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    window = 2 * int(_BOUND_WINDOW_MM / TABLE_STEP_MM) + 1
    largest = maximum_filter1d(np.maximum(table[:, R1], table[:, R2]), window, mode="nearest")
    drift = sum(
        maximum_filter1d(table[:, c], window, mode="nearest")
        - minimum_filter1d(table[:, c], window, mode="nearest")
        for c in (U, V)
    )
    return np.asarray(_HARMONIC_MARGIN * largest + drift + 0.5)


def positions(start_mm: float, end_mm: float) -> FloatArray:
    """Equally spaced positions for a table from `start_mm` to about `end_mm`."""
    return np.asarray(
        start_mm + TABLE_STEP_MM * np.arange(max(4, round((end_mm - start_mm) / TABLE_STEP_MM) + 1))
    )


def rounded_ends(s: FloatArray, cap_mm: float) -> FloatArray:
    """Factor of the radius, shape like `s`, that closes a tube with elliptic caps of length `cap_mm`."""
    inset = np.minimum(s - s[0], s[-1] - s)
    x = np.clip(1 - inset / cap_mm, 0, 1)
    return np.asarray(np.sqrt(np.maximum(1 - x * x, 1e-6)))


def ellipsoid(
    name: str, centre: FloatArray, radii: tuple[float, float, float], cortex_mm: float, trabecular: float
) -> Tube:
    """An ellipsoid with a shell: `centre` and `radii` are (s, a, b) in mm."""
    s = positions(centre[0] - radii[0], centre[0] + radii[0])
    profile = np.sqrt(np.maximum(1 - ((s - centre[0]) / radii[0]) ** 2, 1e-4))
    return make_tube(
        name,
        s,
        {
            U: centre[1],
            V: centre[2],
            R1: radii[1] * profile,
            R2: radii[2] * profile,
            CORTEX: cortex_mm,
            TRABECULAR: trabecular,
        },
    )


@compiled
def surface_distance(
    table: FloatArray, i: int, u: float, v: float, r1: float, r2: float, a: float, b: float
) -> tuple[float, float]:
    """Signed distance of (a, b) to a tube's surface in mm, negative inside, to first order.

    Args:
        table: of the tube; its row `i` gives slope and harmonics.
        i: nearest row.
        u: interpolated centre along a, mm.
        v: along b.
        r1: interpolated radius along a, mm.
        r2: along b.
        a: position across the limb, mm.
        b: likewise.

    Returns:
        distance, and the cortical thickness there, both in mm.
    """
    da = (a - u) / r1
    db = (b - v) / r2
    f = np.sqrt(da * da + db * db)
    inverse = 1.0 / (f + 1e-9)
    c = da * inverse
    s = db * inverse
    c2 = c * c - s * s
    s2 = 2.0 * c * s
    scale = 1.0 + table[i, 8] * c2 + table[i, 9] * s2
    scale += table[i, 10] * (c * c2 - s * s2) + table[i, 11] * (s * c2 + c * s2)
    mean = r1 * r2 / np.sqrt((r2 * c) ** 2 + (r1 * s) ** 2 + 1e-12)
    distance = (f - scale) * mean / np.sqrt(1.0 + table[i, 4] * table[i, 4])
    uneven = 1.0 + table[i, 12] * c + table[i, 13] * s + table[i, 14] * c2 + table[i, 15] * s2
    return distance, table[i, 5] * max(0.2, uneven)
