"""Phantoms beside real radiographs: grey levels, power spectrum and the profile across cortex.

    python benchmarks/phantom_realism.py --real FracAtlas/images --list hip.txt --scene femur --out realism

The same functions measure both. Real images are any folder of files, restricted to the names in --list.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from crepitus.phantom.generate import Request, make_images
from record import write_result

SIDE = 384
"""Images are brought to this longer side before anything is measured."""

BAND = (8, 96)
"""Cycles per image between which the slope of the spectrum is fitted."""

PROFILE = 12
"""Half length in pixels of the profile across an edge."""


def brought(pixels: np.ndarray) -> np.ndarray:
    """Grey levels 0..1 with the longer side `SIDE`."""
    scale = SIDE / max(pixels.shape)
    size = (max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(pixels, size, interpolation=way).astype(np.float64) / np.iinfo(pixels.dtype).max


def histogram(image: np.ndarray) -> np.ndarray:
    """Share of pixels in 32 grey levels, black border left out."""
    counts, _ = np.histogram(image[image > 4 / 255], bins=32, range=(0, 1))
    return counts / max(1, counts.sum())


def spectrum_slope(image: np.ndarray) -> float:
    """Slope of the logarithm of radial power over the logarithm of frequency, middle square, Hann window."""
    side = min(image.shape)
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = image[top : top + side, left : left + side]
    window = np.hanning(side)
    power = np.abs(np.fft.fftshift(np.fft.fft2((square - square.mean()) * window[:, None] * window))) ** 2
    y, x = np.indices(power.shape) - side // 2
    radius = np.hypot(x, y).astype(int)
    radial = np.bincount(radius.ravel(), power.ravel()) / np.maximum(1, np.bincount(radius.ravel()))
    frequency = np.arange(BAND[0], min(BAND[1], side // 2))
    return float(np.polyfit(np.log(frequency), np.log(radial[frequency] + 1e-12), 1)[0])


def cortex_profile(image: np.ndarray, count: int = 40) -> np.ndarray:
    """Mean profile across the strongest edges, outside to bone, rescaled to 0..1, shape (2 PROFILE + 1,)."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    gx, gy = (cv2.Sobel(smooth, cv2.CV_64F, *d) for d in ((1, 0), (0, 1)))
    size = np.hypot(gx, gy)
    inner = np.zeros_like(size)
    m = 3 * PROFILE
    inner[m:-m, m:-m] = size[m:-m, m:-m]
    # Edges of collimation and plates are perfectly straight and far stronger: the top is left out.
    inner[inner > np.quantile(inner, 0.998)] = 0
    profiles = []
    for _ in range(count):
        row, column = np.unravel_index(int(inner.argmax()), inner.shape)
        if inner[row, column] <= 0:
            break
        direction = np.array([gy[row, column], gx[row, column]]) / size[row, column]
        at = np.array([row, column]) + np.arange(-PROFILE, PROFILE + 1)[:, None] * direction
        line = cv2.remap(
            smooth.astype(np.float32),
            at[:, 1].astype(np.float32),
            at[:, 0].astype(np.float32),
            cv2.INTER_LINEAR,
        ).ravel()
        profiles.append((line - line.min()) / max(1e-6, float(np.ptp(line))))
        inner[max(0, row - 8) : row + 9, max(0, column - 8) : column + 9] = 0
    return np.mean(profiles, axis=0) if profiles else np.full(2 * PROFILE + 1, np.nan)


def measured(images: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """All figures of a set of images."""
    ready = [brought(image) for image in images]
    return {
        "histogram": np.mean([histogram(i) for i in ready], axis=0),
        "slope": np.array([spectrum_slope(i) for i in ready]),
        "profile": np.nanmean([cortex_profile(i) for i in ready], axis=0),
    }


def real_images(folder: Path, names: set[str] | None, most: int) -> list[np.ndarray]:
    """Readable images of a folder and its subfolders."""
    files = sorted(f for f in folder.rglob("*.jpg") if names is None or f.name in names)
    loaded = (cv2.imread(str(f), cv2.IMREAD_GRAYSCALE) for f in files[: 2 * most])
    return [image for image in loaded if image is not None][:most]


def plot(found: dict[str, dict[str, np.ndarray]], out: Path) -> None:
    """Histogram, slopes and edge profile side by side."""
    import matplotlib.pyplot as plt

    figure, (a, b, c) = plt.subplots(1, 3, figsize=(12, 3.6))
    for name, figures in found.items():
        a.plot(np.linspace(0, 1, 32), figures["histogram"], label=name)
        b.hist(figures["slope"], bins=np.linspace(-6, -1, 41), alpha=0.6, density=True, label=name)
        c.plot(np.arange(-PROFILE, PROFILE + 1), figures["profile"], label=name)
    a.set(title="grey levels", xlabel="grey level", ylabel="share of pixels")
    b.set(title="slope of the radial power spectrum", xlabel="slope", ylabel="density")
    c.set(title="profile across strong edges", xlabel=f"pixels of {SIDE}", ylabel="rescaled grey level")
    for axes in (a, b, c):
        axes.legend()
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(out, dpi=110)


def main() -> None:
    """Measure both and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--list", type=Path, help="file names to use, one per line")
    parser.add_argument("--scene", required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--out", type=Path, required=True, help="without ending: .json and .png are written")
    options = parser.parse_args()
    names = set(options.list.read_text().split()) if options.list else None
    request = Request(options.scene, options.seed, SIDE)
    found = {
        "real": measured(real_images(options.real, names, options.count)),
        "phantom": measured(s.radiograph.pixels for s in make_images(request, options.count)),
    }
    plot(found, options.out.with_suffix(".png"))
    real, phantom = found["real"], found["phantom"]
    figures = {
        "scene": options.scene,
        "images": options.count,
        "histogram_distance": float(0.5 * np.abs(real["histogram"] - phantom["histogram"]).sum()),
        "slope_real": [float(real["slope"].mean()), float(real["slope"].std())],
        "slope_phantom": [float(phantom["slope"].mean()), float(phantom["slope"].std())],
        "profile_rms_difference": float(np.sqrt(np.nanmean((real["profile"] - phantom["profile"]) ** 2))),
    }
    write_result(figures, seed=options.seed, out=options.out.with_suffix(".json"))


if __name__ == "__main__":
    main()
