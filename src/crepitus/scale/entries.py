"""DICOM files of a conversion behind a URL, and how each comes to the machine that reads it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from crepitus.data.convert_file import Converted, Index, file_key
from crepitus.dicom.archive import members, read_member
from crepitus.dicom.dicomdir import check_parts
from crepitus.dicom.file import MAX_FILE_BYTES
from crepitus.dicom.find import Entry, Refused, is_archive
from crepitus.errors import CrepitusError, Damaged, SetAside, TooLarge, UnsafeEntry, UsageError
from crepitus.scale.remote import Info, Remote, stamp_of, walk

_ARCHIVES = threading.Lock()


@dataclass(frozen=True)
class RemoteSource:
    """A folder, ZIP archive, DICOMDIR or DICOM file behind a URL."""

    remote: Remote

    def check(self) -> None:
        """Raise a UsageError where there is nothing."""
        if self.remote.info(self.remote.path()) is None:
            raise UsageError(f"SOURCE {self.remote}: expected a file or a folder, there is none")

    def entries(self) -> Iterator[Entry | Refused]:
        """Every file, found as it is asked for; an entry's path is one in the file system of the URL."""
        path = self.remote.path()
        info = self.remote.info(path)
        if info is None:
            self.check()
        elif info.get("type") == "directory":
            for name, found in walk(self.remote, path):
                if name.lower().endswith(".zip"):
                    yield from self._archive(name, found)
                else:
                    yield _plain(name, found)
        elif self._is_archive(path):
            yield from self._archive(path.rpartition("/")[2], info)
        else:
            yield _plain(path.rpartition("/")[2], info)

    def single(self) -> bool:
        """Whether it is one file that is no archive."""
        info = self.remote.info(self.remote.path())
        return info is not None and info.get("type") == "file" and not self._is_archive(self.remote.path())

    def references(self, listed: Iterable[tuple[str, ...]]) -> Iterator[Entry | Refused]:
        """The files that a DICOMDIR refers to, in small letters as well, see `dicomdir.resolve`."""
        folder = self.remote.path().rpartition("/")[0]
        for parts in dict.fromkeys(listed):
            name = "/".join(parts)
            try:
                check_parts(parts)
            except SetAside as error:
                yield name, error
                continue
            found = (self.remote.info(f"{folder}/{n}") for n in (name, name.lower(), name.upper()))
            info = next((info for info in found if info is not None and info.get("type") == "file"), None)
            if info is None:
                yield name, Damaged("listed in the DICOMDIR, but there is no such file")
            else:
                yield _plain(name, info)

    def _is_archive(self, path: str) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            start = Path(folder, "start")
            start.write_bytes(self.remote.read(path, 4))
            return is_archive(start)

    def _archive(self, name: str, info: Info) -> Iterator[Entry | Refused]:
        """Members of an archive; its listing needs all of it on this machine for a moment."""
        plain = _plain(name, info)
        if not isinstance(plain, Entry):
            yield plain
            return
        try:
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder, "archive.zip")
                self.remote.get(plain.path, copy)
                listing = members(copy)
        except FileNotFoundError:
            yield name, Damaged("cannot be read: No such file or directory")
            return
        except SetAside as error:
            yield name, error
            return
        for member in listing:
            inner = f"{name}/{member.name}"
            if member.refusal is not None:
                yield inner, member.refusal
            else:
                yield Entry(inner, plain.path, member.index, f"{plain.stamp}/{member.stamp}")


def _plain(name: str, info: Info) -> Entry | Refused:
    if info.get("type") != "file" or info.get("islink"):
        what = "a symbolic link" if info.get("islink") or info.get("type") == "link" else "no file"
        return name, UnsafeEntry(f"expected a file, this is {what}; give the file itself")
    return Entry(name, info["name"], None, stamp_of(info))


@dataclass(frozen=True)
class PathEntries:
    """Files of mounted storage: nothing is fetched, but every machine must see them."""

    fetches = False

    def bring(self, task: Entry, folder: Path) -> Entry:
        """The task itself.

        Raises:
            CrepitusError: the file is not there, so this machine has not mounted the storage.
        """
        try:
            Path(task.path).lstat()
        except OSError as error:
            raise CrepitusError(
                f"{task.path}: listed by the machine that started the command, but not there on this one "
                f"({error.strerror}); mount SOURCE on every machine of the cluster at the same path"
            ) from error
        return task

    def made(self, task: Entry, result: Converted | Index) -> list[str]:
        """Names of the files of one image."""
        return _made(task, result)


@dataclass(frozen=True)
class RemoteEntries:
    """Files behind a URL: each is copied; a ZIP archive whole, once to each process that reads from it."""

    remote: Remote
    fetches = True

    def bring(self, task: Entry, folder: Path) -> Entry:
        """The task with a plain file in `folder`.

        Raises:
            SetAside: the file is too large, has gone, or does not inflate.
            StorageError: the storage does not answer.
        """
        target = folder / "file"
        try:
            if task.member is not None:
                with _ARCHIVES:
                    archive = _archive(self.remote, task.path, task.stamp.rpartition("/")[0])
                    target.write_bytes(read_member(archive.name, task.member))
            else:
                size = int(task.stamp.partition("-")[0])
                if size > MAX_FILE_BYTES:
                    raise TooLarge(f"{size} bytes, the limit is {MAX_FILE_BYTES}")
                self.remote.get(task.path, target)
        except FileNotFoundError as error:
            raise Damaged("cannot be read: No such file or directory") from error
        return replace(task, path=str(target), member=None)

    def made(self, task: Entry, result: Converted | Index) -> list[str]:
        """Names of the files of one image."""
        return _made(task, result)


def _made(task: Entry, result: Converted | Index) -> list[str]:
    endings = result.sizes if isinstance(result, Converted) else ()
    return [f"{file_key(task.name)}.{ending}" for ending in endings]


@lru_cache(maxsize=1)
def _archive(remote: Remote, path: str, stamp: str) -> tempfile._TemporaryFileWrapper[bytes]:
    """A copy of an archive on this machine, which goes when the next is asked for."""
    copy = tempfile.NamedTemporaryFile(prefix="crepitus-archive-")  # noqa: SIM115  (kept by the cache)
    remote.get(path, Path(copy.name))
    return copy
