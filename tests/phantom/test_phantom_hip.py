"""Fractures of the hip: classes, ranges, what breaks, what stays as it was."""

from collections import Counter

import numpy as np
import pytest

from crepitus.phantom.anatomy.femur import build_femur
from crepitus.phantom.anatomy.measures import HipMeasures
from crepitus.phantom.injuries.fracture_kernels import part_of, surface_height
from crepitus.phantom.injuries.hip import HIP_FREQUENCY, HIP_KINDS, draw_hip_injury
from crepitus.phantom.render import Subject
from crepitus.phantom.scene import Anatomy, Extras, Injury, Person, Severity, Shot
from crepitus.phantom.scenes.common import detector_for, draw_exposure, posed, rotation
from crepitus.phantom.solid.textures import base_textures
from crepitus.phantom.truth import landmarks
from crepitus.phantom.xray.project import OCCUPIED, Bone, bone_paths

MEASURES = HipMeasures(175.0, 23.0, 127.0, 12.0, 42.0, 32.0, 14.0, 7.0)
PERSON = Person(sex="F", age=70.0, scale=1.0, quality=0.8, fat_mm=20.0, muscle=1.0)
HARD = Severity(gap_mm=0.4, motion=0.0, incomplete=False, in_plane=True)
OBVIOUS = Severity(gap_mm=2.0, motion=1.0, incomplete=False, in_plane=True)


def anatomy(side: str = "R") -> Anatomy:
    part = build_femur(np.random.default_rng(3), PERSON, MEASURES, side)
    bones = tuple(Bone(solid) for solid in part.solids)
    return Anatomy("HIP", PERSON, bones, (), part.landmarks, part.sites, np.zeros(3))


@pytest.fixture(scope="module")
def right() -> Anatomy:
    return anatomy()


def draw(a: Anatomy, severity: Severity, kind: str | None, seed: int = 0) -> Injury:
    return draw_hip_injury(np.random.default_rng(seed), a, severity, kind)


def parts_at(injury: Injury, points: np.ndarray) -> np.ndarray:
    """Which fragment each point belongs to, 0 for none."""
    surfaces, signs = injury.fractures[0].packed()
    rough = base_textures().roughness
    heights = [[surface_height(row, rough, *p)[0] for row in surfaces] for p in points]
    return np.array([part_of(signs, np.array(h)) for h in heights])


@pytest.mark.parametrize("kind", HIP_KINDS)
@pytest.mark.parametrize("side", ["R", "L"])
def test_each_class_breaks_its_femur_in_at_least_two_parts(kind: str, side: str) -> None:
    a = anatomy(side)
    points = np.stack([a.sites[f"{name}-{side}"].origin_mm for name in ("head", "shaft")])
    for seed in range(4):
        injury = draw(a, OBVIOUS, kind, seed)
        assert (injury.kind, injury.ao_class, injury.region, injury.side) == (kind, kind, "hip", side)
        assert [f.bone for f in injury.fractures] == [f"femur-{side}"]
        head, shaft = parts_at(injury, points)
        assert head != shaft
        assert injury.gap_mm == (0.0 if kind == "B1" else 2.0)


@pytest.mark.parametrize("kind", HIP_KINDS)
def test_motions_stay_in_range_and_the_head_stays_in_its_socket(right: Anatomy, kind: str) -> None:
    head = right.sites["head-R"].origin_mm[None]
    moved = []
    for seed in range(12):
        injury = draw(right, OBVIOUS, kind, seed)
        assert injury.displacement_mm is not None
        assert injury.angulation_deg is not None
        assert 0.5 < injury.displacement_mm < 50.0
        assert injury.angulation_deg < 45.0
        fragments = injury.fractures[0].fragments
        (number,) = parts_at(injury, head)
        assert np.allclose(fragments[number - 1].motion.apply(head), head, atol=1e-6)
        moved.append(injury.displacement_mm)
    assert np.std(moved) > 0.3


def test_lesser_trochanter_is_a_fragment_of_its_own_in_a2_only(right: Anatomy) -> None:
    point = right.sites["lesser-R"].origin_mm + 7.0 * right.sites["lesser-R"].axes[0]
    shaft = right.sites["shaft-R"].origin_mm
    apart = {"A1": 0, "A2": 0}
    for seed in range(20):
        for kind in apart:
            first, second = parts_at(draw(right, OBVIOUS, kind, seed), np.stack([point, shaft]))
            apart[kind] += int(first != second)
    assert apart["A2"] >= 17
    assert apart["A1"] <= 3


def test_trochanteric_breaks_leave_the_neck_whole_and_cervical_ones_the_trochanters(right: Anatomy) -> None:
    great = right.landmarks["greater trochanter-R"][1] + np.array([0.0, 14.0, 4.0])
    neck = right.sites["neck-R"]
    ends = np.stack([right.sites["head-R"].origin_mm, neck.origin_mm])
    for seed in range(6):
        for kind in ("A1", "A2", "A3"):
            first, second = parts_at(draw(right, OBVIOUS, kind, seed), ends)
            assert first == second
        for kind in ("B1", "B2", "B3"):
            low = np.stack([great, right.sites["shaft-R"].origin_mm])
            first, second = parts_at(draw(right, OBVIOUS, kind, seed), low)
            assert first == second


@pytest.mark.parametrize("kind", HIP_KINDS)
def test_without_severity_motion_nothing_moves(right: Anatomy, kind: str) -> None:
    injury = draw(right, HARD, kind)
    assert all(fragment.motion.is_none for fragment in injury.fractures[0].fragments)
    assert injury.displacement_mm == 0.0
    assert injury.angulation_deg == 0.0


@pytest.mark.parametrize("kind", HIP_KINDS)
def test_zero_gap_and_motion_change_no_path(right: Anatomy, kind: str) -> None:
    injury = draw(right, Severity(0.0, 0.0, False, True), kind)
    detector = detector_for(64, 200.0, 1150.0)
    pose = posed(rotation(), right.landmarks["neck-R"][1], np.array([0.0, 0.0, 90.0]))
    textures = base_textures()
    whole = bone_paths(list(right.bones), detector, pose, textures, 1.5).bone
    broken = bone_paths(injury.bones(right.bones), detector, pose, textures, 1.5).bone
    assert whole[OCCUPIED].max() > 20.0
    assert np.array_equal(whole, broken)
    if kind != "B1":
        open_ = draw(right, Severity(2.0, 0.0, False, True), kind)
        gap = bone_paths(open_.bones(right.bones), detector, pose, textures, 1.5).bone
        assert (whole - gap)[OCCUPIED].max() > 1.0


def test_impacted_break_has_a_dense_band_and_no_gap(right: Anatomy) -> None:
    injury = draw(right, HARD, "B1")
    assert {r.bulge_mm for r in injury.remodelling["femur-R"]} == {0.0}
    assert all(r.density > 0 for r in injury.remodelling["femur-R"])
    assert not draw(right, OBVIOUS, "B3").remodelling


def test_valgus_in_b1_and_varus_in_a1_on_both_sides() -> None:
    for side, out in (("R", -1.0), ("L", 1.0)):
        a = anatomy(side)
        for kind, sign in (("B1", -1.0), ("A1", 1.0)):
            upper = draw(a, OBVIOUS, kind).fractures[0].fragments[-1].motion
            # Varus lifts the outer end of the upper fragment.
            base = a.sites[f"head-{side}"].origin_mm + np.array([out * 30.0, 0.0, 0.0])
            lift = base[1] - upper.apply(base[None])[0, 1]
            assert sign * lift > 2.0


def test_classes_have_the_frequencies_of_the_paper(right: Anatomy) -> None:
    total = sum(HIP_FREQUENCY.values())
    assert total == 780
    assert HIP_FREQUENCY["A1"] + HIP_FREQUENCY["A2"] + HIP_FREQUENCY["A3"] == 327
    counts = Counter(draw(right, OBVIOUS, None, seed).kind for seed in range(600))
    for kind, weight in HIP_FREQUENCY.items():
        # Three standard deviations of a count of 600.
        p = weight / total
        assert abs(counts[kind] - 600 * p) <= 3.5 * np.sqrt(600 * p * (1 - p)) + 1


def test_undisplaced_subcapital_break_is_drawn_as_b1_but_may_be_asked_for(right: Anatomy) -> None:
    kinds = {draw(right, HARD, None, seed).kind for seed in range(80)}
    assert "B3" not in kinds
    assert draw(right, HARD, "B3").kind == "B3"


def test_landmarks_go_with_their_fragment(right: Anatomy) -> None:
    generator = np.random.default_rng(0)
    detector = detector_for(64, 400.0, 1150.0)
    pose = posed(rotation(), right.landmarks["neck-R"][1], np.array([0.0, 0.0, 90.0]))
    shot = Shot("AP", "R", pose, detector, draw_exposure(generator, 64, 400.0, (70.0, 80.0), (0.1, 0.2)))
    injury = draw(right, OBVIOUS, "B3")
    subject = Subject(right, injury, Extras(), base_textures())
    whole, broken = landmarks(subject.unbroken, shot), landmarks(subject, shot)
    shift = dict(zip(whole.names, broken.xy - whole.xy, strict=True))
    assert np.allclose(shift["head-R"], 0.0, atol=1e-6)
    motion = next(f.motion for f in injury.fractures[0].fragments if f.signs == (1,))
    for name in ("greater trochanter-R", "lesser trochanter-R", "shaft-R"):
        point = right.landmarks[name][1][None]
        moved = motion.apply(point) - point
        # 6.25 mm per pixel, a little less through the magnification.
        assert shift[name] == pytest.approx(moved[0, :2] / 6.25, rel=0.25, abs=0.25)
        assert np.abs(shift[name]).max() > 0.5


def test_same_seed_same_injury(right: Anatomy) -> None:
    first, second = (draw(right, OBVIOUS, "A2", 5).fractures[0].packed() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
