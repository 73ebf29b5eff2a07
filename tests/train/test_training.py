"""Training end to end on a tiny data set: the run folder, exact resume after kill -9, and what is refused."""

import json
import random
import subprocess
import sys
import time
from math import nan
from types import SimpleNamespace

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from crepitus.cli import main
from crepitus.errors import ConfigError, TrainingError, UsageError, WeightsError
from crepitus.methods.base import TrainingConfig
from crepitus.methods.config_file import load_config
from crepitus.methods.window_loss.method import WindowLoss, WindowLossConfig
from crepitus.train.callbacks import EpochRecord
from crepitus.train.module import MethodModule
from crepitus.train.records import RunFolder
from crepitus.train.run import start_run, train
from tiny import TINY, make_tiny


def split_of(data):
    return dict(zip(data.images["image_id"], data.images["split"], strict=True))


def start(data, out, *overrides):
    config = load_config(WindowLossConfig, None, (*TINY, *overrides))
    return start_run("window-loss", data, out, config, split_of(data), fold=None)


def metrics_of(run):
    return pl.read_csv(run.metrics).drop("seconds")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    run = start(data, tmp_path_factory.mktemp("run") / "run")
    lines = []
    train(run, data, lines.append)
    return run, lines


def test_a_run_folder_says_everything_about_itself(finished, data):
    run, lines = finished
    record = run.read()
    assert record["state"] == "finished"
    assert record["method"] == "window-loss"
    assert record["images"] == {"train": 12, "val": 4, "test": 4}
    assert {"commit", "command", "seed", "environment", "started"} <= record.keys()
    assert record["environment"]["libraries"]["torch"] == torch.__version__.split("+")[0]
    assert run.read_split() == split_of(data)
    assert load_config(WindowLossConfig, run.config) == load_config(WindowLossConfig, None, TINY)
    assert metrics_of(run)["epoch"].to_list() == [0, 1, 2, 3]
    assert sum("epoch" in line and "auroc" in line for line in lines) == 4
    model = json.loads((run.root / "model.json").read_text())
    assert 0 <= model["thresholds"]["image"] <= 1
    assert not list(run.root.rglob("*.ckpt"))
    assert not list(run.root.rglob("*.tmp"))


def test_the_loss_falls(finished):
    losses = metrics_of(finished[0])["train_loss"]
    assert losses[3] < losses[0]


HARD_TO_RESUME = (
    "training.schedule=one-cycle",
    "training.positive_fraction=0.6",
    "training.accumulate=2",
    "augmentation.scale=0.2",
)
"""Everything whose state could be lost between two epochs."""


@pytest.mark.parametrize("workers", [0, 1])
def test_killed_and_resumed_gives_the_same_weights(data, tmp_path, workers):
    settings = (*HARD_TO_RESUME, f"training.workers={workers}")
    whole, run = (start(data, tmp_path / name, *settings) for name in ("whole", "run"))
    train(whole, data, lambda line: None)
    command = [sys.executable, "-m", "crepitus", "train", "window-loss", "--data", str(data.root)]
    command += ["--out", str(run.root), "--resume"]
    generator = random.Random()
    for epoch in (1, 3):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if line.startswith(f"epoch {epoch}/"):
                break
        time.sleep(generator.uniform(0, 0.2))
        process.kill()
        process.stderr.close()
        process.wait()
    assert run.read()["state"] == "training" or run.weights.is_file()
    if run.read()["state"] == "training":
        train(run, data, lambda line: None)
    expected, got = load_file(whole.weights), load_file(run.weights)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    last, resumed = load_file(whole.checkpoint), load_file(run.checkpoint)
    assert all(torch.equal(last[name], resumed[name]) for name in last)
    assert metrics_of(run).equals(metrics_of(whole))


def test_a_finished_run_is_left_alone(finished, data):
    before = finished[0].weights.stat().st_mtime_ns
    with pytest.raises(SystemExit) as end:
        main(["train", "window-loss", "--data", str(data.root), "--out", str(finished[0].root), "--resume"])
    assert end.value.code == 0
    assert finished[0].weights.stat().st_mtime_ns == before


def test_an_existing_run_is_not_overwritten(finished, data):
    with pytest.raises(UsageError, match="new or empty folder"):
        start(data, finished[0].root)


def test_a_damaged_checkpoint_is_refused(finished, data, tmp_path):
    run = start(data, tmp_path / "run")
    run.checkpoint.parent.mkdir()
    run.checkpoint.write_bytes(finished[0].checkpoint.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="expected a checkpoint"):
        train(run, data, lambda line: None)


def test_a_loss_that_is_not_finite_stops_with_epoch_batch_and_images(data):
    # Row 24 of the list of faults.
    config = load_config(WindowLossConfig, None, TINY)
    method = WindowLoss(config)
    network = method.network(initialise=True)
    module = MethodModule(method, network, 1)
    torch.nn.init.constant_(network.classifier.bias, torch.nan)
    from crepitus.train.loading import PreparedImages, collate

    images = PreparedImages(data, ["tiny-01", "tiny-02"], method=method)
    with pytest.raises(TrainingError, match=r"epoch 0, batch 7, images tiny-01, tiny-02"):
        module.training_step(collate([images[0], images[1]]), 7)


def test_other_data_than_the_run_began_with_is_refused(finished, tmp_path):
    other = make_tiny(tmp_path / "other", count=4)
    with pytest.raises(TrainingError, match="is missing"):
        train(finished[0], other, lambda line: None)


def test_data_without_points_is_refused(tmp_path):
    data = make_tiny(tmp_path / "data")
    (data.root / "points.csv").unlink()
    with pytest.raises(UsageError, match="learns from points"):
        start(type(data).read(data.root), tmp_path / "run")


def test_missing_starting_weights_are_refused_before_a_folder_is_made(data, tmp_path):
    with pytest.raises(WeightsError, match="there is none"):
        start(data, tmp_path / "run", "backbone.weights=nowhere.safetensors")
    assert not (tmp_path / "run").exists()


def test_an_edited_configuration_is_not_resumed(finished, data, tmp_path):
    run = start(data, tmp_path / "run", "pyramid.channels=24")
    run.checkpoint.parent.mkdir()
    run.checkpoint.write_bytes(finished[0].checkpoint.read_bytes())
    with pytest.raises(TrainingError, match="was it edited"):
        train(run, data, lambda line: None)


def test_an_interrupt_is_not_swallowed(data, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    run = start(data, tmp_path / "run")
    monkeypatch.setattr(MethodModule, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(run, data, lambda line: None)


def test_damaged_images_end_a_training_with_one_line(tmp_path):
    data = make_tiny(tmp_path / "data")
    path = data.path("tiny-01")
    path.write_bytes(path.read_bytes()[:200])
    run = start(data, tmp_path / "run", "training.workers=1")
    with pytest.raises(TrainingError, match=r"^tiny-01: .*crepitus audit"):
        train(run, data, lambda line: None)


def test_frozen_stages_stay_as_they_were_loaded(data, tmp_path):
    run = start(data, tmp_path / "run", "backbone.frozen_stages=2", "training.epochs=1")
    train(run, data, lambda line: None)
    torch.manual_seed(0)
    statistics = {n: t for n, t in load_file(run.weights).items() if "running_mean" in n}
    frozen = [n for n in statistics if n.startswith(("backbone.network.conv1", "backbone.network.bn1"))]
    assert frozen
    assert all((statistics[n] == 0).all() for n in frozen)
    assert any((t != 0).any() for n, t in statistics.items() if n not in frozen)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epoch=3", "unknown key training.epoch; expected one of epochs"),
        ("training.epochs=0", "training.epochs"),
        ("loss.r_lower_px=300", "r_upper_px >= r_lower_px"),
        ("loss.divergence=l1", "loss.divergence"),
        ("nonsense", "expected key=value"),
    ],
)
def test_wrong_settings_are_named(override, words):
    with pytest.raises(ConfigError, match=words):
        load_config(WindowLossConfig, None, [override])


def test_one_class_in_validation_falls_back_to_the_loss(data, tmp_path):
    roles = split_of(data)
    roles |= {i: "train" for i, role in roles.items() if role == "val" and data.truth[i] == 1}
    config = load_config(WindowLossConfig, None, (*TINY, "training.epochs=2"))
    run = start_run("window-loss", data, tmp_path / "run", config, roles, fold=None)
    model = train(run, data, lambda line: None)
    assert metrics_of(run)["val_auroc"].null_count() == 2
    assert run.weights.is_file()
    assert model["thresholds"]["image"] == 0.5


def best_epochs(tmp_path, metrics):
    """Which of these epochs, (AUROC, loss) on the validation images, are noted as the best so far."""
    run = RunFolder(tmp_path)
    record = EpochRecord(run, None, len(metrics), lambda line: None)
    for epoch, (auroc, loss) in enumerate(metrics):
        network = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(network.weight, epoch)
        values = {"train_loss": 1.0, "val_loss": loss, "val_auroc": auroc}
        module = SimpleNamespace(
            epoch_metrics=lambda values=values: values,
            network=network,
            method=SimpleNamespace(stage_starts=()),
            options=TrainingConfig(),
        )
        optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}])
        trainer = SimpleNamespace(
            current_epoch=epoch,
            optimizers=[optimizer],
            is_global_zero=True,
            save_checkpoint=lambda path: None,
        )
        record.on_train_epoch_start(trainer, module)
        record.on_train_epoch_end(trainer, module)
    return metrics_of(run)["best"].to_list(), load_file(run.weights)["weight"].item()


@pytest.mark.parametrize(
    ("metrics", "best", "kept"),
    [
        # AUROC comes first, whatever the loss; among equals the lower loss; a full tie keeps the earlier.
        ([(0.8, 0.1), (0.9, 0.4), (0.9, 0.3), (0.9, 0.3), (0.8, 0.0)], [1, 1, 1, 0, 0], 2),
        ([(1.0, 0.3), (1.0, 0.2), (1.0, 0.25)], [1, 1, 0], 1),
        # One class only: the loss alone.
        ([(nan, 0.3), (nan, 0.4), (nan, 0.2)], [1, 0, 1], 2),
        # No validation images: the last.
        ([(nan, nan), (nan, nan)], [1, 1], 1),
    ],
)
def test_best_epoch_by_hand(tmp_path, metrics, best, kept):
    assert best_epochs(tmp_path, metrics) == (best, kept)


def test_run_folder_of_nothing(tmp_path):
    with pytest.raises(TrainingError, match=r"run\.json"):
        RunFolder(tmp_path).read()
    with pytest.raises(TrainingError, match=r"split\.csv"):
        RunFolder(tmp_path).read_split()


def test_without_validation_images_the_last_epoch_is_kept(data, tmp_path):
    roles = {i: "train" if role == "val" else role for i, role in split_of(data).items()}
    config = load_config(WindowLossConfig, None, (*TINY, "training.epochs=2"))
    run = start_run("window-loss", data, tmp_path / "run", config, roles, fold=None)
    train(run, data, lambda line: None)
    assert metrics_of(run)["best"].to_list() == [1, 1]
    assert metrics_of(run)["val_loss"].null_count() == 2


def test_two_devices_train_one_model(data, tmp_path):
    command = [sys.executable, "-m", "crepitus", "train", "window-loss", "--data", str(data.root)]
    command += ["--out", str(tmp_path / "run"), "--set", "training.devices=2"]
    for override in (*TINY, "training.epochs=2"):
        command += ["--set", override]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    run = RunFolder(tmp_path / "run")
    assert run.read()["state"] == "finished"
    assert metrics_of(run)["epoch"].to_list() == [0, 1]
    assert metrics_of(run)["val_auroc"].null_count() == 0
    assert run.weights.is_file()
