"""What is true about an image: places of the fractures, masks, landmarks, visibility."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.injuries.fracture_kernels import part_of, surface_height
from crepitus.phantom.render import Exposed, Subject, with_bones
from crepitus.phantom.scene import Shot
from crepitus.phantom.xray.physics import LEAD, STEEL, TITANIUM, binned, transmission, tube_spectrum
from crepitus.phantom.xray.project import OCCUPIED, Bone, Textures, bone_paths
from crepitus.structures import Landmarks

FloatArray = NDArray[np.float64]

BONE_BIT, LINE_BIT, METAL_BIT = 1, 2, 4
"""Bits of the mask image: bone, fracture line, metal."""

_LINE_SHARE = 0.12
"""A pixel belongs to a fracture if its path near the surface is this share of the longest."""

_LEAST_PATH_MM = 0.3
_MARGIN = 0.008


@dataclass(frozen=True)
class Place:
    """One fracture surface on one image.

    Attributes:
        mask: its pixels, shape (size, size), bool.
        box: around them with a margin, (x_min, y_min, x_max, y_max), shape (4,), pixels.
        point: in its middle, (x, y), shape (2,), pixels.
        visibility: contrast to noise along it.
    """

    mask: NDArray[np.bool_]
    box: FloatArray
    point: FloatArray
    visibility: float


def places(
    subject: Subject, shot: Shot, exposed: Exposed, expected: FloatArray, field: NDArray[np.bool_]
) -> list[Place]:
    """The fracture surfaces that lie within the image and the collimated `field`, shape (size, size)."""
    result = []
    for lines in exposed.bones.lines:
        for path in lines:
            seen = binned(path, shot.detector.per_pixel)
            mask = (seen > max(_LINE_SHARE * seen.max(), _LEAST_PATH_MM)) & field
            # A line of which only a stub is in the picture is no place to point at.
            if mask.sum() < 4 or mask.sum() < 0.4 * (seen > _LINE_SHARE * seen.max()).sum():
                continue
            box = _box(mask)
            visible = _visibility(subject, shot, exposed, expected, mask)
            result.append(Place(mask, box, _middle(mask, seen), visible))
    return result


def _box(mask: NDArray[np.bool_]) -> FloatArray:
    rows, columns = np.nonzero(mask)
    size = mask.shape[0]
    margin = _MARGIN * size
    low = np.array([columns.min(), rows.min()]) - margin
    high = np.array([columns.max() + 1, rows.max() + 1]) + margin
    return np.concatenate([np.clip(low, 0, size), np.clip(high, 0, size)])


def _middle(mask: NDArray[np.bool_], weight: FloatArray) -> FloatArray:
    """The pixel centre of the line nearest to its centre of mass: where a reader would click."""
    rows, columns = np.nonzero(mask)
    xy = np.stack([columns + 0.5, rows + 0.5], axis=1)
    w = weight[rows, columns]
    centre = (xy * w[:, None]).sum(axis=0) / w.sum()
    return np.asarray(xy[np.argmin(((xy - centre) ** 2).sum(axis=1))])


def _visibility(
    subject: Subject, shot: Shot, exposed: Exposed, expected: FloatArray, mask: NDArray[np.bool_]
) -> float:
    """Contrast to noise along the fracture: mean |change of ln signal| over the quantum noise of ln signal.

    The change is against the same part unbroken, at the pixels of the line.
    """
    rows, columns = np.nonzero(mask)
    k = shot.detector.per_pixel
    top, bottom = int(rows.min()), int(rows.max()) + 1
    left, right = int(columns.min()), int(columns.max()) + 1
    part = shot.detector.part(top * k, left * k, (bottom - top) * k, (right - left) * k)
    twin = bone_paths(subject.bones(broken=False), part, shot.pose, subject.textures, shot.step_mm).bone
    spot = np.s_[:, top * k : bottom * k, left * k : right * k]
    spectrum = tube_spectrum(shot.exposure.kilovolt)
    whole = binned(transmission(with_bones(exposed.around[spot], twin), spectrum), k)
    broken = binned(transmission(exposed.lengths[spot], spectrum), k)
    at = (rows - top, columns - left)
    change = np.abs(np.log(np.maximum(broken[at], 1e-9) / np.maximum(whole[at], 1e-9)))
    return float(np.mean(change * np.sqrt(expected[rows, columns])))


def field_mask(shot: Shot) -> NDArray[np.bool_]:
    """Pixels within the collimated field, shape (size, size)."""
    if shot.field is None:
        return np.ones((shot.size, shot.size), dtype=bool)
    mask = np.zeros((shot.size, shot.size), dtype=np.uint8)
    cv2.fillConvexPoly(mask, np.rint(shot.field).astype(np.int32), 1)
    return mask.astype(bool)


def masks(exposed: Exposed, shot: Shot, found: list[Place]) -> NDArray[np.uint8]:
    """Bits `BONE_BIT`, `LINE_BIT`, `METAL_BIT` per pixel, shape (size, size)."""
    bone = binned(exposed.bones.bone[OCCUPIED], shot.detector.per_pixel) > 0.5
    metal = binned(exposed.lengths[[TITANIUM, STEEL, LEAD]].sum(axis=0), shot.detector.per_pixel) > 0.2
    line = np.zeros(bone.shape, dtype=bool)
    for place in found:
        line |= place.mask
    return np.asarray(bone * BONE_BIT + line * LINE_BIT + metal * METAL_BIT, dtype=np.uint8)


def _moved(bone: Bone, point: FloatArray, textures: Textures) -> FloatArray:
    """Where a point of a bone goes with its fragment and with the bone, body coordinates, shape (3,)."""
    at = point[None]
    if bone.fracture is not None:
        surfaces, signs = bone.fracture.packed()
        heights = np.array([surface_height(row, textures.roughness, *point)[0] for row in surfaces])
        part = part_of(signs, heights)
        if part > 0:
            at = bone.fracture.fragments[part - 1].motion.apply(at)
    return np.asarray(bone.motion.apply(at)[0])


def landmarks(subject: Subject, shot: Shot) -> Landmarks:
    """The landmarks that lie within the image, in pixels."""
    bones = {bone.solid.name: bone for bone in subject.bones()}
    names, xy = [], []
    for name, (bone, point) in subject.anatomy.landmarks.items():
        moved = _moved(bones[bone], np.asarray(point, dtype=np.float64), subject.textures)[None]
        at = shot.detector.project(shot.pose.to_world(moved))[0] / shot.detector.per_pixel
        if (at >= 0).all() and (at < shot.size).all():
            names.append(name)
            xy.append(at)
    return Landmarks(tuple(names), np.array(xy).reshape(-1, 2))
