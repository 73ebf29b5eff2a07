"""Trainings of several stages: the best weights of the stage before, and an exact resume at any epoch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from crepitus.methods.config_file import load_config
from crepitus.methods.roi_mining.method import RoiMining
from crepitus.train.records import RunFolder
from crepitus.train.run import start_run, train
from crepitus.train.stages import stage_bounds
from tiny import make_tiny

SETTINGS = (
    "backbone.name=test_resnet",
    "backbone.weights=random",
    "second.name=test_resnet",
    "second.weights=random",
    "input.size_px=64",
    "mining.region_px=480",
    "mining.start_epoch=2",
    "training.epochs=4",
    "training.batch_size=4",
    "training.learning_rate=1e-3",
    "training.precision=fp32",
    "training.workers=0",
)


@given(st.integers(1, 30), st.sets(st.integers(1, 29)), st.integers(0, 40))
def test_every_epoch_lies_in_its_stage(epochs, starts, epoch):
    known = tuple(s for s in starts if s < epochs)
    first, end = stage_bounds(min(epoch, epochs - 1), known, epochs)
    assert first <= min(epoch, epochs - 1) < end <= epochs
    assert first in (0, *known)


class Killed(Exception):
    pass


def start(data, root, *settings):
    config = load_config(RoiMining.config_class, None, (*SETTINGS, *settings))
    roles = dict(zip(data.images["image_id"], data.images["split"], strict=True))
    return start_run("roi-mining", data, root, config, roles, fold=None)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("data"))


def same(one, other):
    expected, got = load_file(one), load_file(other)
    return expected.keys() == got.keys() and all(torch.equal(expected[name], got[name]) for name in expected)


@pytest.mark.parametrize("schedule", ["one-cycle", "plateau"])
def test_a_run_killed_before_and_in_a_stage_resumes_exactly(data, tmp_path, monkeypatch, schedule):
    settings = (f'training.schedule="{schedule}"', "training.step_epochs=1")
    whole, run = (start(data, tmp_path / name, *settings) for name in ("whole", "run"))
    train(whole, data, lambda line: None)
    write = RunFolder.write_metrics
    for epochs in (2, 3):
        # Dies at the end of that epoch: after the best weights were written, before the checkpoint was.
        def dying(self, history, epochs=epochs):
            write(self, history)
            if len(history) == epochs:
                raise Killed

        monkeypatch.setattr(RunFolder, "write_metrics", dying)
        with pytest.raises(Killed):
            train(run, data, lambda line: None)
    monkeypatch.setattr(RunFolder, "write_metrics", write)
    train(run, data, lambda line: None)
    for file in ("model.safetensors", "stage-1.safetensors", "checkpoints/last.safetensors"):
        assert same(whole.root / file, run.root / file), file
    # Four epochs; the regions of the last two are the same ones.
    rows = [(folder.root / "metrics.csv").read_text().splitlines() for folder in (whole, run)]
    assert len(rows[0]) == 5
    columns = rows[0][0].split(",")
    kept = [k for k, name in enumerate(columns) if name != "seconds"]
    assert [[row.split(",")[k] for k in kept] for row in rows[0]] == [
        [row.split(",")[k] for k in kept] for row in rows[1]
    ]
    assert "mined_accuracy" in columns


def test_the_second_stage_begins_with_the_best_first_stage_and_is_the_one_that_is_kept(data, tmp_path):
    run = start(data, tmp_path / "run")
    train(run, data, lambda line: None)
    kept, first = load_file(run.weights), load_file(run.root / "stage-1.safetensors")
    assert not first["second_is_trained"]
    assert kept["second_is_trained"]
    assert all(torch.equal(kept[name], first[name]) for name in kept if name.startswith("first."))
    assert any(not torch.equal(kept[name], first[name]) for name in kept if name.startswith("second."))
