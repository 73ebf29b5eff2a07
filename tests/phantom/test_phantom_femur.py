"""The proximal femur: shape, landmarks, sites, density, mirror image."""

import numpy as np
import pytest

from crepitus.phantom.anatomy.femur import build_femur
from crepitus.phantom.anatomy.femur_frame import draw_frame
from crepitus.phantom.anatomy.measures import HipMeasures
from crepitus.phantom.anatomy.part import Part
from crepitus.phantom.anatomy.trabeculae import density, lattice, look_up
from crepitus.phantom.scene import Person
from crepitus.phantom.solid.field import CORTEX, DISTANCE, FILL

MEASURES = HipMeasures(
    head_distance_mm=175.0,
    head_radius_mm=23.0,
    neck_shaft_deg=127.0,
    anteversion_deg=12.0,
    offset_mm=42.0,
    neck_width_mm=32.0,
    shaft_radius_mm=14.0,
    shaft_cortex_mm=7.0,
)
SITES = {"head", "subcapital", "neck", "trochanteric", "lesser", "subtrochanteric", "shaft"}


def person(quality: float = 1.0) -> Person:
    return Person(sex="F", age=70.0, scale=1.0, quality=quality, fat_mm=20.0, muscle=1.0)


def femur(side: str, quality: float = 1.0, seed: int = 3) -> Part:
    return build_femur(np.random.default_rng(seed), person(quality), MEASURES, side)


@pytest.fixture(scope="module")
def right() -> Part:
    return femur("R")


def test_head_is_a_ball_of_its_radius_at_half_the_distance_between_the_heads(right: Part) -> None:
    centre = np.array([-87.5, 0.0, 0.0])
    assert np.allclose(right.landmarks["head-R"][1], centre)
    # Medial, upper and anterior poles: surface there, up to the roughness and the grid.
    for way in ([1.0, 0, 0], [0, -1.0, 0], [0, 0, 1.0], [0.6, -0.8, 0]):
        outside, inside = (centre + (23.0 + d) * np.array(way) for d in (2.0, -2.0))
        values = right.solids[0].sample(np.stack([outside, inside]))[:, DISTANCE]
        assert values[0] > 0 > values[1]


def test_neck_shaft_angle_and_offset_are_those_of_the_measures() -> None:
    generator = np.random.default_rng(0)
    frame = draw_frame(generator, MEASURES)
    angle = np.degrees(np.arccos(np.clip(-frame.neck @ frame.shaft, -1, 1)))
    assert angle == pytest.approx(frame.m.neck_shaft_deg, abs=1e-9)
    across = frame.meet[0] * frame.shaft[1] - frame.meet[1] * frame.shaft[0]
    assert across == pytest.approx(frame.m.offset_mm, abs=1e-9)
    # Anteversion: the shaft lies behind the head.
    assert frame.body(frame.on_shaft(0.0))[2] < -2.0


def test_landmarks_lie_in_or_on_their_bone_and_sites_inside(right: Part) -> None:
    (solid,) = right.solids
    assert set(right.sites) == {f"{name}-R" for name in SITES}
    for bone, point in right.landmarks.values():
        assert bone == "femur-R"
        assert solid.sample(point[None])[0, DISTANCE] < 3.0
    for site in right.sites.values():
        assert site.bone == "femur-R"
        assert solid.sample(site.origin_mm[None])[0, DISTANCE] < -2.0
        assert np.allclose(site.axes @ site.axes.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(site.axes) == pytest.approx(1.0)


def test_neck_axis_runs_from_the_head_outwards_and_down(right: Part) -> None:
    s, a, b = right.sites["neck-R"].axes
    assert s[0] < -0.5
    assert s[1] > 0.4
    assert a[1] < 0 < b[2]


def test_left_femur_is_the_mirror_image_of_a_right_one(right: Part) -> None:
    left = femur("L")
    flip = np.array([-1.0, 1.0, 1.0])
    for name, (_, point) in right.landmarks.items():
        bone, other = left.landmarks[name[:-1] + "L"]
        assert bone == "femur-L"
        assert np.allclose(other, point * flip)
    points = np.random.default_rng(0).uniform([-140, -20, -30], [-60, 120, 20], (200, 3))
    ours = right.solids[0].sample(points)[:, :3]
    theirs = left.solids[0].sample(points * flip)[:, :3]
    assert np.allclose(ours, theirs, atol=1e-3)


def test_same_seed_same_femur_and_sides_differ_a_little(right: Part) -> None:
    assert np.array_equal(femur("R").solids[0].field, right.solids[0].field)
    other = femur("R", seed=4).landmarks["lesser trochanter-R"][1]
    shift = np.linalg.norm(other - right.landmarks["lesser trochanter-R"][1])
    assert 0.1 < shift < 12.0


def test_cortex_is_thick_at_the_shaft_and_thin_at_head_and_trochanter(right: Part) -> None:
    (solid,) = right.solids
    shaft = right.sites["shaft-R"]
    side = shaft.origin_mm + 11.0 * shaft.axes[1]
    head = right.landmarks["head-R"][1] + np.array([0.0, -20.0, 0.0])
    tip = right.landmarks["greater trochanter-R"][1]
    thick, dome, great = solid.sample(np.stack([side, head, tip]))[:, CORTEX]
    assert 6.0 <= thick <= 9.0
    assert dome <= 2.0
    assert great <= 2.0


def test_inner_wall_below_the_neck_is_thicker_than_the_outer_one(right: Part) -> None:
    (solid,) = right.solids
    site = right.sites["subtrochanteric-R"]
    points = np.stack([site.origin_mm - 22 * site.axes[0] + a * site.axes[1] for a in (-14.0, 14.0)])
    inner, outer = solid.sample(points)[:, CORTEX]
    assert inner > 1.4 * outer


def test_strut_families_cross_and_ward_is_darker_than_both_groups() -> None:
    tables = lattice()
    grid = np.array([[0.0, -10.0], [40.0, 8.0], [28.0, 26.0]])
    p, y = grid.T
    tensile, compressive = look_up(tables.tensile, p, y), look_up(tables.compressive, p, y)
    head, arch, ward = density(p, y, tensile, compressive, 1.0)
    assert ward < 0.6 * arch < head
    step = 1.0
    for a, b in ((0.0, 0.0), (25.0, 15.0), (40.0, 40.0)):
        slopes = []
        for table in (tables.tensile, tables.compressive):
            at = look_up(table, np.array([a, a + step, a]), np.array([b, b, b + step]))
            slopes.append(at[1:] - at[0])
        u, v = slopes
        cosine = abs(u @ v) / np.linalg.norm(u) / np.linalg.norm(v)
        assert cosine < np.cos(np.radians(30))


def test_osteoporosis_takes_bone_and_the_tensile_group_first() -> None:
    good, poor = (femur("R", quality).solids[0] for quality in (1.0, 0.55))
    inside = good.field[..., DISTANCE] < -4.0
    assert poor.field[inside][:, FILL].mean() < 0.75 * good.field[inside][:, FILL].mean()
    tables = lattice()
    p, y = np.array([40.0, 12.0]), np.array([8.0, 28.0])
    lines = look_up(tables.tensile, p, y), look_up(tables.compressive, p, y)
    ratio = density(p, y, *lines, 0.55) / density(p, y, *lines, 1.0)
    assert ratio[0] < 0.7 < 0.85 < ratio[1]
