"""Confidence bounds: values by hand, limits, and the paper's properties."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crepitus.errors import ConfigError
from crepitus.methods.window_loss.bounds import confidence_bounds, nearest_distance, resize_bound, soft_disk

KNOWN = torch.tensor([True])


def bounds(points, size=(8, 8), known=KNOWN, **lengths):
    lengths = {"r_lower_px": 2.0, "r_upper_px": 4.0, "tau_px": 1.0} | lengths
    return confidence_bounds([torch.tensor(points).reshape(-1, 2).float()], known, size, **lengths)


def test_distance_is_measured_to_pixel_centres():
    # The point (2.5, 1.5) is the centre of the pixel in row 1, column 2.
    distance = nearest_distance(torch.tensor([[2.5, 1.5]]), 4, 5)
    assert distance[1, 2] == 0
    assert distance[1, 4] == 2
    assert distance[3, 2] == 2
    assert distance[0, 0] == pytest.approx(math.sqrt(1 + 4))


def test_bounds_by_hand():
    # Pixel (row 3, column 6) has its centre at (6.5, 3.5), 3 px right of the point (3.5, 3.5):
    # l = sigma((2 - 3) / 1) = 1 / (1 + e), u = sigma((4 - 3) / 1) = e / (1 + e).
    lower, upper = bounds([[3.5, 3.5]])
    assert lower[0, 0, 3, 6].item() == pytest.approx(1 / (1 + math.e), abs=1e-6)
    assert upper[0, 0, 3, 6].item() == pytest.approx(math.e / (1 + math.e), abs=1e-6)


def test_maximum_over_points_equals_the_slow_formula():
    points = [[1.2, 6.1], [5.9, 0.4], [7.0, 7.0]]
    lower, upper = bounds(points, tau_px=0.7)
    for row in range(8):
        for column in range(8):
            distances = [math.dist((column + 0.5, row + 0.5), p) for p in points]
            for bound, radius in ((lower, 2.0), (upper, 4.0)):
                slow = max(1 / (1 + math.exp(-(radius - d) / 0.7)) for d in distances)
                assert bound[0, 0, row, column].item() == pytest.approx(slow, abs=1e-6)


def test_no_points_means_no_fracture_anywhere():
    lower, upper = bounds([])
    assert lower.abs().sum() == 0
    assert upper.abs().sum() == 0


def test_unknown_place_allows_everything():
    lower, upper = bounds([], known=torch.tensor([False]))
    assert (lower == 0).all()
    assert (upper == 1).all()


def test_tau_zero_is_the_hard_disk():
    # Distances along row 3 from the point at the centre of column 3: 0, 1, 2, 3, 4.
    lower, upper = bounds([[3.5, 3.5]], tau_px=0.0)
    assert lower[0, 0, 3, 3:].tolist() == [1, 1, 1, 0, 0]
    assert upper[0, 0, 3, 3:].tolist() == [1, 1, 1, 1, 1]


def test_small_tau_approaches_the_hard_disk():
    distance = torch.tensor([1.0, 1.99, 2.01, 5.0])
    assert torch.allclose(soft_disk(distance, 2.0, 1e-4), soft_disk(distance, 2.0, 0.0), atol=1e-6)


@given(
    st.lists(st.tuples(st.floats(0, 8), st.floats(0, 8)), min_size=1, max_size=4),
    st.floats(0, 5),
    st.floats(0, 3),
    st.floats(0, 4),
)
def test_lower_never_exceeds_upper(points, radius, more, tau):
    lower, upper = bounds([list(p) for p in points], r_lower_px=radius, r_upper_px=radius + more, tau_px=tau)
    assert (lower <= upper).all()
    assert lower.min() >= 0
    assert upper.max() <= 1


def test_resized_bound_is_the_mean_of_its_cells():
    bound = torch.arange(16.0).reshape(1, 1, 4, 4)
    # First cell: (0 + 1 + 4 + 5) / 4 = 2.5; last: (10 + 11 + 14 + 15) / 4 = 12.5.
    assert resize_bound(bound, (2, 2)).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_inverted_radii_are_refused():
    with pytest.raises(ConfigError, match="r_upper >= r_lower"):
        bounds([[1, 1]], r_lower_px=5.0, r_upper_px=4.0)
