"""Every method end to end on a tiny data set: trained, loaded, and predicting the same again."""

from dataclasses import replace

import polars as pl
import pytest

from crepitus.errors import SetAside
from crepitus.methods.config_file import load_config
from crepitus.methods.registry import METHODS
from crepitus.predict.inputs import from_data_set
from crepitus.predict.model import Model
from crepitus.train.run import start_run, train
from tiny import make_tiny
from tiny_methods import OF_THE_PELVIS, SETTINGS


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The tiny data set, two neighbours as one study, and a region of interest in each image."""
    data = make_tiny(tmp_path_factory.mktemp("data"))
    studies = pl.Series("study_id", [f"s{k // 2}" for k in range(len(data))])
    box = {"x_min": 6.0, "y_min": 4.0, "x_max": 46.0, "y_max": 44.0, "label": "roi"}
    regions = pl.DataFrame([{"image_id": i, **box} for i in data.images["image_id"]])
    boxes = pl.concat([data.boxes, regions.select(data.boxes.columns)])
    return replace(data, images=data.images.with_columns(studies), boxes=boxes)


def answers(root, data, ids):
    """What the model in a run folder says about images; scores, boxes and heatmaps as plain values."""
    model = Model.load(root)
    images = list(from_data_set(data, ids))
    assert not any(isinstance(image, SetAside) for image in images)
    return model.predict(images)


def test_every_method_has_its_settings_here():
    assert set(SETTINGS) | OF_THE_PELVIS == set(METHODS)


@pytest.mark.parametrize("name", SETTINGS)
def test_trains_loads_and_predicts_the_same_again(name, data, tmp_path):
    config = load_config(METHODS[name].load().config_class, None, SETTINGS[name])
    roles = dict(zip(data.images["image_id"], data.images["split"], strict=True))
    run = start_run(name, data, tmp_path / "run", config, roles, fold=None)
    model = train(run, data, lambda line: None)
    assert model["method"] == name
    tested = [i for i, role in roles.items() if role == "test"]
    first, second = (answers(run.root, data, tested) for _ in range(2))
    assert [a.image_id for a in first] == tested
    for one, other in zip(first, second, strict=True):
        assert 0 <= one.score <= 1
        assert one.score == other.score
        assert one.class_scores == other.class_scores
        if one.heatmap is not None:
            assert (one.heatmap.rows, one.heatmap.columns) == (48, 60)
            assert (one.heatmap.values == other.heatmap.values).all()
        if one.detections is not None:
            assert (one.detections.xyxy == other.detections.xyxy).all()
            assert (one.detections.scores == other.detections.scores).all()
