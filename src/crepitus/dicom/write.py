"""Writing a grey image as a valid CR (PS3.3 A.2) or DX (A.26) object, alone or as a view of a study."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from crepitus import __version__
from crepitus.dicom.encoding import SYNTAXES, Encoding, Pixels, set_pixels
from crepitus.dicom.positioning import (
    REGION_CODES,
    UNPAIRED,
    VIEW_CODES,
    check_positioning,
    patient_orientation,
)
from crepitus.errors import UsageError


@dataclass(frozen=True)
class Identity:
    """Who and what an image is; UIDs derive from `study` and `image`, so that a rerun repeats them.

    Attributes:
        patient_name: DICOM person name, for example "PHANTOM^Long bone".
        patient_id: at most 64 characters.
        study, image: any text that names the study and the image uniquely.
        date: YYYYMMDD of study and content.
        sex: "F", "M", "O" or "" for unknown.
        age: in years, None for unknown.
        number: of the view within its study, from 1; each view is a series of its own.
    """

    patient_name: str
    patient_id: str
    study: str
    image: str
    date: str = "20000101"
    sex: str = ""
    age: float | None = None
    number: int = 1


def uid_from(text: str) -> UID:
    """A UID under 2.25. from text: the UUID made of the first 128 bits of its SHA-256 (PS3.5 B.2)."""
    return UID("2.25." + str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")))


def age_string(years: float) -> str:
    """DICOM Age String: years, or months below two years (PS3.5 6.2).

    Raises:
        UsageError: `years` is not from 0 to 999.
    """
    if not 0 <= years < 1000:
        raise UsageError(f"age: expected 0 to 999 years, got {years}")
    return f"{int(years * 12):03d}M" if years < 2 else f"{int(years):03d}Y"


def write_dx(
    path: Path,
    pixels: Pixels,
    identity: Identity,
    *,
    spacing_mm: float | None = None,
    body_part: str | None = None,
    view: str | None = None,
    laterality: str | None = None,
    kilovolt: float | None = None,
    orientation: tuple[str, str] | None = None,
    encoding: Encoding | None = None,
) -> None:
    """Write a DX or CR file, whole or not at all.

    Args:
        path: of the file.
        pixels: shape (rows, columns), uint8 or uint16, bone bright.
        identity: names and UIDs.
        spacing_mm: pixel size in the detector plane, written as Imager Pixel Spacing and, for DX, as Pixel
            Spacing. DX requires it; None leaves it out, for a reader that must do without.
        body_part: DICOM Body Part Examined, a key of `REGION_CODES`.
        view: DICOM View Position, a key of `VIEW_CODES`.
        laterality: one of `LATERALITIES`, or None (written as U).
        kilovolt: tube voltage.
        orientation: DICOM Patient Orientation of rows and columns; None derives it from view and laterality,
            see `patient_orientation`.
        encoding: kind of object and of pixels; None is DX, explicit little endian, MONOCHROME2.

    Raises:
        UsageError: `pixels` has another shape or type, or an option is none of those listed.
    """
    encoding = encoding or Encoding()
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise UsageError(
            f"expected pixels (rows, columns) of uint8 or uint16, got {pixels.shape} {pixels.dtype}"
        )
    check_positioning(body_part, view, laterality)
    dataset = _empty(path, identity, encoding)
    _identity(dataset, identity, encoding)
    _series(dataset, identity, encoding)
    _anatomy(dataset, body_part, view, laterality)
    dataset.PatientOrientation = list(orientation or patient_orientation(view, laterality, body_part))
    _acquisition(dataset, spacing_mm, kilovolt, encoding)
    set_pixels(dataset, pixels, encoding)
    partial = path.with_name(path.name + ".tmp")
    dataset.save_as(partial, enforce_file_format=True)
    partial.replace(path)


def _empty(path: Path, identity: Identity, encoding: Encoding) -> FileDataset:
    """A data set that holds nothing but its file meta information."""
    syntax = SYNTAXES[encoding.syntax].uid
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = encoding.sop_class
    meta.MediaStorageSOPInstanceUID = uid_from(identity.image)
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = uid_from("crepitus")
    meta.ImplementationVersionName = f"CREPITUS_{__version__}"[:16]
    return FileDataset(
        str(path),
        {},
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=syntax.is_implicit_VR,
        is_little_endian=syntax.is_little_endian,
    )


def _identity(dataset: Dataset, identity: Identity, encoding: Encoding) -> None:
    """Patient, General Study, Patient Study and SOP Common (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2, C.12.1)."""
    dataset.SOPClassUID = encoding.sop_class
    dataset.SOPInstanceUID = uid_from(identity.image)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = identity.patient_name
    dataset.PatientID = identity.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = identity.sex
    if identity.age is not None:
        dataset.PatientAge = age_string(identity.age)
    study = uid_from("study:" + identity.study)
    dataset.StudyInstanceUID = study
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = dataset.AcquisitionDate = identity.date
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = dataset.AcquisitionTime = "000000"
    dataset.ReferringPhysicianName = ""
    # A Short String has 16 characters, and the name of a study may be longer.
    dataset.StudyID = study[-10:]
    dataset.AccessionNumber = ""


def _series(dataset: Dataset, identity: Identity, encoding: Encoding) -> None:
    """General and DX Series, General Equipment, General Image (PS3.3 C.7.3.1, C.8.11.1, C.7.5.1, C.7.6.1)."""
    dataset.Modality = encoding.modality
    if encoding.modality == "DX":
        intent = "FOR PROCESSING" if encoding.for_processing else "FOR PRESENTATION"
        dataset.PresentationIntentType = intent
    dataset.SeriesInstanceUID = uid_from("series:" + identity.image)
    dataset.SeriesNumber = dataset.InstanceNumber = dataset.AcquisitionNumber = identity.number
    dataset.Manufacturer = "Crepitus"
    dataset.ManufacturerModelName = "X-ray phantom"
    dataset.SoftwareVersions = __version__
    dataset.DeviceSerialNumber = "0"
    lossy = SYNTAXES[encoding.syntax].lossy is not None
    dataset.ImageType = ["DERIVED" if lossy or not encoding.for_processing else "ORIGINAL", "PRIMARY", ""]


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = "SCT"
    item.CodeMeaning = meaning
    return item


def _anatomy(dataset: Dataset, body_part: str | None, view: str | None, laterality: str | None) -> None:
    """DX Anatomy Imaged and DX Positioning, or CR Series (PS3.3 C.8.11.2, C.8.11.5, C.8.1.1)."""
    dataset.BodyPartExamined = body_part or ""
    dataset.ViewPosition = view or ""
    if dataset.Modality == "CR":
        # Required where the body part may be paired, empty where the side is not known (C.7.3.1).
        if body_part not in UNPAIRED:
            dataset.Laterality = laterality if laterality in ("L", "R") else ""
        return
    dataset.ImageLaterality = laterality or "U"
    region = REGION_CODES.get(body_part or "")
    dataset.AnatomicRegionSequence = Sequence([] if region is None else [_code(*region)])
    code = VIEW_CODES.get(view or "")
    if code is not None:
        item = _code(*code)
        item.ViewModifierCodeSequence = Sequence([])
        dataset.ViewCodeSequence = Sequence([item])
    dataset.PositionerType = ""


def _acquisition(
    dataset: Dataset, spacing_mm: float | None, kilovolt: float | None, encoding: Encoding
) -> None:
    """DX Detector and Acquisition Context, or CR Image (PS3.3 C.8.11.4, C.7.6.14, C.8.1.2)."""
    direct = encoding.modality == "DX"
    if direct:
        dataset.DetectorType = "SCINTILLATOR"
        dataset.AcquisitionContextSequence = Sequence([])
    if kilovolt is not None:
        dataset.KVP = f"{kilovolt:.1f}"
    if spacing_mm is not None:
        text = f"{spacing_mm:.8f}"
        dataset.ImagerPixelSpacing = [text, text]
        if direct:
            # Both are the spacing in the detector plane: nothing was calibrated by an object of known size.
            dataset.PixelSpacing = [text, text]
            dataset.PixelSpacingCalibrationType = "GEOMETRY"
            dataset.PixelSpacingCalibrationDescription = "detector plane"
