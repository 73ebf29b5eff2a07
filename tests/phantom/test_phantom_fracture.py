"""Fracture surfaces, gaps and parts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.phantom.injuries.fracture import Fracture, Fragment, Motion, Surface, roughness_table
from crepitus.phantom.injuries.fracture_kernels import TRACE_MM, kept, part_of, surface_height

FLAT = np.zeros((8, 8))
ORIGIN = np.zeros(3)


def remains(fracture, point, mask=None, soft=0.5):
    surfaces, signs = fracture.packed()
    n = len(surfaces)
    mask = np.ones(1 + len(fracture.fragments)) if mask is None else mask
    near = np.zeros(n)
    share = kept(surfaces, signs, FLAT, mask, *point, np.full(n, soft), near, np.zeros(n))
    return share, near


def test_height_of_a_tilted_plane_is_its_distance():
    # s = a at 45 degrees: the point (s, a) = (1, 0) lies 1 / sqrt 2 beyond.
    surface = Surface(ORIGIN, np.eye(3), 4.0, tilt=(1.0, 0.0)).packed()
    assert surface_height(surface, FLAT, 1.0, 0.0, 0.0)[0] == pytest.approx(1 / math.sqrt(2))
    assert surface_height(surface, FLAT, 3.0, 3.0, 7.0)[0] == pytest.approx(0.0)


def test_frame_turns_and_shifts_the_surface():
    # s along y, at y = 5.
    axes = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    surface = Surface(np.array([9.0, 5.0, -2.0]), axes, 0.0).packed()
    assert surface_height(surface, FLAT, 1.0, 6.5, 3.0)[0] == pytest.approx(1.5)


def test_spiral_rises_by_its_pitch_in_a_turn():
    surface = Surface(ORIGIN, np.eye(3), 1.0, pitch_mm=20.0).packed()
    scale = 1 / math.sqrt(1 + (20 / 60) ** 2)
    # Half a turn further round, the surface stands half a pitch higher.
    front, back = (surface_height(surface, FLAT, 0.0, a, b)[0] for a, b in ((5.0, 0.0), (-5.0, 1e-9)))
    assert (front - back) / scale == pytest.approx(10.0, abs=1e-6)


def test_gap_band():
    fracture = Fracture("bone", (Surface(ORIGIN, np.eye(3), 2.0),))
    # Averaged over 0.5 mm: nothing remains at the middle, half at the edge (1 mm), all at 1.25 mm.
    assert remains(fracture, (0.0, 0.0, 0.0))[0] == pytest.approx(0.0)
    assert remains(fracture, (1.0, 0.0, 0.0))[0] == pytest.approx(0.5)
    assert remains(fracture, (1.25, 0.0, 0.0))[0] == pytest.approx(1.0)


def test_line_reaches_a_little_beyond_the_gap():
    fracture = Fracture("bone", (Surface(ORIGIN, np.eye(3), 2.0),))
    assert remains(fracture, (1.0 + 0.9 * TRACE_MM, 0.0, 0.0))[1].tolist() == [1.0]
    assert remains(fracture, (1.0 + 1.1 * TRACE_MM, 0.0, 0.0))[1].tolist() == [0.0]


def test_local_fracture_closes_toward_its_radius():
    fracture = Fracture("bone", (Surface(ORIGIN, np.eye(3), 2.0, radius_mm=20.0),))
    surface = fracture.packed()[0][0]
    # Full to 15 mm, then linear to 0 at 20 mm: 1 mm at 17.5.
    widths = [surface_height(surface, FLAT, 0.0, a, 0.0)[1] for a in (0.0, 14.9, 17.5, 20.0, 30.0)]
    assert widths == pytest.approx([2.0, 2.0, 1.0, 0.0, 0.0])


def test_tapered_gap_leaves_one_cortex():
    surface = Surface(ORIGIN, np.eye(3), 2.0, taper=(1.0, 0.0, -2.0, 4.0)).packed()
    widths = [surface_height(surface, FLAT, 0.0, a, 0.0)[1] for a in (-5.0, -2.0, 0.0, 2.0, 9.0)]
    assert widths == pytest.approx([0.0, 0.0, 1.0, 2.0, 2.0])


def test_second_surface_cuts_only_its_side():
    main = Surface(ORIGIN, np.eye(3), 0.0)
    across = Surface(ORIGIN, np.eye(3)[[1, 2, 0]], 2.0, side=1)
    fracture = Fracture("bone", (main, across))
    assert remains(fracture, (3.0, 0.0, 0.0))[0] == pytest.approx(0.0)
    assert remains(fracture, (-3.0, 0.0, 0.0))[0] == pytest.approx(1.0)


@given(st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_every_point_belongs_to_exactly_one_part(seed):
    generator = np.random.default_rng(seed)
    surfaces = tuple(
        Surface(generator.normal(0, 4, 3), np.eye(3)[[k, (k + 1) % 3, (k + 2) % 3]], 0.0) for k in range(2)
    )
    fragments = (Fragment((1, 0)), Fragment((-1, 1)))
    fracture = Fracture("bone", surfaces, fragments)
    point = generator.uniform(-10, 10, 3)
    shares = [remains(fracture, point, np.eye(3)[k])[0] for k in range(3)]
    assert sorted(shares) == [0.0, 0.0, 1.0]


def test_parts_by_signs():
    signs = np.array([[1.0, 0.0], [-1.0, 1.0]])
    heights = ([2.0, -5.0], [-2.0, 5.0], [-2.0, -5.0])
    assert [part_of(signs, np.array(h)) for h in heights] == [1, 2, 0]


def test_unmoved_parts_stay_one_piece():
    surface = Surface(ORIGIN, np.eye(3), 1.0)
    still = Fracture("bone", (surface,), (Fragment((1,)),))
    assert [mask.tolist() for _, mask in still.pieces()] == [[1.0, 1.0]]
    moved = Fracture("bone", (surface,), (Fragment((1,), Motion(translation=np.array([0.0, 1.0, 0.0]))),))
    assert [mask.tolist() for _, mask in moved.pieces()] == [[1.0, 0.0], [0.0, 1.0]]


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_clips_never_cut_off_a_part(seed):
    generator = np.random.default_rng(seed)
    axes = np.linalg.qr(generator.standard_normal((3, 3)))[0]
    surfaces = tuple(
        Surface(generator.normal(0, 5, 3), axes, 1.0, (0.4, -0.2), 12.0, 0.4) for _ in range(1 + seed % 2)
    )
    moves = Motion(translation=np.ones(3))
    fragments = (Fragment((1,), moves),) if len(surfaces) == 1 else (Fragment((1, -1), moves),)
    fracture = Fracture("bone", surfaces, fragments)
    for _, mask in fracture.pieces():
        clips = fracture.clips(mask)
        for point in generator.uniform(-20, 20, (50, 3)):
            if remains(fracture, point, mask)[0] > 0:
                assert (clips[:, :3] @ point + clips[:, 3] >= 0).all()


def test_roughness_is_periodic_noise_of_unit_variance():
    table = roughness_table(np.random.default_rng(1))
    assert table.mean() == pytest.approx(0.0, abs=1e-9)
    assert table.std() == pytest.approx(1.0)
    # No seam: the step over the edge is like any other.
    assert np.abs(table[0] - table[-1]).mean() < 2 * np.abs(np.diff(table, axis=0)).mean()


def test_motion_rotates_about_its_pivot():
    # A quarter turn about z at (10, 0, 0) takes (12, 0, 0) to (10, 2, 0), then 1 along x.
    motion = Motion(np.array([0.0, 0.0, math.pi / 2]), np.array([1.0, 0.0, 0.0]), np.array([10.0, 0.0, 0.0]))
    np.testing.assert_allclose(motion.apply(np.array([[12.0, 0.0, 0.0]])), [[11.0, 2.0, 0.0]], atol=1e-12)
    matrix, offset = motion.affine()
    np.testing.assert_allclose(matrix @ [12.0, 0.0, 0.0] + offset, [11.0, 2.0, 0.0], atol=1e-12)
    assert Motion().is_none
