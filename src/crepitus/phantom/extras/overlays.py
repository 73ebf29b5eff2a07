"""Everything flat of one exposure: markers, clothing, folds, tubes; none of it knows of a fracture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crepitus.phantom.extras.canvas import Canvas
from crepitus.phantom.extras.cloth import (
    draw_buttons,
    draw_creases,
    draw_fabric,
    draw_seam,
    draw_skin_folds,
    draw_zip,
)
from crepitus.phantom.extras.lines import draw_bladder_catheter, draw_electrodes, draw_infusion_line
from crepitus.phantom.extras.marks import draw_marker
from crepitus.phantom.scene import Overlay
from crepitus.phantom.xray.physics import GridLines

Generator = np.random.Generator

_TRUNK = ("pelvis", "hip")

SHARES: dict[str, dict[str, float]] = {
    "marker": {"pelvis": 0.55, "hip": 0.55, "wrist": 0.6},
    "creases": {"pelvis": 0.5, "hip": 0.45, "wrist": 0.15},
    "fabric": {"pelvis": 0.3, "hip": 0.25, "wrist": 0.05},
    "seam": {"pelvis": 0.12, "hip": 0.12, "wrist": 0.03},
    "buttons": {"pelvis": 0.06, "hip": 0.04, "wrist": 0.02},
    "zip": {"pelvis": 0.03, "hip": 0.02, "wrist": 0.0},
    "skin folds": {"pelvis": 0.35, "hip": 0.3, "wrist": 0.0},
    "bladder catheter": {"pelvis": 0.1, "hip": 0.0, "wrist": 0.0},
    "infusion line": {"pelvis": 0.06, "hip": 0.04, "wrist": 0.05},
    "electrodes": {"pelvis": 0.04, "hip": 0.02, "wrist": 0.0},
}
"""Share of images that show each thing, by region."""

_DRAW: dict[str, Callable[[Generator, Canvas], None]] = {
    "fabric": draw_fabric,
    "seam": draw_seam,
    "buttons": draw_buttons,
    "zip": draw_zip,
    "skin folds": draw_skin_folds,
    "bladder catheter": draw_bladder_catheter,
    "infusion line": draw_infusion_line,
    "electrodes": draw_electrodes,
}


def draw_things(
    generator: Generator, size: int, spacing_mm: float, laterality: str, region: str
) -> tuple[tuple[Overlay, ...], tuple[str, ...]]:
    """The flat things of one exposure, and the names, of `SHARES`, of those that were drawn.

    The draws do not depend on `size`: the same image at another resolution shows the same things.

    Args:
        generator: source of the variation.
        size: rows and columns of the image.
        spacing_mm: of its pixels.
        laterality: DICOM Image Laterality; markers of "B" and "U" are of either side.
        region: "pelvis", "hip" or "wrist".
    """
    canvas = Canvas(size, spacing_mm)
    streams = dict(zip(SHARES, generator.spawn(len(SHARES)), strict=True))
    shown = tuple(name for name in SHARES if streams[name].random() < SHARES[name].get(region, 0.0))
    for name in shown:
        stream = streams[name]
        if name == "marker":
            either = str(stream.choice(["L", "R"]))
            draw_marker(stream, canvas, laterality if laterality in ("L", "R") else either)
        elif name == "creases":
            thin = (0.3, 2.2) if region in _TRUNK else (0.05, 0.3)
            draw_creases(stream, canvas, int(stream.integers(1, 6)), thin)
        else:
            _DRAW[name](stream, canvas)
    return canvas.overlays(), shown


def overlay_notes(shown: tuple[str, ...]) -> dict[str, object]:
    """Columns: clothing, skin_fold, catheter, each 0 or 1."""
    worn = {"fabric", "seam", "buttons", "zip"}
    return {
        "clothing": int(not worn.isdisjoint(shown)),
        "skin_fold": int("skin folds" in shown),
        "catheter": int("bladder catheter" in shown),
    }


def draw_grid(generator: Generator, share: float = 0.3) -> GridLines | None:
    """Lines of an anti-scatter grid or their moire; None for `1 - share` of images."""
    chance = generator.random()
    lines = GridLines(
        amplitude=float(generator.uniform(0.002, 0.012)),
        # Grids of 40 to 70 lines per cm against the pixels: anything from fine lines to broad bands.
        period_px=float(np.exp(generator.uniform(np.log(2.3), np.log(14.0)))),
        angle_deg=float(generator.normal(0, 1.0)) + 90.0 * float(generator.random() < 0.3),
        cutoff=float(generator.normal(0, 0.06)),
    )
    return lines if chance < share else None
