"""What mining adds to an epoch of `roi-mining`, as ratios within this run.

    python benchmarks/mining.py --out build/mining.json

Regions of 3,000 images are drawn in every epoch of the second stage; the maps they are drawn from are taken
once, before its first epoch. Both are compared with training steps of the same size on random images; loading
of images, which an epoch also needs, is left out, so that the true ratios are smaller.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from crepitus.methods.base import Targets
from crepitus.methods.parts.precision import autocast
from crepitus.methods.roi_mining.config import RoiMiningConfig
from crepitus.methods.roi_mining.epoch import ImageMap, map_images, mine_epoch, threshold_of
from crepitus.methods.roi_mining.method import RoiMining
from crepitus.methods.roi_mining.network import TwoStageNetwork
from record import write_result
from timing import best_of


def batch_of(count: int, size: int, generator: torch.Generator) -> tuple[torch.Tensor, Targets]:
    """Random images, every second one positive."""
    images = torch.rand(count, 1, size, size, generator=generator)
    targets = Targets.unknown([f"image{k:04d}" for k in range(count)])
    return images, Targets(
        **{**vars(targets), "labels": torch.arange(count) % 2 * 1.0, "place_known": torch.ones(count) > 0}
    )


def random_maps(count: int, cells: int, size: int, seed: int) -> dict[str, ImageMap]:
    """Maps as a first stage might give them."""
    rng = np.random.default_rng(seed)
    return {
        f"image{k:04d}": ImageMap(
            rng.beta(0.5, 3, (cells, cells)).astype(np.float32),
            k % 2,
            rng.random((1, 2)) * size,
            True,
            (size, size),
        )
        for k in range(count)
    }


def step_of(
    method: RoiMining, network: TwoStageNetwork, batch: tuple[torch.Tensor, Targets]
) -> Callable[[], object]:
    """One whole training step of the stage that `network` is in."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-5)
    images, targets = batch
    size = (int(images.shape[-2]), int(images.shape[-1]))

    def step() -> None:
        with autocast("auto", "cpu"):
            raw = method.forward(network, images, targets)
        method.loss(raw, targets, size).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def main() -> None:
    """Measure the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--size", type=int, default=480, help="side of the input; the paper's is 961")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    random = {"weights": "random"}
    config = RoiMiningConfig.model_validate(
        {
            "input": {"size_px": options.size},
            "backbone": {"name": "densenet121", **random},
            "second": {"name": "resnet18", **random},
        }
    )
    method = RoiMining(config)
    network = method.network(initialise=True).to(memory_format=torch.channels_last).train()
    batch = batch_of(options.batch, options.size, torch.Generator().manual_seed(options.seed))
    steps = options.images / options.batch
    first_epoch = best_of(step_of(method, network, batch), options.repeats) * steps
    mapping = best_of(lambda: map_images(network.first, [batch]), options.repeats) * steps

    maps = random_maps(options.images, options.size // 32, options.size, options.seed)

    def draw() -> object:
        return mine_epoch(
            maps,
            threshold=threshold_of(maps, config.mining.sensitivity),
            count=config.mining.regions_per_image,
            side_px=config.region_px,
            seed=options.seed,
            epoch=100,
        )

    drawing = best_of(draw, options.repeats)
    method.before_epoch(network, config.mining.start_epoch, lambda: [batch])
    second_epoch = best_of(step_of(method, network, batch), options.repeats) * steps
    epochs = config.training.epochs - config.mining.start_epoch
    figures = {
        "benchmark": "mining",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "images": options.images,
        "size_px": options.size,
        "draw_seconds": round(drawing, 3),
        "draw_to_second_stage_epoch": round(drawing / second_epoch, 5),
        "maps_to_first_stage_epoch": round(mapping / first_epoch, 3),
        "maps_to_second_stage_epoch": round(mapping / second_epoch, 3),
        "second_stage_epochs": epochs,
        "mining_to_second_stage_epoch": round((drawing + mapping / epochs) / second_epoch, 4),
    }
    write_result(figures, seed=options.seed, out=options.out)


if __name__ == "__main__":
    main()
