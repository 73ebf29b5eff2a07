"""Something in front of a part of a training view: what it covers, how often, and that truth stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.data.augmentation import AugmentationConfig, Hiding, draw_view

STILL = AugmentationConfig(rotation_deg=0, flip_probability=0, intensity=0, contrast=0)


def test_disk_by_hand():
    # Size 0 is a radius of 3 % of 100 px: pixel centres within 3 px of (50, 20). Two of them per row are 5 px
    # apart at most, and a circle of radius 3 about a pixel corner holds 32 centres: 4 * (3 + 3 + 2).
    view = np.full((40, 100), 0.5, dtype=np.float32)
    hidden = Hiding("disk", x=0.5, y=0.5, size=0.0, grey=1.0).over(view)
    assert (hidden == 1).sum() == 4 * (3 + 3 + 2)
    assert hidden[17:23, 47:53].sum() == pytest.approx(32 * 1.0 + 4 * 0.5)
    assert (view == 0.5).all()


@pytest.mark.parametrize(
    ("x", "y", "where"),
    [
        (0.1, 0.1, np.s_[:, :25]),
        (0.9, 0.1, np.s_[:, 75:]),
        (0.1, 0.9, np.s_[:10, :]),
        (0.9, 0.9, np.s_[30:, :]),
    ],
)
def test_strip_by_hand(x, y, where):
    # Size 0.5 is half way between 5 % and 45 %: 25 % of 100 columns or of 40 rows.
    view = np.full((40, 100), 0.5, dtype=np.float32)
    wanted = view.copy()
    wanted[where] = 0.0
    assert np.array_equal(Hiding("strip", x, y, size=0.5, grey=1.0).over(view), wanted)


def test_share_of_views_and_kinds():
    config = STILL.model_copy(update={"hidden_probability": 0.5})
    generator = np.random.default_rng(0)
    drawn = [draw_view(config, (32, 32), generator).hiding for _ in range(2000)]
    # Binomial of 2,000 at 0.5: standard deviation 1.1 %; of 1,000 at 0.7: 1.4 %.
    there = [hiding for hiding in drawn if hiding is not None]
    assert len(there) / 2000 == pytest.approx(0.5, abs=0.04)
    assert np.mean([hiding.kind == "disk" for hiding in there]) == pytest.approx(0.7, abs=0.05)


@given(seed=st.integers(0, 10_000))
def test_the_rest_of_the_view_and_its_points_stay(seed):
    plain = AugmentationConfig(rotation_deg=20, scale=0.2)
    covered = plain.model_copy(update={"hidden_probability": 1.0})
    without = draw_view(plain, (32, 48), np.random.default_rng(seed))
    view = draw_view(covered, (32, 48), np.random.default_rng(seed))
    xy = np.array([[3.0, 4.0], [40.0, 20.0]])
    assert np.array_equal(view.points(xy), without.points(xy))
    image = np.random.default_rng(seed).random((32, 48), dtype=np.float32)
    hidden, seen = view.pixels(image), without.pixels(image)
    assert view.hiding is not None
    assert np.array_equal(hidden, view.hiding.over(seen))
    assert 0 <= hidden.min() <= hidden.max() <= 1


def test_nothing_is_drawn_without_it():
    first, second = np.random.default_rng(1), np.random.default_rng(1)
    assert draw_view(STILL, (32, 32), first).hiding is None
    # Two draws of six and one value for the flip: earlier runs keep their views.
    second.uniform(-1, 1, size=6), second.random(), second.random(size=6)
    assert first.random() == second.random()
