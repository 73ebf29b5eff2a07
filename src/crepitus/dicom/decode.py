"""Pixel cells of a single-frame grey DICOM image in any transfer syntax that an installed decoder reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder

from crepitus.errors import Damaged, UnsupportedSyntax

_IMAGECODECS = {
    uid.JPEGLossless: "jpegsof3_decode",
    uid.JPEGLosslessSV1: "jpegsof3_decode",
    uid.JPEGExtended12Bit: "jpeg_decode",
}
"""Syntaxes that pydicom decodes only with GDCM or a GPL library: the function of imagecodecs that does."""


def decode_cells(dataset: Dataset, syntax: uid.UID) -> NDArray[Any]:
    """Decode the pixel data.

    Args:
        dataset: with Rows, Columns, Bits Allocated and Pixel Data; not changed.
        syntax: transfer syntax of the file.

    Returns:
        shape (rows, columns), 8- or 16-bit integers, cells as stored.

    Raises:
        UnsupportedSyntax: nothing installed decodes it.
        Damaged: it does not decode, or its size differs from Rows and Columns.
    """
    expected = (int(dataset.Rows), int(dataset.Columns))
    try:
        cells = _by_imagecodecs(dataset, syntax) if syntax in _IMAGECODECS else _by_pydicom(dataset, syntax)
    except UnsupportedSyntax:
        raise
    # Decoders raise whatever they like for a broken stream; MemoryError and RecursionError are among it.
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise Damaged(
            f"pixel data ({syntax.name}): expected {expected[0]} x {expected[1]} pixels, got: {reason}"
        ) from error
    if cells.shape != expected:
        raise Damaged(
            f"pixel data: expected {expected[0]} x {expected[1]} pixels as in the header, got {cells.shape}"
        )
    return cells


def _by_imagecodecs(dataset: Dataset, syntax: uid.UID) -> NDArray[Any]:
    import imagecodecs

    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    decoder = getattr(imagecodecs, _IMAGECODECS[syntax])
    return np.asarray(decoder(frame))


def _by_pydicom(dataset: Dataset, syntax: uid.UID) -> NDArray[Any]:
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise UnsupportedSyntax(f"transfer syntax {syntax.name} ({syntax}): no decoder is known") from error
    if not decoder.is_available:
        needs = "; ".join(" ".join(m.split()) for m in decoder.missing_dependencies)
        raise UnsupportedSyntax(f"transfer syntax {syntax.name} ({syntax}): no decoder is installed; {needs}")
    if not syntax.is_encapsulated:
        _check_length(dataset)
    cells, _ = decoder.as_array(dataset, index=0, raw=True)
    return cells


def _check_length(dataset: Dataset) -> None:
    """An uncompressed image that ends early: pydicom would raise as well, but says nothing for two frames."""
    wanted = int(dataset.Rows) * int(dataset.Columns) * int(dataset.BitsAllocated) // 8
    if len(dataset.PixelData) < wanted:
        raise ValueError(f"{len(dataset.PixelData)} bytes where {wanted} are needed")
