"""What a spreadsheet may have done to a CSV file: another encoding, another separator, a column twice."""

from __future__ import annotations

import codecs
import csv
from pathlib import Path

from crepitus.errors import CrepitusError, DataSetError

SAVE_AS = "save it as CSV UTF-8, comma separated"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def check_header(path: Path, error: type[CrepitusError] = DataSetError) -> None:
    """Look at the first line of a CSV file, before it is read as a table.

    Raises:
        CrepitusError: of class `error`: UTF-16, not UTF-8, separated by semicolons or tabs, or a name that
            stands there twice.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(2)
        if start in _UTF16:
            raise error(f"{path.name}: expected UTF-8, got UTF-16; {SAVE_AS}")
        stream.seek(0)
        line = next((line for line in stream if line.strip()), b"")
    try:
        header = line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as fault:
        raise not_utf8(path, error) from fault
    if "," not in header:
        for separator, name in ((";", "semicolons"), ("\t", "tabs")):
            if separator in header:
                raise error(
                    f"{path.name}: expected columns separated by commas, got {name}; "
                    f"{SAVE_AS}, with a point in decimal numbers"
                )
    try:
        names = [cell.strip() for row in csv.reader(header.splitlines()[:1]) for cell in row]
    except csv.Error as fault:
        raise error(f"{path.name}: expected a readable table, got: {fault}") from fault
    seen: set[str] = set()
    for name in filter(None, names):  # a spreadsheet may leave empty columns at the right
        if name in seen:
            raise error(f"{path.name}: expected each column once, column {name!r} stands there twice")
        seen.add(name)


def not_utf8(path: Path, error: type[CrepitusError] = DataSetError) -> CrepitusError:
    """The error for text in another encoding, Latin-1 most often."""
    return error(f"{path.name}: expected UTF-8, got another encoding such as Latin-1; {SAVE_AS}")


def is_utf8(path: Path) -> bool:
    """Whether the whole file is UTF-8; read in parts, since a table may be large."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
