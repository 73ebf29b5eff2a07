"""Spatial transforms: identity, crops by hand, inverses, boxes, and recovery of a known crop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from crepitus.methods.femur.alexnet import AlexFeatures
from crepitus.methods.femur.networks import Localizer
from crepitus.methods.femur.transform import (
    IDENTITY,
    boxes_of,
    corners,
    inverse,
    matrices,
    paste,
    similarity_of,
    warp,
)
from reference.spatial import slow_warp

KINDS = ("similarity", "affine")


def identity(kind, count=1):
    return matrices(torch.tensor([IDENTITY[kind]] * count), kind)


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(64, 64), (67, 131), (500, 500)])
def test_the_identity_reproduces_its_input(kind, size):
    images = noise(1, 1, *size)
    assert (warp(images, identity(kind), size) - images).abs().max() <= 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_localiser_answers_with_the_identity(kind):
    localizer = Localizer(AlexFeatures(width=0.1), kind, hidden=8, dropout=0.5, grid=1)
    images = noise(2, 1, 64, 64)
    theta = matrices(localizer(images), kind)
    assert torch.equal(theta, identity(kind, 2))
    assert (warp(images, theta, (64, 64)) - images).abs().max() <= 1e-6


def test_a_crop_by_hand():
    # Half the side, centred at t_r = -0.5, t_c = 0.5: the upper right quarter, rows 0..31, columns 32..63.
    images = noise(1, 1, 64, 64)
    theta = matrices(torch.tensor([[-0.5, 0.5, 0.5]]), "similarity")
    assert torch.allclose(warp(images, theta, (32, 32)), images[:, :, :32, 32:], atol=1e-6)
    assert boxes_of(theta, "similarity", (64, 64))[0].tolist() == pytest.approx([32, 0, 64, 32])


def test_outside_the_image_is_black():
    theta = matrices(torch.tensor([[0.0, 4.0, 1.0]]), "similarity")
    assert warp(torch.ones(1, 1, 16, 16), theta, (8, 8)).abs().max() == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1.2, 1.2), min_size=6, max_size=6))
def test_the_warp_equals_a_slow_one(values):
    image = noise(1, 1, 9, 7, seed=3)
    theta = matrices(torch.tensor([values], dtype=torch.float32), "affine")
    expected = slow_warp(image[0, 0].double().numpy(), theta[0].double().numpy(), (5, 6))
    assert np.abs(warp(image, theta, (5, 6))[0, 0].numpy() - expected).max() < 1e-5


@settings(max_examples=50, deadline=None)
@given(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(0.2, 1.5), st.integers(40, 200))
def test_square_boxes_and_similarities_are_two_names_of_the_same(row, column, scale, side):
    parameters = torch.tensor([[row, column, scale]])
    boxes = boxes_of(matrices(parameters, "similarity"), "similarity", (side, side))
    assert torch.allclose(similarity_of(boxes, (side, side)), parameters, atol=1e-5)


def test_an_unknown_box_has_unknown_parameters():
    boxes = torch.tensor([[torch.nan] * 4, [0, 0, 10, 10]])
    parameters = similarity_of(boxes, (20, 20))
    assert torch.isnan(parameters[0]).all()
    assert parameters[1].tolist() == pytest.approx([-0.5, -0.5, 0.5])


def test_the_box_of_an_affine_crop_is_the_square_that_encloses_it():
    # A crop of half width and a quarter height, turned by 90 degrees about the centre of 100 x 100 px:
    # 25 px wide, 50 px high; the square has 50 px on each side.
    theta = torch.tensor([[[0.0, -0.25, 0.0], [0.5, 0.0, 0.0]]])
    assert boxes_of(theta, "affine", (100, 100))[0].tolist() == pytest.approx([25, 25, 75, 75])
    at = corners(theta, (100, 100))[0]
    assert (at[:, 0].min(), at[:, 0].max()) == (37.5, 62.5)
    # Turned by 45 degrees, a crop of half the side has a diagonal of 50 sqrt(2).
    turned = 0.5 * 2**-0.5 * torch.tensor([[[1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]])
    low = 50 - 25 * 2**0.5
    assert boxes_of(turned, "affine", (100, 100))[0].tolist() == pytest.approx(
        [low, low, 100 - low, 100 - low]
    )


def test_the_inverse_leads_back():
    theta = matrices(torch.tensor([[0.6, 0.2, -0.3, -0.1, 0.9, 0.4]]), "affine")
    back, valid = inverse(theta)
    row = torch.tensor([[0.0, 0.0, 1.0]])
    product = torch.cat([theta[0], row]) @ torch.cat([back[0], row])
    assert valid.item()
    assert torch.allclose(product, torch.eye(3), atol=1e-6)


def test_pasted_maps_lie_where_the_crop_was_and_are_zero_elsewhere():
    theta = matrices(torch.tensor([[-0.5, 0.5, 0.5]]), "similarity")
    pasted = paste(torch.full((1, 1, 4, 4), 0.7), theta, (16, 16))[0, 0]
    assert torch.allclose(pasted[:8, 8:], torch.full((8, 8), 0.7))
    assert pasted.sum().item() == pytest.approx(0.7 * 64, rel=1e-5)


def test_a_crop_without_area_is_pasted_nowhere():
    theta = matrices(torch.tensor([[0.0, 0.0, 0.0]]), "similarity")
    _, valid = inverse(theta)
    assert not valid.item()
    assert paste(torch.ones(1, 1, 4, 4), theta, (8, 8)).abs().max() == 0


def smooth_image(side=48):
    """A few wide blobs: their slopes lead from a wrong crop to the right one."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
    blobs = [(0.3, -0.2, 1.0), (-0.4, 0.35, 0.8), (0.1, 0.5, 0.6), (-0.2, -0.5, 0.9)]
    return sum(h * torch.exp(-((x - a) ** 2 + (y - b) ** 2) / 0.18) for a, b, h in blobs)[None, None]


@pytest.mark.parametrize(
    ("kind", "truth"),
    [("similarity", (0.15, -0.2, 0.7)), ("affine", (0.75, 0.1, -0.15, -0.08, 0.8, 0.12))],
)
def test_descent_from_the_identity_recovers_a_known_crop(kind, truth):
    image = smooth_image()
    goal = warp(image, matrices(torch.tensor([truth]), kind), (24, 24))
    found = nn.Parameter(torch.tensor([IDENTITY[kind]], dtype=torch.float32))
    optimizer = torch.optim.Adam([found], lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        (warp(image, matrices(found, kind), (24, 24)) - goal).square().mean().backward()
        optimizer.step()
    assert found[0].tolist() == pytest.approx(truth, abs=0.02)
