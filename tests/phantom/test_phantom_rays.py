"""Path lengths against closed forms and brute force, and the geometry of the beam."""

import math

import numpy as np
import pytest
from tests.reference.phantom_paths import path_lengths

from crepitus.phantom.injuries.fracture import Fracture, Fragment, Motion, Remodelling, Surface
from crepitus.phantom.solid.clay import Clay, Stuff
from crepitus.phantom.xray.project import (
    Bone,
    Detector,
    Pose,
    Textures,
    Tissue,
    bone_paths,
    chord_paths,
    tissue_paths,
    world_to_rest,
)

PARALLEL = (0.0, 0.0, math.inf)
UPRIGHT = Pose(np.eye(3), np.array([0.0, 0.0, 50.0]))
FLAT = Textures(np.zeros((8, 8, 8), np.float32), np.zeros((8, 8)))
ALONG_Y = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])


def grid(pixels=48, pitch=0.5, source=PARALLEL):
    half = pixels * pitch / 2
    return Detector(pixels, pixels, pitch, source, (-half, -half))


def ball(radius=8.0, cortex=100.0, fill=0.0, name="ball"):
    clay = Clay(np.full(3, -radius - 6), np.full(3, radius + 6), 1.0)
    clay.ball(np.zeros(3), radius, Stuff(cortex, fill, 1.0))
    return clay.finish(name)


def rod(radius=6.0, cortex=100.0, fill=0.0):
    clay = Clay(np.array([-12.0, -40, -12]), np.array([12.0, 40, 12]), 1.0)
    clay.tube(np.array([[0.0, -60, 0], [0.0, 60, 0]]), np.full(2, radius), Stuff(cortex, fill, 1.0))
    return clay.finish("rod")


def occupied(bones, detector=None, pose=UPRIGHT, step=0.1, textures=FLAT):
    return bone_paths(bones, detector or grid(), pose, textures, step).bone[2]


def test_ball_has_the_chord_of_a_sphere():
    detector = grid()
    found = occupied([Bone(ball())], detector)
    centres = detector.origin_mm[0] + (np.arange(48) + 0.5) * 0.5
    x, y = np.meshgrid(centres, centres)
    chord = 2 * np.sqrt(np.maximum(64 - x**2 - y**2, 0))
    inner = np.hypot(x, y) < 7
    np.testing.assert_allclose(found[inner], chord[inner], atol=0.25)
    assert (found[np.hypot(x, y) > 8.6] == 0).all()


def test_area_of_the_shadow_is_the_volume():
    # Sphere: 4/3 pi 8^3 = 2144.7 mm^3; every element collects path times its area.
    assert occupied([Bone(ball())]).sum() * 0.25 == pytest.approx(4 / 3 * math.pi * 512, rel=0.02)


def test_shell_is_cortical_and_core_is_trabecular():
    # Through the middle: 2 mm of cortex on each side; 12 mm of core with a quarter of bone tissue.
    detector = grid(3, 0.01)
    paths = bone_paths([Bone(ball(cortex=2.0, fill=0.25))], detector, UPRIGHT, FLAT, 0.05)
    cortical, trabecular, whole = paths.bone[:, 1, 1]
    assert cortical == pytest.approx(4.0, abs=0.2)
    assert trabecular == pytest.approx(3.0, abs=0.1)
    assert whole == pytest.approx(16.0, abs=0.2)
    assert paths.lines == ()


def test_empty_scene_is_empty():
    paths = bone_paths([], grid(8), UPRIGHT, FLAT)
    assert paths.bone.shape == (3, 8, 8)
    assert not paths.bone.any()
    assert not tissue_paths([], grid(8), UPRIGHT, FLAT).any()
    assert not chord_paths([], grid(8), UPRIGHT).any()


def test_magnification_is_source_distance_over_source_object_distance():
    # An object halfway between source (1000 mm) and detector is shown twice as large.
    detector = Detector(10, 10, 1.0, (0.0, 0.0, 1000.0), (-5.0, -5.0))
    points = np.array([[1.0, 2.0, 500.0], [1.0, 2.0, 0.0]])
    np.testing.assert_allclose(detector.project(points), [[2 + 5, 4 + 5], [1 + 5, 2 + 5]])


def test_doubling_the_distance_from_the_detector_scales_as_geometry_says():
    def area(z):
        pose = Pose(np.eye(3), np.array([0.0, 0.0, z]))
        return (occupied([Bone(ball())], grid(120, 0.4, (0.0, 0.0, 1000.0)), pose) > 0).sum()

    # Magnification 1000 / (1000 - z): 1.25 at 200 mm and 1.6667 at 400 mm; areas go with its square.
    assert area(400.0) / area(200.0) == pytest.approx((1.6667 / 1.25) ** 2, rel=0.03)


def test_doubling_the_source_distance_halves_the_excess_of_the_magnification():
    # z = 100: 1000 / 900 - 1 = 0.1111; 2000 / 1900 - 1 = 0.0526.
    found = []
    for source in (1000.0, 2000.0):
        detector = Detector(10, 10, 1.0, (0.0, 0.0, source), (0.0, 0.0))
        found.append(detector.project(np.array([[1.0, 0.0, 100.0]]))[0, 0] - 1)
    assert found == pytest.approx([0.1111, 0.0526], abs=1e-4)


def test_part_and_coarser_grids_cover_the_same_area():
    detector = grid(48)
    whole = occupied([Bone(ball())], detector)
    part = occupied([Bone(ball())], detector.part(10, 5, 20, 30))
    np.testing.assert_allclose(part, whole[10:30, 5:35], atol=1e-9)
    coarse = detector.coarser(4)
    assert coarse.rows * coarse.pitch_mm == detector.rows * detector.pitch_mm


def test_world_to_rest_undoes_the_motions():
    outer = Motion(np.array([0.1, 0.2, -0.3]), np.array([1.0, 2.0, 3.0]), np.array([5.0, 1.0, 0.0]))
    inner = Motion(np.array([-0.2, 0.0, 0.4]), np.array([0.0, -3.0, 1.0]), np.array([1.0, 1.0, 2.0]))
    pose = Pose(Motion(np.array([0.3, -0.1, 0.2])).matrix().T, np.array([4.0, 5.0, 60.0]))
    rest = np.array([[10.0, -2.0, 4.0]])
    matrix, offset = world_to_rest(pose, outer, inner)
    world = pose.to_world(outer.apply(inner.apply(rest)))
    np.testing.assert_allclose(world @ matrix.T + offset, rest, atol=1e-12)


@pytest.mark.parametrize("pitch", [0.0, 15.0])
def test_fracture_without_gap_and_motion_changes_no_number(pitch):
    textures = Textures(FLAT.trabeculae, np.random.default_rng(0).standard_normal((8, 8)))
    surfaces = (
        Surface(np.array([0.0, 1.0, 0.0]), ALONG_Y, 0.0, (0.7, -0.3), pitch, 0.8),
        Surface(np.zeros(3), np.eye(3), 0.0, (0.1, 0.2), 0.0, 0.5, side=1),
    )
    fracture = Fracture("rod", surfaces, (Fragment((1, 0)), Fragment((-1, 1))))
    solid = rod(cortex=2.0, fill=0.2)
    whole = bone_paths([Bone(solid)], grid(), UPRIGHT, textures)
    broken = bone_paths([Bone(solid, fracture)], grid(), UPRIGHT, textures)
    np.testing.assert_array_equal(broken.bone, whole.bone)
    assert broken.lines[0][0].any()


def test_transverse_gap_removes_its_share_of_bone():
    # A gap of 2 mm out of the 24 mm that the detector sees.
    whole = occupied([Bone(rod())]).sum()
    broken = occupied([Bone(rod(), Fracture("rod", (Surface(np.zeros(3), ALONG_Y, 2.0),)))]).sum()
    assert broken == pytest.approx(whole * 22 / 24, rel=0.01)


def test_displaced_fragment_shifts_its_shadow_and_nothing_else():
    # The lower half (y > 0) goes 3 mm along x: six elements of 0.5 mm.
    moves = Motion(translation=np.array([3.0, 0.0, 0.0]))
    fracture = Fracture("rod", (Surface(np.zeros(3), ALONG_Y, 0.0),), (Fragment((1,), moves),))
    whole, broken = occupied([Bone(rod())]), occupied([Bone(rod(), fracture)])
    np.testing.assert_allclose(broken[:24], whole[:24], atol=0.02)
    np.testing.assert_allclose(broken[24:, 6:], whole[24:, :-6], atol=0.1)


def test_impacted_fragments_add_up():
    # Pushed 4 mm into the upper part: 4 mm of doubled shadow.
    moves = Motion(translation=np.array([0.0, -4.0, 0.0]))
    fracture = Fracture("rod", (Surface(np.zeros(3), ALONG_Y, 0.0),), (Fragment((1,), moves),))
    whole, broken = occupied([Bone(rod())]), occupied([Bone(rod(), fracture)])
    np.testing.assert_allclose(broken[17:23], 2 * whole[17:23], atol=0.1)
    np.testing.assert_allclose(broken[:15], whole[:15], atol=0.02)


def test_against_brute_force():
    generator = np.random.default_rng(5)
    detector = grid(40, 0.6, (3.0, -2.0, 700.0))
    pose = Pose(Motion(np.array([0.3, -0.4, 0.2])).matrix().T, np.array([1.0, 2.0, 60.0]))
    moves = Motion(np.array([0.1, 0.05, -0.1]), np.array([2.0, 1.0, -1.0]))
    surfaces = (
        Surface(np.array([0.0, 1.0, 0.0]), ALONG_Y, 1.5, (0.5, 0.2)),
        Surface(np.array([0.0, 4.0, 1.0]), np.eye(3), 1.0, (0.0, 0.3), side=1),
    )
    fracture = Fracture("rod", surfaces, (Fragment((1, 1), moves), Fragment((1, -1))))
    bone = Bone(rod(cortex=2.0), fracture, Motion(np.array([0.0, 0.0, 0.2]), np.array([0.5, 0.0, 0.0])))
    fast = bone_paths([bone], detector, pose, FLAT, 0.1).bone
    for row, column in generator.integers(8, 32, (25, 2)):
        compact, length = path_lengths(bone, detector, pose, row, column)
        # The fast integral averages edges over an element; a ray along an edge differs by up to that.
        assert fast[2, row, column] == pytest.approx(length, abs=0.8)
        assert fast[0, row, column] == pytest.approx(compact, abs=1.2)
    rows, columns = np.meshgrid(range(12, 28, 2), range(12, 28, 2))
    slow = [
        path_lengths(bone, detector, pose, r, c)[1]
        for r, c in zip(rows.ravel(), columns.ravel(), strict=True)
    ]
    assert fast[2][rows, columns].mean() == pytest.approx(np.mean(slow), rel=0.02)


def test_lines_lie_on_the_surface():
    fracture = Fracture("rod", (Surface(np.zeros(3), ALONG_Y, 1.0),))
    line = bone_paths([Bone(rod(), fracture)], grid(), UPRIGHT, FLAT, 0.1).lines[0][0]
    rows = np.nonzero(line.sum(axis=1))[0]
    # Half the gap and 0.35 mm on each side of y = 0, which is the edge between rows 23 and 24 of 0.5 mm.
    assert rows.min() >= 22
    assert rows.max() <= 25
    # In the middle the ray runs within the surface through the whole bone.
    assert line[23, 24] == pytest.approx(12.0, abs=0.4)


def test_bulge_widens_and_density_adds():
    axes = ALONG_Y
    swollen = Remodelling(np.zeros(3), axes, 2.0, 3.0)
    whole, broad = occupied([Bone(rod())]), occupied([Bone(rod(), remodelling=(swollen,))])
    assert (broad[24] > 0).sum() - (whole[24] > 0).sum() in (7, 8, 9)
    assert (broad[0] > 0).sum() == (whole[0] > 0).sum()
    dense = Remodelling(np.zeros(3), axes, 0.0, 3.0, density=0.3)
    solid = rod(cortex=1.0, fill=0.1)
    before, after = (
        bone_paths([Bone(solid, remodelling=r)], grid(), UPRIGHT, FLAT, 0.1).bone[1] for r in ((), (dense,))
    )
    # 10 mm of core: 1 mm of bone tissue before, 0.3 x 10 mm more in the middle.
    assert before[24, 24] == pytest.approx(1.0, abs=0.1)
    assert after[24, 24] == pytest.approx(4.0, abs=0.2)


def test_tunnel_takes_its_cylinder_away():
    tunnels = np.array([[0.0, -2.0, -20.0, 0.0, -2.0, 20.0, 1.5]])
    whole, drilled = occupied([Bone(rod())]), occupied([Bone(rod(), tunnels=tunnels)])
    # Along the beam at y = -2: nothing is left in its middle.
    assert drilled[20, 24] == pytest.approx(0.0, abs=0.3)
    np.testing.assert_array_equal(drilled[30:], whole[30:])


def test_tissue_is_skin_fat_and_muscle():
    clay = Clay(np.full(3, -60.0), np.full(3, 60.0), 2.0)
    # Channels of tissue: depth of fat 10 mm, share of lean tissue 1.
    clay.ball(np.zeros(3), 50.0, Stuff(10.0, 1.0, 1.0))
    tissue = Tissue(clay.finish("tissue"), skin_mm=2.0, step_mm=0.25)
    lean, fat = tissue_paths([tissue], grid(8, 0.5), UPRIGHT, FLAT, coarser=1)[:, 4, 4]
    # 2 mm skin and 10 mm fat on each side, 76 mm muscle: fat to muscle is averaged over a step.
    assert fat == pytest.approx(20.0, abs=0.6)
    assert lean == pytest.approx(80.0, abs=0.8)


def test_chords_add_up():
    one = chord_paths([(ball(), Motion())], grid(), UPRIGHT, 0.1)
    two = chord_paths([(ball(), Motion()), (ball(), Motion())], grid(), UPRIGHT, 0.1)
    np.testing.assert_allclose(two, 2 * one)
    assert one[24, 24] == pytest.approx(16.0, abs=0.2)
