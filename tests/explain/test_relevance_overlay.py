"""Signed overlays: red for, blue against, grey where nothing speaks, the bone still seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.errors import UsageError
from crepitus.explain.overlay import AGAINST_COLOUR, FOR_COLOUR, colour_limit, legend, overlay

GREY = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (16, 1))


def redness(picture):
    """Red minus blue, -255..255."""
    return picture[..., 0].astype(int) - picture[..., 2]


def test_no_relevance_leaves_the_radiograph_as_it_is():
    picture = overlay(GREY, np.zeros(GREY.shape))
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, np.repeat(GREY[..., None], 3, axis=2))


def test_for_is_red_and_against_is_blue_where_they_are_and_nowhere_else():
    relevance = np.zeros(GREY.shape, dtype=np.float32)
    relevance[3, 10], relevance[12, 20] = 1.0, -1.0
    shown = redness(overlay(GREY, relevance))
    assert np.argwhere(shown > 0).tolist() == [[3, 10]]
    assert np.argwhere(shown < 0).tolist() == [[12, 20]]


def test_full_colour_by_hand():
    # Half opaque over white, where the colour is not shaded: (255 + 240) / 2, (255 + 80) / 2, (255 + 20) / 2.
    picture = overlay(np.full((1, 1), 255, np.uint8), np.array([[7.0]]), opacity=0.5)
    assert picture[0, 0].tolist() == [248, 168, 138]
    # Over black the colour keeps 0.4 of itself: 0.5 * 0.4 * (40, 140, 235).
    picture = overlay(np.zeros((1, 1), np.uint8), np.array([[-7.0]]), opacity=0.5)
    assert picture[0, 0].tolist() == [8, 28, 47]


def test_the_scale_is_symmetric_and_shared_when_it_is_given():
    relevance = np.array([[4.0, -4.0, 2.0, -2.0, 1.0]])
    image = np.full((1, 5), 128, np.uint8)
    shown = redness(overlay(image, relevance, limit=8.0))[0]
    assert shown[0] > shown[2] > shown[4] > 0 > shown[3] > shown[1]
    # Half the limit for 4 at a limit of 8 is what 2 is at a limit of 4.
    np.testing.assert_array_equal(
        overlay(image, relevance, limit=8.0)[0, 0], overlay(image, relevance, limit=4.0)[0, 2]
    )
    # Beyond the limit nothing gets stronger.
    np.testing.assert_array_equal(
        overlay(image, relevance, limit=1.0)[0, 0], overlay(image, relevance, limit=1.0)[0, 4]
    )


def test_the_limit_is_a_percentile_of_the_strengths_that_are_not_zero():
    relevance = np.zeros((10, 100))
    relevance[0] = np.arange(1, 101) * np.where(np.arange(100) % 2, 1, -1)
    # Of 1 to 100 the median is 50.5, however many zeros stand beside them.
    assert colour_limit(relevance, 50) == pytest.approx(50.5)
    assert colour_limit(relevance, 100) == 100
    assert colour_limit(np.zeros((3, 3))) == 0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31 - 1), st.floats(0.01, 1e6))
def test_the_unit_of_the_relevance_plays_no_part_and_the_sign_swaps_the_colours(seed, factor):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (6, 7)).astype(np.uint8)
    relevance = rng.normal(size=(6, 7))
    picture = overlay(image, relevance).astype(int)
    assert np.abs(overlay(image, relevance * factor).astype(int) - picture).max() <= 1
    for_it, against = redness(overlay(image, relevance)), redness(overlay(image, -relevance))
    assert (np.sign(for_it) * np.sign(against) <= 0).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_bone_is_readable_under_the_strongest_colour(sign):
    luma = overlay(GREY, np.full(GREY.shape, sign)) @ np.array([0.299, 0.587, 0.114])
    # Brighter stays brighter, by at least a third of the difference.
    steps = np.diff(luma[0])
    assert (steps > 0).all()
    assert luma[0, -1] - luma[0, 0] > (int(GREY[0, -1]) - int(GREY[0, 0])) / 3


def test_the_two_colours_differ_for_colour_blind_readers():
    # Linear RGB to what a dichromat sees (Vienot, Brettel and Mollon, 1999), deuteranope then protanope.
    for matrix in (
        [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
        [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    ):
        seen = [
            np.clip(np.array(matrix) @ (np.array(c) / 255) ** 2.2, 0, 1) ** (1 / 2.2) * 255
            for c in (FOR_COLOUR, AGAINST_COLOUR)
        ]
        assert np.abs(seen[0] - seen[1]).max() > 150


def test_smoothing_gathers_scattered_relevance():
    relevance = np.zeros((40, 40))
    relevance[18:22:2, 18:22:2] = 1.0
    image = np.full((40, 40), 100, np.uint8)
    assert redness(overlay(image, relevance))[19, 19] == 0
    assert redness(overlay(image, relevance, smooth_px=2.0))[19, 19] > 50


def test_the_arguments_stay_as_they_are():
    image, relevance = GREY.copy(), np.ones(GREY.shape)
    overlay(image, relevance, smooth_px=1.0)[:] = 0
    np.testing.assert_array_equal(image, GREY)
    assert (relevance == 1).all()


def test_the_legend_of_a_map_without_sign_has_no_blue():
    assert (redness(legend(300, 0.5)) < 0).any()
    assert not (redness(legend(300, 0.5, signed=False)) < 0).any()


@pytest.mark.parametrize("limit", [0.5, 0.00054, 1.2e-7])
def test_the_words_of_the_legend_fit_into_it(limit):
    assert (legend(768, limit)[:, -1] == 24).all()


def test_the_legend_runs_from_for_to_against():
    picture = legend(300, 0.5)
    assert picture.shape[0] == 300
    assert picture.dtype == np.uint8
    column = redness(picture)[:, 12 * 3 // 4]
    bar = np.flatnonzero(column)
    assert column[bar[0]] > 100
    assert column[bar[-1]] < -50
    # The middle of the picture is the 0 of the scale.
    assert abs(column[150]) < 10


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: overlay(GREY.astype(np.float32), np.zeros(GREY.shape)), "uint8, got .* float32"),
        (lambda: overlay(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2))), r"shape \(r, c\), uint8"),
        (lambda: overlay(GREY, np.zeros((2, 2))), r"relevance of shape \(16, 32\), got \(2, 2\)"),
        (lambda: overlay(GREY, np.full(GREY.shape, np.nan)), "finite relevance"),
        (lambda: overlay(GREY, np.zeros(GREY.shape), smooth_px=-1), "smooth_px >= 0"),
        (lambda: overlay(GREY, np.zeros(GREY.shape), opacity=2), "opacity 0..1"),
        (lambda: overlay(GREY, np.zeros(GREY.shape), limit=-1), "limit of at least 0, got -1"),
        (lambda: colour_limit(np.ones(3), 0), "percentile above 0, to 100, got 0"),
        (lambda: legend(10, 1.0), "at least 64 rows, got 10"),
    ],
)
def test_faulty_input_is_named(call, message):
    with pytest.raises(UsageError, match=message):
        call()
