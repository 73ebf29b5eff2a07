"""The pelvis: hip bones, sacrum, lumbar spine and femora in the soft tissue of trunk and thighs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.femur import build_femur
from crepitus.phantom.anatomy.hip_bone import build_hip_bone
from crepitus.phantom.anatomy.measures import draw_hip_measures
from crepitus.phantom.anatomy.pelvis_shape import draw_shape
from crepitus.phantom.anatomy.pelvis_tissue import build_tissue
from crepitus.phantom.anatomy.sacrum import build_sacrum
from crepitus.phantom.scene import Anatomy, Person, Site
from crepitus.phantom.solid.field import DISTANCE, Solid
from crepitus.phantom.xray.project import Bone

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

_SACROILIAC_GAP_MM = 2.6


def build_pelvis(generator: Generator, person: Person) -> Anatomy:
    """The pelvis of a person; body frame as in `measures`."""
    measures = draw_hip_measures(generator, person)
    shape = draw_shape(generator, person, measures)
    sacrum = build_sacrum(generator, person, measures, shape)
    # One side is built, the other is its mirror image with differences of its own.
    hip = build_hip_bone(generator, person, measures, "R", shape)
    femur = build_femur(generator, person, measures, "R")
    hips = [part.varied(generator) for part in (hip, hip.mirrored())]
    femora = [part.varied(generator) for part in (femur, femur.mirrored())]
    bones: list[Bone] = []
    landmarks: dict[str, tuple[str, FloatArray]] = {}
    sites: dict[str, Site] = {}
    for part in (*hips, sacrum, *femora):
        for solid in part.solids:
            if solid.name.startswith("hip-bone"):
                _leave_gap(solid, sacrum.solids[0], _SACROILIAC_GAP_MM)
            bones.append(Bone(solid))
        sites.update(part.sites)
    for part in hips:
        landmarks.update(part.landmarks)
    for side, sign in (("R", -1.0), ("L", 1.0)):
        # Hip fractures turn the shaft about the head, which is no landmark of the pelvis.
        head = np.array([sign * shape.half_mm, 0.0, 0.0])
        sites[f"head-{side}"] = Site(f"femur-{side}", head, np.eye(3), measures.head_radius_mm)
    tissue = build_tissue(generator, person, shape)
    centre = np.array([0.0, -42.0, 0.0]) * shape.size
    return Anatomy("PELVIS", person, tuple(bones), tissue, landmarks, sites, centre)


def _leave_gap(solid: Solid, other: Solid, gap_mm: float) -> None:
    """Take from a freshly made solid what lies within `gap_mm` of another."""
    f = solid.field
    low = np.floor((other.low_mm - gap_mm - solid.origin_mm) / solid.spacing_mm).astype(int)
    high = np.ceil((other.high_mm + gap_mm - solid.origin_mm) / solid.spacing_mm).astype(int) + 1
    low, high = np.clip(low, 0, f.shape[:3]), np.clip(high, 0, f.shape[:3])
    block = f[low[0] : high[0], low[1] : high[1], low[2] : high[2], DISTANCE]
    at = np.nonzero(block < 5.0)
    points = solid.origin_mm + solid.spacing_mm * (np.stack(at, axis=1) + low)
    distance = other.sample(points)[:, DISTANCE]
    block[at] = np.maximum(block[at], (gap_mm - distance).astype(np.float32))
