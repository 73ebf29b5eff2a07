"""Mining of regions: a map made by hand, the threshold, what is drawn, and where regions lie."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.errors import TrainingError
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.roi_mining.mining import (
    cell_centres,
    image_generator,
    mine,
    sensitivity_threshold,
    share_with_point,
)
from crepitus.methods.roi_mining.network import TwoStageNetwork, best_regions, cut
from reference import mining as slow

MAP = np.array(
    [
        [0.1, 0.2, 0.9, 0.1],
        [0.1, 0.7, 0.8, 0.1],
        [0.1, 0.1, 0.1, 0.5],
    ],
    np.float32,
)


def cells_of(regions):
    return {(int(i), int(j)) for i, j in regions.cells}


def mined(**options):
    return mine(MAP, generator=np.random.default_rng(0), **options)


def test_a_positive_image_gives_its_cells_above_the_threshold():
    # Strictly above 0.5 lie 0.9, 0.7 and 0.8; 0.5 itself does not.
    regions = mined(positive=True, threshold=0.5, count=5)
    assert cells_of(regions) == {(0, 2), (1, 1), (1, 2)}
    assert (regions.label, regions.hard.all()) == (1, True)


def test_a_negative_image_is_topped_up_with_other_cells():
    regions = mined(positive=False, threshold=0.5, count=5)
    assert regions.label == 0
    assert regions.hard.tolist() == [True, True, True, False, False]
    assert {tuple(c) for c in regions.cells[:3].tolist()} == {(0, 2), (1, 1), (1, 2)}
    assert len(cells_of(regions)) == 5


def test_no_cell_above_the_threshold():
    assert len(mined(positive=True, threshold=0.95, count=5)) == 0
    easy = mined(positive=False, threshold=0.95, count=5)
    assert len(easy) == 5
    assert not easy.hard.any()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.booleans(),
    st.floats(0, 1),
    st.integers(1, 8),
    st.integers(0, 2**31),
)
def test_draws_are_those_of_the_paper(rows, columns, positive, threshold, count, seed):
    generator = np.random.default_rng(seed)
    probabilities = generator.random((rows, columns)).astype(np.float32)
    regions = mine(probabilities, positive=positive, threshold=threshold, count=count, generator=generator)
    allowed = slow.allowed_cells(probabilities.tolist(), threshold)
    chosen = cells_of(regions)
    assert len(chosen) == len(regions)
    assert {tuple(c) for c in regions.cells[regions.hard].tolist()} == chosen & allowed
    assert len(chosen & allowed) == min(count, len(allowed))
    wanted = min(count, len(allowed)) if positive else min(count, rows * columns)
    assert len(regions) == wanted


def test_every_allowed_cell_is_drawn_in_some_epoch_and_an_epoch_repeats():
    def first(epoch):
        generator = image_generator(3, epoch, "a")
        return cells_of(mine(MAP, positive=True, threshold=0.5, count=1, generator=generator))

    assert set.union(*(first(epoch) for epoch in range(40))) == {(0, 2), (1, 1), (1, 2)}
    assert all(first(epoch) == first(epoch) for epoch in range(5))


def test_threshold_by_hand():
    maxima = np.arange(1, 101, dtype=np.float32) / 128
    # 99 of 100 positives have to lie above: all but the lowest, 1 / 128. Just below 2 / 128 it is.
    threshold = sensitivity_threshold(maxima, 0.99)
    assert threshold < 2 / 128
    assert threshold == pytest.approx(2 / 128, rel=1e-6)
    assert slow.sensitivity(maxima.tolist(), threshold) == 0.99
    assert slow.sensitivity(maxima.tolist(), 2 / 128) < 0.99


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30), st.floats(0.01, 1))
def test_threshold_is_the_highest_with_the_sensitivity(maxima, sensitivity):
    values = np.array(maxima, np.float32)
    threshold = sensitivity_threshold(values, sensitivity)
    assert slow.sensitivity(values.tolist(), threshold) >= sensitivity - 1e-9
    higher = float(np.nextafter(np.float32(threshold), np.float32(2)))
    assert slow.sensitivity(values.tolist(), higher) < sensitivity


def test_threshold_needs_a_positive_image():
    with pytest.raises(TrainingError, match="positive"):
        sensitivity_threshold(np.zeros(0, np.float32), 0.99)


def test_centres_of_cells_by_hand():
    # A map of 3 x 4 over 60 x 120 pixels: cells of 20 rows and 30 columns.
    centres = cell_centres(np.array([[0, 0], [2, 3]]), (3, 4), (60, 120))
    assert centres.tolist() == [[15, 10], [105, 50]]
    assert cell_centres(np.zeros((0, 2), np.int64), (3, 4), (60, 120)).shape == (0, 2)


def test_accuracy_of_mined_regions_by_hand():
    centres = np.array([[50.0, 50.0], [80.0, 50.0], [20.0, 20.0]])
    # Regions of 20: [40, 60) holds (41, 59); [70, 90) holds none, 90 lies on its open side; [10, 30) none.
    points = np.array([[41.0, 59.0], [90.0, 50.0]])
    assert share_with_point(centres, 20.0, points) == (1, 3)
    assert share_with_point(centres, 20.0, np.zeros((0, 2))) == (0, 3)
    assert share_with_point(np.zeros((0, 2)), 20.0, points) == (0, 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(-6, 12), st.integers(-6, 12), st.integers(1, 8), st.integers(0, 1000))
def test_a_cut_region_is_a_copy(left, top, side, seed):
    image = torch.rand(1, 1, 9, 11, generator=torch.Generator().manual_seed(seed))
    region = torch.tensor([[left, top, left + side, top + side]], dtype=torch.float32)
    result = cut(image, [region], side)[0, 0]
    expected = torch.tensor(slow.cut(image[0, 0].tolist(), left, top, side))
    assert torch.allclose(result, expected, atol=1e-6)


def test_a_region_between_pixels_is_bilinear():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    # The centre of the single pixel lies at (2, 2), between pixels 5, 6, 9 and 10.
    assert cut(image, [torch.tensor([[1.5, 1.5, 2.5, 2.5]])], 1).item() == pytest.approx(7.5)
    assert cut(image, [torch.zeros(0, 4)], 3).shape == (0, 1, 3, 3)


def test_the_best_region_surrounds_the_highest_cell():
    cells = torch.tensor(MAP)[None]
    # Cell (0, 2) of 3 x 4 over 60 x 120: centre (75, 10).
    assert best_regions(cells, (60, 120), 20.0).tolist() == [[65, 0, 85, 20]]


def two_stages(**options):
    tiny = BackboneConfig(name="test_resnet", weights="random")
    torch.manual_seed(0)
    return TwoStageNetwork(tiny, tiny, region_px=32, region_input_px=32, **options)


def test_answers_are_chained_in_one_pass():
    network = two_stages(kinds=2).eval()
    images = torch.rand(2, 1, 96, 64)
    alone = network(images)
    assert alone.fracture is None
    network.begin_second_stage()
    chained = network(images)
    assert torch.equal(chained.cells, alone.cells)
    assert torch.equal(chained.regions, best_regions(chained.cells, (96, 64), 32))
    for number in range(2):
        region = cut(images[number : number + 1], [chained.regions[number : number + 1]], 32)
        logits = network.second(region).image[0]
        assert torch.allclose(chained.fracture[number], logits[0], atol=1e-5)
        assert torch.allclose(chained.kinds[number], logits[1:], atol=1e-5)


def test_the_fixed_stage_stays_as_it_is():
    network = two_stages()
    network.begin_second_stage()
    network.train()
    before = {name: value.clone() for name, value in network.first.state_dict().items()}
    regions = [torch.tensor([[0.0, 0, 32, 32], [16, 16, 48, 48]])] * 2
    logits = network.judge_mined(
        torch.rand(2, 1, 64, 64), regions, torch.tensor([1.0, 1, 0, 0]), torch.full((4,), -1)
    )
    logits.fracture.sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in network.first.state_dict().items())
    assert all(p.grad is None for p in network.first.parameters())
    assert network.second.training
    assert not network.first.training


def test_the_switch_between_the_stages_is_part_of_the_weights():
    trained = two_stages()
    trained.begin_second_stage()
    loaded = two_stages()
    loaded.load_state_dict(trained.state_dict())
    assert loaded.in_second_stage


def test_a_batch_without_regions_has_a_gradient_of_zero():
    network = two_stages()
    network.begin_second_stage()
    network.train()
    empty = network.judge_mined(
        torch.rand(1, 1, 64, 64), [torch.zeros(0, 4)], torch.zeros(0), torch.zeros(0, dtype=torch.int64)
    )
    assert len(empty.labels) == 0
    (empty.fracture.sum() * 0).backward()
    assert math.isfinite(network.second.head.classifier.bias.grad.sum())
