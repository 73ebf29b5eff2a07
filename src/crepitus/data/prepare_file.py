"""One image to one or several prepared ones: the part of `prepare` that runs in worker processes."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crepitus.data.images import GreyPixels, read_image
from crepitus.data.part_truth import part_columns
from crepitus.data.png import encode_png
from crepitus.data.work_folder import OutputError
from crepitus.errors import Damaged
from crepitus.prepare.follow import shared_out
from crepitus.prepare.pipeline import Recipe, check_body_part, plan_image
from crepitus.prepare.plan import Plan
from crepitus.prepare.warp import warp
from crepitus.prepare.way_back import WayBack
from crepitus.structures import Annotation

Columns = dict[str, Any]

PREPARED = "prepared"
"""Column that names the steps that an image has been through."""


@dataclass(frozen=True)
class ImageTask:
    """One image to prepare.

    Attributes:
        row: of the `images` table.
        file: its pixels.
        annotation: its places; None where the data set has no such table.
        mask: its mask image, None where there is none.
        stamp: text that changes when any of this does.
    """

    row: Columns
    file: Path
    annotation: Annotation = field(default_factory=Annotation)
    mask: Path | None = None
    stamp: str = ""

    @property
    def name(self) -> str:
        """Id of the image."""
        return str(self.row["image_id"])


@dataclass(frozen=True)
class PreparedImage:
    """One prepared image, whose files lie in the folder of unfinished work.

    Attributes:
        columns: of the `images` table that differ from the source's row.
        annotation: in its coordinates.
        sizes: bytes of each file written, by the ending of its name.
    """

    columns: Columns
    annotation: Annotation
    sizes: dict[str, int]


@dataclass(frozen=True)
class PrepareOptions:
    """What a worker needs to know.

    Attributes:
        folder: where finished files go.
        recipe: the steps.
    """

    folder: Path
    recipe: Recipe


def file_stem(image_id: str) -> str:
    """Name, without ending, under which files lie until all is complete."""
    return hashlib.sha256(image_id.encode()).hexdigest()[:24]


def prepare_image(options: PrepareOptions, task: ImageTask) -> list[PreparedImage]:
    """Read, decide, follow with annotations, and write the files of one image.

    Raises:
        SetAside: the image cannot be used.
        OutputError: the disk is full or the like.
    """
    tag = task.row.get("body_part")
    check_body_part(tag, options.recipe)
    pixels = _read(task)
    done = tuple(str(task.row.get(PREPARED) or "").split())
    plans = plan_image(pixels, options.recipe, tag, done)
    annotations = shared_out(plans, task.annotation)
    mask = None if task.mask is None else read_image(task.mask, verify=False)
    result = []
    for plan, annotation in zip(plans, annotations, strict=True):
        columns = {**_columns(task, plan), **part_columns(task.row, task.annotation, annotation, plan.part)}
        if plan.touches_pixels:
            files = {".png": encode_png(plan.render(pixels))}
        else:
            files = {task.file.suffix.lower(): task.file.read_bytes()}
        if mask is not None:
            moved = warp(mask, plan.affine, plan.rows, plan.columns, nearest=True)
            files[".mask.png"] = encode_png(moved)
        sizes = _write(options.folder, file_stem(columns["image_id"]), files)
        result.append(PreparedImage(columns, annotation, sizes))
    return result


def _read(task: ImageTask) -> GreyPixels:
    pixels = read_image(task.file, verify=False)
    expected = (task.row["rows"], task.row["columns"])
    if pixels.shape != expected:
        raise Damaged(
            f"{task.file.name}: the images table says {expected[0]} x {expected[1]} pixels, "
            f"the file has {pixels.shape[0]} x {pixels.shape[1]}"
        )
    return pixels


def _columns(task: ImageTask, plan: Plan) -> Columns:
    """Columns that change: id, size, spacing, way back, steps."""
    row = task.row
    image_id = task.name if plan.part == (1, 1) else part_id(task.name, plan.part[0])
    before = WayBack.of(row)
    back = WayBack(
        before.source_image_id, before.source_rows, before.source_columns, before.affine.then(plan.affine)
    )
    spacing = row.get("spacing_mm")
    return {
        "image_id": image_id,
        "rows": plan.rows,
        "columns": plan.columns,
        "spacing_mm": None if spacing is None else spacing / plan.affine.scale,
        PREPARED: " ".join(plan.done),
        "inverted": int(bool(row.get("inverted")) != plan.inverted),
        **back.columns(),
    }


def part_id(image_id: str, number: int) -> str:
    """Id of a part of an image; a hash replaces the middle of one that would be too long."""
    name = f"{image_id}_part{number}"
    if len(name) > 100:
        name = f"{image_id[:70]}-{hashlib.sha256(image_id.encode()).hexdigest()[:12]}_part{number}"
    return name


def _write(folder: Path, stem: str, files: dict[str, bytes]) -> dict[str, int]:
    """Files of one image, each whole or absent; a random part keeps two writers of one file apart."""
    partial = folder / f"{stem}.{secrets.token_hex(6)}.tmp"
    try:
        for ending, content in files.items():
            partial.write_bytes(content)
            partial.replace(folder / f"{stem}{ending}")
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror}; put that right and give the same command "
            "again, it goes on where it stopped"
        ) from error
    return {ending: len(content) for ending, content in files.items()}
