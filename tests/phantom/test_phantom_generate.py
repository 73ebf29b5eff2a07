"""Determinism, truth, and that nothing but the fracture depends on the label."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.errors import UsageError
from crepitus.phantom.generate import (
    Request,
    is_fractured,
    make_image,
    make_images,
    make_study,
    metal_shares,
)
from crepitus.phantom.render import Subject, render
from crepitus.phantom.scene import Severity
from crepitus.phantom.scenes import SCENES
from crepitus.phantom.truth import BONE_BIT, LINE_BIT

SMALL = Request("wrist", seed=3, size=64, preset="easy")
STILL = Severity(gap_mm=0.0, motion=0.0, incomplete=False, in_plane=True)


@pytest.fixture(scope="module")
def samples():
    return [make_image(SMALL, index) for index in range(8)]


def same(first, second):
    return (
        np.array_equal(first.radiograph.pixels, second.radiograph.pixels)
        and np.array_equal(first.annotation.points.xy, second.annotation.points.xy)
        and np.array_equal(first.annotation.boxes.xyxy, second.annotation.boxes.xyxy)
        and np.array_equal(first.mask, second.mask)
        and first.radiograph.image_id == second.radiograph.image_id
        and first.columns == second.columns
    )


def test_the_same_index_gives_the_same_image(samples):
    make_study.cache_clear()
    assert all(same(make_image(SMALL, k), samples[k]) for k in (0, 5))


def test_images_depend_neither_on_count_nor_on_processes(samples):
    few = list(make_images(SMALL, 3, workers=1))
    many = list(make_images(SMALL, 8, workers=2))
    assert [s.radiograph.image_id for s in many] == [s.radiograph.image_id for s in samples]
    assert all(same(a, b) for a, b in zip(few, samples, strict=False))
    assert all(same(a, b) for a, b in zip(many, samples, strict=True))


def test_views_of_a_study_share_the_person_and_the_fracture(samples):
    for first, second in zip(samples[::2], samples[1::2], strict=True):
        assert first.columns["view"] != second.columns["view"]
        for name in ("study_id", "patient_id", "age", "sex", "fractured", "fracture_type", "hardware"):
            assert first.columns[name] == second.columns[name]


@given(st.integers(0, 2**31), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_exactly_one_of_each_pair_is_fractured(seed, pair):
    assert is_fractured(seed, 2 * pair) != is_fractured(seed, 2 * pair + 1)


def test_labels_do_not_alternate():
    firsts = [is_fractured(0, 2 * pair) for pair in range(200)]
    assert 70 < sum(firsts) < 130


def test_truth_of_fractured_and_whole(samples):
    seen = 0
    for sample in samples:
        boxes, points = sample.annotation.boxes.xyxy, sample.annotation.points.xy
        assert len(boxes) == len(points)
        assert bool(sample.mask.max() & BONE_BIT) or (sample.mask & BONE_BIT).any()
        if sample.columns["fractured"]:
            seen += len(boxes)
            low, high = boxes[:, :2], boxes[:, 2:]
            assert (low >= 0).all()
            assert (high <= 64).all()
            assert ((points > low) & (points < high)).all()
            for x, y in points:
                assert sample.mask[int(y), int(x)] & LINE_BIT
        else:
            assert len(boxes) == 0
            assert sample.columns["visibility"] is None
            assert not (sample.mask & LINE_BIT).any()
    assert seen > 0


def test_twins_differ_only_where_there_is_a_fracture(samples):
    twins = [make_image(Request("wrist", 3, 64, "easy", twin=True), index) for index in range(8)]
    for sample, twin in zip(samples, twins, strict=True):
        equal = np.array_equal(sample.radiograph.pixels, twin.radiograph.pixels)
        assert equal or sample.columns["fractured"]
        assert twin.annotation.label == sample.annotation.label
        assert len(twin.annotation.points) == 0
    assert any(
        not np.array_equal(s.radiograph.pixels, t.radiograph.pixels)
        for s, t in zip(samples, twins, strict=True)
    )


def test_preset_reaches_only_fractured_images():
    for index in range(4):
        easy, hard = (make_image(Request("wrist", 3, 64, preset), index) for preset in ("easy", "hard"))
        assert easy.radiograph.spacing_mm == hard.radiograph.spacing_mm
        if not easy.columns["fractured"]:
            assert np.array_equal(easy.radiograph.pixels, hard.radiograph.pixels)


@pytest.mark.parametrize("scene", ["pelvis", "femur", "wrist"])
def test_zero_gap_undisplaced_fracture_changes_no_pixel(scene):
    request, kind = Request(scene, seed=5, size=64), SCENES[scene]
    subject = make_study(request, 0).subject.unbroken
    generator = np.random.default_rng(8)
    shot = kind.shot(np.random.default_rng(2), subject.anatomy, kind.views[0], 64)
    whole, *_ = render(subject, shot, np.random.default_rng(1))
    # B1 is an impaction: its dense band and its tilt are the fracture, and it has no gap.
    for name in [k for k in kind.kinds if k != "B1"][:3]:
        injury = kind.injury(generator, subject.anatomy, STILL, name)
        assert injury.fractures
        broken, *_ = render(
            Subject(subject.anatomy, injury, subject.extras, subject.textures), shot, np.random.default_rng(1)
        )
        np.testing.assert_array_equal(broken, whole)


@given(st.floats(-1, 1))
def test_metal_has_the_asked_correlation_with_the_label(correlation):
    # Phi of two binary variables, P(label) = 1/2: (p1 - p0) / 2 / sqrt(h (1 - h)), h = (p0 + p1) / 2.
    without, with_fracture = metal_shares(correlation)
    h = (without + with_fracture) / 2
    phi = (with_fracture - without) / 2 / np.sqrt(h * (1 - h))
    assert phi == pytest.approx(correlation, abs=1e-9)
    assert 0 <= without <= 1 + 1e-12
    assert 0 <= with_fracture <= 1 + 1e-12


def test_metal_follows_the_label_only_when_asked():
    requests = [Request("wrist", 1, 64, hardware_correlation=c) for c in (0.0, 0.9)]
    found = []
    for request in requests:
        studies = [make_study(request, n) for n in range(6)]
        found.append(sum(s.metal == s.fractured for s in studies))
    # Six studies of this seed: independent metal agrees by chance, nearly all of the correlated does.
    assert found[1] >= 5
    assert found[0] < 5


def test_label_noise_changes_labels_and_nothing_else():
    clean, noisy = (Request("wrist", 4, 64, label_noise=n) for n in (0.0, 0.5))
    differ = 0
    for number in range(5):
        first, second = make_study(clean, number), make_study(noisy, number)
        assert first.fractured == second.fractured
        assert first.label == int(first.fractured)
        differ += first.label != second.label
    assert 0 < differ < 5


def test_wrong_requests_say_what_was_expected():
    for arguments in (
        {"scene": "knee"},
        {"preset": "medium"},
        {"size": 100},
        {"seed": -1},
        {"kind": "A1"},
        {"label_noise": 0.7},
        {"hardware_correlation": 1.5},
    ):
        with pytest.raises(UsageError, match="expected"):
            Request(**{"scene": "wrist", "seed": 0, **arguments})
    with pytest.raises(UsageError, match="--workers"):
        next(make_images(SMALL, 2, workers=0))
