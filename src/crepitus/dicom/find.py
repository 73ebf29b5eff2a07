"""Finding the files of a folder, a ZIP archive or a DICOMDIR one by one, and refusing what is unsafe."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crepitus.dicom.archive import members
from crepitus.dicom.dicomdir import resolve
from crepitus.dicom.file import MAX_FILE_BYTES
from crepitus.errors import Damaged, SetAside, TooLarge, UnsafeEntry, UsageError

_ZIP_START = (b"PK\x03\x04", b"PK\x05\x06")
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class Entry:
    """One file to read.

    Attributes:
        name: relative to the source, with "/"; members of an archive stand below its name. Of files whose
            name is not text, the odd bytes are kept as surrogates, see `shown`.
        path: file on disk.
        member: index in the archive `path`, None for a plain file.
        stamp: changes when the content does: size and time of modification, or size and CRC of a member.
    """

    name: str
    path: str
    member: int | None
    stamp: str


Refused = tuple[str, SetAside]
"""The name of something that is not read, and why."""


def shown(name: str) -> str:
    """A name as it may be printed and written: what is no printable text becomes an escape."""
    clean = "".join(c if c.isprintable() and not "\ud800" <= c <= "\udfff" else ascii(c)[1:-1] for c in name)
    return clean if len(clean) <= 400 else f"{clean[:200]}...{clean[-197:]}"


def find_entries(source: Path) -> Iterator[Entry | Refused]:
    """Every file of `source`, in a fixed order, found as it is asked for.

    Args:
        source: a folder, a ZIP archive, or one DICOM file.

    Yields:
        a file to read, or a name with the reason why it is refused.

    Raises:
        UsageError: there is no such file or folder.
    """
    # The user may name the source by a link; below it, none is followed.
    source = source.resolve()
    if source.is_dir():
        yield from _folder(source)
    elif source.is_file():
        found = _plain(source, source.name)
        if isinstance(found, Entry) and is_archive(source):
            yield from _archive(source, source.name)
        else:
            yield found
    else:
        raise UsageError(f"SOURCE {source}: expected a file or a folder, there is none")


def find_references(root: Path, references: Iterable[tuple[str, ...]]) -> Iterator[Entry | Refused]:
    """The files that the DICOMDIR in `root` refers to, and those references that give none."""
    root = root.resolve()
    for parts in dict.fromkeys(references):
        name = "/".join(parts)
        try:
            yield _plain(resolve(root, parts), name)
        except SetAside as error:
            yield name, error


def is_archive(path: Path) -> bool:
    """Whether a file starts as a ZIP archive does."""
    with path.open("rb") as stream:
        return stream.read(4) in _ZIP_START


def _folder(root: Path) -> Iterator[Entry | Refused]:
    """Depth first; the files of a folder before its subfolders, each sorted by name."""
    pending = [(root, "")]
    while pending:
        folder, prefix = pending.pop()
        try:
            with os.scandir(folder) as listing:
                children = sorted(listing, key=lambda child: os.fsencode(child.name))
        except OSError as error:
            yield prefix.rstrip("/") or ".", Damaged(f"the folder cannot be read: {error.strerror}")
            continue
        deeper = []
        for child in children:
            name = prefix + child.name
            if child.is_dir(follow_symlinks=False):
                deeper.append((Path(child.path), name + "/"))
                continue
            found = _plain(Path(child.path), name)
            if isinstance(found, Entry) and child.name.lower().endswith(".zip"):
                yield from _archive(Path(child.path), name)
            else:
                yield found
        pending.extend(reversed(deeper))


def _plain(path: Path, name: str) -> Entry | Refused:
    try:
        status = path.lstat()
    except OSError as error:
        return name, Damaged(f"cannot be read: {error.strerror}")
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "no file")
        return name, UnsafeEntry(f"expected a file, this is {what}; give the file itself")
    return Entry(name, str(path), None, f"{status.st_size}-{status.st_mtime_ns}")


def _archive(path: Path, name: str) -> Iterator[Entry | Refused]:
    try:
        listing = members(path)
        for member in listing:
            inner = f"{name}/{member.name}"
            if member.refusal is not None:
                yield inner, member.refusal
            else:
                yield Entry(inner, str(path), member.index, member.stamp)
    except SetAside as error:
        yield name, error


def read_plain(path: str) -> bytes:
    """The content of a plain file; never follows a link, never waits for a pipe.

    Raises:
        UnsafeEntry: it is no plain file any more.
        TooLarge: more than `MAX_FILE_BYTES`.
        Damaged: it cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Damaged(f"cannot be read: {error.strerror}") from error
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeEntry("expected a file, this is something else")
        if status.st_size > MAX_FILE_BYTES:
            raise TooLarge(f"{status.st_size} bytes, the limit is {MAX_FILE_BYTES}")
        try:
            return stream.read(status.st_size)
        except OSError as error:
            raise Damaged(f"cannot be read: {error.strerror}") from error
