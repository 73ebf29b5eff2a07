"""Regions: boxes by hand, positions there and back, pixels against positions, the flipped region."""

import pytest
import torch

from crepitus.methods.aasn.roi import (
    apply_affine,
    bounding_box,
    box_to_image,
    flipped_frame,
    flipped_to_image,
    invert_affine,
    sample_region,
)
from crepitus.methods.aasn.symmetry import Mirror

UPRIGHT = Mirror(torch.tensor([[1.0, 0.0]]).double(), torch.tensor([30.0]).double())
TILTED = Mirror(torch.tensor([[0.96, 0.28]]).double(), torch.tensor([33.0]).double())


def test_box_by_hand():
    landmarks = torch.tensor([[[10.0, 20.0], [50.0, 30.0], [0.0, 0.0], [30.0, 40.0]]])
    # Around 10..50 and 20..40: 40 x 20, 10 % more on each side: 48 x 24 about (30, 30).
    assert bounding_box(landmarks, [0, 1, 3], margin=0.1)[0].tolist() == pytest.approx([6, 18, 54, 42])
    # Four times as wide as high: 24 x 4 = 96.
    assert bounding_box(landmarks, [0, 1, 3], margin=0.1, aspect=4)[0].tolist() == pytest.approx(
        [-18, 18, 78, 42]
    )
    # As wide as high: 48 x 48.
    assert bounding_box(landmarks, [0, 1, 3], margin=0.1, aspect=1)[0].tolist() == pytest.approx(
        [6, 6, 54, 54]
    )


def test_box_without_two_landmarks_is_undefined():
    landmarks = torch.tensor([[[10.0, 20.0], [torch.nan, 30.0]], [[1.0, 2.0], [3.0, 4.0]]])
    box = bounding_box(landmarks, [0, 1], margin=0)
    assert torch.isnan(box[0]).all()
    assert box[1].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("mirror", [UPRIGHT, TILTED])
def test_positions_come_back(mirror):
    box = torch.tensor([[5.0, 10.0, 45.0, 30.0]]).double()
    for matrix in (box_to_image(box, (32, 64)), flipped_to_image(box, mirror, (32, 64))):
        xy = torch.tensor([[[0.0, 0.0], [64.0, 32.0], [10.5, 3.25]]]).double()
        assert torch.allclose(apply_affine(invert_affine(matrix), apply_affine(matrix, xy)), xy)


def test_corners_of_a_flipped_region_by_hand():
    # Box 5..45 in the image flipped about x = 30: its left edge x = 5 shows x = 55 of the original.
    box = torch.tensor([[5.0, 10.0, 45.0, 30.0]]).double()
    matrix = flipped_to_image(box, UPRIGHT, (32, 64))
    corners = apply_affine(matrix, torch.tensor([[[0.0, 0.0], [64.0, 32.0]]]).double())
    assert corners[0].tolist() == [[55, 10], [15, 30]]


def test_whole_image_as_region_is_the_image_and_its_flip():
    image = torch.rand(1, 1, 32, 60)
    whole = torch.tensor([[0.0, 0.0, 60.0, 32.0]]).double()
    assert torch.allclose(sample_region(image, box_to_image(whole, (32, 60)), (32, 60)), image, atol=1e-5)
    # The middle of 60 columns is x = 30: the frame of the flip is the frame itself.
    frame = flipped_frame((32, 60), UPRIGHT)
    assert frame[0].tolist() == [0, 0, 60, 32]
    flipped = sample_region(image, flipped_to_image(frame, UPRIGHT, (32, 60)), (32, 60))
    assert torch.allclose(flipped, image.flip(-1), atol=1e-5)


@pytest.mark.parametrize("mirror", [UPRIGHT, TILTED])
def test_pixels_lie_where_positions_say(mirror):
    # An image that tells x in one channel and y in the other: samples must equal the positions.
    y, x = torch.meshgrid(torch.arange(48) + 0.5, torch.arange(60) + 0.5, indexing="ij")
    image = torch.stack([x, y])[None].float()
    box = torch.tensor([[12.0, 14.0, 40.0, 30.0]]).double()
    for matrix in (box_to_image(box, (8, 16)), flipped_to_image(box, mirror, (8, 16))):
        sampled = sample_region(image, matrix, (8, 16))[0].flatten(1).T
        v, u = torch.meshgrid(torch.arange(8) + 0.5, torch.arange(16) + 0.5, indexing="ij")
        cells = torch.stack([u, v], -1).reshape(1, -1, 2).double()
        assert torch.allclose(sampled.double(), apply_affine(matrix, cells)[0], atol=1e-3)
