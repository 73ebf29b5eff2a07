"""From stored values to display values, one function per step in the order of PS3.3 C.11 and PS3.4 N.2.

stored values -> modality LUT or rescale -> VOI LUT or window -> polarity (presentation LUT shape) -> padding.
Every step maps a value without looking at its neighbours. So the steps run once for each value that can
occur, at most 65,536, in float64, and the picture goes through the finished table: exact, and as fast as one
lookup.
No function writes into the data set that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from crepitus.errors import Damaged

FloatArray = NDArray[np.float64]

OUTPUT_MAX = 65535
"""Display values run from 0 (black) to this (white)."""


_PIECE = 1 << 18
"""Pixels that go through a table at a time: indices take 8 bytes each."""


class VoiFunction(Enum):
    """VOI LUT Function (0028,1056), PS3.3 C.11.2.1.2 and C.11.2.1.3."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


def first_number(value: Any) -> float | None:
    """The first of one or several numbers of an element; None if it is absent, empty or not finite."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if len(value) else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def stored_values(cells: NDArray[Any], bits_stored: int, high_bit: int, signed: bool) -> NDArray[Any]:
    """Values of the pixel cells without what lies outside the stored bits (PS3.3 C.7.6.3.1.1, PS3.5 8.1.1).

    Args:
        cells: decoded cells as unsigned or signed 8- or 16-bit numbers.
        bits_stored: of the data set.
        high_bit: of the data set.
        signed: whether Pixel Representation is 1 (two's complement).

    Returns:
        shape of `cells`, uint16, or int16 where `signed`.
    """
    wide = cells.astype(np.uint16, copy=False)
    if high_bit < 15:
        wide = wide << np.uint16(15 - high_bit)
    # Now the sign, if any, is the topmost bit, and the shift back repeats it.
    values = wide.view(np.int16) if signed else wide
    return values if bits_stored == 16 else values >> values.dtype.type(16 - bits_stored)


def modality_lut(values: NDArray[Any], dataset: Dataset) -> FloatArray:
    """Modality LUT Sequence, or rescale slope and intercept (PS3.3 C.11.1).

    Raises:
        Damaged: the table contradicts its descriptor, or the slope is 0.
    """
    items = dataset.get("ModalityLUTSequence")
    if items:
        return lookup(values.astype(np.float64), items[0], signed_input=_is_signed(dataset))
    slope, intercept = (first_number(dataset.get(k)) for k in ("RescaleSlope", "RescaleIntercept"))
    if slope == 0.0:
        raise Damaged("Rescale Slope: expected a number other than 0, got 0")
    return values.astype(np.float64) * (1.0 if slope is None else slope) + (intercept or 0.0)


def _is_signed(dataset: Dataset) -> bool:
    return int(dataset.get("PixelRepresentation") or 0) == 1


def lookup(values: FloatArray, item: Dataset, signed_input: bool) -> FloatArray:
    """Apply a LUT item: entries, first value mapped, bits (PS3.3 C.11.1.1, C.11.2.1.1).

    Values before the first entry map to the first, values beyond the last to the last.

    Raises:
        Damaged: descriptor and data do not fit.
    """
    table, first, _ = lut_table(item.get("LUTDescriptor"), item.get("LUTData"), item, signed_input)
    index = np.clip(np.rint(values) - first, 0, len(table) - 1).astype(np.int64)
    return np.asarray(table[index])


def lut_table(descriptor: Any, data: Any, owner: Dataset, signed_input: bool) -> tuple[FloatArray, int, int]:
    """Entries of a lookup table, float64, the first value mapped, and the bits of an entry.

    Args:
        descriptor: LUT Descriptor: number of entries, first value mapped, bits.
        data: LUT Data: numbers, or bytes in the byte order of the file.
        owner: the data set that holds both; it knows the byte order.
        signed_input: whether the first value mapped is in two's complement.

    Raises:
        Damaged: descriptor and data do not fit.
    """
    numbers = [int(n) for n in descriptor or []]
    if len(numbers) != 3 or not 1 <= numbers[2] & 0xFFFF <= 16:
        raise Damaged(f"LUT Descriptor: expected entries, first value and 8 to 16 bits, got {numbers[:4]}")
    # 65536 entries do not fit into 16 bits and are written as 0 (PS3.3 C.11.1.1.1).
    entries = (numbers[0] & 0xFFFF) or 65536
    first = numbers[1] & 0xFFFF
    if signed_input and first >= 32768:
        first -= 65536
    if isinstance(data, bytes):
        # An 8-bit table may be packed two entries to a word.
        narrow = len(data) < 2 * entries
        word = np.dtype(">u2" if owner.original_encoding[1] is False else "<u2")
        table = np.frombuffer(data[: len(data) & ~1], dtype=np.uint8 if narrow else word)
    else:
        table = np.atleast_1d(np.asarray([] if data is None else data, dtype=np.int64)) & 0xFFFF
    if len(table) < entries:
        raise Damaged(f"LUT Data: expected {entries} entries as in its descriptor, got {len(table)}")
    return table[:entries].astype(np.float64), first, numbers[2] & 0xFFFF


def window(values: FloatArray, centre: float, width: float, function: VoiFunction) -> FloatArray:
    """Window to 0..1 (PS3.3 C.11.2.1.2.1 linear, C.11.2.1.3.2 linear exact, C.11.2.1.3.1 sigmoid)."""
    if function is VoiFunction.SIGMOID:
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700, 700))))
    if function is VoiFunction.LINEAR_EXACT:
        return np.clip((values - centre) / width + 0.5, 0.0, 1.0)
    if width == 1.0:
        return np.asarray(np.where(values <= centre - 0.5, 0.0, 1.0))
    return np.clip((values - (centre - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0)


def voi(values: FloatArray, dataset: Dataset, keep: NDArray[np.bool_]) -> FloatArray:
    """Display levels 0..1: the VOI LUT, else the first valid window, else the whole range (PS3.3 C.11.2).

    Args:
        values: output of `modality_lut`.
        dataset: for the VOI LUT module.
        keep: pixels that are not padding; they alone set the range where no window is given.

    Raises:
        Damaged: a table contradicts its descriptor.
    """
    items = dataset.get("VOILUTSequence")
    if items:
        # The table's input is the output of the modality LUT: signed where that can be negative.
        negative = _is_signed(dataset) or (first_number(dataset.get("RescaleIntercept")) or 0.0) < 0
        found = lookup(values, items[0], signed_input=negative)
        bits = int(items[0].LUTDescriptor[2]) & 0xFFFF
        return np.asarray(np.clip(found / (2.0**bits - 1.0), 0.0, 1.0))
    function = _function(dataset)
    narrowest = 1.0 if function is VoiFunction.LINEAR else np.finfo(float).tiny
    for centre, width in _windows(dataset):
        if width >= narrowest:
            return window(values, centre, width, function)
    shown = values[keep]
    if shown.size == 0 or shown.min() == shown.max():
        return np.zeros_like(values)
    return np.asarray(np.clip((values - shown.min()) / (shown.max() - shown.min()), 0.0, 1.0))


def _windows(dataset: Dataset) -> list[tuple[float, float]]:
    """Centre and width of each window whose two numbers are finite; the first valid one is shown."""
    lists = []
    for keyword in ("WindowCenter", "WindowWidth"):
        value = dataset.get(keyword)
        several = isinstance(value, Sequence) and not isinstance(value, str)
        lists.append([first_number(one) for one in value] if several else [first_number(value)])
    return [(c, w) for c, w in zip(*lists, strict=False) if c is not None and w is not None]


def _function(dataset: Dataset) -> VoiFunction:
    name = str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()
    try:
        return VoiFunction(name)
    except ValueError as error:
        expected = ", ".join(f.value for f in VoiFunction)
        raise Damaged(f"VOI LUT Function: expected one of {expected}, got {name!r}") from error


def is_inverted(dataset: Dataset) -> bool:
    """Whether the smallest value is white (PS3.3 C.7.6.3.1.2, C.11.6).

    Presentation LUT Shape decides where it is given; for DX it repeats what MONOCHROME1 says (C.8.11.3.1.2).
    """
    shape = str(dataset.get("PresentationLUTShape") or "").strip().upper()
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return str(dataset.get("PhotometricInterpretation") or "").strip().upper() == "MONOCHROME1"


def padding(stored: NDArray[Any], dataset: Dataset) -> NDArray[np.bool_]:
    """Pixels that are padding, by Pixel Padding Value and Range Limit (PS3.3 C.7.5.1.1.2); stored values."""
    value = first_number(dataset.get("PixelPaddingValue"))
    if value is None:
        return np.zeros(stored.shape, dtype=bool)
    limit = first_number(dataset.get("PixelPaddingRangeLimit"))
    ends = sorted(_as_stored(v, dataset) for v in (value, value if limit is None else limit))
    return np.asarray((stored >= ends[0]) & (stored <= ends[1]))


def _as_stored(value: float, dataset: Dataset) -> int:
    """A padding value that was written as US although the pixels are signed, or the other way round."""
    number = int(value)
    if _is_signed(dataset):
        return number - 65536 if number >= 32768 else number
    return number & 0xFFFF


def display_values(stored: NDArray[Any], dataset: Dataset) -> NDArray[np.uint16]:
    """All steps: stored values to uint16 display values, 0 black to 65535 white, padding black.

    Args:
        stored: shape (rows, columns), integers of at most 16 bits, see `stored_values`.
        dataset: with the modules named above; not changed.

    Raises:
        Damaged: a table contradicts its descriptor.
    """
    low, high = int(stored.min()), int(stored.max())
    flat = np.ascontiguousarray(stored).reshape(-1)
    occurs = np.zeros(high - low + 1, dtype=bool)
    shown = np.empty(flat.shape, dtype=np.uint16)
    pieces = [slice(i, i + _PIECE) for i in range(0, len(flat), _PIECE)]
    for piece in pieces:
        occurs[flat[piece].astype(np.intp) - low] = True
    table = _display_table(np.arange(low, high + 1), occurs, dataset)
    for piece in pieces:
        np.take(table, flat[piece].astype(np.intp) - low, out=shown[piece])
    return shown.reshape(stored.shape)


def _display_table(values: NDArray[Any], occurs: NDArray[np.bool_], dataset: Dataset) -> NDArray[np.uint16]:
    """Display value of each stored value; `occurs` says which of them the picture holds."""
    pad = padding(values, dataset)
    levels = voi(modality_lut(values, dataset), dataset, occurs & ~pad)
    if is_inverted(dataset):
        levels = 1.0 - levels
    levels = np.where(pad, 0.0, levels)
    return np.rint(levels * OUTPUT_MAX).astype(np.uint16)
