"""What `crepitus predict` is given: a data set, or files and folders of DICOM, PNG and JPEG."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from crepitus.data.folder import DataSet
from crepitus.data.images import GreyPixels
from crepitus.data.read_file import read_file
from crepitus.dicom.pool import WorkerPool
from crepitus.errors import SetAside, UsageError
from crepitus.predict.model import InputImage

Input = InputImage | tuple[str, SetAside]
"""An image, or the file that had to be set aside and why."""

MAX_STEM = 80
"""Characters of a file name that are kept in an image_id; room is left for a suffix."""


def is_data_set(path: Path) -> bool:
    """Whether a path is a data set folder."""
    return path.is_dir() and any((path / name).is_file() for name in ("images.csv", "images.parquet"))


def from_data_set(data: DataSet, image_ids: Sequence[str]) -> Iterator[Input]:
    """Images of a data set, in the order of `image_ids`."""
    for image_id in image_ids:
        row = data.row(image_id)
        file = str(row["file"])
        try:
            region = data.regions_by_image.get(image_id)
            landmarks = data.landmarks_by_image.get(image_id)
            pixels = data.radiograph(image_id).pixels
            yield InputImage(image_id, pixels, file, region, landmarks, row["study_id"])
        except SetAside as error:
            yield file, error


def by_study(data: DataSet, image_ids: Sequence[str]) -> list[str]:
    """The same images with those of a study together, in the order of each study's first image."""
    study_of = dict(data.images.select("image_id", "study_id").iter_rows())
    members: dict[str, list[str]] = {}
    for image_id in image_ids:
        # An image without a study is a study of its own; no image_id begins with a dot.
        members.setdefault(study_of[image_id] or f".{image_id}", []).append(image_id)
    return [image_id for own in members.values() for image_id in own]


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files named, and all files below the folders named, sorted within each.

    Raises:
        UsageError: a path does not exist, or there is no file at all.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files.extend(sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")))
        elif path.is_file():
            files.append(path)
        else:
            raise UsageError(f"INPUT {path}: expected a file or a folder, there is none")
    if not files:
        raise UsageError(f"INPUT {paths[0]}: expected DICOM, PNG or JPEG files, the folder is empty")
    return list(dict.fromkeys(files))


def from_files(files: Sequence[Path]) -> Iterator[Input]:
    """Images from files, in their order; each file gives one image or one reason why not.

    They are read in a process of its own, so that no damaged file can end or stop the program.
    """
    taken: set[str] = set()
    # One worker answers in the order of its tasks, and reads the next files while the network is at work.
    with WorkerPool[Path, tuple[str | None, GreyPixels]](read_file, workers=1) as pool:
        for file, answer in pool.run(files):
            if isinstance(answer, SetAside):
                yield str(file), answer
                continue
            own_id, pixels = answer
            image_id = own_id or _id_from_name(file)
            # Heatmaps become files, and some file systems do not tell A from a.
            if image_id.casefold() in taken:
                image_id = f"{image_id[:MAX_STEM]}-{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
            taken.add(image_id.casefold())
            yield InputImage(image_id, pixels, str(file))


def _id_from_name(file: Path) -> str:
    """An image_id from a file name: characters that are not allowed become '_'."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", file.stem).lstrip(".")[:MAX_STEM]
    return stem or hashlib.sha256(file.name.encode()).hexdigest()[:16]
