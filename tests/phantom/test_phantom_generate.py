"""Determinism, truth and the independence of everything but the fracture from the label."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.errors import UsageError
from crepitus.phantom.breaks import PRESETS, Breaks, draw_breaks
from crepitus.phantom.fracture import Fracture, Surface
from crepitus.phantom.generate import Request, is_fractured, make_image, make_images
from crepitus.phantom.render import box_around, fracture_trace, render, visibility
from crepitus.phantom.scene import base_textures, draw_scene

SMALL = Request(seed=3, size=64, preset="easy")


@pytest.fixture(scope="module")
def samples():
    return [make_image(SMALL, index) for index in range(12)]


@pytest.fixture(scope="module")
def scene():
    return draw_scene(np.random.default_rng(11), 64, base_textures())


def same(first, second):
    return (
        np.array_equal(first[0].pixels, second[0].pixels)
        and np.array_equal(first[1].points.xy, second[1].points.xy)
        and np.array_equal(first[1].boxes.xyxy, second[1].boxes.xyxy)
        and first[0].image_id == second[0].image_id
        and first[2] == second[2]
    )


def test_the_same_index_gives_the_same_image(samples):
    assert all(same(make_image(SMALL, k), samples[k]) for k in (0, 5, 11))


def test_images_depend_neither_on_count_nor_on_processes(samples):
    few = list(make_images(SMALL, 3, workers=1))
    many = list(make_images(SMALL, 12, workers=2))
    assert [s[0].image_id for s in many] == [s[0].image_id for s in samples]
    assert all(same(a, b) for a, b in zip(few, samples, strict=False))
    assert all(same(a, b) for a, b in zip(many, samples, strict=True))


def test_other_seeds_and_indices_give_other_images(samples):
    assert not np.array_equal(samples[0][0].pixels, samples[1][0].pixels)
    assert not np.array_equal(make_image(Request(4, 64, "easy"), 0)[0].pixels, samples[0][0].pixels)


@given(st.integers(0, 2**31), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_exactly_one_of_each_pair_is_fractured(seed, pair):
    assert is_fractured(seed, 2 * pair) != is_fractured(seed, 2 * pair + 1)


def test_labels_do_not_alternate():
    firsts = [is_fractured(0, 2 * pair) for pair in range(200)]
    assert 70 < sum(firsts) < 130


def test_truth_of_fractured_and_whole(samples):
    for radiograph, annotation, columns in samples:
        assert radiograph.pixels.shape == (64, 64)
        assert radiograph.spacing_mm > 0
        if annotation.label:
            assert len(annotation.points) == len(annotation.boxes) >= 1
            assert set(annotation.boxes.labels) == {"fracture"}
            low, high = annotation.boxes.xyxy[:, :2], annotation.boxes.xyxy[:, 2:]
            assert (low >= 0).all()
            assert (high <= 64).all()
            assert (low < high).all()
            assert ((annotation.points.xy > low) & (annotation.points.xy < high)).all()
            assert columns["visibility"] > 0
        else:
            assert len(annotation.points) == len(annotation.boxes) == 0
            assert columns["visibility"] is None
            assert columns["gap_mm"] is None
    assert sum(annotation.label for _, annotation, _ in samples) == 6


def test_preset_reaches_only_fractured_images():
    for index in range(4):
        easy, hard = (make_image(Request(3, 64, preset), index) for preset in ("easy", "hard"))
        equal = np.array_equal(easy[0].pixels, hard[0].pixels)
        assert equal == (easy[1].label == 0)
        for key in ("body_part", "view", "laterality"):
            assert easy[2][key] == hard[2][key]
        assert easy[0].spacing_mm == hard[0].spacing_mm


def test_zero_gap_undisplaced_fracture_changes_no_pixel(scene):
    tube = scene.limb.main
    middle = sum(scene.visible_mm) / 2
    nothing = Breaks((Fracture(tube.name, Surface(middle, (0.4, 0.2), 10.0, 0.6), 0.0),), "spiral", 0.0, 0.0)
    whole, _ = render(scene, Breaks(), np.random.default_rng(5))
    broken, _ = render(scene, nothing, np.random.default_rng(5))
    np.testing.assert_array_equal(broken, whole)


def test_change_by_a_gap_stays_near_the_fracture(scene):
    tube = scene.limb.main
    gap = Breaks((Fracture(tube.name, Surface(sum(scene.visible_mm) / 2), 2.0),), "transverse", 0.0, 0.0)
    whole, _ = render(scene, Breaks(), np.random.default_rng(5))
    expected = render(scene, gap, np.random.default_rng(5))[1]
    before = render(scene, Breaks(), np.random.default_rng(5))[1]
    trace = fracture_trace(scene, gap, gap.fractures[0])
    box = box_around(trace, 64)
    change = np.abs(np.log(expected / before))
    rows, columns = np.nonzero(change > 0.5 * change.max())
    assert change.max() > 0.02
    assert columns.min() + 0.5 > box[0] - 2
    assert columns.max() + 0.5 < box[2] + 2
    assert rows.min() + 0.5 > box[1] - 2
    assert rows.max() + 0.5 < box[3] + 2
    assert whole.shape == (64, 64)


def test_wider_gaps_are_more_visible(scene):
    found = []
    for gap in (0.2, 1.0, 3.0):
        breaks = Breaks(
            (Fracture(scene.limb.main.name, Surface(sum(scene.visible_mm) / 2), gap),), "transverse"
        )
        _, expected = render(scene, breaks, np.random.default_rng(5))
        trace = fracture_trace(scene, breaks, breaks.fractures[0])
        found.append(visibility(scene, breaks, expected, trace))
    assert 0 < found[0] < found[1] < found[2]


def test_box_around_a_trace_outside_the_image_is_none():
    assert box_around(np.full((5, 2), -3.0), 64) is None
    np.testing.assert_allclose(
        box_around(np.array([[10.0, 20.0], [30.0, 25.0]]), 100), [8.8, 18.8, 31.2, 26.2]
    )


def test_drawn_fractures_stay_in_the_range_of_their_preset(scene):
    for name, preset in PRESETS.items():
        for seed in range(15):
            breaks = draw_breaks(np.random.default_rng(seed), scene, preset)
            assert breaks.fractures, name
            assert preset.gap_mm[0] <= breaks.fractures[0].gap_mm <= preset.gap_mm[1]
            assert breaks.angulation_deg <= preset.angulation_deg[1] + 1e-9
            # Shortening adds at most 0.35 of the displacement along the bone.
            assert breaks.displacement_mm <= 1.06 * preset.displacement_mm[1] + 1e-9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": 0, "preset": "trivial"}, "easy, default, hard"),
        ({"seed": 0, "size": 100}, "multiple of 32"),
        ({"seed": 0, "size": 32}, "from 64"),
        ({"seed": -1}, "from 0"),
    ],
)
def test_impossible_requests(arguments, message):
    with pytest.raises(UsageError, match=message):
        Request(**arguments)


def test_no_workers_is_an_error():
    with pytest.raises(UsageError, match="--workers"):
        next(make_images(SMALL, 1, workers=0))
