"""Makes wrist studies in which no single view decides, to judge study rules and the aggregator.

    crepitus phantom wrist --count 480 --size 128 --seed 77 --preset easy --twin --out build/unbroken
    python benchmarks/wrist_views.py build/unbroken --out build/views

Every image is the region around the distal radius of an unbroken phantom. A dark line across the radius is
the sign. Fractures (half of the studies) show it in both views. Studies without a fracture show it in the
frontal view only, in the lateral view only, or in neither, a third each: a line that the other view does
not confirm is a fold, a vessel canal or an edge. So a view with the sign is of a fractured study three
times in four, and nothing in it says more: the two views decide together. At least one of them cannot: if
all signs look alike, the highest score has an AUROC of 1/3 + 2/3 * 1/2 = 2/3 over studies; if their
strengths vary at random, two of them have the higher maximum than one two times in three, which makes 1/3 +
2/3 * 2/3 = 7/9.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from crepitus.data import DataSet, DataSetWriter
from crepitus.structures import Annotation, Radiograph

KINDS = ("both", "frontal", "lateral", "neither")
SHARES = (1 / 2, 1 / 6, 1 / 6, 1 / 6)
SHOWN = {"both": ("PA", "LM"), "frontal": ("PA",), "lateral": ("LM",), "neither": ()}

DEPTH = 0.45
"""How much of the signal is missing in the middle of the line."""

SIGMA = 0.011
"""Half width of the line, part of the side of the image."""


def with_line(
    pixels: np.ndarray, landmarks: dict[str, np.ndarray], generator: np.random.Generator
) -> np.ndarray:
    """A dark line across the distal radius, 8 to 18 % of the side below the joint.

    Args:
        pixels: shape (side, side), uint8 or uint16.
        landmarks: (x, y) by name, without the side of the patient.
        generator: source of place, tilt and length.
    """
    side = pixels.shape[0]
    joint = landmarks["lunate-fossa"]
    down = joint - landmarks["capitate"]
    down = down / np.linalg.norm(down)
    centre = (joint + landmarks["radial-styloid"]) / 2 + down * generator.uniform(0.08, 0.18) * side
    tilt = np.deg2rad(generator.uniform(-20, 20))
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    along = turn @ np.array([-down[1], down[0]])
    across = np.array([-along[1], along[0]])
    y, x = np.indices(pixels.shape) + 0.5
    from_centre = np.stack([x - centre[0], y - centre[1]], axis=-1)
    length = generator.uniform(0.07, 0.11) * side
    beside, ahead = from_centre @ across, from_centre @ along
    profile = np.exp(-0.5 * (beside / (SIGMA * side)) ** 2) / (1 + np.exp((np.abs(ahead) - length) / 1.0))
    return np.rint(pixels * (1 - DEPTH * profile)).astype(pixels.dtype)


def around_joint(pixels: np.ndarray, landmarks: dict[str, np.ndarray]) -> np.ndarray:
    """The half of the side around the distal radius, moved into the image where it would leave it."""
    half = pixels.shape[0] // 2
    down = landmarks["lunate-fossa"] - landmarks["capitate"]
    centre = landmarks["lunate-fossa"] + 0.1 * pixels.shape[0] * down / np.linalg.norm(down)
    left, top = np.clip(np.rint(centre - half / 2), 0, pixels.shape[0] - half).astype(int)
    return np.ascontiguousarray(pixels[top : top + half, left : left + half])


def main() -> None:
    """Write the data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=4, help="made of each phantom study")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = DataSet.read(options.source)
    places: dict[str, dict[str, np.ndarray]] = {}
    for image_id, name, x, y in data.landmarks.select("image_id", "name", "x", "y").iter_rows():
        places.setdefault(image_id, {})[name.rsplit("-", 1)[0]] = np.array([x, y])
    studies = data.images.group_by("study_id", maintain_order=True).agg("image_id", "view")
    info = {"name": "wrist-views", "licence": "CC0-1.0", "source": "benchmarks/wrist_views.py"}
    with DataSetWriter(options.out, {**info, "seed": options.seed}) as writer:
        for number, (study, image_ids, views) in enumerate(studies.iter_rows()):
            needed = ("lunate-fossa", "capitate", "radial-styloid")
            if len(image_ids) < 2 or any(n not in places.get(i, {}) for i in image_ids for n in needed):
                continue
            for copy in range(options.studies):
                generator = np.random.default_rng([options.seed, number, copy])
                kind = str(generator.choice(KINDS, p=SHARES))
                for image_id, view in zip(image_ids, views, strict=True):
                    pixels = data.radiograph(image_id).pixels
                    if view in SHOWN[kind]:
                        pixels = with_line(pixels, places[image_id], generator)
                    writer.add(
                        Radiograph(f"{image_id}-{copy}", around_joint(pixels, places[image_id])),
                        Annotation(label=int(kind == "both")),
                        study_id=f"{study}-{copy}",
                        patient_id=study,
                        view=view,
                        body_part="WRIST",
                        signs=kind,
                    )
    table = pl.read_parquet(options.out / "images.parquet")
    print(table.group_by("signs").len().sort("signs"))


if __name__ == "__main__":
    main()
