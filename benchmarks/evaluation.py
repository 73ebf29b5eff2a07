"""Times a whole evaluation with 1,000 bootstrap rounds, as `crepitus evaluate` does it, without the report.

    python benchmarks/evaluation.py heatmaps --out build/evaluation-heatmaps.json
    python benchmarks/evaluation.py scores --out build/evaluation-scores.json

`heatmaps` has the size of the pelvic set of paper 001, 4,410 images with heatmaps of 256 x 256; `scores` is
100,000 images with a score each. The folder is made first, in a temporary place (600 MB for the heatmaps);
what is timed reads it.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from crepitus.data import DataSet
from crepitus.evaluate.run import evaluate
from crepitus.predict import Predictions
from froc import make
from record import write_result

HEATMAPS, SCORES = 4410, 100_000
LIMIT_S, LIMIT_MB = 60, 2048


def make_scores(root: Path, count: int, seed: int) -> tuple[Path, Path]:
    """A data set of `count` images of half as many patients and studies, and its scores."""
    rng = np.random.default_rng(seed)
    data, predictions = root / "data", root / "predictions"
    data.mkdir()
    predictions.mkdir()
    label = (rng.random(count) < 0.2).astype(int)
    ids = [f"image{k:06d}" for k in range(count)]
    pl.DataFrame(
        {
            "image_id": ids,
            "file": [f"images/{i}.png" for i in ids],
            "rows": 1024,
            "columns": 1024,
            "patient_id": [f"p{k // 2}" for k in range(count)],
            "study_id": [f"s{k // 2}" for k in range(count)],
            "label": label,
        }
    ).write_csv(data / "images.csv")
    score = 1 / (1 + np.exp(-(2 * label - 1 + rng.normal(0, 1, count))))
    pl.DataFrame({"image_id": ids, "score": score}).write_csv(predictions / "images.csv")
    return data, predictions


def main() -> None:
    """Make, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("heatmaps", "scores"))
    parser.add_argument("--count", type=int, help="images; default 4,410 heatmaps or 100,000 scores")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    count = options.count or (HEATMAPS if options.what == "heatmaps" else SCORES)
    with tempfile.TemporaryDirectory() as folder:
        if options.what == "heatmaps":
            data, predictions = make(Path(folder), count, "blobs", options.seed)
        else:
            data, predictions = make_scores(Path(folder), count, options.seed)
        # Compiling is done once per installation, not per evaluation.
        with tempfile.TemporaryDirectory() as small:
            tiny = make(Path(small), 4, "blobs", 0)
            evaluate(Predictions.read(tiny[1]), DataSet.read(tiny[0]), bootstrap_rounds=2)
        start, cpu = time.perf_counter(), time.process_time()
        found = evaluate(
            Predictions.read(predictions),
            DataSet.read(data),
            bootstrap_rounds=options.rounds,
            seed=options.seed,
        )
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    result = {
        "benchmark": f"evaluation-{options.what}",
        "images": count,
        "bootstrap_rounds": options.rounds,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "limit_seconds": LIMIT_S,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "limit_mb": LIMIT_MB,
        "figures": sum(value is not None for value in found.figures.values()),
        "intervals": len(found.intervals),
    }
    write_result(result, seed=options.seed, out=options.out)


if __name__ == "__main__":
    main()
