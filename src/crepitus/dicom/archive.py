"""The members of a ZIP archive, within limits that are checked before anything is inflated."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from crepitus.errors import Damaged, SetAside, TooLarge, UnsafeEntry

MAX_MEMBERS = 500_000
MAX_DIRECTORY_BYTES = 256 << 20
MAX_MEMBER_BYTES = 512 << 20
MAX_RATIO = 200
"""Inflated bytes of all members together to bytes of the archive; uncompressed radiographs reach about 4."""

FREE_BYTES = 64 << 20
"""Small archives of blank pictures are no bombs: up to here any ratio is allowed."""

_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, NotImplementedError)
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"


@dataclass(frozen=True)
class Member:
    """One member: name, index in the archive, a stamp of its content, and the reason if it is refused."""

    name: str
    index: int
    stamp: str
    refusal: SetAside | None


def members(path: Path) -> list[Member]:
    """The files of an archive, folders left out.

    Raises:
        TooLarge: too many members, or it inflates to more than `MAX_RATIO` times its size.
        Damaged: it is no ZIP archive, or its directory does not fit.
    """
    _check_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (*_BROKEN, RuntimeError) as error:
        raise Damaged(f"expected a ZIP archive, got: {_reason(error)}") from error
    if len(infos) > MAX_MEMBERS:
        raise TooLarge(f"archive: {len(infos)} members, the limit is {MAX_MEMBERS}")
    total, size = sum(info.file_size for info in infos), path.stat().st_size
    if total > max(FREE_BYTES, MAX_RATIO * size):
        raise TooLarge(f"archive: inflates to {total} bytes, more than {MAX_RATIO} times its {size} bytes")
    return [
        Member(info.filename, index, f"{info.file_size}-{info.CRC:08x}", _refusal(info))
        for index, info in enumerate(infos)
        if not info.is_dir()
    ]


def _refusal(info: zipfile.ZipInfo) -> SetAside | None:
    name = info.filename
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
        return UnsafeEntry("expected a name inside the archive, this one leads out of it")
    # Unix mode in the upper half of the external attributes; 0 where another system made the archive.
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return UnsafeEntry("expected a file, this member is a link or a device")
    if info.file_size > MAX_MEMBER_BYTES:
        return TooLarge(f"inflates to {info.file_size} bytes, the limit is {MAX_MEMBER_BYTES}")
    if info.flag_bits & 1:
        return Damaged("the archive is encrypted; decrypt it first")
    return None


def _check_directory(path: Path) -> None:
    """Refuse a directory that would not fit into memory (ZIP specification 4.3.14 to 4.3.16)."""
    try:
        with path.open("rb") as stream:
            end = stream.seek(0, 2)
            start = stream.seek(max(0, end - (1 << 16) - 22))
            size = _directory_size(stream, stream.read(), start)
    except OSError as error:
        raise Damaged(f"cannot be read: {error.strerror}") from error
    if size > MAX_DIRECTORY_BYTES:
        raise TooLarge(f"archive: a directory of {size} bytes, the limit is {MAX_DIRECTORY_BYTES}")


def _directory_size(stream: BinaryIO, tail: bytes, start: int) -> int:
    at = tail.rfind(_END)
    if at < 0:
        raise Damaged("expected a ZIP archive, its directory is missing: it ends early")
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    locator = tail[max(0, at - 20) : at]
    if locator.startswith(_LOCATOR64):
        stream.seek(min(int.from_bytes(locator[8:16], "little"), start + len(tail)))
        record = stream.read(56)
        if record.startswith(_END64):
            size = int.from_bytes(record[40:48], "little")
    return size


@lru_cache(maxsize=1)
def _opened(path: str, stamp: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def read_member(path: str, index: int) -> bytes:
    """The content of one member; the archive stays open for the next.

    Raises:
        Damaged: it does not inflate, or its checksum differs.
    """
    try:
        archive = _opened(path, Path(path).stat().st_mtime_ns)
        # ZipFile gives at most the announced size, which `members` has checked.
        with archive.open(archive.infolist()[index]) as stream:
            return stream.read()
    except (*_BROKEN, IndexError, RuntimeError) as error:
        raise Damaged(f"archive: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__
