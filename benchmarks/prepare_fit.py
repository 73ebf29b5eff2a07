"""Fits the weights of polarity and of the fingers' end, and writes src/crepitus/prepare/fitted.py."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from crepitus.prepare.axis import end_features
from crepitus.prepare.edges import edges, inside_frame, most_frequent
from crepitus.prepare.polarity import polarity_features
from prepare_faults import framed, grey_background
from prepare_phantoms import Base, stored

SEED = 42
"""Of the phantoms that are fitted to; prepare_steps.py judges on others."""

HEAD = '"""Weights fitted by benchmarks/prepare_fit.py; run it again after a change of the features."""\n'


def polarity_rows(pictures: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Features of plain, grey and framed pictures, as if bone were bright in all of them."""
    rng = np.random.default_rng(1)
    rows = []
    for pixels in pictures:
        for given in (pixels, grey_background(rng, pixels)):
            rows.append(polarity_features(given.astype(np.float32) / 255))
            for inverse in (False, True):
                shown, _ = framed(rng, 255 - given if inverse else given)
                features = polarity_features(shown.astype(np.float32) / 255)
                rows.append(-features if inverse else features)
    return np.array(rows)


def end_rows(bases: list[Base]) -> NDArray[np.float64]:
    """Features of the ends with fingers, of plain and of grey pictures."""
    rng = np.random.default_rng(2)
    rows = []
    for base in bases:
        for given in (base.pixels, grey_background(rng, base.pixels), grey_background(rng, base.pixels)):
            picture = given.astype(np.float32) / 255
            left, top, right, bottom = inside_frame(picture)
            found = edges(picture[top:bottom, left:right])
            counted = np.histogram(found.direction, 180, (0.0, 180.0), weights=found.contrast)[0]
            axis = most_frequent(counted)
            fingers_up = np.cos(np.radians(axis - (base.angle - 90.0))) > 0
            rows.append(end_features(found, axis if fingers_up else axis - 180.0))
    return np.array(rows)


def fit(rows: NDArray[np.float64], penalty: float) -> tuple[str, float]:
    """Weights as Python, and the share of rows on the right side."""
    model = LogisticRegression(C=penalty, fit_intercept=False, max_iter=5000)
    model.fit(np.concatenate([rows, -rows]), np.repeat([1, 0], len(rows)))
    weights = model.coef_[0]
    lines = ["    " + " ".join(f"{w:.4f}," for w in weights[at : at + 8]) for at in range(0, len(weights), 8)]
    return "(\n" + "\n".join(lines) + "\n)", float((rows @ weights > 0).mean())


def main() -> int:
    """Fit, print how well the rows that were fitted to are divided, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("build/prepare-phantoms"))
    parser.add_argument("--count", type=int, default=280)
    parser.add_argument("--real", type=Path, nargs="*", default=[], help="radiographs with bright bone, JPEG")
    arguments = parser.parse_args()
    bases = stored(arguments.cache, SEED, arguments.count)
    pictures = [base.pixels for base in bases]
    for path in arguments.real:
        real = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if real is not None:
            ratio = 256 / max(real.shape)
            pictures.append(cv2.resize(real, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA))
    polarity, right = fit(polarity_rows(pictures), 3.0)
    end, right_end = fit(end_rows(bases), 0.3)
    print(f"polarity: {right:.4f} of {len(pictures)} pictures and their faults; end: {right_end:.4f}")
    target = Path(__file__).parents[1] / "src" / "crepitus" / "prepare" / "fitted.py"
    target.write_text(
        f"{HEAD}\nEND_WEIGHTS: tuple[float, ...] = {end}\n"
        '"""Of `axis.end_features`: positive where the end has the fingers."""\n\n'
        f"POLARITY_WEIGHTS: tuple[float, ...] = {polarity}\n"
        '"""Of `polarity.polarity_features`: positive where bone is bright."""\n',
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
