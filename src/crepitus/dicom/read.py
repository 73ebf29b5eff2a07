"""Reading one DICOM radiograph: recognise, refuse what is no radiograph, decode, bring to display values."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from crepitus.dicom.decode import decode_cells
from crepitus.dicom.photometric import display_values, stored_values
from crepitus.errors import Damaged, NotDicom, NotRadiograph, SetAside, TooLarge
from crepitus.structures import Radiograph

MAX_PIXELS = 225_000_000
"""Rows x Columns that are still decoded; ten times the largest detector."""

MAX_FILE_BYTES = 1 << 30
MAX_INFLATED_BYTES = 512 << 20

RADIOGRAPH_MODALITIES = frozenset({"CR", "DX", "RG"})
"""Modality (0008,0060) of projection radiographs, PS3.3 C.7.3.1.1.1."""

_RADIOGRAPH_CLASSES = frozenset(
    {
        uid.ComputedRadiographyImageStorage,
        uid.DigitalXRayImageStorageForPresentation,
        uid.DigitalXRayImageStorageForProcessing,
    }
)
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises for a header that breaks the standard."""

_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_PREAMBLE = 128
_META_START = b"\x02\x00"
_UNDEFINED_LENGTH = 0xFFFFFFFF


def is_dicom(path: Path) -> bool:
    """Whether a file has DICOM's prefix, or starts with a file meta group without a preamble."""
    with path.open("rb") as stream:
        head = stream.read(_PREAMBLE + 4)
    return _has_prefix(head)


def _has_prefix(head: bytes) -> bool:
    if head[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        return True
    # (0002,xxxx) with an explicit VR: the file meta information, written without the preamble.
    return head[:2] == _META_START and head[4:6].isalpha() and head[4:6].isupper()


def read_dicom(path: Path | str) -> Radiograph:
    """Read a projection radiograph with one grey frame.

    Args:
        path: a DICOM file; its name and ending do not matter.

    Returns:
        pixels uint16, 0 black to 65535 white as displayed, bone bright; spacing where the header gives it;
        metadata `study_id`, `patient_id` (hashes of the identifiers), `body_part`, `view`, `laterality`,
        `spacing_source`, each None where the header is silent.

    Raises:
        NotDicom: neither prefix nor file meta information.
        Damaged: truncated, contradictory, or nested beyond reason.
        TooLarge: more than `MAX_PIXELS`, before anything is allocated, or an inflated size above the limit.
        NotRadiograph: another modality, several frames, colours.
        UnsupportedSyntax: no decoder for the transfer syntax.
    """
    path = Path(path)
    try:
        dataset, syntax = read_header(path)
        return _radiograph(path, dataset, syntax)
    except SetAside as error:
        # Name the file once, here, so that every reason reads alike.
        raise type(error)(f"{path.name}: {error}") from error
    except RecursionError as error:
        raise Damaged(f"{path.name}: sequences are nested too deeply") from error
    except _UNREADABLE as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise Damaged(f"{path.name}: expected a readable DICOM header, got: {reason}") from error


def read_header(path: Path) -> tuple[Dataset, uid.UID]:
    """The data set of a file and its transfer syntax.

    Raises:
        NotDicom, TooLarge, Damaged: without the name of the file, which `read_dicom` adds.
    """
    if not path.is_file():
        raise Damaged("expected a file, there is none")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise TooLarge(f"{path.stat().st_size} bytes, the limit is {MAX_FILE_BYTES}")
    # From memory: an element that announces 4 GB then yields what is there instead of allocating 4 GB.
    content = path.read_bytes()
    if not _has_prefix(content[: _PREAMBLE + 4]):
        what = "it is empty" if not content else "its content is something else"
        raise NotDicom(f"expected a DICOM file with its file meta information, {what}")
    stream = BytesIO(content)
    if content[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        stream.seek(_PREAMBLE + 4)
    try:
        meta = read_dataset(stream, is_implicit_VR=False, is_little_endian=True, stop_when=_beyond_meta)
        syntax = uid.UID(str(meta.get("TransferSyntaxUID") or ""))
        if not syntax:
            raise Damaged("file meta information: expected a Transfer Syntax UID, there is none")
        if syntax == uid.DeflatedExplicitVRLittleEndian:
            dataset = _inflated(stream.read())
        else:
            dataset = pydicom.dcmread(BytesIO(content), force=True)
    except pydicom.errors.InvalidDicomError as error:
        raise Damaged(str(error)) from error
    except EOFError as error:
        raise Damaged("the file ends within an element") from error
    _check_lengths(dataset)
    return dataset, syntax


def _check_lengths(dataset: Dataset) -> None:
    """Refuse a file that ends within an element; pydicom takes what there is and says nothing."""
    for tag in dataset.keys():  # noqa: SIM118  (a Dataset iterates over its elements and would convert them)
        element = dataset.get_item(tag)
        announced, value = getattr(element, "length", 0), getattr(element, "value", None)
        if isinstance(value, bytes) and announced not in (_UNDEFINED_LENGTH, len(value)):
            raise Damaged(f"element {tag}: expected {announced} bytes, the file holds {len(value)}")


def _beyond_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != 2


def _inflated(data: bytes) -> Dataset:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflate.decompress(data, MAX_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise Damaged(f"deflated data set: {error}") from error
    if len(plain) > MAX_INFLATED_BYTES:
        raise TooLarge(f"deflated data set: inflates to more than {MAX_INFLATED_BYTES} bytes")
    return read_dataset(BytesIO(plain), is_implicit_VR=False, is_little_endian=True)


def _radiograph(path: Path, dataset: Dataset, syntax: uid.UID) -> Radiograph:
    check_is_radiograph(dataset)
    cells = decode_cells(dataset, syntax)
    bits = int(dataset.BitsStored)
    stored = stored_values(
        cells, bits, int(dataset.get("HighBit", bits - 1)), int(dataset.get("PixelRepresentation") or 0) == 1
    )
    spacing, source = spacing_of(dataset)
    metadata: dict[str, str | int | float | None] = {
        "study_id": _hashed(dataset.get("StudyInstanceUID"), "study"),
        "patient_id": _hashed(dataset.get("PatientID"), "patient"),
        "body_part": _text(dataset.get("BodyPartExamined")),
        "view": _text(dataset.get("ViewPosition")),
        "laterality": _text(dataset.get("ImageLaterality")) or _text(dataset.get("Laterality")),
        "spacing_source": source,
    }
    image_id = image_id_for(path, {"sop_instance_uid": _text(dataset.get("SOPInstanceUID"))})
    return Radiograph(image_id, display_values(stored, dataset), spacing, metadata)


def check_is_radiograph(dataset: Dataset) -> None:
    """Refuse from the header alone whatever is not a projection radiograph with one grey frame.

    Raises:
        NotRadiograph, TooLarge, Damaged: see `read_dicom`.
    """
    modality = _text(dataset.get("Modality")) or ""
    sop_class = str(dataset.get("SOPClassUID") or "")
    if modality not in RADIOGRAPH_MODALITIES and not (modality == "" and sop_class in _RADIOGRAPH_CLASSES):
        expected = ", ".join(sorted(RADIOGRAPH_MODALITIES))
        raise NotRadiograph(f"expected a modality of {expected}, got {modality or 'none'!r}")
    missing = [k for k in ("Rows", "Columns", "BitsAllocated", "BitsStored") if dataset.get(k) is None]
    rows, columns = (int(dataset.get(k) or 0) for k in ("Rows", "Columns"))
    if rows * columns > MAX_PIXELS:
        raise TooLarge(f"{rows} x {columns} pixels, the limit is {MAX_PIXELS}")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise NotRadiograph(f"expected one frame, got {frames}")
    samples = int(dataset.get("SamplesPerPixel") or 1)
    photometric = str(dataset.get("PhotometricInterpretation") or "").strip().upper()
    if samples != 1 or photometric not in _GREY:
        raise NotRadiograph(
            f"expected one grey sample per pixel, got {samples} of {photometric or 'unknown interpretation'}"
        )
    if "PixelData" not in dataset:
        missing.append("PixelData")
    if missing or not rows or not columns:
        raise Damaged(f"expected an image, {', '.join(missing) or 'Rows or Columns'} is missing or 0")
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    high = int(dataset.get("HighBit", stored - 1))
    if allocated not in (8, 16) or not 1 <= stored <= allocated or not stored - 1 <= high < allocated:
        raise Damaged(f"expected 8 or 16 bits per pixel, got {stored} (high bit {high}) of {allocated}")


def spacing_of(dataset: Dataset) -> tuple[float | None, str | None]:
    """Size of a pixel in mm and the attribute that says so (PS3.3 10.7.1.1 and C.8.11.4); never guessed.

    Pixel Spacing wins; Imager Pixel Spacing is divided by the radiographic magnification where that is known.
    Pixels that are not square have no single spacing.
    """
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        values = dataset.get(name)
        if values is None or len(values) != 2:
            continue
        row, column = float(values[0]), float(values[1])
        if not (np.isfinite([row, column]).all() and row > 0 and abs(row - column) <= 0.01 * row):
            continue
        factor = 1.0
        if name == "ImagerPixelSpacing":
            factor = float(dataset.get("EstimatedRadiographicMagnificationFactor") or 1.0)
        return row / factor if factor > 0 else row, name
    return None, None


def image_id_for(path: Path, metadata: Mapping[str, Any]) -> str:
    """A short image id from the SOP Instance UID, or from the content of the file where there is none.

    Names come from hashes only: a UID may hold '../', NUL or 10,000 characters.
    """
    instance = metadata.get("sop_instance_uid")
    data = str(instance).encode() if instance else path.read_bytes()
    return "d" + hashlib.sha256(data).hexdigest()[:20]


def _hashed(value: Any, kind: str) -> str | None:
    text = _text(value)
    return None if text is None else hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()[:20]


def _text(value: Any) -> str | None:
    """An element as text, None where it is absent or empty."""
    text = "" if value is None else str(value).strip().strip("\0")
    return text or None
