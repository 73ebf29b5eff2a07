"""A picture of what `roi-mining` cuts from its training images in one epoch.

    python benchmarks/mined_regions.py RUN --data DATASET --out docs/images/mined-regions.jpg

RUN is a finished run of `roi-mining`. Red: probable fractures; blue: hard negatives; grey: random regions of
normal images; a yellow cross: an annotated point, which mining does not know.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import SequentialSampler

from crepitus.data import DataSet
from crepitus.methods.config_file import load_config
from crepitus.methods.parts.weights import load_into, load_weights
from crepitus.methods.roi_mining.epoch import ImageMap, map_images, threshold_of
from crepitus.methods.roi_mining.method import RoiMining
from crepitus.methods.roi_mining.mining import cell_centres, image_generator, mine
from crepitus.train.loading import PreparedImages, checked, loader
from crepitus.train.records import RunFolder

TILE = 320
RED, BLUE, GREY, YELLOW = (60, 60, 255), (255, 140, 60), (170, 170, 170), (0, 230, 255)


def tile_of(
    pixels: NDArray[np.float32], known: ImageMap, method: RoiMining, threshold: float, image_id: str
) -> NDArray[np.uint8]:
    """One training image with the regions that the first epoch of the second stage cuts from it."""
    scale = TILE / max(pixels.shape)
    grey = cv2.resize((pixels * 255).astype(np.uint8), None, fx=scale, fy=scale)
    canvas = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    regions = mine(
        known.probabilities,
        positive=known.label == 1,
        threshold=threshold,
        count=method.config.mining.regions_per_image,
        generator=image_generator(method.config.training.seed, method.config.mining.start_epoch, image_id),
    )
    rows, columns = known.probabilities.shape
    half = method.config.region_px / 2
    for (x, y), hard in zip(
        cell_centres(regions.cells, (rows, columns), known.size), regions.hard, strict=True
    ):
        colour = RED if regions.label else BLUE if hard else GREY
        low, high = np.rint(np.array([[x - half, y - half], [x + half, y + half]]) * scale).astype(int)
        cv2.rectangle(canvas, low.tolist(), high.tolist(), colour, 2)
    for x, y in known.points * scale:
        cv2.drawMarker(canvas, (round(x), round(y)), YELLOW, cv2.MARKER_CROSS, 14, 2)
    return np.asarray(canvas, dtype=np.uint8)


def main() -> None:
    """Take the maps of training images and draw the regions of the first epoch of the second stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tiles", type=int, default=8, help="half of them positive")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    run, data = RunFolder(options.run), DataSet.read(options.data)
    method = RoiMining(load_config(RoiMining.config_class, run.config))
    network = method.network(initialise=False).eval()
    load_into(network, load_weights(run.weights), str(run.weights))
    training = [i for i, role in run.read_split().items() if role == "train"]
    images: Any = PreparedImages(data, training, method=method)
    batches = [checked(b) for b in loader(images, SequentialSampler(images), batch_size=8, workers=0)]
    with torch.inference_mode():
        maps = map_images(network.first, batches)
    threshold = threshold_of(maps, method.config.mining.sensitivity)
    pixels = {i: p[0].numpy() for b, known in batches for i, p in zip(known.image_ids, b, strict=True)}
    chosen = [
        name
        for label in (1, 0)
        for name in [i for i in training if maps[i].label == label][: options.tiles // 2]
    ]
    tiles = [tile_of(pixels[i], maps[i], method, threshold, i) for i in chosen]
    half = len(tiles) // 2
    sheet = np.vstack([np.hstack(tiles[:half]), np.hstack(tiles[half : 2 * half])])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.out), sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(f"p-hat {threshold:.3f}; {options.out}")


if __name__ == "__main__":
    main()
