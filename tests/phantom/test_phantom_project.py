"""Path lengths against closed forms, and the geometry of the beam."""

import math

import numpy as np
import pytest

from crepitus.phantom.fracture import Fracture, Motion, Surface
from crepitus.phantom.project import Bone, Detector, Pose, Textures, bone_paths, tissue_paths, world_to_rest
from crepitus.phantom.shapes import CORTEX, R1, R2, TRABECULAR, ellipsoid, make_tube, positions

PARALLEL = (0.0, 0.0, math.inf)
UPRIGHT = Pose(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.zeros(3))
FLAT = Textures(np.zeros((8, 8, 8), np.float32), np.zeros((8, 8)))


def grid(pixels=48, pitch=0.5, source=PARALLEL):
    half = pixels * pitch / 2
    return Detector(pixels, pixels, pitch, source, (-half, -half))


def cylinder(radius=8.0, cortex=100.0, trabecular=0.0, other=None):
    s = positions(-60, 60)
    columns = {R1: radius, R2: other or radius, CORTEX: cortex, TRABECULAR: trabecular}
    return make_tube("bone", s, columns)


def x_of(detector):
    return detector.origin_mm[0] + (np.arange(detector.columns) + 0.5) * detector.pitch_mm


def test_solid_cylinder_has_the_chord_of_a_circle():
    detector = grid()
    cortical = bone_paths([Bone(cylinder())], detector, UPRIGHT, FLAT, step_mm=0.1)[0]
    x = x_of(detector)
    chord = 2 * np.sqrt(np.maximum(64 - x**2, 0))
    inner = np.abs(x) < 7
    np.testing.assert_allclose(cortical[24][inner], chord[inner], atol=0.1)
    assert (cortical[24][np.abs(x) > 8.3] == 0).all()


def test_area_of_the_shadow_is_the_volume():
    # Ellipsoid 4/3 pi 9 x 7 x 5 = 1319.5 mm^3; every element collects path times its area.
    tube = ellipsoid("head", np.zeros(3), (9.0, 7.0, 5.0), 100.0, 0.0)
    detector = grid()
    volume = bone_paths([Bone(tube)], detector, UPRIGHT, FLAT, step_mm=0.2)[2].sum() * 0.25
    assert volume == pytest.approx(4 / 3 * math.pi * 9 * 7 * 5, rel=0.03)


def test_shell_is_cortical_and_core_is_trabecular():
    # Through the axis: 2 mm of cortex on each side; 12 mm of core with a quarter of bone tissue.
    tube = cylinder(radius=8.0, cortex=2.0, trabecular=0.25)
    detector = grid(3, 0.01)
    cortical, trabecular, occupied = bone_paths([Bone(tube)], detector, UPRIGHT, FLAT, step_mm=0.05)[:, 1, 1]
    assert cortical == pytest.approx(4.0, abs=0.15)
    assert trabecular == pytest.approx(3.0, abs=0.1)
    assert occupied == pytest.approx(16.0, abs=0.1)


def test_elliptic_section():
    # r2 lies along the beam: a chord of 2 x 5 in the middle.
    cortical = bone_paths([Bone(cylinder(8.0, other=5.0))], grid(3, 0.01), UPRIGHT, FLAT, step_mm=0.05)[0]
    assert cortical[1, 1] == pytest.approx(10.0, abs=0.1)


def test_tissue_is_the_closed_form():
    s = positions(-60, 60)
    limb = make_tube("tissue", s, {R1: 10.0, R2: 10.0, CORTEX: 1.0, TRABECULAR: 4.0})
    detector = grid()
    outer, skin, fascia, *_ = tissue_paths(limb, detector, UPRIGHT)[:, 24]
    x = x_of(detector)
    for found, radius in ((outer, 10.0), (skin, 9.0), (fascia, 6.0)):
        np.testing.assert_allclose(found, 2 * np.sqrt(np.maximum(radius**2 - x**2, 0)), atol=1e-9)


def test_magnification_is_source_distance_over_source_object_distance():
    # An object halfway between source (1000 mm) and detector is shown twice as large.
    detector = Detector(10, 10, 1.0, (0.0, 0.0, 1000.0), (-5.0, -5.0))
    points = np.array([[1.0, 2.0, 500.0], [1.0, 2.0, 0.0]])
    np.testing.assert_allclose(detector.project(points), [[2 + 5, 4 + 5], [1 + 5, 2 + 5]])


def test_shadow_widens_with_distance_from_the_detector():
    def width(z):
        pose = Pose(UPRIGHT.axes, np.array([0.0, 0.0, z]))
        detector = grid(160, 0.25, (0.0, 0.0, 1000.0))
        return (bone_paths([Bone(cylinder())], detector, pose, FLAT)[2][80] > 0).sum() * 0.25

    assert width(500.0) == pytest.approx(2 * width(10.0), rel=0.04)


def test_part_and_coarser_grids_cover_the_same_area():
    detector = grid(48)
    whole = bone_paths([Bone(cylinder())], detector, UPRIGHT, FLAT)
    part = bone_paths([Bone(cylinder())], detector.part(10, 5, 20, 30), UPRIGHT, FLAT)
    np.testing.assert_allclose(part, whole[:, 10:30, 5:35], atol=1e-9)
    coarse = detector.coarser(4)
    assert coarse.rows * coarse.pitch_mm == detector.rows * detector.pitch_mm


def test_world_to_rest_undoes_the_motion():
    motion = Motion(np.array([0.1, 0.2, -0.3]), np.array([1.0, 2.0, 3.0]), np.array([5.0, 1.0, 0.0]))
    rest = np.array([[10.0, -2.0, 4.0]])
    matrix, offset = world_to_rest(UPRIGHT, motion)
    world = UPRIGHT.to_world(motion.apply(rest))
    np.testing.assert_allclose(world @ matrix.T + offset, rest, atol=1e-12)


def test_fracture_without_gap_and_motion_changes_no_number():
    rough = np.random.default_rng(0).standard_normal((8, 8))
    textures = Textures(FLAT.trabeculae, rough)
    for surface in (Surface(1.0, (0.7, -0.3), 0.0, 0.8), Surface(-2.0, (0.1, 0.0), 15.0, 0.5)):
        second = Surface(0.5, (-0.8, 0.4))
        fracture = Fracture("bone", surface, 0.0, second=second)
        whole = bone_paths([Bone(cylinder(cortex=2.0, trabecular=0.2))], grid(), UPRIGHT, textures)
        broken = bone_paths([Bone(cylinder(cortex=2.0, trabecular=0.2), fracture)], grid(), UPRIGHT, textures)
        np.testing.assert_array_equal(broken, whole)


def test_transverse_gap_removes_its_share_of_bone():
    # A gap of 2 mm out of the 24 mm that the detector sees.
    whole = bone_paths([Bone(cylinder())], grid(), UPRIGHT, FLAT)[2].sum()
    broken = bone_paths([Bone(cylinder(), Fracture("bone", Surface(0.0), 2.0))], grid(), UPRIGHT, FLAT)[
        2
    ].sum()
    assert broken == pytest.approx(whole * 22 / 24, rel=0.01)


def test_displaced_fragment_shifts_its_shadow_and_nothing_else():
    # The distal half (larger s, larger y) goes 3 mm along a, which is x: six elements of 0.5 mm.
    fracture = Fracture("bone", Surface(0.0), 0.0, Motion(translation=np.array([0.0, 3.0, 0.0])))
    whole = bone_paths([Bone(cylinder())], grid(), UPRIGHT, FLAT)[2]
    broken = bone_paths([Bone(cylinder(), fracture)], grid(), UPRIGHT, FLAT)[2]
    np.testing.assert_allclose(broken[:24], whole[:24], atol=1e-9)
    np.testing.assert_allclose(broken[24:, 6:], whole[24:, :-6], atol=0.2)


def test_impacted_fragments_add_up():
    # Pushed 4 mm into the proximal part: 4 mm of doubled shadow.
    fracture = Fracture("bone", Surface(0.0), 0.0, Motion(translation=np.array([-4.0, 0.0, 0.0])))
    whole = bone_paths([Bone(cylinder())], grid(), UPRIGHT, FLAT)[2]
    broken = bone_paths([Bone(cylinder(), fracture)], grid(), UPRIGHT, FLAT)[2]
    np.testing.assert_allclose(broken[17:23], 2 * whole[17:23], rtol=1e-6)
    np.testing.assert_allclose(broken[:15], whole[:15], atol=1e-9)


def test_incomplete_fracture_leaves_one_cortex():
    # The gap opens along +a (x) only, from the axis on.
    fracture = Fracture("bone", Surface(0.0), 2.0, taper=(1.0, 0.0, 0.0, 2.0))
    whole = bone_paths([Bone(cylinder())], grid(), UPRIGHT, FLAT)[2]
    broken = bone_paths([Bone(cylinder(), fracture)], grid(), UPRIGHT, FLAT)[2]
    np.testing.assert_array_equal(broken[:, :24], whole[:, :24])
    assert broken[24, 34] < 0.2 * whole[24, 34]
