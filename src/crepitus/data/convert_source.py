"""Where the files of a conversion come from: a folder or file here; `scale` adds storage behind a URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from crepitus.dicom.find import Entry, Refused, find_entries, find_references, is_archive
from crepitus.errors import UsageError


class Source(Protocol):
    """Files to convert."""

    def check(self) -> None:
        """Raise a UsageError where there is nothing."""

    def entries(self) -> Iterator[Entry | Refused]:
        """Every file, found as it is asked for, see `find_entries`."""

    def single(self) -> bool:
        """Whether it is one file that is no archive; a DICOMDIR then means the files that it refers to."""

    def references(self, listed: Iterable[tuple[str, ...]]) -> Iterator[Entry | Refused]:
        """The files that a DICOMDIR refers to, see `find_references`."""


@dataclass(frozen=True)
class PathSource:
    """A folder, ZIP archive, DICOMDIR or DICOM file."""

    path: Path

    def check(self) -> None:
        """Raise a UsageError where there is nothing."""
        if not self.path.exists():
            raise UsageError(f"SOURCE {self.path}: expected a file or a folder, there is none")

    def entries(self) -> Iterator[Entry | Refused]:
        """Every file, found as it is asked for."""
        return find_entries(self.path)

    def single(self) -> bool:
        """Whether it is one file that is no archive."""
        return self.path.is_file() and not is_archive(self.path)

    def references(self, listed: Iterable[tuple[str, ...]]) -> Iterator[Entry | Refused]:
        """The files that a DICOMDIR refers to."""
        return find_references(self.path.resolve().parent, listed)
