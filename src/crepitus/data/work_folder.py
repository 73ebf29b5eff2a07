"""The folder of unfinished work inside an output: one process at a time, resumable after a kill."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from crepitus.data.writer import Rejection, read_rejected, write_text
from crepitus.errors import CrepitusError, UsageError


class OutputError(CrepitusError):
    """The output cannot be written; nothing else can be done then."""

    code = "output"


def open_work(out: Path, work: Path, digest: str, doing: str) -> None:
    """Make the folder of unfinished work, or take that of an earlier run with the same settings.

    Args:
        out: new or empty folder, or one with an interrupted run in it.
        work: folder inside `out`; it holds `settings`, and `files` for finished ones.
        digest: of the settings.
        doing: what is done, such as "conversion", for messages.

    Raises:
        UsageError: `out` holds something else.
        OutputError: it cannot be written.
    """
    stored = work / "settings"
    if stored.is_file():
        if stored.read_text(encoding="utf-8") != digest:
            raise UsageError(
                f"--out {out}: holds an interrupted {doing} with another source or other options; "
                "repeat those, or remove the folder"
            )
    elif out.exists() and (not out.is_dir() or any(child.name != work.name for child in out.iterdir())):
        raise UsageError(
            f"--out {out}: expected a new or empty folder, this one holds files; remove it or name another"
        )
    with writing(out):
        (work / "files").mkdir(parents=True, exist_ok=True)
        if not stored.is_file():
            write_text(stored, digest)
        (out / "images").mkdir(exist_ok=True)


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Turn a full disk and the like into one line that says what to do."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {out}: {error.strerror or error}; put that right and give the same command "
            "again, it goes on where it stopped"
        ) from error


@contextmanager
def locked(work: Path) -> Iterator[None]:
    """Keep a second process out of the same folder; the lock ends with the process, however it ends."""
    handle = os.open(work / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"--out {work.parent}: another process is writing into it") from error
        for partial in (work / "files").glob("*.tmp"):
            partial.unlink(missing_ok=True)
        yield
    finally:
        os.close(handle)


def is_finished(out: Path, key: str, digest: str) -> tuple[int, list[Rejection]] | None:
    """Images and rejections of a complete output with these settings; None where there is none.

    Args:
        out: the output.
        key: entry of dataset.json that holds the digest.
        digest: of the settings.
    """
    try:
        info = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
        if info.get(key) != digest:
            return None
        images = pl.read_parquet(out / "images.parquet", columns=["image_id"]).height
        return images, read_rejected(out)
    except (OSError, ValueError, KeyError, AttributeError, pl.exceptions.PolarsError):
        return None


def place_files(moves: Iterable[tuple[Path, Path]], folders: Iterable[Path]) -> None:
    """Give every finished file its final name; may be repeated after a kill.

    Args:
        moves: pairs of where a file lies until now and where it belongs.
        folders: in which nothing else may stay.

    Raises:
        CrepitusError: a file is missing; the next run makes it again.
    """
    wanted = set()
    for source, target in moves:
        target.parent.mkdir(exist_ok=True)
        wanted.add(target)
        if source.is_file():
            source.replace(target)
        elif not target.is_file():
            raise CrepitusError(f"{target}: expected the finished file, it has vanished; run again")
    for folder in folders:
        for path in folder.glob("*"):
            if path not in wanted:
                path.unlink()
