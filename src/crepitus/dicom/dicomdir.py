"""DICOMDIR: the files that a medium's index refers to (PS3.3 F, PS3.10 8)."""

from __future__ import annotations

from pathlib import Path

from pydicom import uid
from pydicom.dataset import Dataset

from crepitus.dicom.file import faults_as_damaged
from crepitus.errors import Damaged, UnsafeEntry


def is_dicomdir(dataset: Dataset) -> bool:
    """Whether a data set is the index of a medium; its class stands in the file meta information."""
    meta = getattr(dataset, "file_meta", None)
    return meta is not None and meta.get("MediaStorageSOPClassUID") == uid.MediaStorageDirectoryStorage


def references(dataset: Dataset) -> list[tuple[str, ...]]:
    """The components of each Referenced File ID (0004,1500), in the order of the index.

    Raises:
        Damaged: the index breaks the standard.
    """
    found = []
    with faults_as_damaged():
        for record in dataset.get("DirectoryRecordSequence") or []:
            parts = record.get("ReferencedFileID")
            if parts:
                found.append((parts,) if isinstance(parts, str) else tuple(str(part) for part in parts))
    return found


def resolve(root: Path, parts: tuple[str, ...]) -> Path:
    """The file below `root` that a reference names.

    The standard allows capital letters only, and media are copied to systems that tell a from A, so a name
    in small letters is taken as well.

    Raises:
        UnsafeEntry: the reference leads out of `root`, or through a link.
        Damaged: there is no such file.
    """
    check_parts(parts)
    path = root
    for part in parts:
        path = _child(path, part)
        if path.is_symlink():
            raise UnsafeEntry("DICOMDIR: the reference leads through a symbolic link, which is not followed")
    if not path.is_file():
        raise Damaged("listed in the DICOMDIR, but there is no such file")
    return path


def check_parts(parts: tuple[str, ...]) -> None:
    """Refuse a reference that could lead out of its folder.

    Raises:
        UnsafeEntry: a part of it is no plain name.
    """
    for part in parts:
        if part in ("", ".", "..") or any(c in part for c in "/\\\0:"):
            raise UnsafeEntry("DICOMDIR: expected a reference inside its folder, this one leads out of it")


def _child(folder: Path, name: str) -> Path:
    tries = [folder / variant for variant in (name, name.lower(), name.upper())]
    return next((path for path in tries if path.is_symlink() or path.exists()), tries[0])
