"""Times FROC and area FROC on 1,000 heatmaps, next to the slow reference, and 1,000 bootstrap rounds.

    python benchmarks/froc.py --out build/froc.json

The folder is made first, in a temporary place; what is timed reads it from disk, on one core.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from crepitus.data import DataSet
from crepitus.evaluate.bootstrap import bootstrap
from crepitus.evaluate.cases import Cases
from crepitus.evaluate.components import threshold_levels
from crepitus.evaluate.froc import froc_of_image
from crepitus.evaluate.gather import heatmap_figures, image_figures
from crepitus.evaluate.geometry import Radius
from crepitus.predict import Predictions
from record import write_result

IMAGE, GRID, PER_POSITIVE = 1024, 256, 2


def smooth_noise(rng: np.random.Generator, grain: int) -> np.ndarray:
    """A heatmap (GRID, GRID) float16 of blobs of about `grain` cells, with values over the whole range."""
    import cv2

    coarse = rng.random((GRID // grain, GRID // grain), dtype=np.float32)
    smooth = cv2.resize(coarse, (GRID, GRID), interpolation=cv2.INTER_CUBIC)
    fine = 0.02 * rng.random((GRID, GRID), dtype=np.float32)
    return np.clip(smooth**3 + fine, 0, 1).astype(np.float16)


def make(root: Path, count: int, kind: str, seed: int) -> tuple[Path, Path]:
    """Write a data set without pixels and its predictions; every other image has two points."""
    rng = np.random.default_rng(seed)
    data, predictions = root / "data", root / "predictions"
    (predictions / "heatmaps").mkdir(parents=True)
    data.mkdir()
    ids = [f"image{k:05d}" for k in range(count)]
    points = [
        (ids[k], *(rng.random(2) * IMAGE).tolist()) for k in range(0, count, 2) for _ in range(PER_POSITIVE)
    ]
    images = {"image_id": ids, "file": [f"images/{i}.png" for i in ids]}
    pl.DataFrame(images).with_columns(rows=IMAGE, columns=IMAGE).write_csv(data / "images.csv")
    pl.DataFrame(points, schema=["image_id", "x", "y"], orient="row").write_csv(data / "points.csv")
    scores = {"image_id": ids, "score": rng.random(count)}
    pl.DataFrame(scores).write_csv(predictions / "images.csv")
    for image_id in ids:
        if kind == "noise":
            heatmap = rng.random((GRID, GRID), dtype=np.float32).astype(np.float16)
        else:
            heatmap = smooth_noise(rng, 16)
        np.save(predictions / "heatmaps" / f"{image_id}.npy", heatmap)
    return data, predictions


def slow_seconds(cases: Cases, count: int) -> float:
    """Seconds per image of the reference with pixels counted by NumPy masks, on the first images.

    The pixel loops of tests/reference are left out: at 1024 px they would take hours.
    """
    from scipy import ndimage

    rows, columns = np.mgrid[0:IMAGE, 0:IMAGE] + 0.5
    cell = IMAGE // GRID
    start = time.perf_counter()
    for k in range(count):
        heatmap, points = cases.predictions.heatmap(cases.image_ids[k]), cases.points(k)
        near = np.zeros((IMAGE, IMAGE), dtype=bool)
        for x, y in points:
            near |= (columns - x) ** 2 + (rows - y) ** 2 <= 50.0**2
        found, false = np.zeros(99, dtype=int), np.zeros(99, dtype=int)
        for t in range(1, 100):
            labelled, _ = ndimage.label(heatmap >= t / 100, np.ones((3, 3)))
            hits = np.zeros(len(points), dtype=bool)
            for i, j in ndimage.find_objects(labelled):
                y0, y1, x0, x1 = (edge * cell for edge in (i.start, i.stop, j.start, j.stop))
                hits |= (
                    (points[:, 0] >= x0) & (points[:, 0] < x1) & (points[:, 1] >= y0) & (points[:, 1] < y1)
                )
                inside = near[y0:y1, x0:x1]
                false[t - 1] += 10 * int(inside.sum()) < inside.size
            found[t - 1] = hits.sum()
        ours = froc_of_image(threshold_levels(heatmap), points, (IMAGE, IMAGE), 50.0)
        if (ours.found != found).any() or (ours.false_positives != false).any():
            raise SystemExit(f"{cases.image_ids[k]}: expected the counts of the reference, got others")
    return (time.perf_counter() - start) / count


def main() -> None:
    """Make, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--kind", choices=("blobs", "noise"), default="blobs")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--slow", type=int, default=3, help="images for the slow reference")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # not on macOS and Windows
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # Several threads of the linear algebra on one core would wait for each other.
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        data, predictions = make(Path(folder), options.count, options.kind, options.seed)
        start = time.perf_counter()
        cases = Cases.of(Predictions.read(predictions), DataSet.read(data))
        localization = heatmap_figures(cases, Radius())
        seconds = time.perf_counter() - start
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        statistics = [localization.froc, localization.area, image_figures(cases)]
        curves = {"froc": (localization.froc.curve_rounds, np.linspace(0, 1, 99))}
        start = time.perf_counter()
        rng = np.random.default_rng(options.seed)
        bootstrap(statistics, curves, cases.n_patients, options.rounds, rng)
        bootstrap_seconds = time.perf_counter() - start
        slow = slow_seconds(cases, min(options.slow, options.count)) if options.slow else None
    result = {
        "benchmark": "froc",
        "heatmaps": options.count,
        "kind": options.kind,
        "grid": GRID,
        "image_px": IMAGE,
        "seconds": round(seconds, 2),
        "peak_rss_mb": round(peak_mb),
        "reference_seconds_per_heatmap": slow and round(slow, 3),
        "reference_ratio": slow and round(slow / (seconds / options.count), 1),
        "bootstrap_rounds": options.rounds,
        "bootstrap_seconds": round(bootstrap_seconds, 2),
    }
    write_result(result, seed=options.seed, out=options.out)


if __name__ == "__main__":
    main()
