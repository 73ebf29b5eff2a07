"""Files behind a URL, through fsspec: listing, fetching and storing, with retries and errors of one line."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from crepitus.data.work_folder import OutputError
from crepitus.errors import CrepitusError, MissingExtraError, UsageError

T = TypeVar("T")

Info = dict[str, Any]
"""What fsspec says about a file: `name`, `type`, `size` and what else the storage knows."""

_URL = re.compile(r"[a-z][a-z0-9+.-]+(://|::)")
_WAITS = (0.5, 2.0, 5.0)
"""Seconds before each further attempt: a network or a busy store often recovers."""

_WHOLE_BY_ITSELF = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "r2", "memory"}
)
"""Storage where a file appears when all of it has arrived; elsewhere it is renamed when it is complete."""


class StorageError(CrepitusError):
    """Storage behind a URL does not answer; nothing is known about the files then."""

    code = "storage"


def place_of(text: str) -> Path | Remote:
    """A path of this machine, or storage behind a URL; `file://` is a path."""
    if not _URL.match(text):
        return Path(text)
    if text.startswith("file://"):
        return Path(unquote(urlsplit(text).path))
    return Remote(text.rstrip("/"))


@dataclass(frozen=True)
class Remote:
    """A folder or file behind a URL. Only the URL travels to other processes, never a connection.

    Attributes:
        url: without a slash at its end. Keys and endpoints come from the environment or the configuration
            of fsspec, never from here.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def _open(self) -> tuple[Any, str]:
        """The file system, which fsspec keeps for the next call, and the path in it."""
        try:
            import fsspec
        except ModuleNotFoundError as error:
            raise MissingExtraError("scale", f"{self.url} (module {error.name})") from error
        try:
            system, root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise UsageError(f"{self.url}: cannot be reached: {_reason(error)}") from error
        return system, str(root)

    def path(self, name: str = "") -> str:
        """Path in the file system of a file below the folder."""
        root = self._open()[1].rstrip("/")
        return f"{root}/{name}" if name else root

    def info(self, path: str) -> Info | None:
        """What is at a path; None where there is nothing."""
        system = self._open()[0]
        try:
            found: Info = self._tried(f"cannot read {path}", lambda: system.info(path))
        except FileNotFoundError:
            return None
        return found

    def children(self, path: str) -> list[Info]:
        """Files and folders directly in a folder, sorted by name.

        Raises:
            FileNotFoundError: there is no such folder.
        """
        system = self._open()[0]
        system.invalidate_cache()
        listed = self._tried(f"cannot list {path}", lambda: system.ls(path, detail=True))
        # An object store may list the folder itself, as an empty object.
        inside = [info for info in listed if info["name"].rstrip("/") != path.rstrip("/")]
        return sorted(inside, key=lambda info: info["name"].encode("utf-8", "surrogatepass"))

    def sizes(self) -> dict[str, int]:
        """Bytes of every file below the folder, by its name relative to it."""
        return {name: int(info["size"] or 0) for name, info in self.files().items()}

    def files(self) -> dict[str, Info]:
        """Every file below the folder, by its name relative to it."""
        system, root = self._open()
        system.invalidate_cache()
        try:
            found = self._tried(f"cannot list {self.url}", lambda: system.find(root, detail=True))
        except FileNotFoundError:
            return {}
        cut = len(root.rstrip("/")) + 1
        return {path[cut:]: info for path, info in found.items() if len(path) >= cut}

    def read(self, path: str, count: int | None = None) -> bytes:
        """The first bytes of a file, or all of it."""
        system = self._open()[0]
        content = self._tried(f"cannot read {path}", lambda: system.cat_file(path, 0, count))
        return bytes(content)

    def get(self, path: str, target: Path) -> None:
        """Copy a file to this machine.

        Raises:
            FileNotFoundError: there is no such file.
            StorageError: the storage does not answer.
        """
        system = self._open()[0]
        self._tried(f"cannot read {path}", lambda: system.get_file(path, str(target)))

    def put(self, source: Path, name: str) -> None:
        """Store a file of this machine; it appears whole or not at all.

        Raises:
            OutputError: the storage does not take it.
        """
        with self._storing():
            system = self._open()[0]
            path = self.path(name)
            if self._is_whole_by_itself(system):
                self._tried(f"cannot write {path}", lambda: system.put_file(str(source), path))
                return
            self._make_parent(system, path)
            partial = f"{path}.{secrets.token_hex(6)}.tmp"
            self._tried(f"cannot write {path}", lambda: system.put_file(str(source), partial))
            self._tried(f"cannot write {path}", lambda: system.mv(partial, path))

    def move(self, name: str, target: str) -> None:
        """Give a file another name; an object store copies it, without passing through this machine."""
        with self._storing():
            system = self._open()[0]
            self._make_parent(system, self.path(target))
            self._tried(f"cannot move {name}", lambda: system.mv(self.path(name), self.path(target)))

    def remove(self, name: str) -> None:
        """Remove a file or folder; nothing where there is none."""
        system = self._open()[0]
        with suppress(FileNotFoundError):
            self._tried(f"cannot remove {name}", lambda: system.rm(self.path(name), recursive=True))

    @staticmethod
    def _is_whole_by_itself(system: Any) -> bool:
        protocols = (system.protocol,) if isinstance(system.protocol, str) else system.protocol
        return not _WHOLE_BY_ITSELF.isdisjoint(protocols)

    def _make_parent(self, system: Any, path: str) -> None:
        if not self._is_whole_by_itself(system) or "memory" in system.protocol:
            parent = path.rpartition("/")[0]
            self._tried(f"cannot write {parent}", lambda: system.makedirs(parent, exist_ok=True))

    def _storing(self) -> _Storing:
        return _Storing(self.url)

    @staticmethod
    def _tried(what: str, call: Callable[[], T]) -> T:
        """The result of a call, tried again where that may help.

        Raises:
            FileNotFoundError: as it came, since it says something about one file.
            StorageError: all else.
        """
        for wait in (*_WAITS, None):
            try:
                return call()
            except FileNotFoundError:
                raise
            except Exception as error:
                if wait is None or isinstance(error, PermissionError | NotImplementedError):
                    raise StorageError(
                        f"{what}: {type(error).__name__}: {_reason(error)}; put that right and give the "
                        "same command again, it goes on where it stopped"
                    ) from error
                time.sleep(wait)
        raise StorageError(what)


class _Storing:
    """Makes an error of storage one of the output."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, StorageError):
            raise OutputError(str(error)) from error
        if isinstance(error, FileNotFoundError):
            raise OutputError(f"cannot write {self._url}: {_reason(error)}") from error


def stamp_of(info: Info) -> str:
    """Text that changes when the content of a file does: its size, and what the storage has beside it."""
    known = ("ETag", "etag", "md5Hash", "content_md5", "checksum", "LastModified", "mtime", "last_modified")
    marks = [str(info[key]) for key in (*known, "created") if info.get(key)]
    return f"{info.get('size')}-{marks[0] if marks else ''}"


def walk(remote: Remote, path: str) -> Iterator[tuple[str, Info]]:
    """Every file below a folder with its name relative to it: a folder's own, then its subfolders'."""
    pending = [(path, "")]
    while pending:
        folder, prefix = pending.pop()
        deeper = []
        for info in remote.children(folder):
            name = prefix + info["name"].rstrip("/").rpartition("/")[2]
            if info.get("type") == "directory" and not info.get("islink"):
                deeper.append((info["name"], name + "/"))
            else:
                yield name, info
        pending.extend(reversed(deeper))


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__
