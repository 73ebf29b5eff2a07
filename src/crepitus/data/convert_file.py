"""One DICOM file to one image and one row: the part of the conversion that runs in worker processes."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from crepitus.data.png import encode_png
from crepitus.data.work_folder import OutputError
from crepitus.dicom.archive import read_member
from crepitus.dicom.deidentify import Project, deidentify
from crepitus.dicom.dicomdir import is_dicomdir, references
from crepitus.dicom.file import faults_as_damaged, parse
from crepitus.dicom.find import Entry, read_plain
from crepitus.dicom.metadata import (
    Columns,
    flags_of,
    hashed,
    image_id_of,
    patient_columns,
    spacing_of,
    technique_columns,
    view_columns,
)
from crepitus.dicom.read import grey_pixels
from crepitus.dicom.write import uid_from
from crepitus.errors import NotAssessable

IDENTIFIERS = {"patient": "PatientID", "study": "StudyInstanceUID", "series": "SeriesInstanceUID"}
"""Kind of a hash and the attribute that it stands for; the image's own is in its `image_id`."""

ORIGINALS = (*IDENTIFIERS.values(), "SOPInstanceUID", "AccessionNumber")


@dataclass(frozen=True)
class FileOptions:
    """What a worker needs to know.

    Attributes:
        folder: where finished files go, under a name made from the entry's.
        project: for de-identification.
        dicom: also write a de-identified DICOM file.
        originals: also hand back the original identifiers, for the key file.
    """

    folder: Path
    project: Project
    dicom: bool = False
    originals: bool = False


@dataclass(frozen=True)
class Converted:
    """One image that lies in `FileOptions.folder`.

    Attributes:
        row: of the `images` table, without `file` and `label`.
        sizes: bytes of each file written, by its ending.
        pixels: hash of the display values, to tell copies from different images with one UID.
        matches: salted hashes that labels are matched with, by attribute.
        originals: original identifiers by attribute, where they were asked for.
    """

    row: Columns
    sizes: dict[str, int]
    pixels: str
    matches: dict[str, str | None]
    originals: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Index:
    """A DICOMDIR: no image, but a list of files that must be there."""

    references: list[tuple[str, ...]]


def file_key(name: str) -> str:
    """Name under which the files of an entry lie until the conversion is complete."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def convert_file(options: FileOptions, entry: Entry) -> Converted | Index:
    """Read, check, decode, de-identify, and write the files of one entry.

    Raises:
        SetAside: the entry cannot be used.
        OutputError: the disk is full or the like.
    """
    content = read_plain(entry.path) if entry.member is None else read_member(entry.path, entry.member)
    dataset, syntax = parse(content)
    with faults_as_damaged():
        if is_dicomdir(dataset):
            return Index(references(dataset))
        pixels = grey_pixels(dataset, syntax)
        if pixels.min() == pixels.max():
            raise NotAssessable(f"blank: all {pixels.size} pixels have one value")
        clean = deidentify(dataset, syntax, options.project)
        salt = options.project.salt
        row = _row(clean, image_id_of(dataset, content, salt), pixels)
        matches = {k: hashed(dataset.get(k), "label", salt) for k in ORIGINALS}
        row |= {f"{kind}_id": hashed(dataset.get(k), kind, salt) for kind, k in IDENTIFIERS.items()}
        row |= technique_columns(clean, syntax)
        if options.project.characteristics:
            row |= patient_columns(clean)
        row["flags"] = flags_of(row)
        originals = {k: str(dataset.get(k) or "") for k in ORIGINALS} if options.originals else {}
    if options.dicom:
        _complete(clean, salt, str(row["image_id"]))
    del dataset, content
    sizes = _write(options, file_key(entry.name), clean, pixels)
    return Converted(row, sizes, hashlib.sha256(pixels.tobytes()).hexdigest()[:32], matches, originals)


def _complete(clean: Dataset, salt: bytes, image_id: str) -> None:
    """Give a file that came without the identifiers of a DICOM object new ones, so that it can be written."""
    meta = clean.file_meta
    if not meta.MediaStorageSOPInstanceUID:
        clean.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = uid_from(f"{salt.hex()}:{image_id}")
    if not meta.MediaStorageSOPClassUID:
        clean.SOPClassUID = meta.MediaStorageSOPClassUID = uid.ComputedRadiographyImageStorage


def _row(clean: Dataset, image_id: str, pixels: NDArray[np.uint16]) -> Columns:
    spacing, source = spacing_of(clean)
    return {
        "image_id": image_id,
        "rows": int(pixels.shape[0]),
        "columns": int(pixels.shape[1]),
        "spacing_mm": spacing,
        "spacing_source": source,
        **view_columns(clean),
    }


def _write(options: FileOptions, key: str, clean: Dataset, pixels: NDArray[np.uint16]) -> dict[str, int]:
    """Files of one entry, each whole or absent; a random part keeps two writers of one file apart.

    A process id would not do: on a cluster, processes of two machines can have the same.
    """
    sizes = {}
    path = options.folder / f"{key}.png"
    partial = options.folder / f"{key}.{secrets.token_hex(6)}.tmp"
    try:
        if options.dicom:
            clean.save_as(partial, enforce_file_format=True)
            sizes["dcm"] = partial.stat().st_size
            partial.replace(path.with_suffix(".dcm"))
        encoded = encode_png(pixels)
        partial.write_bytes(encoded)
        sizes["png"] = len(encoded)
        partial.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path.parent}: {error.strerror}; put that right and give the same command "
            "again, it goes on where it stopped"
        ) from error
    return sizes
