"""Probes find a label that was hidden in the size, the file or a corner, and nothing where nothing is."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crepitus.data import DataSet
from crepitus.data.looks import FILE, MARKER, PICTURE
from crepitus.data.tables import complete_images
from crepitus.evaluate.probes import MEANINGS, probe

N = 160


def scene(rng, **columns):
    images = pl.DataFrame(
        {"image_id": [f"i{k}" for k in range(N)], "file": "a.png", "label": np.arange(N) % 2}
    )
    table = {"rows": np.full(N, 300), "columns": np.full(N, 400)} | columns
    data = DataSet(
        Path("nowhere"), complete_images(images.with_columns(**{k: pl.Series(v) for k, v in table.items()}))
    )
    looks = {f"i{k}": rng.random(PICTURE.stop).astype(np.float32) for k in range(N)}
    return data, looks


def found(data, looks, groups=()):
    return {p.name: p for p in probe(data, looks, groups)}


def test_finds_what_was_hidden():
    rng = np.random.default_rng(0)
    label = np.arange(N) % 2
    data, looks = scene(
        rng,
        rows=np.where(label, 300, rng.choice([300, 400], N)),
        view=["ap" if k % 2 or k % 8 == 0 else "lateral" for k in range(N)],
    )
    for k in range(N):
        looks[f"i{k}"][FILE] = [0, 1, 8, np.nan, np.nan, label[k]]
        looks[f"i{k}"][MARKER] = 0
        looks[f"i{k}"][MARKER.start + 3] = label[k] * (k % 3 > 0)
    probes = found(data, looks)
    assert list(probes) == list(MEANINGS)
    # The file says it outright. Rows of 400 are normals, half of them: AUROC 1/2 + 1/2 * 1/2 = 0.75.
    assert probes["file"].auroc == 1
    assert probes["resolution"].auroc == pytest.approx(0.75, abs=0.08)
    # Two of three fractured images have the marker: 1/2 + 2/3 * 1/2; three of four normals are lateral.
    assert probes["marker"].auroc == pytest.approx(5 / 6, abs=0.08)
    assert probes["metadata"].auroc == pytest.approx(1 / 2 + 3 / 8, abs=0.08)
    assert all(probes[name].predicts for name in ("file", "resolution", "marker", "metadata"))
    assert not probes["border"].predicts


def test_finds_nothing_where_nothing_is():
    data, looks = scene(np.random.default_rng(3))
    for name, result in found(data, looks).items():
        assert result.ci95[0] <= 0.5 <= result.ci95[1] or not result.predicts, name
    # All images have one size: nothing to guess from.
    assert found(data, looks)["resolution"].auroc == 0.5


def test_copies_and_patients_stay_in_one_fold():
    # Ten copies of each of 16 pictures, whose label only a copy can tell: across folds they would betray it.
    rng = np.random.default_rng(0)
    pictures = rng.random((80, PICTURE.stop)).astype(np.float32)
    labels = np.arange(80) % 2
    images = pl.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(800)],
            "file": "a.png",
            "rows": 8,
            "columns": 8,
            "label": np.repeat(labels, 10),
            "patient_id": [f"p{k // 10}" if k < 400 else None for k in range(800)],
        }
    )
    data = DataSet(Path("nowhere"), complete_images(images))
    looks = {f"i{k}": pictures[k // 10] for k in range(800)}
    groups = [[f"i{10 * g + j}" for j in range(10)] for g in range(40, 80)]
    assert found(data, looks, groups)["thumbnail"].auroc < 0.8
    betrayed = DataSet(Path("nowhere"), complete_images(images.drop("patient_id")))
    assert found(betrayed, looks)["thumbnail"].auroc > 0.99


def test_undefined_with_few_images_of_a_label():
    data, looks = scene(np.random.default_rng(0), label=[1] * 10 + [0] * (N - 10))
    assert {p.auroc for p in probe(data, looks, [])} == {None}
    assert {p.auroc for p in probe(data, {}, [])} == {None}
    assert not any(p.predicts for p in probe(data, looks, []))
