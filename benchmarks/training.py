"""Loader against training step, and confidence bounds against training step.

    python benchmarks/training.py --out build/training.json

Both comparisons are ratios within this run, on random images of a radiograph's size written to a
temporary folder. The step is the whole one: forward, loss, backward, optimiser.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from crepitus.data import DataSet, DataSetWriter
from crepitus.methods.base import Targets
from crepitus.methods.parts.precision import autocast
from crepitus.methods.window_loss.bounds import confidence_bounds
from crepitus.methods.window_loss.method import WindowLoss, WindowLossConfig
from crepitus.structures import Annotation, Points, Radiograph
from crepitus.train.loading import PreparedImages, loader
from crepitus.train.order import EpochSampler
from record import write_result
from timing import best_of

POINTS_PER_IMAGE = 2


def make(root: Path, count: int, rows: int, columns: int, seed: int) -> DataSet:
    """Images of smooth noise, every second one with points."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 4096, (rows // 8, columns // 8))
    pixels = np.kron(base, np.ones((8, 8), np.int64))[:rows, :columns]
    with DataSetWriter(root, {"name": "benchmark"}, annotated=("points",)) as writer:
        for index in range(count):
            noisy = (pixels + rng.integers(0, 64, pixels.shape)).astype(np.uint16)
            points = rng.random((POINTS_PER_IMAGE * (index % 2), 2)) * (columns, rows)
            writer.add(Radiograph(f"image{index:04d}", noisy), Annotation(points=Points(points)))
    return DataSet.read(root)


def step_of(method: WindowLoss, batch: int, seed: int) -> Callable[[], object]:
    """One whole training step on random images."""
    generator = torch.Generator().manual_seed(seed)
    size = method.config.input.size_px
    network = method.network(initialise=True).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)
    images = torch.rand(batch, 1, size, size, generator=generator)
    targets = targets_of(batch, size, generator)

    def step() -> None:
        with autocast("auto", "cpu"):
            raw = network(images)
        method.loss(raw, targets, (size, size)).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def targets_of(batch: int, size: int, generator: torch.Generator) -> Targets:
    """Every image with points: the dearest case for the bounds."""
    return Targets(
        [str(k) for k in range(batch)],
        torch.ones(batch),
        [torch.rand(POINTS_PER_IMAGE, 2, generator=generator) * size for _ in range(batch)],
        torch.ones(batch, dtype=torch.bool),
    )


def method_of(backbone: str, size: int) -> WindowLoss:
    """The method with an untrained backbone."""
    return WindowLoss(
        WindowLossConfig.model_validate(
            {"backbone": {"name": backbone, "weights": "random"}, "input": {"size_px": size}}
        )
    )


def main() -> None:
    """Measure both ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--bounds-batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    batch = 16
    method = method_of("resnet18", 512)
    with tempfile.TemporaryDirectory() as folder:
        data = make(Path(folder) / "data", options.count, 1024, 840, options.seed)
        ids = data.images["image_id"].to_list()
        images = PreparedImages(data, ids, method=method, augmentation=method.config.augmentation)
        sampler = EpochSampler(images.positive, seed=options.seed, positive_fraction=None)
        batches = loader(images, sampler, batch_size=batch, workers=options.workers)
        loaded = best_of(lambda: [None for _ in batches], options.repeats) / options.count
    trained = best_of(step_of(method, batch, options.seed), options.repeats) / batch
    large = method_of("resnet18", 1024)
    targets = targets_of(options.bounds_batch, 1024, torch.Generator().manual_seed(options.seed))
    lengths = {"r_lower_px": 50.0, "r_upper_px": 200.0, "tau_px": 2.0}
    bounds = best_of(
        lambda: confidence_bounds(targets.points, targets.place_known, (1024, 1024), **lengths),
        options.repeats,
    )
    step = best_of(step_of(large, options.bounds_batch, options.seed), 1)
    figures = {
        "benchmark": "training",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "loader_images_per_second": round(1 / loaded, 1),
        "step_images_per_second": round(1 / trained, 1),
        "loader_to_step": round(trained / loaded, 2),
        "loader_workers": options.workers,
        "bounds_seconds": round(bounds, 3),
        "step_seconds_1024": round(step, 2),
        "bounds_share_of_step": round(bounds / step, 4),
    }
    write_result(figures, seed=options.seed, out=options.out)


if __name__ == "__main__":
    main()
