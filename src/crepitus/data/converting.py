"""From a folder or archive of DICOM files to a data set folder; killed at any moment, it goes on later."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from crepitus.data.convert_file import ORIGINALS, FileOptions
from crepitus.data.convert_records import Loop, Progress, Record, Records
from crepitus.data.convert_source import PathSource, Source
from crepitus.data.executor import Executor, LocalExecutor
from crepitus.data.finish_conversion import moves, sort_out_copies, write_data_set
from crepitus.data.key_file import read_salt, write_keys
from crepitus.data.labels import Labels
from crepitus.data.output import FolderOutput, Output
from crepitus.data.work_folder import locked, writing
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
        source: folder, ZIP archive, DICOMDIR or DICOM file; a text is the URL of one.
        characteristics: keep the patient's sex, age, size and weight.
        dicom: also write de-identified DICOM files.
        keys: key file, None for none.
    """

    source: Path | str
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
    """Convert every file of a source on this machine.

    Args:
        settings: source, a path, and options.
        out: new or empty folder, or one whose conversion with the same settings was interrupted.
        workers: processes that decode.
        labels: table of labels.
        limits: of each file.
        watch: called after each file.

    Raises:
        UsageError: the source is missing, or `out` holds something else.
        OutputError: `out` cannot be written.
    """
    executor = LocalExecutor(workers, limits)
    source = Path(settings.source)
    return run_conversion(
        settings, PathSource(source), FolderOutput(out, WORK), executor, labels=labels, watch=watch
    )


def run_conversion(
    settings: Settings,
    source: Source,
    output: Output,
    executor: Executor,
    *,
    labels: Labels | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Convert every file of a source, wherever it is, to wherever the data set shall be.

    Args:
        settings: what decides about the result.
        source: the files that `settings.source` names.
        output: where the data set goes.
        executor: runs the work.
        labels: table of labels.
        watch: called after each file.

    Raises:
        UsageError: the source is missing, or the output holds something else.
        OutputError: the output cannot be written.
    """
    source.check()
    digest = settings.digest() if labels is None else f"{settings.digest()}-{labels.digest()}"
    finished = output.finished("conversion", digest)
    if finished is not None:
        output.remove_work()
        return Outcome(*finished, warnings=[f"{output} was complete; nothing was done"])
    _check_places(output.root, settings)
    output.open(settings.digest(), "conversion")
    key_journal = None if settings.keys is None else settings.keys.with_name(settings.keys.name + ".partial")
    with writing(output.root), locked(output.work):
        project = Project(_salt(output.work, settings), settings.characteristics)
        options = FileOptions(output.work / "files", project, settings.dicom, settings.keys is not None)
        loop = Loop(options, output, output.work / "journal", key_journal, watch)
        records = loop.run(source, executor)
        outcome = _finish(output, options, settings, digest, labels, records)
        if key_journal is not None:
            key_journal.unlink(missing_ok=True)
    output.remove_work()
    return replace(outcome, progress=loop.progress)


def _finish(
    output: Output,
    options: FileOptions,
    settings: Settings,
    digest: str,
    labels: Labels | None,
    records: Records,
) -> Outcome:
    """From records to a data set; may be killed and repeated, and leaves the same files then."""
    salt, out = options.project.salt, output.root
    images, aside = sort_out_copies(records)
    output.place(moves(out, options.folder, images), (out / "images", out / "dicom"))
    if settings.keys is not None:
        write_keys(settings.keys, salt, _keys(images, records))
    rejected, unused = write_data_set(out, images, aside, labels, salt, _info(settings, digest))
    output.publish()
    return Outcome(len(images), rejected, _warnings(images, labels, unused))


def _check_places(out: Path, settings: Settings) -> None:
    """Refuse an output that would become its own input, and a key file that would be passed on."""
    source = settings.source.resolve() if isinstance(settings.source, Path) else None
    if source is not None and not source.is_dir():
        source = None
    if source is not None and out.resolve().is_relative_to(source):
        raise UsageError(f"--out {out}: expected a place outside SOURCE {settings.source}")
    if settings.keys is not None:
        keys = settings.keys.resolve()
        if keys.is_relative_to(out.resolve()) or (source is not None and keys.is_relative_to(source)):
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
