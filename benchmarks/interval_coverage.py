"""How often the 95 % intervals hold the truth, on simulated data whose truth is known.

    python benchmarks/interval_coverage.py --out build/coverage.json

A repetition draws 100 patients with two images each, evaluates them and bootstraps over patients, as evaluate
does. An honest interval holds the true figure in about 95 % of the repetitions; 93 to 97 % is asked for.

- AUROC: score = shift x label + effect of the patient + noise, unit variance in all; the truth is the normal
  distribution function of shift / sqrt(2).
- FROC score: a fractured image has one point, found up to a random threshold; every image has a Poisson
  number of false boxes, each up to a random threshold. The truth follows from the distributions: recall at t
  against false boxes at t, read at the five rates.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import beta, norm
from threadpoolctl import threadpool_limits

from crepitus.evaluate.bootstrap import bootstrap
from crepitus.evaluate.classification import ImageFigures, Ranking
from crepitus.evaluate.components import THRESHOLDS
from crepitus.evaluate.froc import Froc
from crepitus.evaluate.rates import froc_figures
from record import write_result

PATIENTS, IMAGES_EACH = 100, 2
SHIFT, SHARED = 1.5, 0.6
"""Distance of the classes, and standard deviation of what the images of a patient share."""
FOUND_AT, FALSE_AT = (4, 3), (2, 4)
"""Beta distributions of the thresholds up to which a point is found, and up to which a false box stands."""
FALSE_BOXES = 1.5
"""Mean number of false boxes of an image at the lowest threshold."""


def draw_auroc(rng: np.random.Generator) -> ImageFigures:
    """One data set for the AUROC."""
    patients = np.repeat(np.arange(PATIENTS), IMAGES_EACH)
    label = rng.integers(0, 2, len(patients))
    shared = rng.normal(0, SHARED, PATIENTS)[patients]
    own = rng.normal(0, np.sqrt(1 - SHARED**2), len(patients))
    return ImageFigures(Ranking.of(norm.cdf(SHIFT * label + shared + own), label, patients), 0.5)


def true_auroc() -> float:
    """Of images of different patients."""
    return float(norm.cdf(SHIFT / np.sqrt(2)))


def draw_froc(rng: np.random.Generator) -> Froc:
    """One data set for the FROC score; the images of a patient share how easily their fracture is found."""
    patients = np.repeat(np.arange(PATIENTS), IMAGES_EACH)
    n = len(patients)
    points = rng.integers(0, 2, n).astype(np.float64)
    shared = rng.normal(0, SHARED, PATIENTS)[patients]
    own = rng.normal(0, np.sqrt(1 - SHARED**2), n)
    level = beta.ppf(norm.cdf(shared + own), *FOUND_AT)
    found = points[:, None] * (level[:, None] >= THRESHOLDS)
    false = np.zeros((n, len(THRESHOLDS)))
    owner = np.repeat(np.arange(n), rng.poisson(FALSE_BOXES, n))
    np.add.at(false, owner, rng.beta(*FALSE_AT, len(owner))[:, None] >= THRESHOLDS)
    return Froc(patients, points, found, false)


def true_froc() -> float:
    """The FROC score of the distributions."""
    recall = beta.sf(THRESHOLDS, *FOUND_AT)
    rate = FALSE_BOXES * beta.sf(THRESHOLDS, *FALSE_AT)
    return float(froc_figures("", rate[None], recall[None])["froc_score"][0])


def main() -> None:
    """Repeat, count, print; ends with status 1 if a coverage leaves 93 to 97 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    truth = {"image.auroc": true_auroc(), "localization.froc_score": true_froc()}
    held, width, below = (dict.fromkeys(truth, 0.0) for _ in range(3))
    with threadpool_limits(1):
        for generator in np.random.default_rng(options.seed).spawn(options.repetitions):
            statistics = [draw_auroc(generator), draw_froc(generator)]
            found = bootstrap(statistics, {}, PATIENTS, options.rounds, generator).intervals
            for key, value in truth.items():
                low, high = found[key]
                held[key] += low <= value <= high
                below[key] += value < low
                width[key] += high - low
    n = options.repetitions
    result = {
        "benchmark": "coverage",
        "repetitions": n,
        "bootstrap_rounds": options.rounds,
        "patients": PATIENTS,
        "images": PATIENTS * IMAGES_EACH,
        **{f"{key}.truth": round(value, 4) for key, value in truth.items()},
        **{f"{key}.coverage": round(value / n, 4) for key, value in held.items()},
        **{f"{key}.truth_below": round(value / n, 4) for key, value in below.items()},
        **{f"{key}.mean_width": round(value / n, 4) for key, value in width.items()},
    }
    write_result(result, seed=options.seed, out=options.out)
    raise SystemExit(any(not 0.93 <= value / n <= 0.97 for value in held.values()))


if __name__ == "__main__":
    main()
