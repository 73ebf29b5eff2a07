"""Refusing from the header alone, before anything is allocated, what is not one radiograph."""

from __future__ import annotations

from typing import Any

from pydicom import uid
from pydicom.dataset import Dataset

from crepitus.errors import Damaged, NotRadiograph, TooLarge

MAX_PIXELS = 225_000_000
"""Rows x Columns that are still decoded; ten times the largest detector."""

MAX_FRAMES = 10_000
"""More frames than any object of radiography has: the header is hostile, not just another modality."""

RADIOGRAPH_MODALITIES = frozenset({"CR", "DX", "RG"})
"""Modality (0008,0060) of projection radiographs, PS3.3 C.7.3.1.1.1."""

_RADIOGRAPH_CLASSES = frozenset(
    {
        uid.ComputedRadiographyImageStorage,
        uid.DigitalXRayImageStorageForPresentation,
        uid.DigitalXRayImageStorageForProcessing,
    }
)
GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
PALETTE = "PALETTE COLOR"
_NEEDED = ("Rows", "Columns", "BitsAllocated", "BitsStored")


def text_of(value: Any) -> str | None:
    """An element as text without characters that do not print, None where it is absent or empty."""
    text = "" if value is None else str(value)
    text = "".join(c if c.isprintable() else " " for c in text[:1000]).strip()
    return text or None


def whole_number(dataset: Dataset, keyword: str, default: int) -> int:
    """An element that must hold one whole number; `default` where it is absent or empty.

    Raises:
        Damaged: it holds something else.
    """
    value = dataset.get(keyword)
    if value is None or value == "":
        return default
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Damaged(f"{keyword}: expected one whole number, got {str(value)[:40]!r}") from error


def photometric_of(dataset: Dataset) -> str:
    """Photometric Interpretation in capitals, empty where absent (PS3.3 C.7.6.3.1.2)."""
    return str(dataset.get("PhotometricInterpretation") or "").strip().upper()


def check_is_radiograph(dataset: Dataset) -> None:
    """Refuse whatever is not a projection radiograph with one frame.

    Raises:
        NotRadiograph: another modality, several frames, or samples of an unknown kind.
        TooLarge: more than `MAX_PIXELS` or `MAX_FRAMES`.
        Damaged: an element that every image has is missing or impossible.
    """
    _check_kind(dataset)
    rows, columns = (whole_number(dataset, k, 0) for k in ("Rows", "Columns"))
    frames = whole_number(dataset, "NumberOfFrames", 1)
    if rows * columns > MAX_PIXELS:
        raise TooLarge(f"{rows} x {columns} pixels, the limit is {MAX_PIXELS}")
    if frames > MAX_FRAMES:
        raise TooLarge(f"{frames} frames, the limit is {MAX_FRAMES}")
    if frames > 1:
        raise NotRadiograph(f"expected one frame, got {frames}")
    missing = [k for k in _NEEDED if dataset.get(k) is None]
    if "PixelData" not in dataset:
        missing.append("PixelData")
    if missing or rows < 1 or columns < 1:
        raise Damaged(f"expected an image, {', '.join(missing) or 'Rows or Columns'} is missing or 0")
    _check_samples(dataset)
    _check_bits(dataset)


def _check_kind(dataset: Dataset) -> None:
    modality = text_of(dataset.get("Modality")) or ""
    sop_class = str(dataset.get("SOPClassUID") or "")
    if modality not in RADIOGRAPH_MODALITIES and not (modality == "" and sop_class in _RADIOGRAPH_CLASSES):
        expected = ", ".join(sorted(RADIOGRAPH_MODALITIES))
        raise NotRadiograph(f"expected a modality of {expected}, got {modality[:40] or 'none'!r}")


def _check_samples(dataset: Dataset) -> None:
    samples, photometric = whole_number(dataset, "SamplesPerPixel", 1), photometric_of(dataset)
    fits = photometric in COLOUR if samples == 3 else samples == 1 and photometric in GREY | {PALETTE}
    if not fits:
        kind = photometric[:40] or "unknown interpretation"
        raise NotRadiograph(f"expected one grey sample per pixel, got {samples} of {kind}")


def _check_bits(dataset: Dataset) -> None:
    allocated, stored = (whole_number(dataset, k, 0) for k in ("BitsAllocated", "BitsStored"))
    high = whole_number(dataset, "HighBit", stored - 1)
    if allocated not in (8, 16) or not 1 <= stored <= allocated or not stored - 1 <= high < allocated:
        raise Damaged(f"expected 8 or 16 bits per pixel, got {stored} (high bit {high}) of {allocated}")
    if whole_number(dataset, "PixelRepresentation", 0) not in (0, 1):
        raise Damaged(f"Pixel Representation: expected 0 or 1, got {dataset.PixelRepresentation}")
