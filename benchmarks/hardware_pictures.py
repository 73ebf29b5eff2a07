"""Plot and overlays of `hardware_confounder.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from crepitus.explain.overlay import colour_limit, overlay
from hardware_images import Pairs

TILE = 176
SMOOTH_PX = 2.0

# Okabe and Ito.
COLOURS = {"kept": "#000000", "cut": "#D55E00", "hardware_0": "#0072B2", "hardware_1": "#E69F00"}
WORDS = {
    "kept": "correlation as in training",
    "cut": "correlation cut",
    "hardware_0": "cut, without metal",
    "hardware_1": "cut, with metal",
}


class Found(Protocol):
    """Scores and maps of the test persons."""

    bare: np.ndarray
    metal: np.ndarray
    maps: np.ndarray


def _line(axes: Any, figures: dict[str, Any], name: str, shift: float, **style: Any) -> None:
    """One figure over the correlations, with its intervals."""
    correlations = sorted({float(key.split(f".{name}")[0]) for key in figures if key.endswith(f".{name}")})
    values = np.array([figures[f"{c:g}.{name}"] for c in correlations])
    ends = np.array([figures[f"{c:g}.{name}.ci95"] for c in correlations]).T
    errors = np.maximum(np.stack([values - ends[0], ends[1] - values]), 0)
    axes.errorbar(np.array(correlations) + shift, values, errors, marker="o", capsize=3, **style)


def plot(methods: dict[str, dict[str, Any]], out: Path) -> None:
    """AUROC, change of the score by metal, and relevance on metal over the correlation of the training."""
    import matplotlib.pyplot as plt

    figure, rows = plt.subplots(len(methods), 3, figsize=(11, 3.3 * len(methods)), squeeze=False)
    for (name, figures), (areas, change, share) in zip(methods.items(), rows, strict=True):
        for k, key in enumerate(COLOURS):
            _line(areas, figures, f"auroc.{key}", 0.012 * k, color=COLOURS[key], label=WORDS[key])
        areas.axhline(0.5, linestyle="--", color="grey")
        areas.set(ylabel=f"{name}\nAUROC", ylim=(0.3, 1.02))
        for k, (key, colour) in enumerate((("whole", "#0072B2"), ("broken", "#D55E00"))):
            _line(
                change, figures, f"score_change_by_metal_{key}", 0.012 * k, color=colour, label=f"{key} bones"
            )
        change.axhline(0, linestyle="--", color="grey")
        change.set(ylabel="change of the score by metal", ylim=(-0.3, 1))
        for k, (key, colour) in enumerate((("metal", "#009E73"), ("fracture", "#CC79A7"))):
            _line(share, figures, f"relevance_over_area_of_{key}", 0.012 * k, color=colour, label=f"on {key}")
        share.axhline(1, linestyle="--", color="grey")
        share.set(ylabel="share of relevance / of area", ylim=(0, None))
    for axes in rows[-1]:
        axes.set_xlabel("correlation of metal with fracture in training")
    for axes in rows[0]:
        axes.legend(fontsize=8)
    for axes in rows.ravel():
        axes.grid(alpha=0.3)
        axes.set_xticks([0, 0.5, 0.9])
    figure.tight_layout()
    figure.savefig(out, dpi=90)


def _tile(picture: np.ndarray, text: str) -> np.ndarray:
    """A picture of TILE pixels with a line of text above it."""
    image = Image.new("RGB", (TILE, TILE + 20), (24, 24, 24))
    image.paste(Image.fromarray(picture), (0, 20))
    font = ImageFont.load_default(size=13)
    ImageDraw.Draw(image).text((4, 2), text, fill=(235, 235, 235), font=font)
    return np.asarray(image)


def _large(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_LINEAR)


def sheet(test: Pairs, every: dict[str, dict[float, Found]], out: Path, persons: int = 2) -> None:
    """Overlays of the first test persons of each label with metal, by every network; score above each."""
    chosen = [k for label in (0, 1) for k in np.flatnonzero(test.label == label)[:persons]]
    rows = []
    for k in chosen:
        grey = _large(test.metal[k])
        word = "broken" if test.label[k] else "whole"
        row = [_tile(np.repeat(grey[..., None], 3, axis=2), word)]
        for name, networks in every.items():
            for correlation, found in networks.items():
                drawn = _large(found.maps[k].astype(np.float32))
                limit = colour_limit(cv2.GaussianBlur(drawn, (0, 0), SMOOTH_PX))
                shown = overlay(grey, drawn, limit=limit, smooth_px=SMOOTH_PX)
                row.append(_tile(shown, f"{name[6:]} {correlation:g}: {found.metal[k]:.2f}"))
        rows.append(np.concatenate(row, axis=1))
    Image.fromarray(np.concatenate(rows)).save(out, quality=85)
