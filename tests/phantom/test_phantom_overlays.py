"""Markers, text, cloth and tubes: shapes, materials, determinism, independence of the size."""

import cv2
import numpy as np
import pytest

from crepitus.phantom.extras import cloth, lines
from crepitus.phantom.extras.canvas import Canvas, tube_profile
from crepitus.phantom.extras.marks import draw_marker, draw_text, letter_mask
from crepitus.phantom.extras.overlays import SHARES, draw_grid, draw_things, overlay_notes
from crepitus.phantom.render import _burned
from crepitus.phantom.scene import Text
from crepitus.phantom.xray.physics import BONE, LEAD, SOFT, STEEL

REGIONS = ("pelvis", "hip", "wrist")


def test_distance_to_a_line_is_signed_and_bounded():
    canvas = Canvas(40, 1.0)
    distance, along = canvas.line(np.array([[0.0, 20.0], [40.0, 20.0]]), 5.0)
    # Rows 0.5, 1.5, ... mm: row 22 lies 2.5 mm below a line drawn to the right, row 17 lies 2.5 mm above.
    assert distance[22, 10] == pytest.approx(2.5)
    assert distance[17, 10] == pytest.approx(-2.5)
    assert distance[2, 10] == 5.0
    assert along[22, 10] == pytest.approx(10.5)


def test_tube_profile_is_the_chord_of_a_ring():
    # Radii 3 and 2: through the middle 2 x (3 - 2), at 2.5 mm 2 sqrt(9 - 6.25), outside nothing.
    thickness = tube_profile(np.array([0.0, 2.5, 3.5]), 3.0, 2.0)
    assert thickness == pytest.approx([2.0, 2 * np.sqrt(2.75), 0.0])


@pytest.mark.parametrize("region", REGIONS)
def test_overlays_have_the_size_of_the_image(region):
    for seed in range(25):
        for overlay in draw_things(np.random.default_rng(seed), 64, 2.0, "R", region)[0]:
            assert overlay.thickness_mm.shape == (64, 64)
            assert np.isfinite(overlay.thickness_mm).all()
            assert overlay.material in (BONE, SOFT, STEEL, LEAD)


@pytest.mark.parametrize("region", REGIONS)
def test_overlays_repeat_with_the_seed(region):
    first, second = (draw_things(np.random.default_rng(3), 96, 2.0, "B", region)[0] for _ in range(2))
    assert [o.material for o in first] == [o.material for o in second]
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.thickness_mm, two.thickness_mm)


def test_the_same_things_show_at_every_size():
    for seed in range(12):
        small = draw_things(np.random.default_rng(seed), 128, 3.0, "L", "pelvis")[0]
        large = draw_things(np.random.default_rng(seed), 256, 1.5, "L", "pelvis")[0]
        assert [o.material for o in small] == [o.material for o in large]
        for one, two in zip(small, large, strict=True):
            halved = cv2.resize(two.thickness_mm, (128, 128), interpolation=cv2.INTER_AREA)
            # The amount is the same, up to the drawing of strokes thinner than a pixel.
            assert halved.sum() == pytest.approx(one.thickness_mm.sum(), rel=0.25, abs=5.0)


@pytest.mark.parametrize(
    "draw",
    [
        cloth.draw_fabric,
        cloth.draw_seam,
        cloth.draw_buttons,
        cloth.draw_zip,
        cloth.draw_skin_folds,
        lines.draw_bladder_catheter,
        lines.draw_infusion_line,
        lines.draw_electrodes,
    ],
)
def test_each_thing_draws_something_and_stays_thin(draw):
    drawn = 0
    for seed in range(6):
        canvas = Canvas(128, 3.0)
        draw(np.random.default_rng(seed), canvas)
        layers = canvas.overlays()
        drawn += bool(layers)
        for layer in layers:
            limit = {SOFT: 40.0, STEEL: 3.0, BONE: 1.0}[layer.material]
            assert np.abs(layer.thickness_mm).max() <= limit
    assert drawn >= 3


def test_marker_is_of_lead_and_on_its_side():
    for side, half in (("R", slice(None, 64)), ("L", slice(64, None))):
        canvas = Canvas(128, 3.0)
        draw_marker(np.random.default_rng(1), canvas, side)
        (layer,) = canvas.overlays()
        assert layer.material == LEAD
        assert layer.thickness_mm[:, half].sum() > 0.99 * layer.thickness_mm.sum()
        assert layer.thickness_mm.max() <= 1.2


def test_letters_differ():
    assert letter_mask("L", 20, True).sum() != letter_mask("R", 20, True).sum()


def test_text_lies_within_the_image():
    seen = 0
    for seed in range(60):
        for text in draw_text(np.random.default_rng(seed), 128, "L", "pelvis"):
            seen += 1
            assert text.shade.shape == text.alpha.shape
            assert text.row >= 0
            assert text.row + text.alpha.shape[0] <= 128
            assert text.column + text.alpha.shape[1] <= 128
            assert ((text.alpha >= 0) & (text.alpha <= 1)).all()
    assert seen > 10


def test_burned_text_covers_and_leaves_the_rest():
    pixels = np.full((8, 8), 100, dtype=np.uint8)
    text = Text(2, 3, np.ones((2, 2)), np.array([[1.0, 0.5], [0.0, 0.0]]))
    burned = _burned(pixels, text)
    # Opaque white is 255; half of it over 100 is 177.5, rounded to even 178.
    assert burned[2, 3] == 255
    assert burned[2, 4] == 178
    burned[2, 3:5] = 100
    np.testing.assert_array_equal(burned, pixels)


def test_grid_shows_in_its_share_of_images():
    shown = sum(draw_grid(np.random.default_rng(seed)) is not None for seed in range(400))
    assert 0.22 < shown / 400 < 0.38


def test_shares_are_probabilities_for_every_region():
    for shares in SHARES.values():
        assert set(shares) == set(REGIONS)
        assert all(0 <= share <= 1 for share in shares.values())


def test_what_is_noted_is_what_was_drawn():
    assert overlay_notes(("marker", "zip")) == {"clothing": 1, "skin_fold": 0, "catheter": 0}
    assert overlay_notes(("skin folds", "bladder catheter")) == {"clothing": 0, "skin_fold": 1, "catheter": 1}
    for seed in range(30):
        overlays, shown = draw_things(np.random.default_rng(seed), 64, 6.0, "L", "pelvis")
        # Lead comes from the marker alone.
        assert (LEAD in {o.material for o in overlays}) == ("marker" in shown)


def test_shares_of_images_are_those_of_the_table():
    shown = [draw_things(np.random.default_rng(seed), 64, 6.0, "L", "pelvis")[1] for seed in range(300)]
    # 0.55 +- 3 x sqrt(0.55 x 0.45 / 300) = 0.55 +- 0.086.
    assert abs(np.mean(["marker" in names for names in shown]) - 0.55) < 0.086
