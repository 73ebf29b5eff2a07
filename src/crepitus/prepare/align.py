"""Alignment: a limb is turned upright, fingers up, and cut to where it lies."""

from __future__ import annotations

import numpy as np

from crepitus.prepare.affine import Affine
from crepitus.prepare.axis import limb_direction
from crepitus.prepare.plan import Plan
from crepitus.prepare.thesis import limb_direction_by_components

LOOK_PX = 256
"""Longer side of the picture that decides; directions are the same at any size."""

_STILL_DEG = 0.5
"""Less than this is left as it is: resampling would cost more than it gives."""


def upright(plan: Plan, heuristic: str) -> Plan:
    """The plan turned so that the fingers point up; the canvas holds all of it but a black margin."""
    picture, _ = plan.picture(LOOK_PX)
    by = limb_direction_by_components if heuristic == "thesis" else limb_direction
    direction = by(picture)
    if direction is None or abs(direction) < _STILL_DEG:
        return plan
    return trimmed(turned(plan, -direction))


def trimmed(plan: Plan) -> Plan:
    """The plan without the lines at its margin that are black from end to end."""
    picture, to_picture = plan.picture()
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    if not len(rows):
        return plan
    box = np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]], dtype=np.float64)
    left, top, right, bottom = to_picture.inverse().boxes(box)[0]
    x0, y0 = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
    x1, y1 = min(plan.columns, int(np.ceil(right))), min(plan.rows, int(np.ceil(bottom)))
    return plan.moved(Affine.shift(-x0, -y0), y1 - y0, x1 - x0)


def turned(plan: Plan, degrees: float) -> Plan:
    """The plan turned clockwise on the smallest canvas that holds all of it; quarter turns are exact."""
    nearest = round(degrees / 90.0) * 90.0
    turn = Affine.turn(nearest if abs(degrees - nearest) < _STILL_DEG else degrees)
    left, top, right, bottom = turn.boxes(np.array([[0.0, 0.0, plan.columns, plan.rows]]))[0]
    rows, columns = int(np.ceil(bottom - top - 1e-6)), int(np.ceil(right - left - 1e-6))
    x0 = (columns - (right - left)) / 2 - left
    y0 = (rows - (bottom - top)) / 2 - top
    return plan.moved(turn.then(Affine.shift(float(x0), float(y0))), rows, columns)
