"""One affine map applied to pixels, with as little interpolation as it needs: often none."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.affine import Affine

Pixels = NDArray[Any]

_WHOLE = 1e-6
"""Pixels by which a position may differ from a whole number and still be one."""

_SHRINKS = 0.999
"""Below this scale, pixels are averaged before they are moved."""


def warp(pixels: Pixels, affine: Affine, rows: int, columns: int, *, nearest: bool = False) -> Pixels:
    """The image of (rows, columns) that `affine` makes of `pixels`; black where nothing comes from.

    Quarter turns and moves by whole pixels copy; upright images are resized in one step; everything else is
    averaged down to the final scale and then moved with linear interpolation.

    Args:
        pixels: shape (h, w), uint8, uint16 or float32.
        affine: from `pixels` to the result.
        rows: of the result.
        columns: of the result.
        nearest: take the nearest pixel and mix none, for masks.
    """
    turns = _quarter_turns(affine)
    if turns:
        height, width = pixels.shape
        corner = ((0, 0), (height, 0), (width, height), (0, width))[turns]
        applied = Affine.turn(90.0 * turns).then(Affine.shift(*corner))
        turned = np.ascontiguousarray(np.rot90(pixels, -turns))
        return warp(turned, applied.inverse().then(affine), rows, columns, nearest=nearest)
    if affine.xy == 0.0 and affine.yx == 0.0 and affine.xx > 0.0 and affine.yy > 0.0:
        edges = affine.inverse().boxes(np.array([[0.0, 0.0, columns, rows]]))[0]
        whole = np.rint(edges)
        if np.abs(edges - whole).max() < _WHOLE:
            return _resized(cut(pixels, *(int(edge) for edge in whole)), rows, columns, nearest)
    return _moved(pixels, affine, rows, columns, nearest)


def cut(pixels: Pixels, left: int, top: int, right: int, bottom: int) -> Pixels:
    """The part of `pixels` in a half-open rectangle, which may reach outside: it is black there."""
    height, width = pixels.shape
    if (left, top, right, bottom) == (0, 0, width, height):
        return pixels
    result = np.zeros((bottom - top, right - left), dtype=pixels.dtype)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x0 < x1 and y0 < y1:
        result[y0 - top : y1 - top, x0 - left : x1 - left] = pixels[y0:y1, x0:x1]
    return result


def _quarter_turns(affine: Affine) -> int:
    """How many quarter turns clockwise there are in a map that consists of those, scales and moves."""
    if affine.xx == 0.0 and affine.yy == 0.0:
        return 1 if affine.xy < 0.0 < affine.yx else 3 if affine.yx < 0.0 < affine.xy else 0
    return 2 if affine.xy == 0.0 and affine.yx == 0.0 and affine.xx < 0.0 and affine.yy < 0.0 else 0


def _resized(pixels: Pixels, rows: int, columns: int, nearest: bool) -> Pixels:
    height, width = pixels.shape
    if (height, width) == (rows, columns):
        return pixels
    how = cv2.INTER_AREA if rows < height or columns < width else cv2.INTER_LINEAR
    how = cv2.INTER_NEAREST_EXACT if nearest else how
    return np.asarray(cv2.resize(pixels, (columns, rows), interpolation=how))


def _moved(pixels: Pixels, affine: Affine, rows: int, columns: int, nearest: bool) -> Pixels:
    """Any map; only the part of `pixels` that the result shows is touched."""
    height, width = pixels.shape
    box = affine.inverse().boxes(np.array([[0.0, 0.0, columns, rows]]))[0]
    left, top = (max(0, int(np.floor(v)) - 2) for v in box[:2])
    right = max(left + 1, min(width, int(np.ceil(box[2])) + 2))
    bottom = max(top + 1, min(height, int(np.ceil(box[3])) + 2))
    part = cut(pixels, left, top, right, bottom)
    rest = Affine.shift(left, top).then(affine)
    if rest.scale < _SHRINKS and not nearest:
        smaller = _resized(
            part,
            max(1, round(part.shape[0] * rest.scale)),
            max(1, round(part.shape[1] * rest.scale)),
            nearest,
        )
        rest = Affine.scaling(part.shape[1] / smaller.shape[1], part.shape[0] / smaller.shape[0]).then(rest)
        part = smaller
    return np.asarray(
        cv2.warpAffine(
            part,
            rest.index_matrix(),
            (columns, rows),
            flags=cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0.0,
        )
    )
