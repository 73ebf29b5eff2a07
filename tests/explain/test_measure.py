"""Truth on the network's grid, scores of changed images, and the figures of one map."""

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from crepitus.data import DataSet
from crepitus.errors import DataSetError
from crepitus.evaluate.geometry import Radius
from crepitus.explain.measure import Scorer, measure, on_input
from crepitus.explain.truth import Truth, truth_of
from crepitus.methods.base import Decoded, Targets
from crepitus.prepare.fit import InputFit
from tiny import make_tiny


class Bright:
    """A method whose score is the mean of the image, or of all images of the study."""

    def __init__(self, batch_unit="image"):
        self.batch_unit = batch_unit

    def infer(self, network, images, targets):
        scores = images.mean(dim=(1, 2, 3))
        studies = None
        if self.batch_unit == "study":
            studies = torch.stack([scores[targets.study == k].mean() for k in targets.study.unique()])
        return Decoded(scores=scores, class_scores={"dark": 1 - scores}, study_scores=studies)


def batch():
    images = torch.stack([torch.full((1, 4, 4), value) for value in (0.2, 0.4, 0.8)])
    return images, Targets.unknown(["a", "b", "c"], [0, 1, 1])


def test_the_score_is_that_of_the_changed_image():
    score = Scorer(Bright(), None, *batch(), 1)
    assert score(np.stack([np.full((4, 4), v, np.float32) for v in (0.5, 0.1)])) == pytest.approx([0.5, 0.1])
    assert Scorer(Bright(), None, *batch(), 1, "dark")(np.zeros((1, 4, 4), np.float32)) == pytest.approx([1])


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_how_many_go_through_the_network_together_changes_nothing(at_once):
    variants = np.linspace(0, 1, 5, dtype=np.float32).reshape(5, 1, 1) * np.ones((5, 4, 4), np.float32)
    score = Scorer(Bright(), None, *batch(), 0, at_once=at_once)
    assert score(variants) == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert score(variants[:0]).shape == (0,)


def test_the_other_images_of_a_study_stay_as_they_are():
    # (0 + 0.8) / 2 and (1 + 0.8) / 2; the first image is a study of its own.
    variants = np.stack([np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32)])
    assert Scorer(Bright("study"), None, *batch(), 1)(variants) == pytest.approx([0.4, 0.9])
    assert Scorer(Bright("study"), None, *batch(), 0)(variants) == pytest.approx([0.0, 1.0])


def test_a_map_that_knows_the_score_is_faithful():
    # Only the upper half is bright, and the score is the mean: taking it away first lowers the score at once.
    image = np.zeros((4, 4), np.float32)
    image[:2] = 1
    score = Scorer(Bright(), None, torch.from_numpy(image)[None, None], Targets.unknown(["a"]), 0)
    right = measure(image, image, score, None, steps=4)
    wrong = measure(image, 1 - image, score, None, steps=4)
    assert right.deletion_auc < wrong.deletion_auc
    assert right.insertion_auc > wrong.insertion_auc
    assert right.hit is None
    assert np.isnan(right.energy_inside)


def test_points_and_masks_are_judged_on_the_input():
    relevance = np.zeros((4, 4), np.float32)
    relevance[1, 2], relevance[3, 0] = 3.0, 1.0
    mask = np.zeros((4, 4), bool)
    mask[1] = True
    found = measure(relevance, relevance, None, Truth(np.array([[2.5, 1.5]]), 0.1, mask), steps=1)
    assert found.hit
    assert found.energy_inside == 0.75
    assert found.area_inside == 0.25
    assert np.isnan(found.deletion_auc)
    nothing = measure(relevance, relevance, None, Truth(np.zeros((0, 2)), 1, None), steps=1)
    assert nothing.hit is None
    assert np.isnan(nothing.area_inside)


def test_a_coarse_map_is_brought_to_the_grid_of_the_input():
    coarse = np.array([[0.0, 1.0]], np.float32)
    assert on_input(coarse, (1, 4))[0] == pytest.approx([0, 0.25, 0.75, 1])
    assert on_input(coarse, (1, 2)) is coarse


def with_masks(root, size=(48, 60)):
    """The tiny set with a mask of one fracture pixel and some bone in the second image."""
    made = make_tiny(root, count=2)
    (root / "dataset.json").write_text('{"masks": {"files": "masks/<image_id>.png"}}')
    (root / "masks").mkdir()
    mask = np.ones(size, np.uint8)
    mask[10, 20] |= 2
    Image.fromarray(mask).save(root / "masks" / "tiny-01.png")
    return DataSet.read(made.root)


def test_the_mask_is_the_fracture_bit_where_there_is_one_and_the_boxes_where_not(tmp_path):
    fit = InputFit(48, 60, 48, 60)
    data = with_masks(tmp_path / "data")
    truth = truth_of(data, "tiny-01", fit, Radius(6, "px"))
    assert np.argwhere(truth.mask).tolist() == [[10, 20]]
    (tmp_path / "data" / "masks" / "tiny-01.png").unlink()
    x_min, y_min, x_max, y_max = data.fracture_boxes_by_image["tiny-01"][0].astype(int)
    boxed = truth_of(data, "tiny-01", fit, Radius(6, "px")).mask
    assert boxed.sum() == 64
    assert boxed[y_min:y_max, x_min:x_max].all()
    assert truth_of(data, "tiny-00", fit, Radius(6, "px")).mask is None


def test_a_thin_mask_and_its_points_move_into_a_smaller_input(tmp_path):
    # 48 x 60 at half size in 32 x 32: 24 x 30, from row 4 and column 1.
    fit = InputFit(48, 60, 32, 30)
    data = with_masks(tmp_path / "data")
    truth = truth_of(data, "tiny-01", fit, Radius(6, "px"))
    assert np.argwhere(truth.mask).tolist() == [[4 + 5, 10]]
    assert truth.radius_px == 3
    point = data.points_by_image["tiny-01"] / 2 + (0, 4)
    assert truth.points == pytest.approx(point)


def test_a_mask_of_another_size_or_a_damaged_one_is_refused(tmp_path):
    fit = InputFit(48, 60, 48, 60)
    data = with_masks(tmp_path / "data", size=(40, 60))
    with pytest.raises(DataSetError, match="expected 48 x 60 pixels as its image, got 40 x 60"):
        truth_of(data, "tiny-01", fit, Radius())
    (tmp_path / "data" / "masks" / "tiny-01.png").write_bytes(b"no image")
    with pytest.raises(DataSetError, match="the mask cannot be read"):
        truth_of(data, "tiny-01", fit, Radius())


def test_a_radius_in_millimetres_needs_a_spacing(tmp_path):
    data = make_tiny(tmp_path / "data", count=2)
    assert data.images["spacing_mm"].dtype == pl.Float64
    with pytest.raises(Exception, match="expected a spacing_mm"):
        truth_of(data, "tiny-01", InputFit(48, 60, 48, 60), Radius(5, "mm"))
