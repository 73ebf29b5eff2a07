"""From landmarks to what the network needs: two regions and the warp between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crepitus.methods.aasn.roi import (
    apply_affine,
    bounding_box,
    box_to_image,
    flipped_frame,
    flipped_to_image,
    invert_affine,
    sample_region,
)
from crepitus.methods.aasn.symmetry import Mirror, mirrored_landmarks, symmetry_line
from crepitus.methods.aasn.warp import Spline, thin_plate_spline
from crepitus.methods.parts.sides import partners

Size = tuple[int, int]


@dataclass(frozen=True)
class Regions:
    """The region in each of b images and in their flips, and the warp between the two.

    Attributes:
        size: height and width of the regions, pixels.
        original: region -> image, shape (b, 2, 3), double.
        flipped: region of the flipped image -> image; it holds the reflection.
        spline: position in the original region -> position in the flipped one that shows the same anatomy.
        usable: shape (b,), bool; False where the landmarks define no line, region or warp: the whole image
            and its left-right flip stand in, so that a batch of training stays whole.
        whole: the region is the image itself.
    """

    size: Size
    original: Tensor
    flipped: Tensor
    spline: Spline
    usable: Tensor
    whole: bool

    def cut(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The regions I and I_f of images (b, c, H, W): two of shape (b, c, height, width)."""
        same = self.whole and tuple(images.shape[-2:]) == self.size
        original = images if same else sample_region(images, self.original, self.size)
        return original, sample_region(images, self.flipped, self.size)

    def points(self, points: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Points of the images, per image (k, 2), in the regions and in the flipped regions."""
        there, back = invert_affine(self.original).cpu(), invert_affine(self.flipped).cpu()

        def moved(matrix: Tensor) -> list[Tensor]:
            return [
                apply_affine(matrix[k : k + 1], p.double()[None])[0].float() for k, p in enumerate(points)
            ]

        return moved(there), moved(back)


def regions(
    landmarks: Tensor,
    names: Sequence[str],
    image_size: Size,
    size: Size,
    *,
    members: Sequence[str],
    margin: float,
    source: Literal["landmarks", "image"],
) -> Regions:
    """The regions and the warp for landmarks (b, L, 2) in pixels of images of `image_size`.

    Args:
        landmarks: NaN where unknown.
        names: of the landmarks; pairs end in -L and -R.
        image_size: height and width of the images.
        size: height and width of the regions.
        members: beginnings of the names of landmarks that the region surrounds ("pubis", "ischium").
        margin: see `bounding_box`; the box takes the shape of `size`.
        source: "landmarks" cuts the region out; "image": the image is the region already.
    """
    partner = partners(names)
    mirror = symmetry_line(landmarks, partner)
    other = mirrored_landmarks(mirror, landmarks.double(), partner)
    if source == "image":
        frame = _whole(len(landmarks), image_size, landmarks.device)
        boxes = frame, flipped_frame(image_size, mirror)
    else:
        inside = [k for k, name in enumerate(names) if name.startswith(tuple(members))]
        aspect = size[1] / size[0]
        boxes = (
            bounding_box(landmarks.double(), inside, margin=margin, aspect=aspect),
            bounding_box(other, inside, margin=margin, aspect=aspect),
        )
    known = torch.isfinite(boxes[0]).all(1) & torch.isfinite(boxes[1]).all(1)
    original, flipped = _frames(boxes, mirror, known, image_size, size)
    control = apply_affine(invert_affine(original), landmarks.double())
    # A place of the flipped image is the mirror image of one in the original: back through both.
    target = apply_affine(invert_affine(flipped), mirror.reflect(other))
    known_landmarks = known[:, None, None]
    spline = thin_plate_spline(
        torch.where(known_landmarks, control, torch.nan), torch.where(known_landmarks, target, torch.nan)
    )
    return Regions(size, original, flipped, spline, known & spline.defined, source == "image")


def _whole(count: int, size: Size, device: torch.device) -> Tensor:
    box = torch.tensor([0.0, 0.0, size[1], size[0]], dtype=torch.float64, device=device)
    return box.expand(count, 4)


def _frames(
    boxes: tuple[Tensor, Tensor], mirror: Mirror, known: Tensor, image_size: Size, size: Size
) -> tuple[Tensor, Tensor]:
    """Maps of both regions to the image, with the whole image and its flip where the boxes are unknown."""
    frame = _whole(len(known), image_size, known.device)
    # Images without a line are flipped about their middle.
    upright = torch.tensor([1.0, 0.0], dtype=torch.float64, device=known.device)
    middle = torch.full_like(mirror.offset, image_size[1] / 2)
    safe = Mirror(
        torch.where(known[:, None], mirror.normal, upright), torch.where(known, mirror.offset, middle)
    )
    first = torch.where(known[:, None], boxes[0], frame)
    second = torch.where(known[:, None], boxes[1], frame)
    return box_to_image(first, size), flipped_to_image(second, safe, size)
