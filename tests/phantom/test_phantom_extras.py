"""Gas, hardware and old bone changes: shapes, materials, places, determinism."""

import numpy as np
import pytest

from crepitus.phantom.extras.bone import bone_island, healed_fracture, nutrient_canal
from crepitus.phantom.extras.draw import draw_hip_extras, draw_pelvis_extras, draw_wrist_extras
from crepitus.phantom.extras.gas import bubbles, colon, covers, draw_gas, stool
from crepitus.phantom.extras.hardware import ball, cup, rod, screw, strip
from crepitus.phantom.extras.hip_metal import hip_frame
from crepitus.phantom.extras.metal import HIP_KINDS, PELVIS_KINDS, make_hardware
from crepitus.phantom.extras.wrist import shaft_plate, volar_plate, wires
from crepitus.phantom.injuries.fracture import Fracture, Motion, Surface
from crepitus.phantom.render import Subject, surroundings
from crepitus.phantom.scene import Anatomy, Extras, Injury, Person, Shot, Site
from crepitus.phantom.scenes.common import posed, rotation
from crepitus.phantom.solid.clay import Clay, Stuff
from crepitus.phantom.solid.textures import base_textures
from crepitus.phantom.xray.physics import BONE, SOFT, STEEL, TITANIUM, Exposure
from crepitus.phantom.xray.project import Bone, Detector, Pose, Tissue, chord_paths

PERSON = Person("F", 44.0, 1.0, 1.0, 20.0, 1.0)
PARALLEL = Pose(np.eye(3), np.zeros(3))


def parallel(size, field_mm):
    return Detector(size, size, field_mm / size, (0.0, 0.0, np.inf), (-field_mm / 2, -field_mm / 2))


def site(bone, origin, along, radius):
    s = np.asarray(along, dtype=float) / np.linalg.norm(along)
    a = np.cross(s, [0.0, 0.0, 1.0])
    a /= np.linalg.norm(a)
    return Site(bone, np.asarray(origin, dtype=float), np.stack([s, a, np.cross(s, a)]), radius)


def trunk():
    """Two plain femora with the sites of a pelvis, and a block of tissue."""
    bones, sites = [], {}
    for side, x in (("R", -1.0), ("L", 1.0)):
        head, corner = np.array([88.0 * x, 0, 0]), np.array([124.0 * x, 30, 0])
        low, high = np.minimum(head, corner) - 45, np.maximum(head, corner) + 45
        clay = Clay(low, high + np.array([0, 120, 0]), 4.0)
        clay.tube(
            np.array([head, corner, corner + np.array([0, 140, 0])]),
            np.array([20.0, 16, 14]),
            Stuff(3, 0.1, 3),
        )
        bones.append(Bone(clay.finish(f"femur-{side}")))
        sites[f"neck-{side}"] = site(f"femur-{side}", 0.5 * (head + corner), corner - head, 16.0)
        sites[f"shaft-{side}"] = site(f"femur-{side}", corner + np.array([0, 80, 0]), [0, 1, 0], 14.0)
        sites[f"superior-ramus-{side}"] = site(f"hip-{side}", [40.0 * x, 38, 25], [x, -0.2, -0.2], 7.0)
        sites[f"sacrum-{side}"] = site("sacrum", [35.0 * x, -75, -45], [0, 1, 0], 18.0)
    clay = Clay(np.array([-200.0, -220, -110]), np.array([200.0, 240, 110]), 10.0)
    clay.tube(np.array([[0, -300.0, 0], [0, 300, 0]]), np.array([160.0, 160]), Stuff(20, 0.9, 3))
    tissue = (Tissue(clay.finish("tissue")),)
    return Anatomy("PELVIS", PERSON, tuple(bones), tissue, {}, sites, np.zeros(3))


def forearm():
    clay = Clay(np.array([-40.0, -60, -35]), np.array([40.0, 90, 35]), 3.0)
    clay.tube(np.array([[0, -80.0, 0], [0, 120, 0]]), np.array([24.0, 28]), Stuff(4, 0.9, 3))
    sites = {
        "radius-distal-R": site("radius-R", [-8, 20, 0], [0, -1, 0], 13.0),
        "radius-shaft-R": site("radius-R", [-8, 48, 0], [0, -1, 0], 8.0),
    }
    return Anatomy("WRIST", PERSON, (), (Tissue(clay.finish("skin")),), {}, sites, np.zeros(3))


@pytest.fixture(scope="module")
def pelvis():
    return trunk()


@pytest.fixture(scope="module")
def wrist():
    return forearm()


def test_smooth_screw_is_a_capsule_of_its_diameter():
    # Along the middle of a horizontal rod of radius 3 mm a vertical ray passes 6 mm of metal, at 2 mm off
    # the axis 2 sqrt(9 - 4) = 4.472 mm, beyond 3 mm none.
    solid = rod("pin", np.array([[-20.0, 0, 0], [20.0, 0, 0]]), 3.0)
    path = chord_paths([(solid, Motion())], parallel(120, 30.0), PARALLEL, 0.25)
    y = (np.arange(120) + 0.5) * 0.25 - 15.0
    wanted = 2 * np.sqrt(np.maximum(9.0 - y**2, 0.0))
    clear = np.abs(np.abs(y) - 3.0) > 0.6
    np.testing.assert_allclose(path[clear, 60], wanted[clear], atol=0.25)


def test_screw_ends_at_head_and_tip_and_keeps_within_its_diameter():
    head, tip = np.array([0.0, 0, 0]), np.array([30.0, 0, 0])
    solid = screw("screw", head, tip, 7.0, core=0.6, threaded=0.5, pitch_mm=2.5)
    at = [[1.0, 0, 0], [29.0, 0, 0], [15.0, 4.3, 0], [33.5, 0, 0], [5.0, 2.9, 0]]
    d = solid.sample(np.array(at))[:, 0]
    # Within; within; beyond the radius of 3.5; beyond the tip; the smooth part has the core's radius of 2.1.
    assert (d < 0).tolist() == [True, True, False, False, False]


def test_screw_head_is_as_wide_as_asked():
    head, tip = np.zeros(3), np.array([30.0, 0, 0])
    solid = screw("screw", head, tip, 4.0, head_diameter_mm=9.0)
    assert solid.sample(np.array([[-0.6, 3.6, 0]]))[0, 0] < 0
    assert solid.sample(np.array([[-0.6, 5.2, 0]]))[0, 0] > 0


def test_plate_has_its_holes():
    line = np.array([[-40.0, 0, 0], [0, 0, 0], [40, 0, 0]])
    solid, places = strip("plate", line, np.array([0.0, 0, 1.0]), 12.0, 4.0, [0.25, 0.75], 5.0)
    assert len(places) == 2
    centre, between = solid.sample(np.array([*places, [0.0, 0, 0]]))[:, 0][[0, 2]]
    assert centre > 1.5
    assert between < -1.0


def test_ball_has_the_path_of_its_diameter():
    path = chord_paths([(ball("head", np.zeros(3), 14.0), Motion())], parallel(40, 40.0), PARALLEL, 0.5)
    assert path.max() == pytest.approx(28.0, abs=0.5)


def test_cup_is_hollow_and_open():
    solid = cup("cup", np.zeros(3), 25.0, 4.0, np.array([0.0, 1.0, 0.0]))
    wall, inside, opening = solid.sample(np.array([[0, -23.0, 0], [0, -15, 0], [0, 23.0, 0]]))[:, 0]
    assert wall < 0 < inside
    assert opening > 0


@pytest.mark.parametrize("kind", PELVIS_KINDS)
@pytest.mark.parametrize("side", ["R", "L"])
def test_hardware_is_metal_near_its_side(pelvis, kind, side):
    found = make_hardware(np.random.default_rng(1), pelvis, kind, side)
    assert found.kind == kind
    assert {material for material, _ in found.pieces} <= {TITANIUM, STEEL}
    for _, solid in found.pieces:
        assert (solid.field[..., 0] < 0).any()
        # All of it lies within its grid.
        for axis in range(3):
            ends = np.take(solid.field[..., 0], [0, -1], axis=axis)
            assert (ends > 0).all()
    if kind in HIP_KINDS:
        x = np.mean([0.5 * (s.low_mm[0] + s.high_mm[0]) for _, s in found.pieces])
        assert (x < 0) == (side == "R")


def test_hip_frame_points_up_in_the_head_and_outward(pelvis):
    for side, out in (("R", -1.0), ("L", 1.0)):
        hip = hip_frame(pelvis, side)
        assert hip.up[1] < 0
        assert hip.up[0] * out < 0
        assert hip.lateral[0] * out > 0.9
        assert hip.down[1] > 0.99
        # The axes meet 36 mm out and 30 mm down of the head here.
        np.testing.assert_allclose(hip.corner[:2], [124.0 * out, 30.0], atol=1.0)


def test_screws_of_the_neck_end_in_the_head(pelvis):
    found = make_hardware(np.random.default_rng(3), pelvis, "cannulated screws", "R")
    for _, solid in found.pieces:
        cells = np.argwhere(solid.field[..., 0] < 0) * solid.spacing_mm + solid.origin_mm
        tip = cells[np.argmax(cells[:, 0])]
        assert np.linalg.norm(tip - [-88.0, 0, 0]) < 26.0


def test_prosthesis_removes_the_head_only_on_its_side(pelvis):
    found = make_hardware(np.random.default_rng(2), pelvis, "hemiprosthesis", "L")
    assert list(found.removed) == ["femur-L"]
    start, radius = found.removed["femur-L"][0, :3], found.removed["femur-L"][0, 6]
    assert np.linalg.norm(start - [88.0, 0, 0]) < radius


def test_no_site_no_hardware_of_its_kind_but_clips_always():
    bare = Anatomy("PELVIS", PERSON, (), (), {}, {}, np.zeros(3))
    for kind in (*HIP_KINDS, "iliosacral screw", "pubic plate"):
        assert make_hardware(np.random.default_rng(0), bare, kind, "R") is None
    extras = draw_pelvis_extras(np.random.default_rng(0), bare, True)
    assert extras.metal
    assert draw_wrist_extras(np.random.default_rng(0), bare, True).metal


def test_man_has_no_coil(pelvis):
    man = Person("M", 44.0, 1.0, 1.0, 20.0, 1.0)
    anatomy = Anatomy("PELVIS", man, (), (), {}, pelvis.sites, np.zeros(3))
    assert make_hardware(np.random.default_rng(0), anatomy, "coil", "R") is None


@pytest.mark.parametrize("make", [volar_plate, shaft_plate, wires])
def test_wrist_hardware_lies_at_its_site(wrist, make):
    place = wrist.sites["radius-shaft-R" if make is shaft_plate else "radius-distal-R"]
    found = make(np.random.default_rng(5), place)
    assert {material for material, _ in found.pieces} <= {TITANIUM, STEEL}
    nearest = min(
        np.linalg.norm(
            np.argwhere(s.field[..., 0] < 0) * s.spacing_mm + s.origin_mm - place.origin_mm, axis=1
        ).min()
        for _, s in found.pieces
    )
    assert nearest < 1.6 * place.radius_mm


@pytest.mark.parametrize("draw", [draw_pelvis_extras, draw_hip_extras])
def test_without_metal_there_is_none(pelvis, draw):
    for seed in range(6):
        extras = draw(np.random.default_rng(seed), pelvis, False)
        assert extras.metal == ()
        assert extras.notes["metal_kind"] is None


def test_wrist_without_metal_wears_plaster_or_a_bangle_at_most(wrist):
    seen = set()
    for seed in range(60):
        extras = draw_wrist_extras(np.random.default_rng(seed), wrist, False)
        names = {solid.name for _, solid in extras.metal}
        seen |= names
        assert names <= {"cast", "bangle"}
        assert extras.notes["cast"] == int("cast" in names)
        assert extras.notes["bangle"] == int("bangle" in names)
        assert extras.notes["metal_kind"] is None
    assert seen == {"cast", "bangle"}


@pytest.mark.parametrize("draw", [draw_pelvis_extras, draw_hip_extras, draw_wrist_extras])
def test_extras_repeat_with_the_seed(pelvis, wrist, draw):
    anatomy = wrist if draw is draw_wrist_extras else pelvis
    first, second = (draw(np.random.default_rng(11), anatomy, True) for _ in range(2))
    assert first.notes == second.notes
    assert [s.name for s in first.gas] == [s.name for s in second.gas]
    for one, two in zip(first.gas, second.gas, strict=True):
        np.testing.assert_array_equal(one.field, two.field)
    for (m, one), (n, two) in zip(first.metal, second.metal, strict=True):
        assert m == n
        np.testing.assert_array_equal(one.field, two.field)


def test_metal_changes_nothing_else(pelvis):
    without, with_metal = (draw_pelvis_extras(np.random.default_rng(7), pelvis, m) for m in (False, True))
    assert {k: v for k, v in without.notes.items() if k != "metal_kind"} == {
        k: v for k, v in with_metal.notes.items() if k != "metal_kind"
    }
    for one, two in zip(without.gas, with_metal.gas, strict=True):
        np.testing.assert_array_equal(one.field, two.field)


def plain_shot(size=64, field_mm=320.0):
    exposure = Exposure(75.0, 5000.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    return Shot(
        "AP", "B", posed(rotation(), np.zeros(3), np.zeros(3)), parallel(2 * size, field_mm), exposure
    )


def test_gas_takes_the_place_of_tissue(pelvis):
    shot, textures = plain_shot(), base_textures()
    gas = bubbles(np.random.default_rng(1), np.zeros(3), np.full(3, 15.0), 5, (6.0, 12.0), "gas")
    full = surroundings(Subject(pelvis, Injury(), Extras(), textures), shot, shot.detector)
    less = surroundings(Subject(pelvis, Injury(), Extras(gas=(gas,)), textures), shot, shot.detector)
    taken = full[SOFT] - less[SOFT]
    assert (taken >= 0).all()
    # The deepest place loses at least a good part of a bubble's depth of 2 x 4-15 mm.
    assert taken.max() > 6.0
    assert taken[:20].max() == 0.0


def test_cast_adds_bone_and_takes_no_tissue(wrist):
    shot = plain_shot(64, 100.0)
    worn = next(
        e
        for e in (draw_wrist_extras(np.random.default_rng(s), wrist, False) for s in range(200))
        if e.notes["cast"]
    )
    textures = base_textures()
    bare = surroundings(Subject(wrist, Injury(), Extras(), textures), shot, shot.detector)
    cast = surroundings(Subject(wrist, Injury(), Extras(metal=worn.metal), textures), shot, shot.detector)
    np.testing.assert_array_equal(bare[SOFT], cast[SOFT])
    assert cast[BONE].max() > 1.5


def test_colon_is_wider_between_its_folds():
    path = np.array([[0.0, 0, 0], [0, 50, 0], [0, 100, 0], [0, 150, 0]])
    solid = colon(np.random.default_rng(4), path, 16.0, "gas")
    width = (solid.field[..., 0] < 0).sum(axis=(0, 2))
    inner = width[width > 0][3:-3]
    assert inner.max() > 1.5 * inner.min()


def test_stool_is_many_small_pockets():
    from scipy.ndimage import label

    path = np.array([[0.0, 0, 0], [0, 30, 0], [0, 60, 0], [0, 90, 0]])
    solid = stool(np.random.default_rng(4), path, 16.0, "stool")
    inside = solid.field[..., 0] < 0
    assert label(inside)[1] > 8
    assert inside.mean() < 0.2


def test_covers_looks_along_the_beam_only():
    gas = bubbles(np.random.default_rng(1), np.array([40.0, 30, -50]), np.ones(3), 1, (9.0, 10.0), "gas")
    assert covers((gas,), np.array([42.0, 28.0, 60.0]))
    assert not covers((gas,), np.array([-42.0, 28.0, -50.0]))
    assert not covers((), np.zeros(3))


def test_gas_varies_between_studies():
    counts = {len(draw_gas(np.random.default_rng(seed), 1.0)) for seed in range(12)}
    assert len(counts) > 3


def test_canal_passes_the_cortex_of_its_site():
    place = site("femur-R", [10.0, 20, 30], [0, 1, 0], 14.0)
    for seed in range(10):
        row = nutrient_canal(np.random.default_rng(seed), place)[0]
        off = [np.linalg.norm((p - place.origin_mm)[[0, 2]]) for p in (row[:3], row[3:6])]
        assert off[0] == pytest.approx(1.05 * 14.0)
        assert off[1] == pytest.approx(0.45 * 14.0)
        assert 0.5 <= row[6] <= 0.8


def test_healed_fracture_bends_and_thickens_without_a_gap():
    place = site("ramus", [0.0, 0, 0], [1, 0, 0], 7.0)
    changes = healed_fracture(np.random.default_rng(0), place)
    assert changes[0].bulge_mm > 0
    assert changes[0].density > 0
    # Out on one side, in on the other, by the same amount.
    assert changes[1].bulge_mm == -changes[2].bulge_mm
    assert changes[1].toward == (-changes[2].toward[0], -changes[2].toward[1])


def test_bone_island_lies_within_the_bone():
    place = site("neck", [5.0, 5, 5], [0, 1, 0], 15.0)
    for seed in range(10):
        island = bone_island(np.random.default_rng(seed), place)
        assert np.linalg.norm(island.origin_mm - place.origin_mm) < 15.0
        assert island.bulge_mm == 0.0


def test_prosthesis_leaves_no_bone_to_break_in_its_place(pelvis):
    found = make_hardware(np.random.default_rng(2), pelvis, "total hip", "R")
    extras = Extras(metal=found.pieces, tunnels=found.removed)

    def broken(bone, origin):
        surface = Surface(np.asarray(origin, dtype=float), np.eye(3), 1.0)
        return Injury((Fracture(bone, (surface,)),))

    # The head's centre is gone; the shaft, and the same place of the other bone, are not.
    assert extras.removed(broken("femur-R", [-88, 0, 0]))
    assert not extras.removed(broken("femur-R", [-124, 110, 0]))
    assert not extras.removed(broken("femur-L", [88, 0, 0]))
    assert not extras.removed(Injury())
