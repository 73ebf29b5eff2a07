"""From the bytes of a file to a DICOM data set, with limits on everything that a header may announce."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pydicom
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from crepitus.errors import Damaged, NotDicom, SetAside, TooLarge

MAX_FILE_BYTES = 1 << 30
MAX_INFLATED_BYTES = 512 << 20
_PIECE_BYTES = 16 << 20

_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises for a header that breaks the standard."""

_PREAMBLE = 128
_META_START = b"\x02\x00"
_UNDEFINED_LENGTH = 0xFFFFFFFF
_SEQUENCE_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"


def has_prefix(head: bytes) -> bool:
    """Whether a file that starts with `head` (132 bytes) is DICOM, with or without the preamble."""
    if head[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        return True
    # (0002,xxxx) with an explicit VR: the file meta information, written without the preamble.
    return head[:2] == _META_START and head[4:6].isalpha() and head[4:6].isupper()


@contextmanager
def faults_as_damaged() -> Iterator[None]:
    """Turn whatever pydicom raises for a header that breaks the standard into one of our errors.

    What it only warns about is passed over: a header with a wrong detail can still be read.

    Raises:
        Damaged, TooLarge: in place of the library's exceptions; ours pass through.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SetAside:
        raise
    except RecursionError as error:
        raise Damaged("sequences are nested too deeply") from error
    except MemoryError as error:
        raise TooLarge("reading needs more memory than it may have") from error
    except _UNREADABLE as error:
        reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        raise Damaged(f"expected a readable DICOM header, got: {reason}") from error


def parse(content: bytes) -> tuple[Dataset, uid.UID]:
    """The data set of a file and its transfer syntax.

    Args:
        content: the whole file. Parsed from memory, an element that announces 4 GB yields what is there
            instead of allocating 4 GB.

    Raises:
        NotDicom: neither prefix nor file meta information.
        TooLarge: deflated, and more than `MAX_INFLATED_BYTES` when inflated.
        Damaged: it ends within an element, or breaks the standard otherwise.
    """
    if not has_prefix(content[: _PREAMBLE + 4]):
        what = "it is empty" if not content else "its content is something else"
        raise NotDicom(f"expected a DICOM file with its file meta information, {what}")
    with faults_as_damaged():
        dataset, syntax = _parsed(content)
        # Of a file that ends within encapsulated pixel data, pydicom keeps nothing and only warns.
        if not dataset:
            raise Damaged("the file holds nothing readable behind its file meta information")
        _check_lengths(dataset)
        if syntax.is_transfer_syntax and syntax.is_encapsulated:
            _check_delimiter(dataset, content)
    return dataset, syntax


def _parsed(content: bytes) -> tuple[Dataset, uid.UID]:
    stream = BytesIO(content)
    if content[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        stream.seek(_PREAMBLE + 4)
    try:
        meta = read_dataset(stream, is_implicit_VR=False, is_little_endian=True, stop_when=_beyond_meta)
        syntax = uid.UID(str(meta.get("TransferSyntaxUID") or ""))
        if not syntax:
            raise Damaged("file meta information: expected a Transfer Syntax UID, there is none")
        if syntax == uid.DeflatedExplicitVRLittleEndian:
            return _inflated(stream.read()), syntax
        return pydicom.dcmread(BytesIO(content), force=True), syntax
    except pydicom.errors.InvalidDicomError as error:
        raise Damaged(str(error)) from error
    except EOFError as error:
        raise Damaged("the file ends within an element") from error


def _beyond_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != 2


def _inflated(data: bytes) -> Dataset:
    try:
        _check_inflated_size(data)
        plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data)
    except zlib.error as error:
        raise Damaged(f"deflated data set: {error}") from error
    return read_dataset(BytesIO(plain), is_implicit_VR=False, is_little_endian=True)


def _check_inflated_size(data: bytes) -> None:
    """Inflate once piece by piece and keep nothing: a bomb costs time up to the limit, and no memory."""
    inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while piece := inflate.decompress(data, _PIECE_BYTES):
        total += len(piece)
        if total > MAX_INFLATED_BYTES:
            raise TooLarge(f"deflated data set: inflates to more than {MAX_INFLATED_BYTES} bytes")
        data = inflate.unconsumed_tail
    if not inflate.eof:
        raise Damaged("deflated data set: ends early")


def _check_lengths(dataset: Dataset) -> None:
    """Refuse a file that ends within an element; pydicom takes what there is and says nothing."""
    for tag in dataset.keys():  # noqa: SIM118  (a Dataset iterates over its elements and would convert them)
        element = dataset.get_item(tag)
        announced, value = getattr(element, "length", 0), getattr(element, "value", None)
        if isinstance(value, bytes) and announced not in (_UNDEFINED_LENGTH, len(value)):
            raise Damaged(f"element {tag}: expected {announced} bytes, the file holds {len(value)}")


def _check_delimiter(dataset: Dataset, content: bytes) -> None:
    """Refuse encapsulated pixel data that the file does not close (PS3.5 A.4); pydicom only warns."""
    element: Any = dataset.get_item("PixelData")
    if getattr(element, "length", 0) != _UNDEFINED_LENGTH:
        return
    end = element.value_tell + len(element.value or b"")
    if content[end : end + 8] != _SEQUENCE_DELIMITER:
        raise Damaged("encapsulated pixel data: the file ends before its delimiter")
