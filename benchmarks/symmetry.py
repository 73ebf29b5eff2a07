"""Warp against training step, and two-sided step against one-sided step, of the method aasn.

    python benchmarks/symmetry.py --out build/symmetry.json

Both are ratios within this run, of processor time: other work on the machine does not count. The step is the
whole one: cut, encode, align, decode, loss, backward, optimiser. The grid is for 16 landmarks: line of
symmetry, regions, spline, and its positions on the feature map.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from crepitus.methods.aasn.config import AasnConfig
from crepitus.methods.aasn.geometry import regions
from crepitus.methods.aasn.method import Aasn
from crepitus.methods.aasn.warp import warp_positions
from crepitus.methods.base import Targets
from record import write_result
from timing import best_of

SIZE = (256, 512)


def method_of(backbone: dict[str, Any], *, two_sided: bool) -> Aasn:
    """The method with an untrained backbone; one-sided it is the vanilla DenseNet."""
    switches = {"fusion": two_sided, "contrastive": two_sided}
    return Aasn(AasnConfig.model_validate({"backbone": backbone, "siamese": switches}))


def targets_of(method: Aasn, batch: int, generator: torch.Generator) -> Targets:
    """Every image with a point and with sixteen landmarks, scattered over the region."""
    count = len(method.landmark_names)
    frame = torch.tensor([SIZE[1], SIZE[0]])
    return Targets(
        [str(k) for k in range(batch)],
        torch.ones(batch),
        [torch.rand(1, 2, generator=generator) * frame for _ in range(batch)],
        torch.ones(batch, dtype=torch.bool),
        landmarks=torch.rand(batch, count, 2, generator=generator) * frame,
        views=torch.eye(2, 3).expand(batch, 2, 3),
    )


def step_of(method: Aasn, batch: int, generator: torch.Generator) -> Callable[[], object]:
    """One whole training step on random images."""
    network = method.network(initialise=True).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-5)
    images = torch.rand(batch, 1, *SIZE, generator=generator)
    targets = targets_of(method, batch, generator)

    def step() -> None:
        method.loss(method.forward(network, images, targets), targets, SIZE).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def grid_of(method: Aasn, batch: int, generator: torch.Generator) -> Callable[[], object]:
    """From landmarks to positions on the feature map after the third block."""
    landmarks = targets_of(method, batch, generator).landmarks

    def grid() -> None:
        area = regions(
            landmarks,
            method.landmark_names,
            SIZE,
            SIZE,
            members=("pubis", "ischium"),
            margin=0.1,
            source="landmarks",
        )
        warp_positions(area.spline, SIZE, (SIZE[0] // 16, SIZE[1] // 16))

    return grid


def main() -> None:
    """Measure both ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--backbone", default="densenet121")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(options.seed)
    backbone = {"name": options.backbone, "weights": "random"}
    both = method_of(backbone, two_sided=True)
    step = best_of(step_of(both, options.batch, generator), options.repeats, time.process_time)
    single = method_of(backbone, two_sided=False)
    alone = best_of(step_of(single, options.batch, generator), options.repeats, time.process_time)
    grid = best_of(grid_of(both, options.batch, generator), 5 * options.repeats, time.process_time)
    figures = {
        "benchmark": "symmetry",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "batch": options.batch,
        "step_seconds": round(step, 3),
        "grid_seconds": round(grid, 5),
        "grid_share_of_step": round(grid / step, 5),
        "two_sides_to_one": round(step / alone, 2),
    }
    write_result(figures, seed=options.seed, out=options.out)


if __name__ == "__main__":
    main()
