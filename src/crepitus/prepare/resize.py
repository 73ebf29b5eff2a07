"""Pad to a shape with black, and resize by the longer side: where the image ends up, exactly."""

from __future__ import annotations

from crepitus.prepare.affine import Affine
from crepitus.prepare.plan import Plan


def padded(plan: Plan, aspect: tuple[int, int]) -> Plan:
    """The image in the middle of the smallest black frame of the aspect (width, height) that holds it.

    An image that has the aspect, to the pixel, stays as it is.
    """
    width, height = aspect
    rows, columns = plan.rows, plan.columns
    if columns == round(rows * width / height) or rows == round(columns * height / width):
        return plan
    if columns * height < rows * width:
        columns = round(rows * width / height)
    else:
        rows = round(columns * height / width)
    shift = Affine.shift((columns - plan.columns) // 2, (rows - plan.rows) // 2)
    return plan.moved(shift, rows, columns)


def resized(plan: Plan, size: int, aspect: tuple[int, int] | None = None) -> Plan:
    """The image with `size` pixels on its longer side, at least one on the other.

    Args:
        plan: of one image.
        size: in pixels.
        aspect: that the image was padded to; its shape is then the same for every image.
    """
    longer = max(plan.rows, plan.columns)
    rows, columns = (max(1, round(n * size / longer)) for n in (plan.rows, plan.columns))
    if aspect is not None:
        columns, rows = (max(1, round(n * size / max(aspect))) for n in aspect)
    if (rows, columns) == (plan.rows, plan.columns):
        return plan
    return plan.moved(Affine.scaling(columns / plan.columns, rows / plan.rows), rows, columns)
