"""The pelvis: hip bones, sacrum, lumbar spine and femora in the soft tissue of trunk and thighs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.anatomy.hip_bone import build_hip_bone, draw_shape
from crepitus.phantom.anatomy.measures import HipMeasures, draw_hip_measures
from crepitus.phantom.anatomy.part import Part
from crepitus.phantom.anatomy.pelvis_tissue import build_tissue
from crepitus.phantom.anatomy.sacrum import build_sacrum
from crepitus.phantom.scene import Anatomy, Person, Site
from crepitus.phantom.solid.clay import Clay, Stuff, curve
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
    hips = [build_hip_bone(generator, person, measures, side, shape) for side in ("R", "L")]
    femora = [_femur(generator, person, measures, side) for side in ("R", "L")]
    bones: list[Bone] = []
    landmarks: dict[str, tuple[str, FloatArray]] = {}
    sites: dict[str, Site] = {}
    for part in (*hips, sacrum, *femora):
        for solid in part.solids:
            if solid.name.startswith("hip-bone"):
                _leave_gap(solid, sacrum.solids[0], _SACROILIAC_GAP_MM)
            bones.append(Bone(solid))
        sites.update(part.sites)
        landmarks.update(part.landmarks)
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


def _femur(generator: Generator, person: Person, measures: HipMeasures, side: str) -> Part:
    """A plain femur."""
    s = -1.0 if side == "R" else 1.0
    hx, r = measures.head_distance_mm / 2, measures.head_radius_mm
    low, high = np.array([hx - 35.0, -35.0, -45.0]), np.array([hx + 95.0, 215.0, 45.0])
    clay = Clay(
        np.array([min(s * low[0], s * high[0]), *low[1:]]), np.array([max(s * low[0], s * high[0]), *high[1:]]), 2.0
    )

    def at(x: float, y: float, z: float) -> FloatArray:
        return np.array([s * (hx + x), y, z])

    o = measures.offset_mm
    shaft = curve(np.stack([at(o, 28, -10), at(o + 1, 60, -8), at(o - 2, 120, 0), at(o - 8, 215, 0)]), 12)
    rs = measures.shaft_radius_mm
    clay.tube(shaft, np.array([rs + 6, rs + 3, rs + 1, *[rs] * 9]), Stuff(6.0, 0.06, 5.0), cortex=np.array([1.0, 2, 4, *[7.0] * 9]))
    clay.tube(np.stack([at(0, 0, 0), at(o * 0.5, 14, -4), at(o, 36, -10)]), np.array([16.0, 16.0, 19.0]), Stuff(1.6, 0.2, 6.0))
    clay.ball(at(o + 8, 10, -14), np.array([13.0, 18.0, 14.0]), Stuff(1.0, 0.15, 6.0))
    clay.ball(at(o - 16, 62, -18), np.array([9.0, 12.0, 9.0]), Stuff(1.0, 0.15, 6.0))
    clay.ball(at(0, 0, 0), r, Stuff(1.0, 0.28, 4.0))
    return Part((clay.finish(f"femur-{side}"),))
