"""Strata: which images are in which, figures equal to those of the part alone, and the worst one."""

import numpy as np
import polars as pl
import pytest

from crepitus.data import DataSet
from crepitus.errors import UsageError
from crepitus.evaluate.run import evaluate
from crepitus.evaluate.strata import KEYS, Stratum, in_words, worst
from crepitus.predict import Predictions

N = 120


@pytest.fixture
def scene(tmp_path):
    """120 images of 60 patients with heatmaps; hands are ranked well, hips at random."""
    rng = np.random.default_rng(5)
    ids = [f"i{k:03d}" for k in range(N)]
    label = np.arange(N) % 2
    part = np.array(["hand", "hip", None], dtype=object)[np.arange(N) // 2 % 3]
    data, folder = tmp_path / "data", tmp_path / "predictions"
    (folder / "heatmaps").mkdir(parents=True)
    data.mkdir()
    images = pl.DataFrame(
        {
            "image_id": ids,
            "file": [f"{i}.png" for i in ids],
            "rows": 100,
            "columns": 200,
            "patient_id": [f"p{k // 2}" for k in range(N)],
            "label": label,
            "body_part": pl.Series(part.tolist(), dtype=pl.String),
            "age": np.arange(N),
            "visibility": [(1 + k % 4 // 2) if k % 2 else None for k in range(N)],
            "name": ids,
        }
    )
    images.write_csv(data / "images.csv")
    boxes = [(ids[k], 10.0, 10.0, 30.0 + k / 4, 20.0, "fracture") for k in range(1, N, 2)]
    columns = ["image_id", "x_min", "y_min", "x_max", "y_max", "label"]
    pl.DataFrame(boxes, schema=columns, orient="row").write_csv(data / "boxes.csv")
    points = [(ids[k], 20.0, 15.0) for k in range(1, N, 2) for _ in range(1 + (k % 4 == 3))]
    pl.DataFrame(points, schema=["image_id", "x", "y"], orient="row").write_csv(data / "points.csv")
    gain = np.where(part == "hand", 3.0, 0.0)
    score = 1 / (1 + np.exp(-(gain * (label - 0.5) + rng.normal(0, 1, N))))
    pl.DataFrame({"image_id": ids, "score": score}).write_csv(folder / "images.csv")
    for image_id in ids:
        np.save(folder / "heatmaps" / f"{image_id}.npy", rng.random((5, 10)).astype(np.float32))
    return Predictions.read(folder), DataSet.read(data)


def by_name(scene, *wanted, **options):
    return {s.name: s for s in evaluate(*scene, strata=wanted, **options).strata}


def test_a_stratum_has_the_figures_of_its_images_alone(scene):
    predictions, data = scene
    found = by_name(scene, "body_part")
    assert list(found) == ["body_part = hand", "body_part = hip", "body_part = unknown"]
    for name, value in (("hand", "hand"), ("hip", "hip"), ("unknown", None)):
        inside = data.images.filter(pl.col("body_part").eq_missing(pl.lit(value)))["image_id"]
        part = Predictions(
            predictions.root,
            predictions.images.filter(pl.col("image_id").is_in(inside.to_list())),
            has_heatmaps=True,
        )
        alone = evaluate(part, data)
        stratum = found[f"body_part = {name}"]
        assert (stratum.positives, stratum.negatives) == (20, 20)
        for key in KEYS:
            assert stratum.figures[key] == pytest.approx(alone.figures[key], abs=1e-12), key
    assert found["body_part = hand"].figures["image.auroc"] > found["body_part = hip"].figures["image.auroc"]


def test_the_worst_is_named_with_its_interval(scene):
    found = by_name(scene, "body_part", bootstrap_rounds=100)
    lowest = worst(list(found.values()), "image.auroc")
    assert lowest.figures["image.auroc"] == min(s.figures["image.auroc"] for s in found.values())
    low, high = lowest.intervals["image.auroc"]
    assert low < lowest.figures["image.auroc"] < high
    words = in_words(lowest, "image.auroc")
    assert words.startswith(
        f"{lowest.name}: {lowest.figures['image.auroc']:.3f} ({low:.3f} to {high:.3f}), 20"
    )


def test_few_images_are_not_called_the_worst():
    def stratum(value, auroc, n):
        return Stratum("part", value, n, n, {"image.auroc": auroc})

    many, few, other = stratum("a", 0.8, 10), stratum("b", 0.1, 9), stratum("c", 0.7, 10)
    undefined = stratum("d", None, 50)
    assert worst([many, few, other, undefined], "image.auroc") is other
    assert worst([many, few, undefined], "image.auroc") is None
    assert worst([], "image.auroc") is None


def test_numbers_are_cut_in_three_or_where_they_are_told(scene):
    # Ages 0 … 119: quantiles at 119/3 = 39.7 and 79.3: 40 images each, half of them with a fracture.
    found = by_name(scene, "age")
    assert list(found) == ["age = below 39.7", "age = 39.7 to below 79.3", "age = 79.3 and above"]
    assert {(s.positives, s.negatives) for s in found.values()} == {(20, 20)}
    # A part holds its lower edge: 18 is in the second.
    found = by_name(scene, "age:18:65")
    sizes = {name: s.positives + s.negatives for name, s in found.items()}
    assert sizes == {"age = below 18": 18, "age = 18 to below 65": 47, "age = 65 and above": 55}


def test_properties_of_fractures_share_all_normal_images(scene):
    found = by_name(scene, "visibility", "fracture_count", "fracture_size:0.2")
    assert {name: (s.positives, s.negatives) for name, s in found.items()} == {
        "visibility = 1": (30, 60),
        "visibility = 2": (30, 60),
        # Images 3, 7, 11 … have two points.
        "fracture_count = 1": (30, 60),
        "fracture_count = 2": (30, 60),
        # Longer side (20 + k / 4) / 200 of odd k: below 0.2 for k < 80.
        "fracture_size = below 0.2": (40, 60),
        "fracture_size = 0.2 and above": (20, 60),
    }


def test_a_stratum_without_one_class_is_undefined(scene):
    found = by_name(scene, "label")
    assert found["label = 1"].figures["image.auroc"] is None
    assert found["label = 1"].figures["image.sensitivity"] is not None
    assert found["label = 0"].figures["localization.froc_score"] is None


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("weather", "--strata weather: expected one of study_id"),
        ("age:65:18", "expected rising numbers as its edges"),
        ("age:old", "expected rising numbers as its edges"),
        ("body_part:3", "expected numbers to cut at 3, got text"),
        ("name", "expected at most 40 different values, got 120"),
    ],
)
def test_impossible_strata(scene, wanted, message):
    with pytest.raises(UsageError) as caught:
        evaluate(*scene, strata=[wanted])
    assert message in str(caught.value)
