"""Does a model have to look for the fracture? A small residual network on phantoms, with image labels only.

    python benchmarks/phantom_learning.py femur --out build/learning-femur.json --plot build/recall-femur.png

Trains on broken phantoms and the same persons unbroken, then reports on persons that it has not seen: AUROC;
AUROC with every fracture replaced by its unbroken twin (chance, if nothing but the fracture gives the label
away); AUROC with metal, gas, casts, markers and exposure taken from unbroken studies (unchanged, if they do
not); AUROC of a model that knows these and not the image (chance); AUROC of a second network that learned the
labels from images without any fracture (chance); and recall over five bins of visibility. Images are kept in
--cache and made once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from timm.models.resnet import BasicBlock, ResNet

from crepitus.evaluate.delong import delong
from crepitus.phantom.generate import Request
from phantom_images import made, numbers_of
from record import write_result

SPECIFICITY = 0.9
BINS = 5

CONFOUNDERS = (
    *("view", "laterality", "kilovolt", "sex", "age", "bone_quality", "hardware", "metal_kind", "cast"),
    *("gas", "gas_over_pubis", "gas_over_sacrum", "nutrient_canal", "bone_island", "healed_fracture"),
    *("bangle", "clothing", "skin_fold", "catheter"),
)


def upright(pixels: np.ndarray, table: pl.DataFrame) -> np.ndarray:
    """Left sides mirrored, so that all are right ones; shape (n, size, size)."""
    left = (table["laterality"] == "L").to_numpy()
    return np.where(left[:, None, None], pixels[:, :, ::-1], pixels)


def draw_changes(n: int, generator: torch.Generator) -> torch.Tensor:
    """Turn (radians), logarithm of the scale, two shifts, logarithm of gamma: shape (n, 5)."""
    reach = torch.tensor([0.2, 0.12, 0.1, 0.1, 0.3])
    return reach * (2 * torch.rand(n, 5, generator=generator) - 1)


def prepared(pixels: np.ndarray, crop: int, changes: torch.Tensor | None = None) -> torch.Tensor:
    """The middle of the images, changed, with mean 0 and deviation 1: (n, 1, crop, crop), float32."""
    n = len(pixels)
    changes = torch.zeros(n, 5) if changes is None else changes
    x = torch.from_numpy(np.ascontiguousarray(pixels)).float()[:, None] / 255
    scale = crop / pixels.shape[-1] * torch.exp(changes[:, 1])
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = scale * torch.cos(changes[:, 0])
    theta[:, 1, 0] = scale * torch.sin(changes[:, 0])
    theta[:, 0, 1] = -theta[:, 1, 0]
    theta[:, :, 2] = changes[:, 2:4]
    grid = torch.nn.functional.affine_grid(theta, [n, 1, crop, crop], align_corners=False)
    x = torch.nn.functional.grid_sample(x, grid, align_corners=False)
    x = x.clamp(1e-4, 1) ** torch.exp(changes[:, 4]).view(-1, 1, 1, 1)
    mean, spread = x.mean((1, 2, 3), keepdim=True), x.std((1, 2, 3), keepdim=True)
    return ((x - mean) / (spread + 0.02)).contiguous(memory_format=torch.channels_last)


def scores(network: torch.nn.Module, pixels: np.ndarray, crop: int, batch: int = 64) -> np.ndarray:
    """Logits of all images."""
    network.eval()
    with torch.inference_mode():
        parts = [network(prepared(pixels[k : k + batch], crop))[:, 0] for k in range(0, len(pixels), batch)]
    return torch.cat(parts).numpy()


def small_network() -> torch.nn.Module:
    """Four residual blocks, 16 to 128 channels, random weights: trains on one processor core in minutes."""
    stem = {"stem_width": 8, "stem_type": "deep"}
    network = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=1, in_chans=1, channels=(16, 32, 64, 128), **stem)
    return network.to(memory_format=torch.channels_last)


def trained(
    positive: np.ndarray, negative: np.ndarray, options: argparse.Namespace, *, paired: bool
) -> torch.nn.Module:
    """A network trained on image labels; half of each batch is positive.

    If they are `paired`, a batch holds broken persons and the same persons unbroken, changed alike: what
    differs between persons, which is far more than a fracture, cancels out of the gradient.
    """
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    network, half = small_network(), options.batch // 2
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.lr, weight_decay=0.05)
    steps = len(positive) // half
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.lr, total_steps=options.epochs * steps, pct_start=0.15
    )
    target = torch.cat([torch.ones(half), torch.zeros(half)])
    for epoch in range(options.epochs):
        network.train()
        order = torch.randperm(len(positive), generator=generator).numpy()
        other = order if paired else torch.randperm(len(negative), generator=generator).numpy()
        total = told_apart = 0.0
        for step in range(steps):
            now = slice(step * half, (step + 1) * half)
            changes = (
                draw_changes(half, generator).repeat(2, 1) if paired else draw_changes(2 * half, generator)
            )
            pixels = np.concatenate([positive[order[now]], negative[other[now]]])
            out = network(prepared(pixels, options.crop, changes))[:, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(out, target)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) / steps
            told_apart += float((out[:half] > out[half:]).float().mean()) / steps
        print(f"epoch {epoch + 1}: loss {total:.4f}, pairs in order {told_apart:.3f}", flush=True)
    return network


def without_fractures(
    train: Request, twins: np.ndarray, positive: np.ndarray, negative: np.ndarray, options: argparse.Namespace
) -> dict[str, object]:
    """AUROC of a network that learns labels from images in which every fracture is missing.

    Pairs cannot teach what goes with the fracture without being one. Twins beside unbroken persons would.

    Args:
        train: what `twins` are made of.
        twins: those of the training set.
        positive: those of the test set.
        negative: unbroken persons of the test set.
        options: as for the network itself.
    """
    whole, columns = made(train, numbers_of(train, options.train)[0], options.cache, ("twin",))
    network = trained(twins, upright(whole["twin"], columns), options, paired=False)
    found = [scores(network, pixels, options.crop) for pixels in (positive, negative)]
    truth = np.repeat([1, 0], [len(positive), len(negative)])
    area = delong(np.concatenate(found)[None].astype(float), truth)
    return {
        "auroc_learned_without_fractures": float(area.auroc[0]),
        "auroc_learned_without_fractures_ci95": area.interval(),
    }


def area_of_confounders(broken: pl.DataFrame, whole: pl.DataFrame) -> float:
    """AUROC of boosted trees that know all that is written about an image but its fracture, five folds."""
    table = pl.concat([broken, whole], how="diagonal_relaxed")
    known = table.select(name for name in CONFOUNDERS if name in table.columns)
    coded = known.with_columns(pl.col(pl.String).cast(pl.Categorical).to_physical())
    x = coded.cast(pl.Float64).fill_null(-1).to_numpy()
    truth = np.repeat([1, 0], [len(broken), len(whole)])
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    groups = table["study_id"].to_numpy()
    found = cross_val_predict(model, x, truth, groups=groups, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(truth, found))


def recall_by_visibility(hit: np.ndarray, visibility: np.ndarray) -> list[dict[str, float]]:
    """Recall with its 95 % half interval in `BINS` bins of equal count, of fractures in the image."""
    seen = np.flatnonzero(~np.isnan(visibility))
    bins = []
    for part in np.array_split(seen[np.argsort(visibility[seen])], BINS):
        recall = float(hit[part].mean())
        bins.append(
            {
                "low": float(visibility[part].min()),
                "median": float(np.median(visibility[part])),
                "high": float(visibility[part].max()),
                "count": len(part),
                "recall": recall,
                "half_interval": 1.96 * (recall * (1 - recall) / len(part)) ** 0.5,
            }
        )
    return bins


def plot(bins: list[dict[str, float]], out: Path, title: str) -> None:
    """Recall over visibility."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    middle, recall = [b["median"] for b in bins], [b["recall"] for b in bins]
    axes.errorbar(middle, recall, [b["half_interval"] for b in bins], marker="o", capsize=3)
    for b in bins:
        at = (b["median"], b["recall"] + b["half_interval"])
        axes.annotate(f"n = {b['count']}", at, (0, 5), textcoords="offset points", ha="center")
    axes.axhline(1 - SPECIFICITY, linestyle="--", color="grey", label="chance")
    axes.set(xscale="log", xlim=(0.7 * middle[0], 1.4 * middle[-1]), ylim=(0, 1.05), title=title)
    ticks = [t for t in (0.5, 1, 2, 5, 10, 20, 50, 100) if 0.7 * middle[0] < t < 1.4 * middle[-1]]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks([], minor=True)
    axes.set(xlabel="visibility: contrast to noise along the line", ylabel="recall at 90 % specificity")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(out, dpi=110)


def arguments() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene")
    parser.add_argument("--train", type=int, default=2000, help="images; half are the twins of the others")
    parser.add_argument("--test", type=int, default=2080, help="images; half are of unbroken persons")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--crop", type=int, default=192, help="side of the middle part that is used")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("build/phantom-cache"))
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def main() -> None:
    """Run the experiment."""
    options = arguments()
    scene = {"scene": options.scene, "size": options.size, "preset": options.preset}
    train, test = Request(seed=1000 + options.seed, **scene), Request(seed=2000 + options.seed, **scene)
    images, table = made(train, numbers_of(train, options.train)[1], options.cache, ("plain", "twin"))
    twins = upright(images["twin"], table)
    network = trained(upright(images["plain"], table), twins, options, paired=True)
    whole_numbers, broken_numbers = numbers_of(test, options.test)
    variants = ("plain", "twin", "exchanged")
    broken, columns = made(test, broken_numbers, options.cache, variants)
    whole, whole_columns = made(test, whole_numbers, options.cache, ("twin",))
    broken = {name: upright(pixels, columns) for name, pixels in broken.items()}
    unbroken = upright(whole["twin"], whole_columns)
    found = {name: scores(network, pixels, options.crop) for name, pixels in broken.items()}
    negative = scores(network, unbroken, options.crop)
    truth = np.repeat([1, 0], [len(columns), len(negative)])
    areas = delong(np.stack([np.concatenate([found[n], negative]) for n in variants]).astype(float), truth)
    threshold = float(np.quantile(negative, SPECIFICITY))
    bins = recall_by_visibility(found["plain"] > threshold, columns["visibility"].cast(pl.Float64).to_numpy())
    figures = {
        "scene": options.scene,
        "preset": options.preset,
        "train_images": 2 * len(table),
        "test_images": len(truth),
        **{f"auroc_{name}": float(areas.auroc[k]) for k, name in enumerate(variants)},
        **{f"auroc_{name}_ci95": areas.interval(k) for k, name in enumerate(variants)},
        "auroc_of_confounders_alone": area_of_confounders(columns, whole_columns),
        **without_fractures(train, twins, broken["twin"], unbroken, options),
        "recall_by_visibility": bins,
    }
    write_result(figures, seed=options.seed, out=options.out)
    if options.plot:
        plot(bins, options.plot, f"{options.scene}: image labels, {2 * len(table)} images")


if __name__ == "__main__":
    main()
