"""Two predictions folders: the paired bootstrap is paired, and each test sees what it should."""

import numpy as np
import polars as pl
import pytest

from crepitus.data import DataSet
from crepitus.errors import PredictionsError
from crepitus.evaluate.compare import compare
from crepitus.evaluate.run import evaluate
from crepitus.predict import Predictions


def write(root, ids, scores, name):
    folder = root / name
    folder.mkdir()
    pl.DataFrame({"image_id": ids, "score": scores}).write_csv(folder / "images.csv")
    return Predictions.read(folder)


@pytest.fixture
def scene(tmp_path):
    """60 images of 40 patients; A is better than B."""
    rng = np.random.default_rng(4)
    ids = [f"i{k:02d}" for k in range(60)]
    truth = np.arange(60) % 2
    data = tmp_path / "data"
    data.mkdir()
    pl.DataFrame(
        {
            "image_id": ids,
            "file": [f"{i}.png" for i in ids],
            "rows": 8,
            "columns": 8,
            "patient_id": [f"p{min(k, k // 2 + 20)}" for k in range(60)],
            "label": truth,
        }
    ).write_csv(data / "images.csv")
    signal = truth + rng.normal(0, 0.8, 60)
    a = np.clip((signal + 2) / 5, 0, 1)
    b = np.clip((signal + rng.normal(0, 1, 60) + 2) / 5, 0, 1)
    return tmp_path, ids, a, b, DataSet.read(data)


def test_figures_are_those_of_evaluate_and_their_difference(scene):
    root, ids, a, b, data = scene
    first, second = write(root, ids, a, "a"), write(root, ids, b, "b")
    found = compare(first, second, data, bootstrap_rounds=100, seed=2)
    for position, folder in enumerate((first, second)):
        alone = evaluate(folder, data, bootstrap_rounds=100, seed=2)
        for key, values in found.figures.items():
            assert values[position] == alone.figures[key], key
            assert found.intervals[key][position] == alone.intervals.get(key), key
    left, right, difference = found.figures["image.auroc"]
    assert difference == pytest.approx(left - right)
    assert found.areas.auroc == pytest.approx([left, right])
    assert alone.settings["auroc_delong_ci95"] == pytest.approx(found.areas.interval(1))
    assert found.figures["study.auroc"] == (None, None, None)
    assert found.intervals["study.auroc"] == (None, None, None)


def test_the_bootstrap_is_paired(scene):
    root, ids, a, _, data = scene
    # The same ranking twice: no difference in any round, although each has an interval of its own.
    found = compare(write(root, ids, a, "a"), write(root, ids, a / 2, "b"), data, bootstrap_rounds=100)
    left, right, difference = found.intervals["image.auroc"]
    assert left == right
    assert left[1] - left[0] > 0.05
    assert difference == (0, 0)
    assert np.isnan(found.areas.difference().p_value)


def test_the_order_of_the_second_file_plays_no_part(scene):
    root, ids, a, b, data = scene
    straight = compare(write(root, ids, a, "a"), write(root, ids, b, "b"), data, bootstrap_rounds=50)
    turned = compare(
        write(root, ids, a, "c"), write(root, ids[::-1], b[::-1], "d"), data, bootstrap_rounds=50
    )
    for key, values in straight.figures.items():
        assert turned.figures[key] == pytest.approx(values, abs=1e-12), key
        assert turned.intervals[key][2] == pytest.approx(straight.intervals[key][2], abs=1e-12), key
    assert turned.mcnemar == straight.mcnemar


def test_swapping_turns_the_signs(scene):
    root, ids, a, b, data = scene
    first, second = write(root, ids, a, "a"), write(root, ids, b, "b")
    one, other = compare(first, second, data, bootstrap_rounds=50), compare(second, first, data)
    assert one.figures["image.ap"][2] == pytest.approx(-other.figures["image.ap"][2])
    assert one.areas.difference().p_value == pytest.approx(other.areas.difference().p_value)
    assert (one.mcnemar.first_only, one.mcnemar.second_only) == (
        other.mcnemar.second_only,
        other.mcnemar.first_only,
    )


def test_mcnemar_counts_images_at_the_threshold_of_each(scene):
    root, ids, _, _, data = scene
    truth = np.arange(60) % 2
    # A is right on all; B calls everything positive: A alone is right on the 30 negatives.
    found = compare(write(root, ids, truth * 0.9, "a"), write(root, ids, truth * 0.1 + 0.8, "b"), data)
    assert (found.mcnemar.first_only, found.mcnemar.second_only) == (30, 0)


def test_other_images_are_refused(scene):
    root, ids, a, b, data = scene
    first = write(root, ids, a, "a")
    with pytest.raises(PredictionsError, match=r"b: expected the same images .* 1 of .*a are missing.*'i59'"):
        compare(first, write(root, ids[:-1], b[:-1], "b"), data)
    with pytest.raises(PredictionsError, match="b: expected the same images"):
        compare(Predictions.read(root / "b"), first, data, bootstrap_rounds=0)
