"""Where several methods look: their heatmaps and best boxes over the same images, as Fig. 4 of paper 002.

    python benchmarks/femur_sheet.py DATASET LBM=PREDICTIONS STN=PREDICTIONS ... --out docs/images/femur.jpg

Green is the region of interest, orange the fracture, red the best box of the method. Below each image stands
its true class, or the class that the method says.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import polars as pl

from crepitus.data import DataSet
from crepitus.methods.femur.classes import reading
from crepitus.predict import Predictions
from crepitus.report.overlay import overlay, windowed

GREEN, ORANGE, RED = (80, 220, 80), (255, 160, 40), (240, 60, 60)


def framed(
    picture: np.ndarray, box: np.ndarray, shape: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    """Draw a box in pixels of an image of `shape` onto its picture (h, w, 3)."""
    scale = np.array([picture.shape[1] / shape[1], picture.shape[0] / shape[0]] * 2)
    x0, y0, x1, y1 = np.rint(box * scale).astype(int).tolist()
    cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), colour, 2, cv2.LINE_AA)


def titled(picture: np.ndarray, text: str) -> np.ndarray:
    """The picture with a line of text below."""
    bar = np.full((20, picture.shape[1], 3), 24, np.uint8)
    cv2.putText(bar, text, (5, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([picture, bar])


def said(predictions: Predictions, image_id: str) -> str:
    """The answers from the top of the hierarchy, with the probability of the last."""
    row = predictions.images.row(by_predicate=pl.col("image_id") == image_id, named=True)
    names = predictions.classes
    path = reading([row[f"score_{name}"] for name in names], names)
    last = path[-1]
    return f"{last} {row[f'score_{last}']:.2f}"


def answer(data: DataSet, predictions: Predictions, image_id: str, side: int) -> np.ndarray:
    """What one method says about one image."""
    pixels = data.radiograph(image_id).pixels
    heatmap = predictions.heatmap(image_id) if predictions.has_heatmaps else None
    picture = overlay(pixels, heatmap, longest=side).copy()
    if image_id in data.regions_by_image:
        framed(picture, data.regions_by_image[image_id], pixels.shape, GREEN)
    if predictions.detections is not None:
        found = predictions.detections.filter(pl.col("image_id") == image_id).sort("score", descending=True)
        if found.height:
            box = found.select("x_min", "y_min", "x_max", "y_max").to_numpy()[0]
            framed(picture, box, pixels.shape, RED)
    return picture


def truth(data: DataSet, image_id: str, side: int) -> np.ndarray:
    """The image with its fractures."""
    pixels = data.radiograph(image_id).pixels
    grey = windowed(pixels, side)
    picture = np.repeat(grey[:, :, None], 3, axis=2) if grey.ndim == 2 else grey.copy()
    for box in data.fracture_boxes_by_image.get(image_id, np.zeros((0, 4))):
        framed(picture, box, pixels.shape, ORANGE)
    return titled(picture, str(data.row(image_id)["ao_class"]))


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("predictions", nargs="+", help="NAME=FOLDER")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=5)
    parser.add_argument("--side", type=int, default=224)
    options = parser.parse_args()
    data = DataSet.read(options.data)
    named = {
        n: Predictions.read(Path(f)) for n, _, f in (text.partition("=") for text in options.predictions)
    }
    common = set.intersection(*(set(p.images["image_id"]) for p in named.values()))
    broken = [i for i in data.images["image_id"] if i in common and data.truth[i] == 1]
    whole = [i for i in data.images["image_id"] if i in common and data.truth[i] == 0]
    rows = []
    for image_id in [*broken[: options.rows - 1], *whole[:1]]:
        tiles = [truth(data, image_id, options.side)]
        for name, predictions in named.items():
            picture = answer(data, predictions, image_id, options.side)
            tiles.append(titled(picture, f"{name}: {said(predictions, image_id)}"))
        rows.append(np.hstack(tiles))
    cv2.imwrite(str(options.out), np.vstack(rows)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    print(f"{len(rows)} images x {len(named)} methods into {options.out}")


if __name__ == "__main__":
    main()
