"""The line of symmetry: by hand, exact for mirrored sets, against a search, missing landmarks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crepitus.methods.aasn.symmetry import Mirror, mirrored_landmarks, symmetry_line
from crepitus.methods.parts.sides import partners
from reference import aasn as slow

NAMES = ("asis-L", "asis-R", "ramus-L", "ramus-R", "symphysis")
PARTNER = partners(NAMES)


def batch(*rows):
    return torch.tensor([rows], dtype=torch.float64)


def test_partners_by_name():
    assert PARTNER == [1, 0, 3, 2, 4]
    assert partners(["a-L", "b"]) == [-1, 1]


def test_line_by_hand():
    # Pairs (1, 0)-(5, 0) and (0, 4)-(6, 4), a midline point at (3, 7): the line x = 3.
    mirror = symmetry_line(batch((5, 0), (1, 0), (6, 4), (0, 4), (3, 7)), PARTNER)
    assert mirror.normal[0].tolist() == pytest.approx([1, 0], abs=1e-12)
    assert mirror.offset.item() == pytest.approx(3)
    # Mirror image of (4, 1) about x = 3 is (2, 1).
    assert mirror.reflect(batch((4, 1)))[0, 0].tolist() == pytest.approx([2, 1])


def test_a_midline_point_off_the_line_pulls_by_its_weight():
    # Pairs count twice (each side is brought to the other): middles at x = 3, 3, 3, 3 and a midline point
    # at x = 8, all at different heights chosen so that the normal stays (1, 0): c = (4 * 3 + 8) / 5 = 4.
    # The pairs at y = 0 and y = 4, the point at y = 2: its pull has no lever.
    mirror = symmetry_line(batch((5, 0), (1, 0), (6, 4), (0, 4), (8, 2)), PARTNER)
    assert mirror.normal[0].tolist() == pytest.approx([1, 0], abs=1e-12)
    assert mirror.offset.item() == pytest.approx(4)


@given(
    st.lists(st.tuples(st.floats(0, 300), st.floats(5, 300)), min_size=2, max_size=2),
    st.floats(0, 300),
    st.floats(-1.4, 1.4),
    st.floats(-50, 300),
)
def test_exact_for_mirrored_sets(pairs, along, angle, offset):
    normal = np.array([math.cos(angle), math.sin(angle)])
    tangent = np.array([-normal[1], normal[0]])
    rows = []
    for height, half in pairs:
        middle = offset * normal + height * tangent
        rows += [middle + half * normal, middle - half * normal]
    rows.append(offset * normal + along * tangent)
    landmarks = torch.tensor(np.array(rows))[None]
    mirror = symmetry_line(landmarks, PARTNER)
    back = mirrored_landmarks(mirror, landmarks, PARTNER)
    # The middles may lie close together along the line: then the widths of the pairs decide the direction.
    assert torch.allclose(back, landmarks, atol=1e-6)
    assert mirror.normal[0].numpy() == pytest.approx(normal if normal[0] >= 0 else -normal, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_no_other_line_is_better(seed):
    generator = np.random.default_rng(seed)
    mirrored = np.array([(80, 10), (20, 12), (70, 60), (30, 61), (50, 80)], dtype=float)
    landmarks = mirrored + generator.normal(0, 6, (5, 2))
    mirror = symmetry_line(torch.tensor(landmarks)[None], PARTNER)
    normal, offset = mirror.normal[0].numpy(), mirror.offset.item()
    best = slow.asymmetry(landmarks, PARTNER, math.atan2(normal[1], normal[0]), offset)
    searched = min(
        slow.asymmetry(landmarks, PARTNER, angle, c)
        for angle in np.linspace(-math.pi / 2, math.pi / 2, 181)
        for c in np.linspace(-100, 150, 251)
    )
    assert best <= searched + 1e-9


def test_unknown_landmarks_do_not_count():
    full = batch((5, 0), (1, 0), (6, 4), (0, 4), (3, 7))
    with_gap = full.clone()
    with_gap[0, 2] = torch.nan
    mirror = symmetry_line(with_gap, PARTNER)
    assert mirror.offset.item() == pytest.approx(3)
    assert torch.isnan(mirrored_landmarks(mirror, with_gap, PARTNER)[0, 3]).all()


def test_without_pair_or_two_midline_points_there_is_no_line():
    landmarks = torch.full((2, 5, 2), torch.nan, dtype=torch.float64)
    landmarks[0, 4] = 7.0
    assert torch.isnan(symmetry_line(landmarks, PARTNER).normal).all()


def test_matrix_is_the_reflection():
    mirror = Mirror(torch.tensor([[0.6, 0.8]]).double(), torch.tensor([2.0]).double())
    xy = batch((1, 2), (3, -4))
    matrix = mirror.matrix()
    assert torch.allclose(xy @ matrix[:, :, :2].mT + matrix[:, None, :, 2], mirror.reflect(xy))
    assert torch.allclose(mirror.reflect(mirror.reflect(xy)), xy)
