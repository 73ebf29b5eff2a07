"""From a data set of femora to evaluated predictions by the commands, and exact resumption."""

import json
from importlib.resources import files

import numpy as np
import polars as pl
import pytest

from crepitus.cli import main
from crepitus.data import DataSet, DataSetWriter
from crepitus.errors import TrainingError
from crepitus.methods.config_file import load_config
from crepitus.methods.femur.stl import FemurStl
from crepitus.predict import Predictions
from crepitus.structures import Annotation, Boxes, Radiograph
from crepitus.train.run import start_run, train

CONFIGS = files("crepitus.methods.femur") / "configs"
CLASSES = ("A1", "B2", "N", "A3", "N", "B1")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """24 images of 64 x 80 with a region each; test images 5 of 6 of every class."""
    root = tmp_path_factory.mktemp("femora") / "data"
    generator = np.random.default_rng(0)
    with DataSetWriter(root, {"name": "femora"}, annotated=("boxes",)) as writer:
        for index in range(24):
            ao_class = CLASSES[index % 6]
            pixels = generator.integers(0, 255, (64, 80)).astype(np.uint8)
            boxes = np.array([[20.0, 10, 60, 50], [30, 20, 40, 30]])
            labels = ("roi", "fracture")
            if ao_class == "N":
                boxes, labels = boxes[:1], labels[:1]
            writer.add(
                Radiograph(f"femur-{index:02d}", pixels),
                Annotation(label=int(ao_class != "N"), boxes=Boxes(boxes, labels)),
                ao_class=ao_class,
                split=("train", "train", "val", "test")[index // 6],
            )
    return DataSet.read(root)


def crepitus(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return end.value.code, captured.out, captured.err


def trained(capsys, method, data, out, *overrides):
    settings = [text for override in overrides for text in ("--set", override)]
    config = CONFIGS / f"{method}-smoke.toml"
    return crepitus(capsys, "train", method, "--data", data.root, "--out", out, "--config", config, *settings)


def test_the_transformer_from_training_to_figures(data, tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "predictions"
    assert trained(capsys, "femur-stn", data, run, "classes=7")[0] == 0
    assert crepitus(capsys, "predict", run, data.root, "--split", "test", "--out", out)[0] == 0
    predictions = Predictions.read(out)
    assert predictions.classes == ("A1", "A2", "A3", "B1", "B2", "B3", "N")
    table = predictions.images
    probabilities = table.select([f"score_{name}" for name in predictions.classes]).to_numpy()
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert table["score"].to_numpy() == pytest.approx(1 - probabilities[:, 6], abs=1e-5)
    assert table["hierarchy_fracture"].to_numpy() == pytest.approx(table["score"].to_numpy(), abs=1e-5)
    assert table["hierarchy_A"].to_numpy() == pytest.approx(probabilities[:, :3].sum(axis=1), abs=1e-5)
    assert table["hierarchy_B"].to_numpy() == pytest.approx(probabilities[:, 3:6].sum(axis=1), abs=1e-5)
    # The crop starts at the identity, and two epochs at a small rate do not move it far from the input, the
    # 80 x 80 px square around the image, which begins 8 px above it.
    box = predictions.detections.row(0, named=True)
    corners = [box[name] for name in ("x_min", "y_min", "x_max", "y_max")]
    assert corners == pytest.approx([0, -8, 80, 72], abs=4)
    assert predictions.heatmap("femur-18").shape == (7, 8)
    status, text, _ = crepitus(capsys, "evaluate", out, "--data", data.root, "--json")
    figures = json.loads(text)
    assert status == 0
    assert {"class.f1.A1", "class.f1.weighted", "boxes.map_roi", "boxes.map_femur"} <= figures.keys()
    assert figures["count.images"] == 6


def test_the_upper_bound_sets_images_without_a_region_aside(data, tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "predictions"
    assert trained(capsys, "femur-ubm", data, run)[0] == 0
    assert crepitus(capsys, "predict", run, data.root, "--split", "test", "--out", out)[0] == 0
    # The region was given: there is nothing to judge, which is not the same as nothing found.
    assert Predictions.read(out).detections is None
    # A file alone brings no region: not assessable, and not "no fracture".
    alone = tmp_path / "alone"
    status, _, _ = crepitus(capsys, "predict", run, data.path("femur-18"), "--out", alone)
    assert status == 3
    assert len(Predictions.read(alone)) == 0
    assert pl.read_csv(alone / "rejected.csv")["code"].to_list() == ["not-assessable"]


def test_the_upper_bound_is_refused_without_regions(data, tmp_path, capsys):
    bare = tmp_path / "bare"
    with DataSetWriter(bare, {"name": "bare"}) as writer:
        for image_id in data.images["image_id"]:
            row = data.row(image_id)
            writer.add(
                data.radiograph(image_id),
                Annotation(label=row["label"]),
                ao_class=row["ao_class"],
                split=row["split"],
            )
    status, _, message = trained(capsys, "femur-ubm", DataSet.read(bare), tmp_path / "run")
    assert status == 2
    assert "learns from regions of interest" in message
    assert not (tmp_path / "run").exists()


def test_a_run_of_the_upper_bound_classifies_the_crops_of_the_regressor(data, tmp_path, capsys):
    assert trained(capsys, "femur-ubm", data, tmp_path / "ubm")[0] == 0
    status, _, message = trained(
        capsys, "femur-sup", data, tmp_path / "sup", f'classifier.run="{tmp_path / "ubm"}"'
    )
    assert status == 0, message
    out = tmp_path / "predictions"
    # The run carries the classifier with it.
    (tmp_path / "ubm").rename(tmp_path / "elsewhere")
    assert crepitus(capsys, "predict", tmp_path / "sup", data.root, "--split", "test", "--out", out)[0] == 0
    assert Predictions.read(out).detections.height == 6


class _StopError(Exception):
    pass


def test_resumption_repeats_counted_weights_and_complemented_alpha(data, tmp_path):
    overrides = ("classes=3", "loss.weights=frequency", "stl.complement_epoch=2", "training.epochs=4")
    config = load_config(FemurStl.config_class, CONFIGS / "femur-stl-smoke.toml", overrides)
    split = dict(zip(data.images["image_id"], data.images["split"], strict=True))
    histories = []
    for name, stop in (("whole", None), ("broken", "epoch 3/")):
        run = start_run("femur-stl", data, tmp_path / name, config, split, fold=None)

        def say(line, stop=stop):
            if stop is not None and line.startswith(stop):
                raise _StopError

        if stop is not None:
            with pytest.raises(_StopError):
                train(run, data, say)
        train(run, data, lambda line: None)
        histories.append(pl.read_csv(run.metrics).drop("seconds"))
    assert histories[0].equals(histories[1])


def test_a_class_without_training_images_is_named_before_an_epoch_is_lost(data, tmp_path):
    config = load_config(
        FemurStl.config_class, CONFIGS / "femur-stl-smoke.toml", ("classes=6", "loss.weights=frequency")
    )
    split = dict(zip(data.images["image_id"], data.images["split"], strict=True))
    run = start_run("femur-stl", data, tmp_path / "run", config, split, fold=None)
    # A2 and B3 do not occur.
    with pytest.raises(TrainingError, match=r"loss\.weights"):
        train(run, data, lambda line: None)
