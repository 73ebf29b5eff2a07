"""Fracture surfaces, their height field and the truth that they give."""

import math

import numpy as np
import pytest

from crepitus.phantom.fracture import (
    BUTTERFLY,
    DISTAL,
    Fracture,
    Motion,
    Surface,
    kept,
    roughness_table,
    surface_height,
    surface_points,
)
from crepitus.phantom.shapes import CORTEX, R1, R2, make_tube, positions

FLAT = np.zeros((8, 8))


def tube(radius=10.0):
    return make_tube("bone", positions(-50, 50), {R1: radius, R2: radius, CORTEX: 2.0})


def test_height_of_a_tilted_plane_is_its_distance():
    # s = a at 45 degrees: the point (s, a) = (1, 0) lies 1 / sqrt 2 beyond.
    packed = Fracture("bone", Surface(0.0, (1.0, 0.0)), 0.0).packed()
    assert surface_height(packed, 0, FLAT, 1.0, 0.0, 0.0) == pytest.approx(1 / math.sqrt(2))
    assert surface_height(packed, 0, FLAT, 3.0, 3.0, 7.0) == pytest.approx(0.0)


def test_spiral_rises_by_its_pitch_in_a_turn():
    packed = Fracture("bone", Surface(0.0, pitch_mm=20.0), 0.0).packed()
    scale = packed[0, 4]
    # Half a turn further round, the surface stands half a pitch higher.
    front = surface_height(packed, 0, FLAT, 0.0, 5.0, 0.0) / scale
    back = surface_height(packed, 0, FLAT, 0.0, -5.0, 1e-9) / scale
    assert front - back == pytest.approx(10.0, abs=1e-6)


def test_gap_band():
    packed = Fracture("bone", Surface(0.0), 2.0).packed()
    whole = np.ones(3)
    # Averaged over 0.5 mm: nothing remains at the middle, half at the edge (1 mm), all at 1.25 mm.
    assert kept(packed, FLAT, whole, 0.0, 0.0, 0.0, 0.5) == pytest.approx(0.0)
    assert kept(packed, FLAT, whole, 1.0, 0.0, 0.0, 0.5) == pytest.approx(0.5)
    assert kept(packed, FLAT, whole, 1.25, 0.0, 0.0, 0.5) == pytest.approx(1.0)


def test_far_points_need_no_surface_and_agree_with_it():
    packed = Fracture("bone", Surface(0.0, (0.5, 0.2), 10.0, 0.5), 1.0).packed(widest_mm=10.0)
    everywhere = packed.copy()
    everywhere[2, 6] = 1e9
    distal = np.array([0.0, 1.0, 0.0])
    generator = np.random.default_rng(3)
    rough = roughness_table(generator, 64)
    for s in np.linspace(-60, 60, 81):
        radius, angle = 10 * generator.random(), generator.uniform(0, 2 * np.pi)
        a, b = radius * math.cos(angle), radius * math.sin(angle)
        assert kept(packed, rough, distal, s, a, b, 0.5) == kept(everywhere, rough, distal, s, a, b, 0.5)


def test_fragments_partition_the_bone():
    packed = Fracture("bone", Surface(0.0, (-0.8, 0.0)), 0.0, second=Surface(-1.0, (0.9, 0.0))).packed()
    generator = np.random.default_rng(0)
    seen = set()
    for s, a, b in generator.uniform(-10, 10, (200, 3)):
        shares = [kept(packed, FLAT, np.eye(3)[k], s, a, b, 0.5) for k in range(3)]
        assert sorted(shares) == [0.0, 0.0, 1.0]
        seen.add(int(np.argmax(shares)))
    assert seen == {0, DISTAL, BUTTERFLY}


def test_unmoved_fragments_stay_one_piece():
    still = Fracture("bone", Surface(0.0), 1.0, second=Surface(1.0))
    assert len(still.pieces()) == 1
    assert still.pieces()[0][1].tolist() == [1.0, 1.0, 1.0]
    moved = Fracture("bone", Surface(0.0), 1.0, Motion(translation=np.array([0.0, 1.0, 0.0])))
    assert [mask.tolist() for _, mask in moved.pieces()] == [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]


def test_roughness_is_periodic_noise_of_unit_variance():
    table = roughness_table(np.random.default_rng(1))
    assert table.mean() == pytest.approx(0.0, abs=1e-9)
    assert table.std() == pytest.approx(1.0)
    # No seam: the step over the edge is like any other.
    assert np.abs(table[0] - table[-1]).mean() < 2 * np.abs(np.diff(table, axis=0)).mean()


def test_surface_points_lie_on_the_surface_within_the_bone():
    fracture = Fracture("bone", Surface(5.0, (0.6, -0.4)), 1.0)
    points, fragments = surface_points(fracture, tube(), FLAT)
    np.testing.assert_allclose(points[:, 0], 5.0 + 0.6 * points[:, 1] - 0.4 * points[:, 2], atol=1e-9)
    assert (np.hypot(points[:, 1], points[:, 2]) <= 10 + 1e-9).all()
    assert (fragments == DISTAL).all()
    assert points.mean(axis=0) == pytest.approx([5.0, 0.0, 0.0], abs=1e-6)


def test_motion_rotates_about_its_pivot():
    # A quarter turn about b at (10, 0, 0) takes (12, 0, 0) to (10, 0, 0) + 2 along -a or +a, then 1 along s.
    motion = Motion(np.array([0.0, 0.0, math.pi / 2]), np.array([1.0, 0.0, 0.0]), np.array([10.0, 0.0, 0.0]))
    np.testing.assert_allclose(motion.apply(np.array([[12.0, 0.0, 0.0]])), [[11.0, 2.0, 0.0]], atol=1e-12)
    assert Motion().is_none
