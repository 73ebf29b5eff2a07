"""A data set behind a URL: images there, the account of unfinished work and its secret on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from crepitus.data.work_folder import is_finished, open_work
from crepitus.data.writer import Rejection
from crepitus.errors import CrepitusError, UsageError
from crepitus.scale.remote import Remote

_TABLES = ("dataset.json", "images.parquet", "rejected.csv")
_THREADS = 16


def state_folder() -> Path:
    """Where this user's unfinished work lies: `$XDG_STATE_HOME/crepitus`, or `~/.local/state/crepitus`."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "crepitus"


class RemoteOutput:
    """Storage behind a URL.

    The journal and the salt of the identifiers stay on the machine that started the command: a journal is
    appended to, which object stores cannot, and a versioned store would keep a secret for ever.

    Args:
        remote: folder of the data set.
        name: of the folder of unfinished work in it.
    """

    def __init__(self, remote: Remote, name: str) -> None:
        self.remote = remote
        self.root = state_folder() / hashlib.sha256(remote.url.encode()).hexdigest()[:20]
        self.work = self.root / name
        self._name = name
        self._sizes: dict[str, int] = {}

    @property
    def delivery(self) -> Remote:
        """Folder for finished files until all is complete."""
        return Remote(f"{self.remote.url}/{self._name}/files")

    def __str__(self) -> str:
        return self.remote.url

    def finished(self, key: str, digest: str) -> tuple[int, list[Rejection]] | None:
        """Images and rejections of a complete output with these settings."""
        with tempfile.TemporaryDirectory() as folder:
            for name in _TABLES:
                try:
                    self.remote.get(self.remote.path(name), Path(folder, name))
                except FileNotFoundError:
                    return None
            return is_finished(Path(folder), key, digest)

    def open(self, digest: str, doing: str) -> None:
        """Begin, or go on with an interrupted run that was started on this machine."""
        self._sizes = self.remote.sizes()
        if self._sizes and not (self.work / "settings").is_file():
            raise UsageError(
                f"--out {self.remote}: expected a new or empty folder, this one holds files; remove it or "
                "name another (an interrupted run goes on only on the machine that it was started on)"
            )
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        open_work(self.root, self.work, digest, doing)

    def size(self, path: Path) -> int | None:
        """Bytes of a file that an earlier run has left."""
        return self._sizes.get(self._key(path))

    def place(self, moves: Iterable[tuple[Path, Path]], folders: Iterable[Path]) -> None:
        """Give every finished file its final name; may be repeated after a kill."""
        there = self.remote.sizes()
        pairs = [(self._key(source), self._key(target)) for source, target in moves]
        for source, target in pairs:
            if source not in there and target not in there:
                raise CrepitusError(f"{target}: expected the finished file, it has vanished; run again")
        wanted = {target for _, target in pairs}
        inside = tuple(f"{self._key(folder)}/" for folder in folders)
        strays = [name for name in there if name.startswith(inside) and name not in wanted]
        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(lambda pair: self.remote.move(*pair), (p for p in pairs if p[0] in there)))
            list(threads.map(self.remote.remove, strays))

    def publish(self) -> None:
        """Store the tables; dataset.json last."""
        tables = sorted(path.name for path in self.root.iterdir() if path.is_file())
        for name in sorted(tables, key=lambda name: name == "dataset.json"):
            self.remote.put(self.root / name, name)

    def remove_work(self) -> None:
        """Remove unfinished work here and there."""
        with suppress(CrepitusError):  # the data set is whole, whatever is left beside it
            self.remote.remove(self._name)
        shutil.rmtree(self.root, ignore_errors=True)

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()
