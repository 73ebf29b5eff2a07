"""Each step on a phantom: what it decides, that deciding twice changes nothing, and what it leaves alone."""

import cv2
import numpy as np
import pytest

from crepitus.errors import NotAssessable, UsageError
from crepitus.phantom.generate import Request, make_image
from crepitus.prepare import thesis
from crepitus.prepare.align import turned, upright
from crepitus.prepare.areas import shares, strength_of_limbs
from crepitus.prepare.assess import without_slope
from crepitus.prepare.axis import limb_direction
from crepitus.prepare.edges import edges
from crepitus.prepare.pipeline import Recipe, plan_image
from crepitus.prepare.plan import Plan, look_at
from crepitus.prepare.polarity import is_inverted, polarity_features, with_bright_bone
from crepitus.prepare.resize import padded, resized
from crepitus.prepare.split import halves, parts, split


@pytest.fixture(scope="module")
def wrist():
    """A frontal wrist of 256 x 256, fingers up."""
    return make_image(Request("wrist", 5, 256), 0).radiograph.pixels


def picture(pixels):
    return pixels.astype(np.float32) / 255


def plan_of(pixels):
    return Plan(look_at(pixels), *pixels.shape)


def test_polarity_is_found_also_behind_a_white_frame_and_on_grey(wrist):
    grey = 80 + (wrist * 0.65).astype(np.uint8)
    framed = cv2.copyMakeBorder(wrist, 20, 10, 30, 0, cv2.BORDER_CONSTANT, value=255)
    inverted_then_framed = cv2.copyMakeBorder(255 - wrist, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=0)
    assert [is_inverted(picture(p)) for p in (wrist, grey, framed)] == [False] * 3
    assert [is_inverted(picture(p)) for p in (255 - wrist, 255 - grey, inverted_then_framed)] == [True] * 3
    # The thesis's corners are those of the frame.
    assert not thesis.is_inverted(picture(inverted_then_framed))


def test_features_of_polarity_change_their_sign_with_it(wrist):
    forward, backward = (polarity_features(p) for p in (picture(wrist), 1 - picture(wrist)))
    np.testing.assert_allclose(forward, -backward, atol=1e-3)


def test_inverting_is_exact_and_done_once(wrist):
    plan = with_bright_bone(plan_of(255 - wrist), "crepitus")
    np.testing.assert_array_equal(plan.render(255 - wrist), wrist)
    assert not with_bright_bone(plan_of(wrist), "crepitus").inverted


def test_twelve_bits_in_sixteen_are_inverted_within_twelve(wrist):
    stored = (4095 - wrist.astype(np.uint16) * 16).astype(np.uint16)
    plan = with_bright_bone(plan_of(stored), "crepitus")
    assert plan.inverted
    np.testing.assert_array_equal(plan.render(stored), wrist.astype(np.uint16) * 16)


@pytest.mark.parametrize("value", [0, 99, 100, 255])
def test_the_thesis_inverts_from_a_mean_of_100(value):
    corners = np.full((40, 40), value, dtype=np.uint8)
    assert thesis.is_inverted(picture(corners)) == (value >= 100)


@pytest.mark.parametrize("degrees", [-170, -100, -30, 0, 25, 90, 140])
def test_a_limb_is_found_at_any_angle(wrist, degrees):
    straight = limb_direction(picture(wrist))
    assert abs(straight) < 25
    moved = turned(plan_of(wrist), degrees).render(wrist)
    # The corners of the turned square are black, and their edges are no bones'.
    found = limb_direction(picture(moved))
    assert abs((found - straight - degrees + 180) % 360 - 180) < 6


def test_aligning_again_changes_next_to_nothing(wrist):
    once = upright(turned(plan_of(wrist), 40), "crepitus")
    again = limb_direction(picture(once.render(wrist)))
    assert abs(again) < 4


def test_the_thesis_finds_the_axis_of_a_bar():
    bar = np.zeros((200, 200), np.uint8)
    cv2.line(bar, (60, 170), (140, 30), 255, 20)
    # From (60, 170) to (140, 30): 80 to the right and 140 up, atan(80 / 140) = 29.7 degrees.
    assert thesis.limb_direction_by_components(picture(bar)) == pytest.approx(29.7, abs=1)
    assert thesis.limb_direction_by_components(np.zeros((20, 20), np.float32)) is None


def test_one_limb_is_one_part(wrist):
    plan = plan_of(wrist)
    assert split(plan, "crepitus") == [plan]
    framed = cv2.copyMakeBorder(wrist, 20, 10, 30, 0, cv2.BORDER_CONSTANT, value=255)
    assert len(parts(picture(framed))) == 1


def test_two_images_side_by_side_are_cut_where_they_were_joined(wrist):
    other = make_image(Request("wrist", 6, 256), 3).radiograph.pixels
    plate = np.hstack([wrist, np.zeros((256, 12), np.uint8), other])
    left, right = split(plan_of(plate), "crepitus")
    assert 250 <= left.columns <= 274
    # Nothing is lost: the two parts are the plate.
    both = np.hstack([left.render(plate), right.render(plate)])
    np.testing.assert_array_equal(both, plate)
    assert [part.part for part in (left, right)] == [(1, 2), (2, 2)]


def test_two_images_with_frames_of_their_own_are_two_parts(wrist):
    framed = [cv2.copyMakeBorder(wrist, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=v) for v in (255, 0)]
    found = parts(picture(np.hstack(framed)))
    assert len(found) == 2
    assert [part.box[2] - part.box[0] for part in found] == pytest.approx([296, 296], abs=24)


def test_what_is_brighter_than_bone_has_no_edges():
    pixels = np.full((128, 128), 0.05, np.float32)
    pixels[:, 40:60] = 0.4
    pixels[20:30, 90:100] = 1.0
    found = edges(pixels)
    left = strength_of_limbs(found)
    # What the blur carries farther is next to nothing.
    assert left[15:35, 85:105].max() < 0.01 * found.strength[15:35, 85:105].max()
    np.testing.assert_array_equal(left[:, :80], found.strength[:, :80])
    nothing = edges(np.zeros((32, 32), np.float32))
    np.testing.assert_array_equal(strength_of_limbs(nothing), nothing.strength)


def test_the_edges_of_a_step_are_on_no_side_of_it():
    # Dark to bright at column 64; a bar is on the left alone, so that all other edges are there.
    pixels = np.full((128, 128), 0.1, np.float32)
    pixels[:, 64:] = 0.2
    pixels[:, 20:40] = 0.3
    assert shares(pixels, 64) == (1.0, 0.0)


def test_the_thesis_counts_what_is_brighter_than_otsu():
    plate = np.zeros((100, 100), np.uint8)
    plate[10:90, 10:40] = plate[10:90, 60:90] = 200
    plate[2:5, 50:53] = 200  # a marker, tiny
    assert thesis.parts_by_components(picture(plate)).max() == 2
    assert len(split(plan_of(plate), "thesis")) == 2


def test_halves_are_the_whole():
    sample = make_image(Request("pelvis", 2, 256), 0).radiograph.pixels
    left, right = halves(plan_of(sample))
    assert abs(left.columns - 128) < 26
    np.testing.assert_array_equal(np.hstack([left.render(sample), right.render(sample)]), sample)


@pytest.mark.parametrize(
    ("shape", "aspect", "expected"), [((3, 7), (1, 1), (7, 7)), ((9, 4), (2, 3), (9, 6))]
)
def test_padding_once(shape, aspect, expected):
    plan = padded(plan_of(np.eye(*shape, dtype=np.uint8)), aspect)
    assert (plan.rows, plan.columns) == expected
    assert padded(plan, aspect) == plan


@pytest.mark.parametrize("aspect", [(1, 1), (341, 512), (3, 2)])
@pytest.mark.parametrize("shape", [(31, 17), (17, 31), (40, 40)])
def test_padding_and_resizing_again_changes_nothing(shape, aspect):
    once = resized(padded(plan_of(np.eye(*shape, dtype=np.uint8)), aspect), 64, aspect)
    assert max(once.rows, once.columns) == 64
    assert resized(padded(once, aspect), 64, aspect) == once


def test_what_shows_nothing_is_not_assessable():
    rng = np.random.default_rng(0)
    slope = np.tile(np.linspace(0, 255, 64), (64, 1)).astype(np.uint8)
    noise = rng.integers(0, 255, (64, 64)).astype(np.uint8)
    for pixels in (np.full((64, 64), 9, np.uint8), slope, noise):
        with pytest.raises(NotAssessable, match=r"blank|no bone"):
            plan_image(pixels, Recipe(("polarity",)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (6, 1), (5, 8), (40, 31)])
def test_the_slope_is_that_of_least_squares(shape):
    rng = np.random.default_rng(0)
    picture = (rng.random(shape) + np.linspace(0, 3, shape[1])).astype(np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    columns = np.stack([np.ones(picture.size), x.ravel(), y.ravel()], axis=1)
    values = picture.ravel().astype(np.float64)
    expected = values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    np.testing.assert_allclose(without_slope(picture).ravel(), expected, atol=1e-6)


def test_steps_that_make_no_sense_for_a_part_are_left_out(wrist):
    lying = turned(plan_of(wrist), 90).render(wrist)
    recipe = Recipe(("align",))
    (chest,) = plan_image(lying, recipe, "CHEST")
    assert (chest.affine, chest.done) == (plan_of(lying).affine, ())
    (hand,) = plan_image(lying, recipe, "Mano")
    assert hand.done == ("align",)
    assert hand.affine != chest.affine
    # What has been done is not done again.
    (again,) = plan_image(lying, recipe, "Mano", done=("align",))
    assert again.affine == chest.affine


def test_a_chest_keeps_its_polarity(wrist):
    # Lungs are dark and full of detail: what holds for bones in air does not hold there.
    (chest,) = plan_image(255 - wrist, Recipe(("polarity",)), "Tórax")
    (hand,) = plan_image(255 - wrist, Recipe(("polarity",)), "Mano")
    assert (chest.inverted, hand.inverted) == (False, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": ("bleach",)}, "--steps: expected some of body-part"),
        ({"steps": ("resize",)}, "--size"),
        ({"steps": ("body-part",)}, "--body-part PART"),
        ({"steps": (), "heuristic": "guess"}, "--heuristic"),
        ({"steps": (), "halves": True}, "--halves"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        Recipe(**options)
