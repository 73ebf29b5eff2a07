"""From a folder or archive of DICOM files to a data set folder; killed at any moment, it goes on later."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from crepitus.data.convert_file import ORIGINALS, FileOptions
from crepitus.data.convert_records import Loop, Progress, Record, Records
from crepitus.data.finish_conversion import moves, sort_out_copies, write_data_set
from crepitus.data.key_file import read_salt, write_keys
from crepitus.data.labels import Labels
from crepitus.data.work_folder import is_finished, locked, open_work, place_files, writing
from crepitus.data.writer import Rejection
from crepitus.dicom.deidentify import Project
from crepitus.dicom.find import shown
from crepitus.dicom.pool import Limits
from crepitus.errors import UsageError

WORK = ".convert"
"""Folder inside the output that holds unfinished work; it is removed at the end."""


@dataclass(frozen=True)
class Settings:
    """What decides about the result; a conversion goes on only with the same settings.

    Attributes:
        source: folder, ZIP archive, DICOMDIR or DICOM file.
        characteristics: keep the patient's sex, age, size and weight.
        dicom: also write de-identified DICOM files.
        keys: key file, None for none.
    """

    source: Path
    characteristics: bool = False
    dicom: bool = False
    keys: Path | None = None

    def digest(self) -> str:
        """A short text that differs when the settings do."""
        values = {k: str(v.resolve()) if isinstance(v, Path) else v for k, v in asdict(self).items()}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Outcome:
    """What came of a conversion.

    Attributes:
        images: rows of the `images` table.
        rejected: rows of rejected.csv.
        warnings: sentences for the user.
        progress: counts of the run.
    """

    images: int
    rejected: list[Rejection]
    warnings: list[str] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)


def convert(
    settings: Settings,
    out: Path,
    *,
    workers: int = 1,
    labels: Labels | None = None,
    limits: Limits | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Convert every file of the source.

    Args:
        settings: source and options.
        out: new or empty folder, or one whose conversion with the same settings was interrupted.
        workers: processes that decode.
        labels: table of labels.
        limits: of each file.
        watch: called after each file.

    Raises:
        UsageError: the source is missing, or `out` holds something else.
        OutputError: `out` cannot be written.
    """
    if not settings.source.exists():
        raise UsageError(f"SOURCE {settings.source}: expected a file or a folder, there is none")
    digest = settings.digest() if labels is None else f"{settings.digest()}-{labels.digest()}"
    finished = is_finished(out, "conversion", digest)
    if finished is not None:
        shutil.rmtree(out / WORK, ignore_errors=True)
        return Outcome(*finished, warnings=[f"{out} was complete; nothing was done"])
    work = _work_folder(out, settings)
    key_journal = None if settings.keys is None else settings.keys.with_name(settings.keys.name + ".partial")
    with writing(out), locked(work):
        project = Project(_salt(work, settings), settings.characteristics)
        options = FileOptions(work / "files", project, settings.dicom, settings.keys is not None)
        loop = Loop(options, out, work / "journal", key_journal, watch)
        records = loop.run(settings.source, workers, limits)
        outcome = _finish(out, options, settings, digest, labels, records)
        if key_journal is not None:
            key_journal.unlink(missing_ok=True)
    shutil.rmtree(work, ignore_errors=True)
    return replace(outcome, progress=loop.progress)


def _finish(
    out: Path,
    options: FileOptions,
    settings: Settings,
    digest: str,
    labels: Labels | None,
    records: Records,
) -> Outcome:
    """From records to a data set; may be killed and repeated, and leaves the same files then."""
    salt = options.project.salt
    images, aside = sort_out_copies(records)
    place_files(moves(out, options.folder, images), (out / "images", out / "dicom"))
    if settings.keys is not None:
        write_keys(settings.keys, salt, _keys(images, records))
    rejected, unused = write_data_set(out, images, aside, labels, salt, _info(settings, digest))
    return Outcome(len(images), rejected, _warnings(images, labels, unused))


def _work_folder(out: Path, settings: Settings) -> Path:
    """The folder of unfinished work: a new one, or that of an earlier run with the same settings."""
    work = out / WORK
    _check_places(out, settings)
    open_work(out, work, settings.digest(), "conversion")
    return work


def _check_places(out: Path, settings: Settings) -> None:
    """Refuse an output that would become its own input, and a key file that would be passed on."""
    source = settings.source.resolve()
    if source.is_dir() and out.resolve().is_relative_to(source):
        raise UsageError(f"--out {out}: expected a place outside SOURCE {settings.source}")
    if settings.keys is not None:
        keys = settings.keys.resolve()
        if keys.is_relative_to(out.resolve()) or (source.is_dir() and keys.is_relative_to(source)):
            raise UsageError(f"--keys {settings.keys}: expected a place outside SOURCE and the data set")
        if not keys.parent.is_dir():
            raise UsageError(f"--keys {settings.keys}: expected a folder {keys.parent}, there is none")
        read_salt(settings.keys)  # before anything is written


def _salt(work: Path, settings: Settings) -> bytes:
    """The secret of the project: from the key file, from the interrupted run, or a new one."""
    stored = work / "salt"
    if stored.is_file():
        return bytes.fromhex(stored.read_text(encoding="utf-8"))
    salt = read_salt(settings.keys) or secrets.token_bytes(32)
    partial = stored.with_name("salt.tmp")
    partial.touch(mode=0o600)
    partial.write_text(salt.hex(), encoding="utf-8")
    partial.replace(stored)
    return salt


def _keys(images: list[Record], records: Records) -> Iterator[dict[str, Any]]:
    """Rows of the key file: new and original identifiers of each image, and its file."""
    for record in images:
        row = record["row"]
        new = {name: row[name] for name in ("image_id", "series_id", "study_id", "patient_id")}
        originals = records.originals[record["name"]]
        yield {**new, "file": shown(record["name"]), **{name: originals[name] for name in ORIGINALS}}


def _info(settings: Settings, digest: str) -> dict[str, Any]:
    """Content of dataset.json; nothing in it depends on when or how often the conversion was interrupted."""
    return {
        "source": "DICOM",
        "conversion": digest,
        "deidentification": {
            "profile": "PS3.15 Basic Application Level Confidentiality Profile",
            "options": ["modified dates", *(["patient characteristics"] if settings.characteristics else [])],
            "burned_in_annotation": "not removed; see the column of this name",
        },
    }


def _warnings(images: list[Record], labels: Labels | None, unused: list[tuple[str, str]]) -> list[str]:
    """What the user must know, although it is no reason to set a file aside."""
    burned = [r["row"]["burned_in_annotation"] for r in images]
    found = []
    if burned.count("YES"):
        found.append(
            f"{burned.count('YES')} images have text burned into their pixels by their header; look at them "
            "before you pass them on (column burned_in_annotation)"
        )
    silent = len(burned) - burned.count("YES") - burned.count("NO")
    if silent:
        found.append(f"of {silent} images the header does not say whether text is burned into the pixels")
    if labels is not None:
        if labels.ignored:
            found.append(f"columns of the label table that are not taken over: {', '.join(labels.ignored)}")
        if unused:
            found.append(
                f"{len(unused)} rows of the label table fit no image, the first is {unused[0][0]} "
                f"{shown(unused[0][1])}"
            )
    return found
