"""Public data sets and common layouts, one file each: `read(source, options)` gives a `Layout`."""

from collections.abc import Callable
from pathlib import Path

from crepitus.data.sources import coco, csv_folder, fracatlas, grazpedwri, mura, yolo
from crepitus.data.sources.layout import Layout, Options

READERS: dict[str, Callable[[Path, Options], Layout]] = {
    "fracatlas": fracatlas.read,
    "grazpedwri": grazpedwri.read,
    "mura": mura.read,
    "coco": coco.read,
    "yolo": yolo.read,
    "csv": csv_folder.read,
}
"""By the name of --format."""

__all__ = ["READERS", "Layout", "Options"]
