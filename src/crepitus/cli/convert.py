"""`crepitus convert`: DICOM files, folders and archives become a de-identified data set folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crepitus.cli.common import (
    JsonOption,
    RayOption,
    end_with_rejected,
    messages,
    print_json,
    say,
    workers_for,
)

if TYPE_CHECKING:
    from crepitus.data.convert_records import Progress

SECONDS_BETWEEN_LINES = 10.0


def convert(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder (with ZIP archives in it or not), ZIP archive, DICOMDIR or DICOM file; a path or a "
            "URL such as s3://bucket/folder.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out", help="New data set folder, or one that was interrupted; path or URL.", show_default=False
        ),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Table with label, ao_class or hardware by file, sop_instance_uid, study_instance_uid or "
            "accession_number."
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that decode; 0: one per core.", show_default=True)
    ] = 0,
    ray: RayOption = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="Key file to write: original identifiers, and the secret behind the new ones. An existing "
            "one is used again and extended. Without it there is no way back."
        ),
    ] = None,
    dicom: Annotated[bool, typer.Option("--dicom", help="Also write de-identified DICOM files.")] = False,
    patient_characteristics: Annotated[
        bool,
        typer.Option("--patient-characteristics", help="Keep sex, age (at most 90), size and weight."),
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Convert DICOM radiographs to a de-identified data set; unusable files are set aside (exit status 3).

    Killed at any moment, the same command goes on where it stopped.
    """
    from crepitus.data.converting import Settings
    from crepitus.data.labels import read_labels
    from crepitus.scale.commands import Means, convert_anywhere

    table = None if labels is None else read_labels(labels)
    lines = _Lines()
    outcome = convert_anywhere(
        Settings(source, patient_characteristics, dicom, keys),
        out,
        Means(workers_for(workers, ray), ray, tell=say),
        labels=table,
        watch=lines,
    )
    lines.end()
    for warning in outcome.warnings:
        say(f"warning: {warning}")
    counts = {
        "images": outcome.images,
        "rejected": len(outcome.rejected),
        "resumed": outcome.progress.resumed,
        "workers_replaced": outcome.progress.workers_replaced,
    }
    if json_:
        print_json({**counts, "warnings": outcome.warnings})
    else:
        shown = {k: v for k, v in counts.items() if v or k in ("images", "rejected")}
        typer.echo(", ".join(f"{v} {k.replace('_', ' ')}" for k, v in shown.items()) + f" -> {out}")
    end_with_rejected(outcome.rejected, out)


class _Lines:
    """Progress of unknown length: a line that is written over on a terminal, one every 10 s elsewhere."""

    def __init__(self) -> None:
        self._next = time.monotonic() + (0.2 if messages.is_terminal else SECONDS_BETWEEN_LINES)
        self._open = False

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        text = f"convert: {progress.files} files, {progress.rejected} set aside"
        if messages.is_terminal:
            self._next = now + 0.2
            messages.print(text, end="\r", markup=False)
            self._open = True
        else:
            self._next = now + SECONDS_BETWEEN_LINES
            say(text)

    def end(self) -> None:
        """Leave the line that is written over."""
        if self._open:
            messages.print()
