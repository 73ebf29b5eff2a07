"""The explanations as one HTML page that needs nothing but itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from crepitus import __version__
from crepitus.data.ao_classes import FRACTURE
from crepitus.data.writer import write_text
from crepitus.explain.overlay import Picture
from crepitus.explain.run import ImageExplained
from crepitus.explain.support import EXPLAINERS
from crepitus.report.gallery import data_uri
from crepitus.report.overlay import overlay as marked
from crepitus.structures import Boxes, Points

MOST_IMAGES = 40
"""Images that the page shows, the first ones; all maps are in the folder."""

PICTURE_PX = 512

FIGURES = (
    ("pointing_game", "pointing game", "share of the images with points whose highest relevance lies on one"),
    ("energy_inside", "energy inside", "share of the positive relevance inside the fracture's mask or boxes"),
    ("energy_over_area", "over area", "that share over the share of the image that they cover; 1 is chance"),
    ("deletion_auc", "deletion", "area under the score while the most relevant pixels go; low is faithful"),
    ("insertion_auc", "insertion", "area under the score while they come; high is faithful"),
)


@dataclass
class Page:
    """Collects what the page shows, as far as it shows it.

    Attributes:
        info: model, sha256, target and settings, as in explanations.json.
        shown: what was collected of each image.
        images: number of images that there were.
    """

    info: Mapping[str, Any]
    shown: list[dict[str, Any]] = field(default_factory=list)
    images: int = 0

    def add(
        self, found: ImageExplained, pictures: Mapping[str, Picture], points: Any = None, boxes: Any = None
    ) -> None:
        """Take an image with its pictures.

        Args:
            found: what was said about it.
            pictures: by the names of explainers.
            points: true fracture points (k, 2), or None.
            boxes: true boxes (k, 4), or None.
        """
        self.images += 1
        if len(self.shown) >= MOST_IMAGES:
            return
        plain = marked(
            found.image.pixels,
            points=None if points is None else Points(points),
            boxes=None if boxes is None else Boxes(boxes),
            longest=PICTURE_PX,
        )
        self.shown.append(
            {
                "image_id": found.image.image_id,
                "score": found.prediction.score,
                "plain": data_uri(plain),
                "maps": [
                    {"name": name, "uri": data_uri(pictures[name]), "words": _words(one)}
                    for name, one in found.maps.items()
                ],
            }
        )

    def write(
        self, path: Path, summary: Mapping[str, Mapping[str, Any]], now: datetime | None = None
    ) -> None:
        """Write the page, whole or not at all.

        Args:
            path: of the file.
            summary: per explainer, see `ExplanationsWriter.summary`.
            now: time to print; the current one by default.
        """
        environment = Environment(
            loader=ChoiceLoader([PackageLoader("crepitus.explain"), PackageLoader("crepitus.report")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        context = {
            "version": __version__,
            "now": datetime.now(UTC) if now is None else now,
            "info": self.info,
            "named": "a fracture" if self.info["target"] == FRACTURE else self.info["target"],
            "images": self.images,
            "shown": self.shown,
            "explainers": [(name, EXPLAINERS[name]) for name in summary],
            "figures": FIGURES,
            "rows": [(name, _cells(own)) for name, own in summary.items()],
        }
        write_text(path, environment.get_template("explain.html.j2").render(context))


def _cells(own: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Figures of an explainer as text with their intervals, in the order of `FIGURES`, conservation last."""
    cells = []
    for key, _, _ in FIGURES:
        value, interval = own[f"faithfulness.{key}"], own.get(f"faithfulness.{key}.ci95")
        count = own[f"faithfulness.{key}.count"]
        text = "-" if value is None else f"{value:.3f}"
        below = [f"{interval[0]:.3f} to {interval[1]:.3f}"] if interval else []
        cells.append((text, [*below, f"{count} {'image' if count == 1 else 'images'}"]))
    worst = own["conservation_error.max"]
    cells.append(("-" if worst is None else f"{worst:.1e}", ["at worst"]))
    return cells


def _words(one: Any) -> str:
    """What was measured of one map, in a line."""
    figures = one.faithfulness.figures()
    parts = []
    if math.isfinite(one.explained):
        parts.append(f"logit {one.explained:+.2f}")
    if math.isfinite(one.absorbed):
        parts.append(f"pixels {one.total:+.2g}, biases {one.absorbed:+.2f}")
    if one.faithfulness.hit is not None:
        parts.append("on a fracture" if one.faithfulness.hit else "not on a fracture")
    for key, name in (("deletion_auc", "deletion"), ("insertion_auc", "insertion")):
        if math.isfinite(figures[key]):
            parts.append(f"{name} {figures[key]:.2f}")
    return " · ".join(parts)
