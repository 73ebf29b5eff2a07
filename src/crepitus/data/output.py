"""Where convert and prepare leave a data set: a folder here; `scale` adds storage behind a URL."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from crepitus.data.work_folder import is_finished, open_work, place_files
from crepitus.data.writer import Rejection


class Output(Protocol):
    """A place for a data set. Files are named by their path below `root`, wherever they really lie."""

    @property
    def root(self) -> Path:
        """Folder into which the tables are written."""

    @property
    def work(self) -> Path:
        """Folder below `root` with the journal, the settings and, under `files`, finished files."""

    def finished(self, key: str, digest: str) -> tuple[int, list[Rejection]] | None:
        """Images and rejections of a complete output with these settings, see `is_finished`."""

    def open(self, digest: str, doing: str) -> None:
        """Begin, or go on with an interrupted run, see `open_work`."""

    def size(self, path: Path) -> int | None:
        """Bytes of a finished file; None where there is none."""

    def place(self, moves: Iterable[tuple[Path, Path]], folders: Iterable[Path]) -> None:
        """Give every finished file its final name, see `place_files`."""

    def publish(self) -> None:
        """Bring the tables from `root` to where the data set is; dataset.json last."""

    def remove_work(self) -> None:
        """Remove the folder of unfinished work."""


@dataclass(frozen=True)
class FolderOutput:
    """A folder of this machine, or of storage that is mounted on it.

    Attributes:
        root: the folder.
        name: of the folder of unfinished work in it.
    """

    root: Path
    name: str

    @property
    def work(self) -> Path:
        """Folder with the journal, the settings and finished files."""
        return self.root / self.name

    def __str__(self) -> str:
        return str(self.root)

    def finished(self, key: str, digest: str) -> tuple[int, list[Rejection]] | None:
        """Images and rejections of a complete output with these settings."""
        return is_finished(self.root, key, digest)

    def open(self, digest: str, doing: str) -> None:
        """Begin, or go on with an interrupted run."""
        open_work(self.root, self.work, digest, doing)

    def size(self, path: Path) -> int | None:
        """Bytes of a finished file; None where there is none."""
        return path.stat().st_size if path.is_file() else None

    def place(self, moves: Iterable[tuple[Path, Path]], folders: Iterable[Path]) -> None:
        """Give every finished file its final name."""
        place_files(moves, folders)

    def publish(self) -> None:
        """Nothing: the tables were written where they belong."""

    def remove_work(self) -> None:
        """Remove the folder of unfinished work."""
        shutil.rmtree(self.work, ignore_errors=True)
