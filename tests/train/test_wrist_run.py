"""The wrist methods through train and predict: statistics, study rules, studies answered as wholes."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import crepitus.methods.wrist
from crepitus.cli import main
from crepitus.data import DataSet, DataSetWriter
from crepitus.errors import UsageError
from crepitus.methods.config_file import load_config
from crepitus.methods.registry import METHODS
from crepitus.predict import Predictions
from crepitus.structures import Annotation, Radiograph
from crepitus.train.run import start_run, train

CONFIGS = Path(crepitus.methods.wrist.__file__).parent / "configs"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twelve studies of three images 40 x 32, each image of every second study with a bright bar."""
    root, generator = tmp_path_factory.mktemp("wrist") / "data", np.random.default_rng(0)
    with DataSetWriter(root, {"name": "wrist"}) as writer:
        # The images of a study are not neighbours in the table.
        for view in range(3):
            for study in range(12):
                pixels = generator.integers(20, 90, (40, 32)).astype(np.uint8)
                if study % 2:
                    pixels[12:18] = 250
                writer.add(
                    Radiograph(f"s{study:02d}-{view}", pixels),
                    Annotation(label=study % 2),
                    study_id=f"s{study:02d}",
                    split=("train", "train", "val", "test")[study // 2 % 4],
                )
    return DataSet.read(root)


def trained(name, data, root, *overrides):
    config = load_config(METHODS[name].load().config_class, CONFIGS / f"{name}-smoke.toml", overrides)
    roles = dict(zip(data.images["image_id"], data.images["split"], strict=True))
    run = start_run(name, data, root / "run", config, roles, fold=None)
    model = train(run, data, lambda line: None)
    return run.root, model


def crepitus(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


@pytest.fixture(scope="module")
def aggregator(data, tmp_path_factory):
    return trained("wrist-aggregator", data, tmp_path_factory.mktemp("aggregator"))


def test_a_study_is_answered_as_a_whole_whatever_the_batch(aggregator, data, tmp_path):
    run, _ = aggregator
    for batch in (1, 4, 64):
        status = crepitus("predict", run, data.root, "--batch-size", batch, "--out", tmp_path / f"p{batch}")
        assert status == 0
    found = [Predictions.read(tmp_path / f"p{batch}") for batch in (1, 4, 64)]
    first = found[0].studies
    assert first["study_id"].to_list() == [f"s{k:02d}" for k in range(12)]
    for other in found[1:]:
        assert other.studies["score"].to_list() == pytest.approx(first["score"].to_list(), abs=1e-5)
    for study, _, count, views in first.iter_rows():
        assert count == 3
        assert set(views.split(";")) <= {f"{study}-{k}" for k in range(3)}
    shares = found[0].images.group_by(pl.col("image_id").str.head(3)).agg(pl.col("study_share").sum())
    assert shares["study_share"].to_list() == pytest.approx([1] * 12, abs=1e-5)


def test_the_answers_of_the_aggregator_are_evaluated(aggregator, data, tmp_path, capsys):
    run, _ = aggregator
    assert crepitus("predict", run, data.root, "--split", "test", "--out", tmp_path / "p") == 0
    capsys.readouterr()
    assert crepitus("evaluate", tmp_path / "p", "--data", data.root, "--json") == 0
    assert json.loads(capsys.readouterr().out)["count.studies"] == 2


def test_an_image_method_learns_rules_and_statistics(data, tmp_path):
    run, model = trained("wrist-rx", data, tmp_path, "training.epochs=3", "augmentation.crop=1.0")
    assert set(model["study_rules"]) == {"noisy-or", "learned"}
    metrics = pl.read_csv(run / "metrics.csv")
    # 40 x 32 in 64 x 48: 60 x 48 of content and 4 black rows.
    train_images = [data.radiograph(i).pixels for i in data.images.filter(split="train")["image_id"]]
    expected = np.mean([pixels.mean() for pixels in train_images]) / 255 * 60 / 64
    assert metrics["grey_mean"][0] == pytest.approx(expected, rel=0.02)
    assert crepitus("predict", run, data.root, "--study-rule", "learned", "--out", tmp_path / "p") == 0
    predictions = Predictions.read(tmp_path / "p")
    assert predictions.info["study_rule"] == "learned"
    assert predictions.thresholds["study"] == model["study_rules"]["learned"]["threshold"]


def test_the_statistics_are_measured_once(data, tmp_path):
    whole, _ = trained("wrist-rx", data, tmp_path / "whole", "training.epochs=2")
    assert pl.read_csv(whole / "metrics.csv")["grey_mean"].null_count() == 1  # measured once


def test_without_labels_there_is_nothing_to_learn(data, tmp_path):
    images = data.images.with_columns(label=pl.lit(None, dtype=pl.Int64))
    images.write_parquet(tmp_path / "images.parquet")
    (tmp_path / "images").symlink_to(data.root / "images")
    unlabelled = DataSet.read(tmp_path)
    with pytest.raises(UsageError, match="labels"):
        trained("wrist-rx", unlabelled, tmp_path / "none")


def test_an_aggregator_begins_with_the_views_of_a_trained_rx(data, tmp_path):
    rx, _ = trained("wrist-rx", data, tmp_path / "rx")
    run, model = trained(
        "wrist-aggregator", data, tmp_path / "aggregator", f'views.weights="{rx}/model.safetensors"'
    )
    assert model["config"]["views"]["weights"].endswith("model.safetensors")
    assert math.isfinite(pl.read_csv(run / "metrics.csv")["train_loss"][0])


def test_an_aggregator_without_studies_is_refused(data, tmp_path):
    data.images.drop("study_id").write_parquet(tmp_path / "images.parquet")
    (tmp_path / "images").symlink_to(data.root / "images")
    without = DataSet.read(tmp_path)
    with pytest.raises(UsageError, match="study_id"):
        trained("wrist-aggregator", without, tmp_path / "out")
