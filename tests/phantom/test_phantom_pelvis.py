"""The pelvis: bones that fit together, sixteen landmarks, injuries that break what they name."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from crepitus.phantom.anatomy.hip_places import lower_ramus
from crepitus.phantom.anatomy.measures import draw_hip_measures
from crepitus.phantom.anatomy.pelvis import build_pelvis
from crepitus.phantom.anatomy.pelvis_shape import HipFrame, draw_shape
from crepitus.phantom.injuries.hip import HIP_KINDS
from crepitus.phantom.injuries.pelvis import PELVIS_FREQUENCY, draw_pelvis_injury
from crepitus.phantom.render import Subject, expose
from crepitus.phantom.scene import Anatomy, Extras, Injury, Person, Severity
from crepitus.phantom.scenes.pelvis import PELVIS
from crepitus.phantom.solid.clay import curve
from crepitus.phantom.solid.field import Solid
from crepitus.phantom.solid.textures import base_textures

MAN = Person("M", 45.0, 1.0, 1.0, 20.0, 1.0)
WOMAN = Person("F", 70.0, 0.97, 0.75, 25.0, 0.9)
PLAIN = Severity(1.0, 0.5, False, True)


@cache
def pelvis(person: Person, seed: int = 0) -> Anatomy:
    return build_pelvis(np.random.default_rng(seed), person)


def solids(anatomy: Anatomy) -> dict[str, Solid]:
    return {bone.solid.name: bone.solid for bone in anatomy.bones}


def inside(solid: Solid, depth_mm: float) -> np.ndarray:
    """Body coordinates of the cells deeper than `depth_mm` under the surface."""
    cells = np.stack(np.nonzero(solid.field[..., 0] < -depth_mm), axis=1)
    return np.asarray(solid.origin_mm + solid.spacing_mm * cells)


@pytest.mark.parametrize("person", [MAN, WOMAN])
def test_sixteen_landmarks_lie_at_their_bone(person: Person) -> None:
    anatomy = pelvis(person)
    names = set(anatomy.landmarks)
    pairs = {name[:-2] for name in names if name.endswith("-L")}
    middle = {name for name in names if not name.endswith(("-L", "-R"))}
    assert len(names) == 16
    assert len(pairs) == 7
    assert pairs == {name[:-2] for name in names if name.endswith("-R")}
    assert len(middle) == 2
    by_name = solids(anatomy)
    for name, (bone, point) in anatomy.landmarks.items():
        assert by_name[bone].sample(np.asarray(point)[None])[0, 0] < 5.0, name


def test_left_and_right_landmarks_mirror_up_to_natural_variation() -> None:
    landmarks = pelvis(MAN).landmarks
    for name, (_, point) in landmarks.items():
        if name.endswith("-R"):
            other = landmarks[name[:-2] + "-L"][1]
            assert point[0] < 0 < other[0]
            assert np.abs(point * [-1, 1, 1] - other).max() < 8.0, name
        elif not name.endswith("-L"):
            assert point[0] == 0.0


@pytest.mark.parametrize("person", [MAN, WOMAN])
def test_sites_lie_in_their_bone(person: Person) -> None:
    anatomy = pelvis(person)
    by_name = solids(anatomy)
    assert {"superior-ramus-L", "inferior-ramus-R", "ischium-L", "iliac-wing-R", "sacrum-L"} <= set(
        anatomy.sites
    )
    for name, site in anatomy.sites.items():
        assert by_name[site.bone].sample(site.origin_mm[None])[0, 0] < 1.0, name
        assert np.allclose(site.axes @ site.axes.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(site.axes) == pytest.approx(1.0)


@pytest.mark.parametrize("person", [MAN, WOMAN])
def test_joints_have_gaps(person: Person) -> None:
    by_name = solids(pelvis(person))
    for side in "RL":
        hip, femur = by_name[f"hip-bone-{side}"], by_name[f"femur-{side}"]
        assert hip.sample(inside(femur, 0.5))[:, 0].min() > 0.0
        assert hip.sample(inside(by_name["sacrum"], 0.5))[:, 0].min() > 0.5
    left = inside(by_name["hip-bone-L"], 0.0)
    right = inside(by_name["hip-bone-R"], 0.0)
    # The symphysis is 3 to 6 mm wide; cells are 2 mm apart.
    assert 2.5 < left[:, 0].min() - right[:, 0].max() < 9.0


@pytest.mark.parametrize("person", [MAN, WOMAN])
def test_the_ring_is_closed_and_has_usual_widths(person: Person) -> None:
    generator = np.random.default_rng(0)
    measures = draw_hip_measures(generator, person)
    shape = draw_shape(generator, person, measures)
    anatomy = pelvis(person)
    hips = [inside(solids(anatomy)[f"hip-bone-{side}"], 0.0) for side in "RL"]
    width = hips[1][:, 0].max() - hips[0][:, 0].min()
    assert 235.0 < width < 325.0
    spines = anatomy.landmarks["asis-L"][1][0] - anatomy.landmarks["asis-R"][1][0]
    assert 185.0 < spines < 280.0
    bone = solids(anatomy)["hip-bone-R"]
    frame = HipFrame(shape, "R", np.zeros(3))
    inner = ((71, -30, -10), (64, -28, -8), (63, -16, 14), (61, -12, 20), (58, 2, 28), (49, 11, 36))
    brim = frame.path(*inner, (34, 19, 41), (14, 32, 40))
    for path in (brim, curve(lower_ramus(frame), 40)):
        # Between two known points the bone has no gap.
        for start, end in pairwise(path):
            line = start + np.linspace(0, 1, 12)[:, None] * (end - start)
            assert bone.sample(line)[:, 0].max() < 0.0


def test_women_have_the_wider_arch() -> None:
    def angle(person: Person) -> float:
        g = np.random.default_rng(3)
        measures = draw_hip_measures(g, person)
        return draw_shape(g, person, measures).subpubic_deg

    assert 55 <= angle(MAN) <= 70
    assert 80 <= angle(WOMAN) <= 95


def test_the_same_seed_gives_the_same_pelvis() -> None:
    one, two = pelvis(MAN, 4), build_pelvis(np.random.default_rng(4), MAN)
    for a, b in zip(one.bones, two.bones, strict=True):
        assert np.array_equal(a.solid.field, b.solid.field)


@pytest.mark.parametrize("kind", PELVIS_FREQUENCY)
def test_injuries_stay_in_range_and_break_the_bone_they_name(kind: str) -> None:
    anatomy = pelvis(MAN)
    by_name = solids(anatomy)
    shot = replace(PELVIS.shot(np.random.default_rng(0), anatomy, "AP", 64), overlays=())
    for seed in range(6):
        severity = Severity(2.0, 1.0 if seed else 0.4, False, bool(seed % 2))
        injury = draw_pelvis_injury(np.random.default_rng(seed), anatomy, severity, kind)
        assert injury.kind == kind
        assert injury.region == "pelvis"
        assert injury.side in ("L", "R")
        assert 0.0 <= (injury.displacement_mm or 0.0) <= 15.0
        assert 0.2 <= (injury.gap_mm or 0.0) <= 5.0
        assert {fracture.bone for fracture in injury.fractures} <= set(by_name)
        assert len({fracture.bone for fracture in injury.fractures}) == len(injury.fractures)
        if seed < 2:
            exposed = expose(Subject(anatomy, injury, Extras(), base_textures()), shot, shot.detector)
            for lines in exposed.bones.lines:
                for line in lines:
                    assert line.max() > 0.5


@pytest.mark.parametrize("kind", [*PELVIS_FREQUENCY, *HIP_KINDS])
def test_without_motion_and_gap_nothing_changes(kind: str) -> None:
    anatomy = pelvis(MAN)
    injury = draw_pelvis_injury(np.random.default_rng(1), anatomy, Severity(0.0, 0.0, False, True), kind)
    moved = [f.motion for fracture in injury.fractures for f in fracture.fragments]
    assert all(motion.is_none for motion in (*moved, *injury.followers.values()))
    if kind not in PELVIS_FREQUENCY:
        return
    shot = replace(PELVIS.shot(np.random.default_rng(0), anatomy, "AP", 64), overlays=())
    broken = expose(Subject(anatomy, injury, Extras(), base_textures()), shot, shot.detector)
    whole = expose(Subject(anatomy, Injury(), Extras(), base_textures()), shot, shot.detector)
    assert np.allclose(broken.lengths, whole.lengths, atol=1e-9)


def test_hip_and_pelvic_fractures_come_with_their_frequency() -> None:
    anatomy = pelvis(MAN)
    drawn = [draw_pelvis_injury(np.random.default_rng(n), anatomy, PLAIN).region for n in range(300)]
    # 1,975 of 2,776 are hips: 213 of 300, with a standard deviation of 7.9.
    assert 213 - 32 < drawn.count("hip") < 213 + 32
