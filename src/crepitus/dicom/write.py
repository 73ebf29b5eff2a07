"""Writing a grey image as a minimal valid Digital X-Ray Image for presentation (PS3.3 A.26)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from crepitus import __version__
from crepitus.errors import UsageError

REGION_CODES = {
    "FOREARM": ("14975008", "Forearm"),
    "LEG": ("30021000", "Lower leg"),
    "HUMERUS": ("40983000", "Upper arm"),
    "HIP": ("29836001", "Hip"),
    "PELVIS": ("816092008", "Pelvis"),
    "FEMUR": ("68367000", "Thigh"),
    "WRIST": ("74670003", "Wrist joint"),
    "HAND": ("85562004", "Hand"),
}
"""SNOMED CT code and meaning by Body Part Examined, PS3.16 CID 4009."""

VIEW_CODES = {
    "AP": ("399348003", "antero-posterior"),
    "PA": ("272479007", "postero-anterior"),
    "LL": ("399173006", "left lateral"),
    "RL": ("399198007", "right lateral"),
    "OBL": ("399182000", "oblique"),
}
"""SNOMED CT code and meaning by View Position, PS3.16 CID 4010."""


@dataclass(frozen=True)
class Identity:
    """Who and what an image is; UIDs derive from `study` and `image`, so that a rerun repeats them.

    Attributes:
        patient_name: DICOM person name, for example "PHANTOM^Long bone".
        patient_id: at most 64 characters.
        study, image: any text that names the study and the image uniquely.
        date: YYYYMMDD of study and content.
    """

    patient_name: str
    patient_id: str
    study: str
    image: str
    date: str = "20000101"


def uid_from(text: str) -> UID:
    """A UID under 2.25. from text: the UUID made of the first 128 bits of its SHA-256 (PS3.5 B.2)."""
    return UID("2.25." + str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")))


def write_dx(
    path: Path,
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    identity: Identity,
    *,
    spacing_mm: float | None = None,
    body_part: str | None = None,
    view: str | None = None,
    laterality: str | None = None,
    kilovolt: float | None = None,
    orientation: tuple[str, str] = ("L", "F"),
) -> None:
    """Write a file, whole or not at all: explicit little endian, MONOCHROME2, bone bright.

    Args:
        path: of the file.
        pixels: shape (rows, columns), uint8 or uint16.
        identity: names and UIDs.
        spacing_mm: pixel size in the detector plane, written as Imager Pixel Spacing and Pixel Spacing.
        body_part: DICOM Body Part Examined, upper case.
        view: DICOM View Position.
        laterality: "L", "R" or None (written as U, unpaired or unknown).
        kilovolt: tube voltage.
        orientation: DICOM Patient Orientation of the rows and the columns (PS3.3 C.7.6.1.1.1).

    Raises:
        UsageError: `pixels` has another shape or type.
    """
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise UsageError(
            f"expected pixels (rows, columns) of uint8 or uint16, got {pixels.shape} {pixels.dtype}"
        )
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = uid_from(identity.image)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid_from("crepitus")
    meta.ImplementationVersionName = f"CREPITUS_{__version__}"[:16]
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    _identity(dataset, identity)
    _series(dataset, identity, laterality)
    _anatomy(dataset, body_part, view, orientation)
    _acquisition(dataset, spacing_mm, kilovolt)
    _pixels(dataset, pixels)
    partial = path.with_name(path.name + ".tmp")
    dataset.save_as(partial, enforce_file_format=True)
    partial.replace(path)


def _identity(dataset: Dataset, identity: Identity) -> None:
    """Patient, General Study and SOP Common modules (PS3.3 C.7.1.1, C.7.2.1, C.12.1)."""
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = uid_from(identity.image)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = identity.patient_name
    dataset.PatientID = identity.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = ""
    dataset.StudyInstanceUID = uid_from("study:" + identity.study)
    dataset.StudyDate = dataset.ContentDate = dataset.AcquisitionDate = identity.date
    dataset.StudyTime = dataset.ContentTime = dataset.AcquisitionTime = "000000"
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = ""
    dataset.AccessionNumber = ""


def _series(dataset: Dataset, identity: Identity, laterality: str | None) -> None:
    """General and DX Series, General Equipment, General Image (PS3.3 C.7.3.1, C.8.11.1, C.7.5.1, C.7.6.1)."""
    dataset.Modality = "DX"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.SeriesInstanceUID = uid_from("series:" + identity.image)
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = 1
    dataset.Manufacturer = "Crepitus"
    dataset.ManufacturerModelName = "X-ray phantom"
    dataset.SoftwareVersions = __version__
    dataset.DeviceSerialNumber = "0"
    dataset.ImageType = ["DERIVED", "PRIMARY", ""]
    dataset.AcquisitionNumber = 1
    dataset.ImageLaterality = laterality or "U"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = "SCT"
    item.CodeMeaning = meaning
    return item


def _anatomy(
    dataset: Dataset,
    body_part: str | None,
    view: str | None,
    orientation: tuple[str, str],
) -> None:
    """DX Anatomy Imaged and DX Positioning modules (PS3.3 C.8.11.2, C.8.11.5)."""
    dataset.BodyPartExamined = body_part or ""
    region = REGION_CODES.get(body_part or "")
    dataset.AnatomicRegionSequence = Sequence([] if region is None else [_code(*region)])
    dataset.ViewPosition = view or ""
    code = VIEW_CODES.get(view or "")
    if code is not None:
        item = _code(*code)
        item.ViewModifierCodeSequence = Sequence([])
        dataset.ViewCodeSequence = Sequence([item])
    dataset.PositionerType = ""
    dataset.PatientOrientation = list(orientation)


def _acquisition(dataset: Dataset, spacing_mm: float | None, kilovolt: float | None) -> None:
    """DX Detector, X-Ray Acquisition and Acquisition Context modules (PS3.3 C.8.11.4, C.7.6.14)."""
    dataset.DetectorType = "SCINTILLATOR"
    dataset.AcquisitionContextSequence = Sequence([])
    if kilovolt is not None:
        dataset.KVP = f"{kilovolt:.1f}"
    if spacing_mm is not None:
        text = f"{spacing_mm:.8f}"
        dataset.ImagerPixelSpacing = [text, text]
        dataset.PixelSpacing = [text, text]
        # Both are the spacing in the detector plane: nothing was calibrated by an object of known size.
        dataset.PixelSpacingCalibrationType = "GEOMETRY"
        dataset.PixelSpacingCalibrationDescription = "detector plane"


def _pixels(dataset: Dataset, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Image Pixel, DX Image and VOI LUT modules (PS3.3 C.7.6.3, C.8.11.3, C.11.2)."""
    bits = 8 * pixels.dtype.itemsize
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"
    # The whole range by the linear formula of C.11.2.1.2.1: 0 is black, the largest value white.
    dataset.WindowCenter = str(2 ** (bits - 1))
    dataset.WindowWidth = str(2**bits)
    data = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"))).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
