"""Splitter: one image for each part on a plate, and one for each half of a pelvis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.prepare.affine import Affine
from crepitus.prepare.areas import LEAST, areas, around, shares
from crepitus.prepare.edges import edges, inside_frame
from crepitus.prepare.plan import Picture, Plan
from crepitus.prepare.seams import continuity, seams
from crepitus.prepare.thesis import parts_by_components

_LOOK_PX = 256
_GAP = 0.02
"""Least distance of two parts, as a share of the longer side."""

_CONTINUES = 0.35
"""Correlation of what lies on both sides of a line above which it is no seam, but the edge of a cast."""

_DEPTH = 3
"""A plate is cut along seams at most so many times in a row: up to eight parts."""


Box = tuple[int, int, int, int]
"""left, top, right, bottom; half-open."""


@dataclass(frozen=True)
class Part:
    """A part of a picture.

    Attributes:
        box: left, top, right, bottom in pixels of the picture.
        mask: which pixels of the picture are the part's, bool; None: all of the box.
    """

    box: Box
    mask: NDArray[np.bool_] | None = None


def split(plan: Plan, heuristic: str) -> list[Plan]:
    """One plan for each part that the picture shows; the plan itself where there is only one."""
    picture, to_picture = plan.picture()
    found = _thesis_parts(picture) if heuristic == "thesis" else parts(picture)
    if len(found) < 2:
        return [plan]
    back = to_picture.inverse()
    return [_of_part(plan, part, back, number, len(found)) for number, part in enumerate(found, start=1)]


def halves(plan: Plan) -> list[Plan]:
    """The left and the right half of an image, as they lie in it; not mirrored."""
    middle = round(plan.columns * midline(plan.picture(_LOOK_PX)[0]))
    left = replace(plan.moved(Affine(), plan.rows, middle), part=(1, 2))
    right = replace(plan.moved(Affine.shift(-middle, 0), plan.rows, plan.columns - middle), part=(2, 2))
    return [left, right]


def midline(picture: Picture) -> float:
    """Where a picture, shape (h, w), is most like its mirror image, as a share of its width, 0.35..0.65."""
    height, width = picture.shape
    slope = edges(picture).contrast
    profile = cv2.GaussianBlur(slope, (0, 0), 3.0)
    best, at = -np.inf, 0.5
    for middle in range(round(0.35 * width), round(0.65 * width) + 1):
        reach = min(middle, width - middle)
        left, right = profile[:, middle - reach : middle], profile[:, middle : middle + reach][:, ::-1]
        score = float(np.corrcoef(left.ravel(), right.ravel())[0, 1]) if height * reach > 4 else -np.inf
        if score > best:
            best, at = score, middle / width
    return at


def parts(picture: Picture) -> list[Part]:
    """The parts on a plate, from left to right or from top to bottom.

    The thesis takes the connected components of what is brighter than Otsu's threshold, which a frame joins
    and a marker multiplies. Here images that were joined are cut at the seam; what remains is divided where
    areas rich in edges, which bones are, lie apart. Frames are flat and have no edges.

    Args:
        picture: shape (h, w), float32, 0..1, bone bright.
    """
    height, width = picture.shape
    return _cut(picture, (0, 0, width, height), _DEPTH)


def _with_frame(part: Part, inner: Box, outer: Box) -> Part:
    """The part with what of the frame lies beside it, so that nothing of the picture is lost."""
    at = zip(part.box, inner, outer, strict=True)
    box = tuple(far if edge == near and part.mask is None else edge for edge, near, far in at)
    return Part((box[0], box[1], box[2], box[3]), part.mask)


def _cut(picture: Picture, box: Box, depth: int) -> list[Part]:
    """Parts of a box of the picture, without the frame that it may have of its own while they are found."""
    left, top, right, bottom = box
    inner = inside_frame(picture[top:bottom, left:right])
    inside = (left + inner[0], top + inner[1], left + inner[2], top + inner[3])
    return [_with_frame(part, inside, box) for part in _cut_inside(picture, inside, depth)]


def _cut_inside(picture: Picture, box: Box, depth: int) -> list[Part]:
    """Parts of a box without frame: cut along the sharpest seam that has a limb on both sides."""
    left, top, right, bottom = box
    inside = picture[top:bottom, left:right]
    candidates = [] if depth == 0 else [(score, True, at) for at, score in seams(inside)]
    candidates += [] if depth == 0 else [(score, False, at) for at, score in seams(inside.T)]
    for _, vertical, at in sorted(candidates, reverse=True):
        near = (left, top, left + at, bottom) if vertical else (left, top, right, top + at)
        far = (left + at, top, right, bottom) if vertical else (left, top + at, right, bottom)
        sides = [picture[b[1] : b[3], b[0] : b[2]] for b in (near, far)]
        turned = inside if vertical else inside.T
        if min(shares(turned, at)) < LEAST or continuity(turned, at) > _CONTINUES:
            continue
        if all(len(areas(side)[1]) for side in sides):
            return [*_cut(picture, near, depth - 1), *_cut(picture, far, depth - 1)]
    labels, large = areas(inside)
    return [Part(box)] if len(large) < 2 else _territories(labels, large, box, picture.shape)


def _territories(
    labels: NDArray[np.int32],
    large: list[int],
    box: Box,
    shape: tuple[int, ...],
) -> list[Part]:
    """Every pixel goes to the nearest of the large areas; cuts are straight where a line divides them."""
    left, top, right, bottom = box
    order = sorted(large, key=lambda i: float(np.nonzero(labels == i)[1].mean()))
    spans = [np.flatnonzero((labels == i).any(axis=0)) for i in order]
    least = _GAP * max(labels.shape)
    gaps = [(int(a[-1]), int(b[0])) for a, b in pairwise(spans)]
    scale = (right - left) / labels.shape[1]
    if all(b - a >= least for a, b in gaps):
        cuts = [left, *(left + round((a + b + 1) / 2 * scale) for a, b in gaps), right]
        return [Part((low, top, high, bottom)) for low, high in pairwise(cuts)]
    distances = np.stack(
        [cv2.distanceTransform((labels != i).astype(np.uint8), cv2.DIST_L2, 3) for i in order]
    )
    nearest = cv2.resize(
        distances.argmin(axis=0).astype(np.uint8),
        (right - left, bottom - top),
        interpolation=cv2.INTER_NEAREST,
    )
    result = []
    for index in range(len(order)):
        mask = np.zeros(shape[:2], dtype=bool)
        mask[top:bottom, left:right] = nearest == index
        result.append(Part(around(mask), mask))
    return result


def _thesis_parts(picture: Picture) -> list[Part]:
    labels = parts_by_components(picture)
    masks = [labels == number for number in range(1, int(labels.max()) + 1)]
    return [Part(around(mask), mask) for mask in masks]


def _of_part(plan: Plan, part: Part, back: Affine, number: int, count: int) -> Plan:
    """The plan of one part; its box in whole pixels of the image."""
    edge = back.boxes(np.array([part.box], dtype=np.float64))[0]
    left, top, right, bottom = (int(v) for v in np.rint(edge))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    territory = plan.territory
    if part.mask is not None:
        # From the picture to the grid of the source's small picture, where territories are kept.
        to_look = back.then(plan.affine.inverse()).then(plan.look.scale)
        height, width = plan.look.values.shape
        moved = cv2.warpAffine(
            part.mask.astype(np.uint8), to_look.index_matrix(), (width, height), flags=cv2.INTER_NEAREST
        )
        territory = moved > 0 if territory is None else territory & (moved > 0)
    moved_plan = plan.moved(Affine.shift(-left, -top), bottom - top, right - left)
    return replace(moved_plan, territory=territory, part=(number, count))
