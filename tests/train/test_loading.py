"""Loading: every draw is decided by seed, epoch and image; samplers cover what they should."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from crepitus.data.augmentation import AugmentationConfig, View, draw_view
from crepitus.data.sampling import epoch_order
from crepitus.errors import TrainingError
from crepitus.methods.base import Targets
from crepitus.methods.window_loss.bounds import confidence_bounds
from crepitus.methods.window_loss.method import WindowLoss, WindowLossConfig
from crepitus.train.loading import (
    Failure,
    PreparedImages,
    checked,
    collate,
    loader,
)
from crepitus.train.order import EpochSampler, ShareSampler, StudyBatches
from tiny import make_tiny

METHOD = WindowLoss(WindowLossConfig.model_validate({"input": {"size_px": 64}}))
FREE = AugmentationConfig(rotation_deg=30, scale=0.2, translation=0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("tiny") / "data")


def prepared(data, **options):
    return PreparedImages(data, data.images["image_id"].to_list(), method=METHOD, **options)


def test_sample_by_hand(data):
    # 48 x 60 into 64: scale 64 / 60, content 51 x 64, 6 black rows above it.
    sample = prepared(data)[1]
    point = data.points_by_image["tiny-01"][0]
    assert sample.points[0] == pytest.approx([point[0] * 64 / 60, point[1] * 51 / 48 + 6])
    assert sample.pixels.shape == (64, 64)
    assert sample.pixels[:6].max() == 0
    assert sample.place_known


def test_the_same_draw_whatever_the_number_of_workers(data):
    images = prepared(data, augmentation=FREE, seed=3)
    sampler = EpochSampler(images.positive, seed=3, positive_fraction=None)
    sampler.set_epoch(5)
    alone = [b[0] for b in loader(images, sampler, batch_size=4, workers=0)]
    helped = [b[0] for b in loader(images, sampler, batch_size=4, workers=2)]
    assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))


def test_epochs_and_seeds_differ(data):
    images, other = prepared(data, augmentation=FREE, seed=3), prepared(data, augmentation=FREE, seed=4)
    assert not np.array_equal(images[(0, 1)].pixels, images[(1, 1)].pixels)
    assert not np.array_equal(images[(0, 1)].pixels, other[(0, 1)].pixels)


def test_points_follow_the_pixels():
    # A bright dot and its point must stay together under any view.
    square = np.zeros((64, 64), np.float32)
    square[30:33, 40:43] = 1
    point = np.array([[41.5, 31.5]])
    config = AugmentationConfig(rotation_deg=40, scale=0.3, translation=0.1, intensity=0, contrast=0)
    for seed in range(20):
        view = draw_view(config, (64, 64), np.random.default_rng(seed))
        pixels, moved = view.pixels(square), view.points(point)
        y, x = np.indices(pixels.shape) + 0.5
        centroid = np.array([(x * pixels).sum(), (y * pixels).sum()]) / pixels.sum()
        assert moved[0] == pytest.approx(centroid, abs=0.15)


def test_flip_by_hand():
    view = View(matrix=np.array([[-1.0, 0, 64], [0, 1, 0]]))
    square = np.arange(64 * 64, dtype=np.float32).reshape(64, 64) / 4096
    assert view.pixels(square) == pytest.approx(square[:, ::-1], abs=1e-6)
    assert view.points(np.array([[10.0, 20.0]])).tolist() == [[54.0, 20.0]]


def test_a_point_that_left_the_square_still_marks_the_border():
    view = View(matrix=np.array([[1.0, 0, -12], [0, 1, 0]]))
    moved = view.points(np.array([[10.0, 20.0]]))
    assert moved.tolist() == [[-2.0, 20.0]]
    points = [torch.from_numpy(moved.astype(np.float32))]
    lower, _ = confidence_bounds(points, torch.tensor([True]), (64, 64), r_lower_px=5, r_upper_px=9, tau_px=0)
    # Pixel centres in row 20 are 2.5, 3.5 and 4.5 px away from the point, then 5.5.
    assert lower[0, 0, 20, :4].tolist() == [1, 1, 1, 0]


def test_intensity_and_contrast_by_hand():
    # Values 0.2 and 0.6, mean 0.4; gain 1.5 gives 0.1 and 0.7, shift 0.1 gives 0.2 and 0.8.
    view = View(matrix=np.eye(2, 3), gain=1.5, shift=0.1)
    assert view.pixels(np.array([[0.2, 0.6]], np.float32))[0] == pytest.approx([0.2, 0.8], abs=1e-6)


def test_nothing_drawn_changes_nothing():
    config = AugmentationConfig(rotation_deg=0, flip_probability=0, intensity=0, contrast=0)
    square = np.random.default_rng(0).random((16, 16), dtype=np.float32)
    assert draw_view(config, (16, 16), np.random.default_rng(1)).pixels(square) == pytest.approx(
        square, abs=1e-6
    )


def test_an_epoch_visits_every_image_once():
    positive = np.arange(10) < 3
    order = epoch_order(positive, seed=0, epoch=0)
    assert sorted(order) == list(range(10))
    assert order.tolist() != epoch_order(positive, seed=0, epoch=1).tolist()


def test_balanced_epochs_take_all_positives_and_other_negatives_each_time():
    # 4 positives at a fraction of 1/3 ask for 8 of the 96 negatives.
    positive = np.arange(100) < 4
    first = epoch_order(positive, seed=0, epoch=0, positive_fraction=1 / 3)
    second = epoch_order(positive, seed=0, epoch=1, positive_fraction=1 / 3)
    assert len(first) == 12
    assert {0, 1, 2, 3} <= set(first.tolist())
    assert len(set(first.tolist())) == 12
    assert set(first.tolist()) != set(second.tolist())


def test_balancing_needs_both_classes():
    assert sorted(epoch_order(np.ones(3, bool), seed=0, epoch=0, positive_fraction=0.5)) == [0, 1, 2]
    assert epoch_order(np.zeros(0, bool), seed=0, epoch=0, positive_fraction=0.5).tolist() == []


def test_validation_visits_each_image_once():
    assert list(ShareSampler(5)) == [0, 1, 2, 3, 4]


def test_devices_share_an_epoch_without_overlap(monkeypatch):
    positive = np.arange(9) < 3
    shares = []
    for rank in range(2):
        monkeypatch.setattr("crepitus.train.order._rank_and_world", lambda rank=rank: (rank, 2))
        shares.append([i for _, i in EpochSampler(positive, seed=1, positive_fraction=None)])
        assert list(ShareSampler(5)) == list(range(rank, 5, 2))
    assert len(shares[0]) == len(shares[1]) == 5
    # Ten places for nine images: the first one is visited twice so that both devices do as many steps.
    assert sorted({*shares[0], *shares[1]}) == list(range(9))


def test_place_is_unknown_where_a_positive_has_no_point(tmp_path):
    data = make_tiny(tmp_path / "data", count=4)
    (data.root / "points.csv").write_text("image_id,x,y\ntiny-01,10,10\n")
    images = prepared(type(data).read(data.root))
    # tiny-01 and tiny-03 are positive; only the first still has its point.
    assert images.place_known.tolist() == [True, True, True, False]
    _, targets = collate([images[index] for index in range(4)])
    assert targets.place_known.tolist() == [True, True, True, False]
    assert targets.labels.tolist() == [0, 1, 0, 1]


def test_a_file_that_is_damaged_later_stops_training_with_its_name(tmp_path):
    data = make_tiny(tmp_path / "data", count=4)
    path = data.path("tiny-01")
    path.write_bytes(path.read_bytes()[:200])
    images = prepared(data)
    assert isinstance(images[1], Failure)
    batches = loader(images, ShareSampler(4), batch_size=4, workers=1)
    with pytest.raises(TrainingError, match=r"^tiny-01: .*crepitus audit") as caught:
        checked(next(iter(batches)))
    assert "\n" not in str(caught.value)


def test_a_file_of_another_size_stops_training_with_its_name(tmp_path):
    data = make_tiny(tmp_path / "data", count=4)
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(data.path("tiny-01"))
    assert "expected (48, 60)" in prepared(data)[1].message


def test_study_batches_hold_whole_studies_in_the_order_of_their_first_image():
    # Images 0..5 of studies a, b, a, c, b, c; order 5, 0, 1, 2, 3, 4: c, a, b.
    studies = ["a", "b", "a", "c", "b", "c"]
    order = [(7, k) for k in (5, 0, 1, 2, 3, 4)]
    pairs = StudyBatches(order, studies, batch_size=2, drop_last=False)
    assert list(pairs) == [[(7, 3), (7, 5), (7, 0), (7, 2)], [(7, 1), (7, 4)]]
    assert len(StudyBatches(order, studies, batch_size=2, drop_last=True)) == 1
    assert list(StudyBatches([], [], batch_size=2, drop_last=False)) == []


def test_study_labels_by_hand():
    # Study 0: negative and positive; 1: negative and unknown; 2: negative.
    known = Targets.unknown(["a", "b", "c", "d", "e"], study=[0, 0, 1, 1, 2])
    labels = replace(known, labels=torch.tensor([0, 1, 0, torch.nan, 0])).study_labels()
    assert labels[0] == 1
    assert labels[1].isnan()
    assert labels[2] == 0
    assert len(Targets.unknown([]).study_labels()) == 0


def test_opposite_counts_draw_evenly_and_never_twice():
    # 20 positives, 180 negatives: 2 x 20 draws, about half of them positive.
    positive = np.arange(200) < 20
    shares = []
    for epoch in range(50):
        order = epoch_order(positive, seed=0, epoch=epoch, sampling="opposite-counts")
        assert len(order) == len(set(order.tolist())) == 40
        shares.append(float(positive[order].mean()))
    # Without replacement the 20 positives run out, so that a little less than half is expected.
    assert 0.3 < np.mean(shares) < 0.5


def test_balanced_classes_by_hand():
    # Classes 0: 4, 1: 2, 2: 3 images, and one of no class; each class is visited 4 times.
    classes = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, -1])
    order = epoch_order(classes > 0, seed=0, epoch=0, sampling="class-balanced", classes=classes)
    assert np.bincount(classes[order] + 1).tolist() == [1, 4, 4, 4]
    assert set(order.tolist()) == set(range(10))
