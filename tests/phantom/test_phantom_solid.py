"""Solids: distances of the primitives against closed forms, unions, differences, mirror images."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.phantom.anatomy.part import Part, mirrored_solid
from crepitus.phantom.scene import Site
from crepitus.phantom.solid.clay import Clay, Stuff, curve
from crepitus.phantom.solid.field import CORTEX, DISTANCE, FAR_MM, FILL, OUTSIDE_MM, grain_along
from crepitus.phantom.solid.outline import outline
from crepitus.phantom.solid.textures import smooth_noise, trabecular_texture

STUFF = Stuff(1.0, 0.2, 1.0)


def clay(spacing=1.0, half=20.0):
    return Clay(np.full(3, -half), np.full(3, half), spacing)


def directions(count=200, seed=0):
    v = np.random.default_rng(seed).standard_normal((count, 3))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def test_sphere_is_the_distance_to_its_surface():
    c = clay()
    c.ball(np.array([1.0, 2.0, -1.0]), 8.0, STUFF)
    solid = c.finish("ball")
    for r in (2.0, 6.0, 8.0, 11.0):
        found = solid.sample(np.array([1.0, 2.0, -1.0]) + r * directions())[:, DISTANCE]
        np.testing.assert_allclose(found, r - 8.0, atol=0.15)


def test_surface_of_an_ellipsoid_is_where_the_equation_says():
    c = clay(0.5)
    turn = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    c.ball(np.zeros(3), np.array([12.0, 7.0, 5.0]), STUFF, axes=turn)
    on = directions() * np.array([12.0, 7.0, 5.0])
    found = c.finish("egg").sample(on @ turn)[:, DISTANCE]
    np.testing.assert_allclose(found, 0.0, atol=0.12)


def test_tube_has_its_radii_cortex_and_fill():
    c = clay(1.0, 30.0)
    points = np.array([[0.0, -25.0, 0.0], [0.0, 25.0, 0.0]])
    c.tube(points, np.array([[9.0, 6.0], [9.0, 6.0]]), Stuff(1.0, 0.2, 0.5), cortex=np.array([1.0, 3.0]))
    solid = c.finish("tube", cortex=2.0, fill=0.5)
    # `wide` is x by default: 9 mm along x, 6 mm along z.
    found = solid.sample(np.array([[9.0, 0.0, 0.0], [0.0, 0.0, 6.0], [0.0, 12.5, 0.0]]))
    np.testing.assert_allclose(found[:2, DISTANCE], 0.0, atol=0.1)
    # A quarter of the way from the end: (0.25 x 1 + 0.75 x 3) x 2 = 5; fill 0.2 x 0.5.
    assert found[2, CORTEX] == pytest.approx(5.0, abs=0.05)
    assert found[2, FILL] == pytest.approx(0.1, abs=1e-3)


def test_carved_ball_leaves_a_socket():
    c = clay()
    c.ball(np.zeros(3), 12.0, STUFF)
    c.ball(np.array([0.0, -12.0, 0.0]), 8.0, STUFF, carve=True)
    solid = c.finish("socket")
    found = solid.sample(np.array([[0.0, -10.0, 0.0], [0.0, 0.0, 0.0], [0.0, -4.0, 0.0]]))[:, DISTANCE]
    assert found[0] > 1.5
    assert found[1] < -3.5
    assert found[2] == pytest.approx(0.0, abs=0.4)


@given(st.floats(0.5, 6.0), st.floats(-10, 10))
@settings(max_examples=20, deadline=None)
def test_union_holds_both_shapes_and_grows_by_no_more_than_the_blend(blend, at):
    c = clay(1.5)
    c.ball(np.zeros(3), 7.0, Stuff(1.0, 0.2, blend))
    c.ball(np.array([at, 0.0, 0.0]), 5.0, Stuff(1.0, 0.2, blend))
    points = np.random.default_rng(1).uniform(-15, 15, (200, 3))
    apart = np.minimum(
        np.linalg.norm(points, axis=1) - 7.0, np.linalg.norm(points - [at, 0.0, 0.0], axis=1) - 5.0
    )
    near = np.abs(apart) < 4.0
    found = c.finish("two").sample(points)[near, DISTANCE]
    # The quadratic smooth minimum lies at most blend / 4 below the minimum; the grid adds its own error.
    assert (found < apart[near] + 0.3).all()
    assert (found > apart[near] - blend / 4 - 0.3).all()


def test_plate_is_as_thick_as_asked_and_ends_at_its_outline():
    square = outline(
        20.0 * np.array([[-1, -1], [0, -1.1], [1, -1], [1.1, 0], [1, 1], [0, 1.1], [-1, 1], [-1.1, 0]])
    )
    c = Clay(np.full(3, -35.0), np.full(3, 35.0), 1.0)
    axes = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    shape, thickness = np.zeros(10), np.zeros(7)
    shape[3], thickness[0] = 0.01, 6.0
    c.plate(square, np.zeros(3), axes, shape, thickness, STUFF)
    solid = c.finish("plate")
    # The middle surface is x = 0.01 y^2: at y = 10 it stands at x = 1.
    found = solid.sample(np.array([[3.0, 0, 0], [-3.0, 0, 0], [0, 0, 0], [1.0, 10.0, 0], [0, 0, 30.0]]))
    np.testing.assert_allclose(found[:2, DISTANCE], 0.0, atol=0.3)
    np.testing.assert_allclose(found[2:4, DISTANCE], -3.0, atol=0.4)
    assert found[4, DISTANCE] > 4.0


def test_outline_of_a_circle():
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    shape = outline(10.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    i, j = (round(-o / shape.spacing_mm) for o in shape.origin)
    assert shape.distance[i, j] == pytest.approx(-10.0, abs=0.6)
    area = (shape.distance < 0).sum() * shape.spacing_mm**2
    assert area == pytest.approx(math.pi * 100, rel=0.05)


def test_nothing_is_farther_than_far_and_off_the_grid_is_outside():
    c = clay()
    c.ball(np.zeros(3), 3.0, STUFF)
    solid = c.finish("ball")
    assert solid.field[..., DISTANCE].max() == pytest.approx(FAR_MM)
    assert solid.sample(np.array([[50.0, 0.0, 0.0]]))[0, DISTANCE] == OUTSIDE_MM


def test_empty_clay_is_empty():
    assert (clay().finish("nothing").field[..., DISTANCE] > 0).all()


def test_roughened_surface_moves_by_about_the_amplitude():
    smooth, rough = clay(), clay()
    for c in (smooth, rough):
        c.ball(np.zeros(3), 10.0, STUFF)
    rough.roughen(smooth_noise(), 0.5, 5.0, np.zeros(3))
    points = 10.0 * directions()
    change = rough.finish("r").sample(points)[:, 0] - smooth.finish("s").sample(points)[:, 0]
    assert 0.15 < change.std() < 0.9


def test_mirror_image():
    c = Clay(np.array([-30.0, -10.0, -10.0]), np.array([2.0, 10.0, 10.0]), 1.0)
    c.ball(np.array([-15.0, 1.0, 2.0]), np.array([9.0, 5.0, 4.0]), STUFF)
    solid = c.finish("bone-R", grain_along(np.array([1.0, 1.0, 0.0])))
    site = Site("bone-R", np.array([-15.0, 1.0, 2.0]), np.eye(3), 5.0)
    part = Part((solid,), {"tip-R": ("bone-R", np.array([-24.0, 1.0, 2.0]))}, {"middle-R": site})
    other = part.mirrored()
    points = np.random.default_rng(0).uniform([-28, -8, -8], [0, 8, 8], (100, 3))
    np.testing.assert_allclose(other.solids[0].sample(points * [-1, 1, 1]), solid.sample(points), atol=1e-6)
    assert other.landmarks["tip-L"][0] == "bone-L"
    np.testing.assert_array_equal(other.landmarks["tip-L"][1], [24.0, 1.0, 2.0])
    axes = other.sites["middle-L"].axes
    assert np.linalg.det(axes) == pytest.approx(1.0)
    np.testing.assert_array_equal(axes[0], [-1.0, 0.0, 0.0])
    twice = mirrored_solid(mirrored_solid(solid))
    np.testing.assert_array_equal(twice.field, solid.field)
    np.testing.assert_allclose(twice.origin_mm, solid.origin_mm)


def test_curve_passes_through_its_ends():
    points = curve(np.array([[0.0, 0.0, 0.0], [5.0, 5.0, 0.0], [10.0, 0.0, 0.0]]), 21)
    np.testing.assert_allclose(points[[0, -1]], [[0, 0, 0], [10, 0, 0]], atol=1e-9)
    assert np.linalg.norm(points - [5.0, 5.0, 0.0], axis=1).min() < 0.3


def test_grain_has_its_long_cells_along_the_direction():
    grain = grain_along(np.array([0.0, 0.0, 2.0]))
    assert np.abs(grain @ [0.0, 0.0, 1.9]).max() == pytest.approx(1.0)
    assert np.linalg.norm(grain @ [0.6, 0.0, 0.0]) == pytest.approx(1.0)


def test_textures_have_unit_variance_and_no_mean():
    assert smooth_noise().std() == pytest.approx(1.0, abs=1e-3)
    texture = trabecular_texture()
    assert abs(texture.mean()) < 0.01
    assert 0.9 < texture.std() < 1.01
