"""A list of finished work that survives a kill at any moment: lines of JSON, only ever appended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Records that were written completely; a last line that was cut off is left out."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                return
            try:
                record = json.loads(line)
            except ValueError:
                return  # the machine went down and the disk holds something else
            yield record


class Journal:
    """Appends records; use as a context manager.

    Args:
        path: of the journal; may exist. A line that was cut off is removed first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        whole = 0
        if path.is_file():
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
        # Only the owner may read it: a key file's journal holds identifiers.
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(handle, whole)
        self._stream = os.fdopen(handle, "r+b", buffering=0)
        self._stream.seek(whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; records may not be appended any more."""
        self._stream.close()

    def append(self, record: dict[str, Any]) -> None:
        """Add one record; when this returns, a kill of the process cannot lose it any more."""
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        while line:
            written = self._stream.write(line)
            line = line[written:]
