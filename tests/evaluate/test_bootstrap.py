"""The bootstrap: weights mean repeated patients, rounds are reproducible, intervals cover."""

import numpy as np
import pytest

from crepitus.evaluate.bootstrap import bootstrap, draw_weights, number_patients, point_estimates
from crepitus.evaluate.boxes import BoxFroc, BoxPrecision, ImageBoxFroc
from crepitus.evaluate.classification import ClassFigures, ImageFigures, Ranking
from crepitus.evaluate.froc import Froc, ImageFroc


class Mean:
    """Mean of values that belong to patients."""

    def __init__(self, values, patients):
        self.values, self.patients = np.array(values, float), np.array(patients)

    def figures(self, weights):
        of_value = weights[:, self.patients]
        with np.errstate(invalid="ignore"):
            return {"mean": of_value @ self.values / of_value.sum(axis=1)}


def test_an_empty_patient_id_is_a_patient_of_its_own():
    numbers, count = number_patients(["b", None, "a", None, "b", "1"])
    assert (numbers.tolist(), count) == ([0, 1, 2, 3, 0, 4], 5)
    assert number_patients([])[1] == 0


def test_weights_count_draws():
    blocks = list(draw_weights(7, 70, np.random.default_rng(3)))
    assert [len(block) for block in blocks] == [32, 32, 6]
    weights = np.concatenate(blocks)
    assert (weights.sum(axis=1) == 7).all()
    # Drawn with replacement: the first round is what the generator draws first.
    drawn = np.random.default_rng(3).integers(0, 7, 7)
    assert weights[0].tolist() == np.bincount(drawn, minlength=7).tolist()


def test_interval_is_the_percentile_of_the_rounds():
    values = np.random.default_rng(0).random(40)
    result = bootstrap([Mean(values, np.arange(40))], {}, 40, 200, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    means = [values[rng.integers(0, 40, 40)].mean() for _ in range(200)]
    assert result.intervals["mean"] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=1e-12)
    assert result.partly_undefined == []


def test_patients_stay_together():
    # 50 patients with ten equal values each: the interval is that of 50 values, not of 500.
    values = np.random.default_rng(0).random(50)
    apart = bootstrap([Mean(values, np.arange(50))], {}, 50, 300, np.random.default_rng(1))
    ten = bootstrap(
        [Mean(np.repeat(values, 10), np.repeat(np.arange(50), 10))], {}, 50, 300, np.random.default_rng(1)
    )
    assert ten.intervals["mean"] == pytest.approx(apart.intervals["mean"], abs=1e-12)


def test_undefined_rounds_are_left_out_and_reported():
    scores, truth = np.array([0.9, 0.1, 0.2, 0.3]), np.array([1, 0, 0, 0])
    statistic = ImageFigures(Ranking.of(scores, truth, np.arange(4)), 0.5)
    result = bootstrap([statistic], {}, 4, 200, np.random.default_rng(0))
    # The only positive is missing in (3/4)^4 = 32 % of the rounds.
    assert "image.auroc" in result.partly_undefined
    assert result.intervals["image.auroc"] == (1, 1)
    # A figure that is never defined has no interval.
    alone = ImageFigures(Ranking.of(scores, np.zeros(4, int), np.arange(4)), 0.5)
    assert "image.auroc" not in bootstrap([alone], {}, 4, 50, np.random.default_rng(0)).intervals


def random_records(rng, n, patients):
    scores = rng.integers(0, 6, n) / 5
    truth = rng.integers(0, 2, n)
    frocs = []
    for _ in range(n):
        found_at = np.sort(rng.integers(0, 100, rng.integers(0, 3)))
        found = (found_at[:, None] >= np.arange(1, 100)).sum(axis=0)
        frocs.append(ImageFroc(len(found_at), found, rng.integers(0, 2, 99)))
    boxes = [
        ImageBoxFroc(2, rng.random(rng.integers(0, 3)), rng.random(rng.integers(0, 2))) for _ in range(n)
    ]
    owner = patients[rng.integers(0, n, 30)]
    return scores, truth, frocs, boxes, (np.round(rng.random(30), 1), rng.random(30) < 0.5, owner)


@pytest.mark.parametrize("seed", range(5))
def test_weights_equal_repeated_patients(seed):
    # Every statistic gives for weights what it gives for a data set in which the patients are repeated.
    rng = np.random.default_rng(seed)
    n = 14
    patients = rng.integers(0, 5, n)
    scores, truth, frocs, boxes, (box_scores, matched, owner) = random_records(rng, n, patients)
    classes = (rng.integers(0, 3, n), rng.integers(0, 3, n))
    weights = rng.integers(0, 4, (1, 5)).astype(float)
    weights[0, patients[0]] += 1
    rows = np.repeat(np.arange(n), weights[0, patients].astype(int))
    box_rows = np.repeat(np.arange(30), weights[0, owner].astype(int))

    def statistics(images, detections):
        once = patients[images]
        return [
            ImageFigures(Ranking.of(scores[images], truth[images], once), 0.5),
            Froc.of([frocs[k] for k in images], once),
            BoxFroc.of([boxes[k] for k in images], once),
            BoxPrecision.of(box_scores[detections], matched[detections], owner[detections], once),
            ClassFigures(("a", "b", "c"), once, classes[0][images], classes[1][images]),
        ]

    weighted = {}
    for statistic in statistics(np.arange(n), np.arange(30)):
        weighted.update({k: v[0] for k, v in statistic.figures(weights).items()})
    repeated = point_estimates(statistics(rows, box_rows), 5)
    for key, value in repeated.items():
        assert weighted[key] == pytest.approx(np.nan if value is None else value, abs=1e-12, nan_ok=True), key


def test_same_seed_same_intervals():
    values = np.random.default_rng(0).random(20)
    first, second, third = (
        bootstrap([Mean(values, np.arange(20))], {}, 20, 50, np.random.default_rng(seed)).intervals
        for seed in (4, 4, 5)
    )
    assert first == second != third


def test_bands():
    # Images of which half have their point found at rate 0: the band of the recall surrounds 0.5.
    found = [ImageFroc(1, np.full(99, k % 2), np.zeros(99, int)) for k in range(40)]
    froc = Froc.of(found, np.arange(40))
    grid = np.array([0.0, 0.5])
    result = bootstrap([froc], {"froc": (froc.curve_rounds, grid)}, 40, 200, np.random.default_rng(0))
    low, high = result.bands["froc"]
    assert low.shape == high.shape == (2,)
    assert (low < 0.5).all()
    assert (high > 0.5).all()
    assert (low[0], high[0]) == pytest.approx(result.intervals["localization.froc_score"], abs=1e-12)
