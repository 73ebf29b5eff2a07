"""The Siamese network: equal sides, every switch, a known shift, regions that are not defined."""

import pytest
import torch

from crepitus.errors import ConfigError
from crepitus.methods.aasn.fusion import Projection, Transition
from crepitus.methods.aasn.geometry import regions
from crepitus.methods.aasn.network import SiameseDenseNet, _warped
from crepitus.methods.aasn.warp import cell_centres
from crepitus.methods.parts.backbone import BackboneConfig

NARROW = BackboneConfig(
    name="densenet121", weights="random", options={"growth_rate": 4, "block_config": [1, 1, 1, 1]}
)
NAMES = ("pubis-L", "pubis-R", "ischium-L", "ischium-R", "asis-L", "asis-R")
UPRIGHT = torch.tensor([[[40.0, 12], [24, 12], [48, 26], [16, 26], [60, 3], [4, 3]]])


def between(landmarks=UPRIGHT, source="image", image_size=(32, 64)):
    return regions(
        landmarks, NAMES, image_size, (32, 64), members=("pubis", "ischium"), margin=0.1, source=source
    )


def network(**options):
    torch.manual_seed(0)
    return SiameseDenseNet(NARROW, **{"projection": 8, **options}).eval()


def symmetric_image():
    half = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    return torch.cat([half, half.flip(-1)], dim=-1)


@pytest.mark.parametrize("alignment", ["feature", "image", "none"])
def test_of_a_symmetric_image_both_sides_are_equal(alignment):
    # The line of UPRIGHT is x = 32, the middle: image and flip are the same, and so are their features.
    raw = network(alignment=alignment)(symmetric_image(), between())
    assert raw.distance.abs().max() < 1e-4
    assert raw.logits.shape == (1, 1, 1, 2)
    assert raw.distance.shape == (1, 2, 4)


@pytest.mark.parametrize("place", ["before", "inside", "after"])
@pytest.mark.parametrize("split", [1, 3, 4])
def test_equal_sides_answer_like_one_before_training(place, split):
    image = symmetric_image()
    both = network(split=split, place=place)(image, between()).logits
    alone = network(split=split, fusion=None, compare=False)(image, between()).logits
    assert torch.allclose(both, alone, atol=1e-5)


@pytest.mark.parametrize("fusion", ["concatenate", "subtract", "gate"])
def test_every_fusion_sees_the_other_side(fusion):
    net = network(fusion=fusion)
    image = torch.rand(1, 1, 32, 64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    net(image, between()).logits[..., 0].sum().backward()
    far = image.grad[..., 56:].abs().sum()
    assert far > 0


def test_vanilla_is_the_single_stream_alone():
    net = network(fusion=None, compare=False)
    raw = net(torch.rand(2, 1, 32, 64), between(UPRIGHT.expand(2, -1, -1)))
    assert raw.distance is None
    assert raw.positions is None
    assert raw.logits.shape == (2, 1, 1, 2)


def test_comparison_without_fusion_trains_the_encoder_by_distance_alone():
    raw = network(decode=False, fusion=None)(torch.rand(1, 1, 32, 64), between())
    assert raw.logits is None
    assert raw.distance.shape == (1, 2, 4)


def test_without_projection_the_features_themselves_are_compared():
    assert network(projection=None).projection is None
    raw = network(projection=None)(torch.rand(1, 1, 32, 64), between())
    assert raw.distance.max() > 0


def test_projection_is_linear_norm_relu_of_both_sides_alike():
    net = Projection(3, 5).eval()
    first, second = net(torch.rand(2, 3, 4, 4), torch.ones(2, 3, 4, 4))
    again, _ = net(torch.ones(2, 3, 4, 4), torch.rand(2, 3, 4, 4))
    assert torch.equal(second, again)
    assert (first >= 0).all()


def test_a_gate_that_is_shut_leaves_the_original_side():
    norm, conv = torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 2, 1, bias=False)
    transition = Transition(norm, conv, torch.nn.Identity(), "gate", "inside").eval()
    torch.nn.init.constant_(transition.gate[0].bias, -100.0)
    first = torch.rand(1, 4, 3, 3)
    one, other = transition(first, torch.rand(1, 4, 3, 3)), transition(first, torch.zeros(1, 4, 3, 3))
    assert torch.allclose(one, other, atol=1e-6)


def test_cut_and_warp_bring_a_shifted_side_into_place():
    # The right side lies 4 px lower than the left: after the warp the flipped landmark is on its partner.
    moved = UPRIGHT.clone()
    moved[0, [1, 3, 5], 1] += 4.0
    found = between(moved, source="landmarks")
    assert found.usable.tolist() == [True]
    original, flipped = found.points([moved[0]])
    partner = [1, 0, 3, 2, 5, 4]
    # Where the warp looks in the flipped region for landmark i, the flipped image shows its partner.
    looked = found.spline.at(original[0].double()[None])[0]
    assert torch.allclose(looked.float(), flipped[0][partner], atol=1e-3)


def test_without_landmarks_the_whole_image_and_its_flip_stand_in():
    unknown = torch.full((1, 6, 2), torch.nan)
    found = between(torch.cat([unknown, UPRIGHT]), source="landmarks")
    assert found.usable.tolist() == [False, True]
    image = torch.rand(2, 1, 32, 64)
    original, flipped = found.cut(image)
    assert torch.allclose(original[0], image[0], atol=1e-5)
    assert torch.allclose(flipped[0], image[0].flip(-1), atol=1e-5)
    assert torch.isfinite(network()(image, found).logits).all()


def test_half_precision_does_not_move_the_samples():
    ramp = torch.arange(512.0).expand(1, 1, 2, 512)
    still = cell_centres((256, 512), (2, 512)).float().reshape(1, 2, 512, 2)
    half = _warped(ramp.bfloat16(), still, (256, 512)).float()
    # bfloat16 itself rounds values up to 512 by 1; a grid in it would be off by 2 px more.
    assert (half - ramp).abs().max() <= 1


def test_another_architecture_is_refused():
    with pytest.raises(ConfigError, match="expected a DenseNet"):
        SiameseDenseNet(BackboneConfig(name="test_resnet", weights="random"))
