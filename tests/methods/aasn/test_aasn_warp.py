"""Thin-plate splines: exact at landmarks, affine maps reproduced, against the slow reference, folds."""

import numpy as np
import pytest
import torch

from crepitus.methods.aasn.warp import (
    cell_centres,
    pixel_positions,
    sampling_grid,
    thin_plate_spline,
    warp_positions,
)
from reference import aasn as slow


def scattered(seed, count=16, spread=8.0):
    generator = np.random.default_rng(seed)
    control = generator.uniform(0, 1, (count, 2)) * (512, 256)
    return control, control + generator.normal(0, spread, (count, 2))


def tensors(*arrays):
    return [torch.tensor(a)[None] for a in arrays]


@pytest.mark.parametrize("seed", range(3))
def test_exact_at_landmarks_and_equal_to_the_slow_reference(seed):
    control, target = scattered(seed)
    spline = thin_plate_spline(*tensors(control, target))
    assert spline.at(torch.tensor(control)[None])[0].numpy() == pytest.approx(target, abs=1e-8)
    at = slow.spline(control, target)
    probes = np.random.default_rng(9).uniform(-50, 500, (7, 2))
    expected = np.array([at(*p) for p in probes])
    assert spline.at(torch.tensor(probes)[None])[0].numpy() == pytest.approx(expected, abs=1e-6)
    slopes = [slow.determinant(at, *p) for p in probes]
    assert spline.determinant(torch.tensor(probes)[None])[0].numpy() == pytest.approx(slopes, abs=1e-5)


def test_affine_maps_are_reproduced():
    control, _ = scattered(1, count=6)
    linear, shift = np.array([[1.1, -0.2], [0.3, 0.9]]), np.array([5.0, -7.0])
    spline = thin_plate_spline(*tensors(control, control @ linear.T + shift))
    probes = np.array([[0.0, 0.0], [300.0, 20.0], [-40.0, 900.0]])
    assert spline.at(torch.tensor(probes)[None])[0].numpy() == pytest.approx(
        probes @ linear.T + shift, abs=1e-6
    )
    # det = 1.1 * 0.9 + 0.2 * 0.3 = 1.05 everywhere.
    assert spline.determinant(torch.tensor(probes)[None])[0].tolist() == pytest.approx([1.05] * 3)


def test_unknown_landmarks_are_left_out():
    control, target = scattered(2, count=7)
    gap, gap_target = control.copy(), target.copy()
    gap[3], gap_target[5] = np.nan, np.nan
    keep = [0, 1, 2, 4, 6]
    first = thin_plate_spline(*tensors(gap, gap_target))
    second = thin_plate_spline(*tensors(control[keep], target[keep]))
    probes = torch.rand(1, 9, 2, dtype=torch.float64) * 300
    assert torch.allclose(first.at(probes), second.at(probes), atol=1e-7)


@pytest.mark.parametrize(
    "control",
    [
        np.full((4, 2), np.nan),
        np.array([[0.0, 0.0], [10.0, 10.0], [np.nan, 1.0], [1.0, np.nan]]),
        np.array([[0.0, 0.0], [10.0, 10.0], [20.0, 20.0], [35.0, 35.0]]),
        np.array([[5.0, 5.0]] * 4),
    ],
    ids=["none", "two", "line", "one place"],
)
def test_too_few_or_on_a_line_is_the_identity_and_says_so(control):
    good, target = scattered(3, count=4)
    spline = thin_plate_spline(
        torch.tensor(np.stack([control, good])), torch.tensor(np.stack([control + 3, target]))
    )
    probes = torch.rand(2, 5, 2, dtype=torch.float64) * 100
    assert spline.defined.tolist() == [False, True]
    assert torch.allclose(spline.at(probes)[0], probes[0])
    assert spline.at(torch.tensor(good)[None].expand(2, -1, -1))[1].numpy() == pytest.approx(target, abs=1e-8)


def test_a_warp_that_folds_becomes_its_best_affine_map():
    # Two neighbours change places: between them the spline must turn over.
    control = np.array(
        [[0.0, 0.0], [512.0, 0.0], [0.0, 256.0], [512.0, 256.0], [200.0, 128.0], [300.0, 128.0]]
    )
    crossed = control.copy()
    crossed[4], crossed[5] = control[5], control[4]
    spline = thin_plate_spline(*tensors(np.stack([control, control])[0], crossed))
    centres = cell_centres((256, 512), (16, 32))[None]
    assert (spline.determinant(centres) <= 0).any()
    repaired = spline.without_folds(centres)
    assert (repaired.determinant(centres) > 0).all()
    rows = np.column_stack([np.ones(6), control])
    fitted = np.linalg.lstsq(rows, crossed, rcond=None)[0]
    assert repaired.affine[0].numpy() == pytest.approx(fitted, abs=1e-6)
    straight = thin_plate_spline(*tensors(control, control + 2.0))
    assert straight.without_folds(centres) is straight


def test_grid_of_the_identity_samples_every_cell_at_itself():
    control, _ = scattered(4)
    positions = warp_positions(thin_plate_spline(*tensors(control, control)), (256, 512), (4, 8))
    features = torch.rand(1, 3, 4, 8)
    grid = sampling_grid(positions, (256, 512))
    sampled = torch.nn.functional.grid_sample(features, grid, align_corners=False)
    assert torch.allclose(sampled, features, atol=1e-5)
    # The first of 8 x 4 cells of 64 x 64 pixels has its centre at (32, 32): -1 + 64 / 512, -1 + 64 / 256.
    assert grid[0, 0, 0].tolist() == pytest.approx([-0.875, -0.75], abs=1e-5)


def test_positions_of_pixels_follow_the_spline():
    control, target = scattered(5, spread=4.0)
    spline = thin_plate_spline(*tensors(control, target))
    dense = pixel_positions(spline, (256, 512))
    exact = spline.at(cell_centres((256, 512), (256, 512))[None])[0].reshape(256, 512, 2)
    # Within 8 px the spline is straight to a tenth of a pixel, but for the few cells with two landmarks.
    error = (dense[0] - exact).abs()
    assert error.mean() < 0.05
    assert error.max() < 1.0
    straight = pixel_positions(spline.identity(), (20, 36), step=8)
    assert torch.allclose(straight[0, 3, 5], torch.tensor([5.5, 3.5]))
