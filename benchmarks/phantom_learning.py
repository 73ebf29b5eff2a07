"""Does a model have to look for the fracture? A small residual network on phantoms, with image labels only.

    python benchmarks/phantom_learning.py femur --out build/learning-femur.json --plot build/recall-femur.png

Trains on fresh phantoms, then reports: AUROC on unseen ones; AUROC on their unbroken twins, in which every
fracture is missing and all else is the same (chance, if nothing but the fracture gives the label away); and
recall over five bins of the visibility figure. Images are kept in --cache and made once.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import torch
from sklearn.metrics import roc_auc_score
from timm.models.resnet import BasicBlock, ResNet

from crepitus.methods.parts.precision import autocast
from crepitus.phantom.generate import Request, make_image
from record import write_result

SPECIFICITY = 0.9
BINS = 5


def images(
    request: Request, count: int, cache: Path, *, twins: bool = False
) -> tuple[np.ndarray, np.ndarray | None, pl.DataFrame]:
    """Pixels (count, size, size), uint8; those of the unbroken twins; the columns. Made once per request."""
    name = f"{request.scene}-{request.preset}-{request.seed}-{request.size}-{count}"
    pixels_file, table_file = cache / f"{name}.npy", cache / f"{name}.parquet"
    twins_file = cache / f"{name}-twins.npy"
    if not table_file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # As many chunks as keep two processes busy; each image depends on its number only.
        chunks = [range(low, min(low + 20, count)) for low in range(0, count, 20)]
        pixels, other, rows = [], [], []
        with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
            for done in pool.map(partial(_chunk, request, twins), chunks):
                for image, twin, columns in done:
                    pixels.append(image)
                    other.append(twin)
                    rows.append(columns)
                print(f"{name}: {len(rows)} of {count}", flush=True)
        np.save(pixels_file, np.stack(pixels))
        if twins:
            np.save(twins_file, np.stack(other))
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(table_file)
    unbroken = np.load(twins_file) if twins else None
    return np.load(pixels_file), unbroken, pl.read_parquet(table_file)


def _chunk(request: Request, twins: bool, numbers: range) -> list[tuple[np.ndarray, np.ndarray, dict]]:
    """Images, their twins and their columns; the twin of an unbroken image is the image itself."""
    cv2.setNumThreads(1)
    done = []
    for number in numbers:
        sample = make_image(request, number)
        twin = sample.radiograph.pixels
        if twins and sample.columns["fractured"]:
            twin = make_image(replace(request, twin=True), number).radiograph.pixels
        columns = {**sample.columns, "label": sample.annotation.label}
        done.append((sample.radiograph.pixels, twin, columns))
    return done


def augmented(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirrored, turned up to 10 degrees, shifted up to 5 %, scaled up to 8 %, brighter or darker."""
    n = len(batch)

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    angle, scale = torch.deg2rad(uniform(-10, 10)), uniform(0.92, 1.08)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = flip * scale * torch.cos(angle), -scale * torch.sin(angle)
    theta[:, 1, 0], theta[:, 1, 1] = flip * scale * torch.sin(angle), scale * torch.cos(angle)
    theta[:, :, 2] = 0.1 * (torch.rand(n, 2, generator=generator) - 0.5)
    grid = torch.nn.functional.affine_grid(theta, list(batch.shape), align_corners=False)
    moved = torch.nn.functional.grid_sample(batch, grid, padding_mode="zeros", align_corners=False)
    gain, shift = uniform(0.85, 1.15).view(-1, 1, 1, 1), uniform(-0.1, 0.1).view(-1, 1, 1, 1)
    return moved * gain + shift


def prepared(pixels: np.ndarray) -> torch.Tensor:
    """Pixels as (n, 1, size, size), float32, about -2 to 2."""
    return (torch.from_numpy(pixels).float() / 255.0 - 0.4)[:, None] / 0.25


def scores(network: torch.nn.Module, pixels: np.ndarray, batch: int = 64) -> np.ndarray:
    """Logits of all images."""
    network.eval()
    found = []
    with torch.inference_mode(), autocast("auto", "cpu"):
        for start in range(0, len(pixels), batch):
            x = prepared(pixels[start : start + batch]).to(memory_format=torch.channels_last)
            found.append(network(x)[:, 0].float())
    return torch.cat(found).numpy()


def small_network() -> torch.nn.Module:
    """Four residual blocks, 16 to 128 channels: trains on two processor cores in minutes."""
    stem = {"stem_width": 8, "stem_type": "deep"}
    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=1, in_chans=1, channels=(16, 32, 64, 128), **stem)


def trained(
    pixels: np.ndarray, labels: np.ndarray, watch: tuple[np.ndarray, np.ndarray], options: argparse.Namespace
) -> torch.nn.Module:
    """A network trained on image labels; prints the AUROC on the images of `watch` as it goes."""
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    network = small_network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.lr, weight_decay=0.02)
    steps = options.epochs * (len(pixels) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.lr, total_steps=steps, pct_start=0.15)
    target = torch.tensor(labels, dtype=torch.float32)
    for epoch in range(options.epochs):
        network.train()
        order = torch.randperm(len(pixels), generator=generator)
        total = 0.0
        for start in range(0, len(order) - options.batch + 1, options.batch):
            pick = order[start : start + options.batch]
            x = augmented(prepared(pixels[pick.numpy()]), generator).to(memory_format=torch.channels_last)
            with autocast("auto", "cpu"):
                out = network(x)[:, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(out.float(), target[pick])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        note = ""
        if epoch % 4 == 3 or epoch == options.epochs - 1:
            note = f", AUROC {roc_auc_score(watch[1], scores(network, watch[0])):.3f}"
        print(f"epoch {epoch + 1}: loss {total / (len(order) // options.batch):.4f}{note}", flush=True)
    return network


def recall_by_visibility(found: np.ndarray, table: pl.DataFrame) -> list[dict[str, float]]:
    """Recall at a specificity of 90 % in five bins of equal count."""
    threshold = float(np.quantile(found[(table["fractured"] == 0).to_numpy()], SPECIFICITY))
    broken = ((table["fractured"] == 1) & table["visibility"].is_not_null()).to_numpy()
    visibility, hit = table["visibility"].to_numpy()[broken], found[broken] > threshold
    order = np.argsort(visibility)
    bins = []
    for part in np.array_split(order, BINS):
        low, high = float(visibility[part].min()), float(visibility[part].max())
        recall = float(hit[part].mean())
        error = 1.96 * (recall * (1 - recall) / len(part)) ** 0.5
        bins.append({"low": low, "high": high, "count": len(part), "recall": recall, "half_interval": error})
    return bins


def plot(bins: list[dict[str, float]], out: Path, title: str) -> None:
    """Recall over visibility."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    middle = [np.sqrt(max(b["low"], 0.02) * b["high"]) for b in bins]
    axes.errorbar(
        middle, [b["recall"] for b in bins], [b["half_interval"] for b in bins], marker="o", capsize=3
    )
    for x, b in zip(middle, bins, strict=True):
        axes.annotate(f"n = {b['count']}", (x, b["recall"]), (0, 10), textcoords="offset points", ha="center")
    axes.set(xscale="log", ylim=(0, 1.05), title=title)
    axes.set(xlabel="visibility: contrast to noise along the line", ylabel="recall at 90 % specificity")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(out, dpi=110)


def main() -> None:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene")
    parser.add_argument("--train", type=int, default=2000)
    parser.add_argument("--test", type=int, default=2200)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("build/phantom-cache"))
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    request = {"scene": options.scene, "size": options.size, "preset": options.preset}
    x, _, table = images(Request(seed=1000 + options.seed, **request), options.train, options.cache)
    tx, wx, test = images(
        Request(seed=2000 + options.seed, **request), options.test, options.cache, twins=True
    )
    truth = test["fractured"].to_numpy()
    network = trained(x, table["fractured"].to_numpy(), (tx[:400], truth[:400]), options)
    found, twins = scores(network, tx), scores(network, wx)
    bins = recall_by_visibility(found, test)
    if options.plot:
        plot(
            bins,
            options.plot,
            f"{options.scene}: image labels, {options.train} images",
        )
    figures = {
        "scene": options.scene,
        "train_images": len(x),
        "test_images": len(tx),
        "auroc": float(roc_auc_score(truth, found)),
        "auroc_of_unbroken_twins": float(roc_auc_score(truth, twins)),
        "recall_by_visibility": bins,
    }
    write_result(figures, seed=options.seed, out=options.out)


if __name__ == "__main__":
    main()
