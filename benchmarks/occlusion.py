"""Landmark detectors where something hides a landmark: mean error and share under 8 mm of several runs.

    python benchmarks/occlusion.py build/graph build/heatmap --data PELVES --out build/occlusion.json

Each image is judged as it is, and with one landmark hidden by metal (a bright disk), gas (a dark, soft
blob) or a black edge that ends beside it. All runs see the same pictures. The errors of all landmarks count,
and those of the hidden one apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.data import DataSet
from crepitus.errors import SetAside
from crepitus.predict.model import InputImage, Model
from record import write_result

NEAR_MM = 8.0
SHARE = 0.07
"""Radius of what hides, fraction of the side of the image."""

Pixels = NDArray[Any]


def metal(pixels: Pixels, xy: NDArray[np.float64]) -> Pixels:
    """A bright disk."""
    hidden = pixels.copy()
    radius = round(SHARE * pixels.shape[0])
    cv2.circle(hidden, (int(xy[0]), int(xy[1])), radius, int(np.iinfo(pixels.dtype).max), -1)
    return hidden


def gas(pixels: Pixels, xy: NDArray[np.float64]) -> Pixels:
    """A dark blob that fades out."""
    rows, columns = np.indices(pixels.shape) + 0.5
    squared = ((columns - xy[0]) ** 2 + (rows - xy[1]) ** 2) / (1.2 * SHARE * pixels.shape[0]) ** 2
    return np.asarray(pixels * (1 - 0.9 * np.exp(-(squared**2))), dtype=pixels.dtype)


def edge(pixels: Pixels, xy: NDArray[np.float64]) -> Pixels:
    """Black from a little inward of the landmark to the nearer side edge."""
    hidden = pixels.copy()
    inward = round(0.02 * pixels.shape[1])
    if xy[0] < pixels.shape[1] / 2:
        hidden[:, : int(xy[0]) + inward] = 0
    else:
        hidden[:, int(xy[0]) - inward :] = 0
    return hidden


COVERS: dict[str, Callable[[Pixels, NDArray[np.float64]], Pixels]] = {
    "metal": metal,
    "gas": gas,
    "edge": edge,
}


def errors(model: Model, image: InputImage, truth: dict[str, NDArray[np.float64]]) -> dict[str, float] | None:
    """Distance of each landmark in pixels; None where the model finds the image not assessable."""
    (answer,) = model.predict([image])
    if isinstance(answer, SetAside) or answer.landmarks is None:
        return None
    found = dict(zip(answer.landmarks.names, answer.landmarks.xy, strict=True))
    return {name: float(np.hypot(*(found[name] - xy))) for name, xy in truth.items() if name in found}


def judge(runs: list[Path], data: DataSet, ids: list[str], seed: int) -> dict[str, Any]:
    """Figures per run and cover."""
    models = {run.name: Model.load(run) for run in runs}
    collected: dict[tuple[str, str], dict[str, list[float]]] = {}
    for number, image_id in enumerate(ids):
        radiograph, marks = data.radiograph(image_id), data.annotation(image_id).landmarks
        if marks is None or not len(marks.names):
            continue
        truth = dict(zip(marks.names, marks.xy, strict=True))
        chosen = marks.names[int(np.random.default_rng([seed, number]).integers(len(marks.names)))]
        pictures = {"none": radiograph.pixels}
        pictures |= {name: cover(radiograph.pixels, truth[chosen]) for name, cover in COVERS.items()}
        for name, pixels in pictures.items():
            for run, model in models.items():
                kept = collected.setdefault((run, name), {"all": [], "hidden": [], "refused": []})
                found = errors(model, InputImage(image_id, pixels, image_id), truth)
                kept["refused"].append(float(found is None))
                for mark, error in (found or {}).items():
                    kept["all"].append(error * (radiograph.spacing_mm or np.nan))
                    if mark == chosen:
                        kept["hidden"].append(kept["all"][-1])
    return {
        f"{run}.{name}.{key}": value for (run, name), kept in collected.items() for key, value in _sum(kept)
    }


def _sum(kept: dict[str, list[float]]) -> list[tuple[str, float]]:
    everything, hidden = np.array(kept["all"]), np.array(kept["hidden"])
    return [
        ("mean_error_mm", round(float(np.nanmean(everything)), 2)),
        ("under_8mm", round(float(np.nanmean(everything < NEAR_MM)), 4)),
        ("hidden_mean_error_mm", round(float(np.nanmean(hidden)), 2)),
        ("hidden_under_8mm", round(float(np.nanmean(hidden < NEAR_MM)), 4)),
        ("not_assessable", round(float(np.mean(kept["refused"])), 4)),
    ]


def main() -> None:
    """Judge the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    data = DataSet.read(options.data)
    ids = [i for i, split in data.images.select("image_id", "split").iter_rows() if split == options.split]
    figures = {"benchmark": "occlusion", "images": len(ids), **judge(options.runs, data, ids, options.seed)}
    write_result(figures, seed=options.seed, out=options.out)


if __name__ == "__main__":
    main()
