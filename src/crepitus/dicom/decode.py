"""Pixel cells of a single-frame DICOM image in any transfer syntax of radiography."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder

from crepitus.dicom.codestream import (
    Announced,
    check_end,
    check_jpeg2000_parts,
    jpeg2000_header,
    jpeg_header,
    plain_jpeg2000,
)
from crepitus.dicom.jpeg_whole import check_jpeg_whole
from crepitus.errors import Damaged, TooLarge, UnsupportedSyntax

Cells = NDArray[Any]

_HTJ2K = tuple(uid.UID(f"1.2.840.10008.1.2.4.{n}") for n in (201, 202, 203))
_NATIVE = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
    }
)
_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"


def _jpeg(stream: bytes) -> Cells:
    """Baseline and extended, 8 and 12 bits (T.81)."""
    import imagecodecs

    return np.asarray(imagecodecs.jpeg8_decode(stream))


def _jpeg_lossless(stream: bytes) -> Cells:
    """Process 14, all predictors (T.81 H)."""
    import imagecodecs

    return np.asarray(imagecodecs.jpegsof3_decode(stream))


def _jpeg2000(stream: bytes) -> Cells:
    """JPEG 2000 Part 1 and High-Throughput JPEG 2000 (T.800, T.814)."""
    from openjpeg.utils import decode

    return np.asarray(decode(stream, j2k_format=0))


_BY_STREAM: dict[uid.UID, Callable[[bytes], Cells]] = {
    uid.JPEGBaseline8Bit: _jpeg,
    uid.JPEGExtended12Bit: _jpeg,
    uid.JPEGLossless: _jpeg_lossless,
    uid.JPEGLosslessSV1: _jpeg_lossless,
    uid.JPEG2000Lossless: _jpeg2000,
    uid.JPEG2000: _jpeg2000,
    **dict.fromkeys(_HTJ2K, _jpeg2000),
}
"""Syntaxes whose codestream goes to a decoder as it is; pydicom decodes the others."""

_BY_PYDICOM = _NATIVE | {uid.RLELossless, uid.JPEGLSLossless, uid.JPEGLSNearLossless}


def check_syntax(syntax: uid.UID) -> None:
    """Refuse a transfer syntax that nothing here decodes.

    Raises:
        UnsupportedSyntax: names it and what to do.
    """
    if syntax not in _BY_STREAM and syntax not in _BY_PYDICOM:
        name = syntax.name if syntax.name != str(syntax) else "unknown"
        raise UnsupportedSyntax(
            f"transfer syntax {name[:80]} ({str(syntax)[:64]}): no part or extra of this package decodes it; "
            "export the image uncompressed or as JPEG 2000"
        )


def decode_cells(dataset: Dataset, syntax: uid.UID) -> Cells:
    """Decode the pixel data.

    Args:
        dataset: checked by `check_is_radiograph`; not changed.
        syntax: transfer syntax of the file.

    Returns:
        shape (rows, columns) or (rows, columns, 3), 8- or 16-bit integers, cells as stored.

    Raises:
        UnsupportedSyntax: nothing installed decodes it.
        Damaged: it does not decode, ends early, or its size differs from Rows and Columns.
        TooLarge: decoding needs more memory than the process may have.
    """
    check_syntax(syntax)
    rows, columns, samples = int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel") or 1)
    expected = (rows, columns) if samples == 1 else (rows, columns, samples)
    try:
        cells = _decoded(dataset, syntax)
    except (Damaged, UnsupportedSyntax):
        raise
    except MemoryError as error:
        raise TooLarge(f"pixel data ({syntax.name}): decoding needs more memory than it may have") from error
    # Decoders raise whatever they like for a broken stream; a Rust panic is a BaseException.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        raise Damaged(
            f"pixel data ({syntax.name}): expected {rows} x {columns} pixels, got: {reason}"
        ) from error
    if cells.shape != expected or cells.dtype.kind not in "ui" or cells.dtype.itemsize > 2:
        raise Damaged(
            f"pixel data: expected {rows} x {columns} pixels as in the header, "
            f"got {cells.shape} of {cells.dtype}"
        )
    return cells


def _decoded(dataset: Dataset, syntax: uid.UID) -> Cells:
    if syntax in _NATIVE:
        _check_length(dataset)
        return _by_pydicom(dataset, syntax)
    stream = b"".join(fragments(dataset.PixelData))
    if syntax == uid.RLELossless:
        return _by_pydicom(dataset, syntax)
    decode = _BY_STREAM.get(syntax)
    if decode is _jpeg2000:
        stream = plain_jpeg2000(stream)
        _check_announced(jpeg2000_header(stream), dataset)
        check_jpeg2000_parts(stream)
        return decode(stream)
    _check_announced(jpeg_header(stream), dataset)
    if decode is None:
        # JPEG-LS. Its decoder refuses a stream that ends early, but searches on for seconds before.
        check_end(stream)
        return _by_pydicom(dataset, syntax)
    return check_jpeg_whole(stream, "codestream", decode)


def _by_pydicom(dataset: Dataset, syntax: uid.UID) -> Cells:
    decoder = get_decoder(syntax)
    if not decoder.is_available:
        needs = "; ".join(" ".join(m.split()) for m in decoder.missing_dependencies)
        raise UnsupportedSyntax(f"transfer syntax {syntax.name} ({syntax}): no decoder is installed; {needs}")
    options: dict[str, Any] = {}
    if syntax in _NATIVE or syntax == uid.RLELossless:
        # Without these, bits outside the stored ones are cut as if High Bit were Bits Stored - 1.
        allocated = int(dataset.BitsAllocated)
        options = {"bits_stored": allocated, "high_bit": allocated - 1}
    cells, _ = decoder.as_array(dataset, index=0, raw=True, **options)
    return np.asarray(cells)


def fragments(value: bytes) -> list[bytes]:
    """Fragments of the one frame of encapsulated pixel data, without the offset table (PS3.5 A.4).

    Raises:
        Damaged: no item where one must be, or an item that is longer than what there is.
    """
    found: list[bytes] = []
    position = 0
    while position + 8 <= len(value):
        tag, length = (
            value[position : position + 4],
            int.from_bytes(value[position + 4 : position + 8], "little"),
        )
        if tag == _DELIMITER:
            break
        if tag != _ITEM:
            raise Damaged(f"encapsulated pixel data: expected an item at byte {position}, got {tag.hex()}")
        position += 8
        if position + length > len(value):
            left = len(value) - position
            raise Damaged(f"encapsulated pixel data: an item announces {length} bytes, {left} are there")
        found.append(value[position : position + length])
        position += length
    if len(found) < 2:
        raise Damaged("encapsulated pixel data: expected an offset table and a fragment, got fewer items")
    return found[1:]


def _check_announced(announced: Announced, dataset: Dataset) -> None:
    """Compare the codestream with the data set before anything is decoded: no decoder allocates for a lie."""
    wanted = (int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel") or 1))
    got = (announced.rows, announced.columns, announced.samples)
    if wanted != got:
        raise Damaged(
            f"pixel data: expected {wanted[0]} x {wanted[1]} pixels of {wanted[2]} samples as in the header, "
            f"the codestream has {got[0]} x {got[1]} of {got[2]}"
        )
    if announced.precision > int(dataset.BitsAllocated):
        raise Damaged(
            f"pixel data: expected at most {dataset.BitsAllocated} bits per sample as in the header, "
            f"the codestream has {announced.precision}"
        )


def _check_length(dataset: Dataset) -> None:
    """An uncompressed image that ends early: pydicom would raise as well, but says nothing for two frames."""
    samples = int(dataset.get("SamplesPerPixel") or 1)
    wanted = int(dataset.Rows) * int(dataset.Columns) * samples * int(dataset.BitsAllocated) // 8
    if len(dataset.PixelData) < wanted:
        raise ValueError(f"{len(dataset.PixelData)} bytes where {wanted} are needed")
