"""Pictures of maps: over the radiograph, each with the scale that it deserves."""

import numpy as np
import pytest

from crepitus.explain.pictures import drawn
from crepitus.explain.run import ImageExplained, ImageMap
from crepitus.explain.summary import Faithfulness
from crepitus.predict.model import InputImage
from crepitus.structures import Prediction

NAN = float("nan")


def found(name, values):
    """One map of a grey image of 40 x 60."""
    image = InputImage("a", np.full((40, 60), 100, np.uint8), "a.png")
    one = ImageMap(np.asarray(values, np.float32), NAN, NAN, NAN, NAN, Faithfulness())
    return ImageExplained(image, Prediction("a", 0.5), {name: one})


def redness(picture):
    return picture[..., 0].astype(int) - picture[..., 2]


def test_relevance_lies_where_it_was_found_and_the_legend_beside_it():
    picture = drawn(found("grad-cam", [[1.0, -1.0]]), longest=120)["grad-cam"]
    assert picture.shape[0] == 80
    assert picture.shape[1] > 120
    assert (redness(picture[:, :20]) > 0).all()
    assert (redness(picture[:, 100:120]) < 0).all()


def test_a_heatmap_keeps_its_scale_and_a_relevance_map_gets_its_own():
    # A probability of 0.05 everywhere is faint; the same number as relevance is the strongest there is.
    faint, strong = (
        redness(drawn(found(name, np.full((4, 6), 0.05)), longest=120)[name])[:, :120].max()
        for name in ("own", "cam")
    )
    assert 0 < faint < strong / 3


@pytest.mark.parametrize("name", ["lrp", "own"])
def test_a_map_of_zeros_leaves_the_image_grey(name):
    picture = drawn(found(name, np.zeros((40, 60))), longest=120)[name]
    assert (redness(picture[:, :120]) == 0).all()


def test_scattered_relevance_is_gathered_for_the_eye_only():
    values = np.zeros((40, 60), np.float32)
    values[20, 30] = 1.0
    one = found("lrp", values)
    reached = (redness(drawn(one, longest=60)["lrp"])[:, :60] > 0).sum()
    assert reached > 1
    assert one.maps["lrp"].values.sum() == 1.0
