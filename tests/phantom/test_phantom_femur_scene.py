"""The scene of one hip: who, which side, determinism, twins."""

import numpy as np
import pytest

from crepitus.phantom.generate import Request, is_fractured, make_image
from crepitus.phantom.scenes.femur import FEMUR


def test_persons_are_old_and_two_of_three_are_women() -> None:
    people = [FEMUR.person(np.random.default_rng(seed)) for seed in range(300)]
    women = np.mean([p.sex == "F" for p in people])
    # Three standard deviations of a share of 300.
    assert abs(women - 2 / 3) < 3 * np.sqrt(2 / 9 / 300)
    assert np.mean([p.age for p in people]) > 68
    assert min(p.quality for p in people) >= 0.5


def test_anatomy_has_one_femur_whose_head_sits_in_the_hip_bone_of_its_side() -> None:
    generator = np.random.default_rng(5)
    anatomy = FEMUR.anatomy(generator, FEMUR.person(generator))
    names = [bone.solid.name for bone in anatomy.bones]
    (femur,) = [bone for bone in anatomy.bones if bone.solid.name.startswith("femur-")]
    side = femur.solid.name[-1]
    assert f"neck-{side}" in anatomy.sites
    assert any(name.startswith("hip") and name.endswith(side) for name in names)
    # The leg turns about the centre of the head: it stays in its socket.
    head = anatomy.sites[f"head-{side}"].origin_mm[None]
    assert np.allclose(femur.motion.apply(head), head, atol=1e-6)
    shot = FEMUR.shot(np.random.default_rng(1), anatomy, "AP", 64)
    assert shot.laterality == side
    assert 160.0 <= shot.spacing_mm * 64 <= 220.0


@pytest.fixture(scope="module")
def broken() -> int:
    return next(n for n in range(2) if is_fractured(11, n))


def test_image_is_deterministic_and_its_truth_lies_on_it(broken: int) -> None:
    request = Request("femur", 11, 128, "easy")
    first, second = make_image(request, broken), make_image(request, broken)
    assert np.array_equal(first.radiograph.pixels, second.radiograph.pixels)
    assert first.columns["body_part"] == "HIP"
    assert first.columns["ao_class"] in FEMUR.kinds
    assert first.columns["side"] == first.columns["laterality"]
    xy = first.annotation.landmarks.xy
    assert len(xy) >= 3
    assert ((xy >= 0) & (xy < 128)).all()


def test_twin_differs_from_its_image_but_not_from_itself_with_another_injury(broken: int) -> None:
    image = make_image(Request("femur", 11, 128, "easy"), broken).radiograph.pixels
    twin = make_image(Request("femur", 11, 128, "easy", twin=True), broken).radiograph.pixels
    other = make_image(Request("femur", 11, 128, "hard", twin=True, kind="A3"), broken).radiograph.pixels
    assert not np.array_equal(image, twin)
    assert np.array_equal(twin, other)
