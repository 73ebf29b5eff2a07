"""What a DICOM header says about an image, as columns of the `images` table; never guessed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from crepitus.dicom.checks import text_of, whole_number
from crepitus.dicom.photometric import first_number

Columns = dict[str, str | int | float | None]


def spacing_of(dataset: Dataset) -> tuple[float | None, str | None]:
    """Size of a pixel in mm and the attribute that says so (PS3.3 10.7.1.1 and C.8.11.4); never guessed.

    Pixel Spacing wins; Imager Pixel Spacing is divided by the radiographic magnification where that is known.
    Pixels that are not square have no single spacing.
    """
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        values = dataset.get(name)
        if values is None or isinstance(values, str) or not hasattr(values, "__len__") or len(values) != 2:
            continue
        row, column = first_number(values[0]), first_number(values[1])
        if row is None or column is None or row <= 0 or abs(row - column) > 0.01 * row:
            continue
        factor = 1.0
        if name == "ImagerPixelSpacing":
            factor = first_number(dataset.get("EstimatedRadiographicMagnificationFactor")) or 1.0
        size = row / factor if factor > 0 else row
        if np.isfinite(size) and size > 0:
            return size, name
    return None, None


def view_columns(dataset: Dataset) -> Columns:
    """What an image shows: `body_part`, `view`, `laterality`; None where the header is silent."""
    return {
        "body_part": text_of(dataset.get("BodyPartExamined")),
        "view": text_of(dataset.get("ViewPosition")),
        "laterality": text_of(dataset.get("ImageLaterality")) or text_of(dataset.get("Laterality")),
    }


def hashed(value: Any, kind: str, salt: bytes = b"") -> str | None:
    """A name for an identifier: the first 20 hex digits of a hash; None where the identifier is empty.

    Args:
        value: the identifier; it may hold '../', NUL or 10,000 characters.
        kind: keeps a study and a patient with the same identifier apart.
        salt: secret of the project; without it, the identifier of a known patient could be found again.
    """
    text = ("" if value is None else str(value)).strip().strip("\0")
    if not text:
        return None
    return hashlib.sha256(salt + f"{kind}:{text}".encode("utf-8", "surrogatepass")).hexdigest()[:20]


def image_id_of(dataset: Dataset, content: bytes, salt: bytes = b"") -> str:
    """A short image id from the SOP Instance UID, or from the content of the file where there is none.

    Names come from hashes only: a UID may hold '../', NUL or 10,000 characters.
    """
    name = hashed(dataset.get("SOPInstanceUID"), "image", salt)
    return "d" + (name or hashlib.sha256(salt + content).hexdigest()[:20])


def technique_columns(dataset: Dataset, syntax: uid.UID) -> Columns:
    """How an image was taken and stored, as far as the header says; columns beyond those of the format."""
    return {
        "modality": text_of(dataset.get("Modality")),
        "presentation_intent": text_of(dataset.get("PresentationIntentType")),
        "manufacturer": text_of(dataset.get("Manufacturer")),
        "model": text_of(dataset.get("ManufacturerModelName")),
        "study_date": text_of(dataset.get("StudyDate")),
        "orientation": _joined(dataset.get("PatientOrientation")),
        "anatomic_region": _code_meaning(dataset.get("AnatomicRegionSequence")),
        "view_code": _code_meaning(dataset.get("ViewCodeSequence")),
        "kilovolt": first_number(dataset.get("KVP")),
        "exposure_mas": _exposure(dataset),
        "exposure_index": first_number(dataset.get("ExposureIndex")),
        "source_to_detector_mm": first_number(dataset.get("DistanceSourceToDetector")),
        "photometric": text_of(dataset.get("PhotometricInterpretation")),
        "bits_stored": whole_number(dataset, "BitsStored", 0) or None,
        "transfer_syntax": str(syntax),
        "lossy": _lossy(dataset),
        "burned_in_annotation": text_of(dataset.get("BurnedInAnnotation")),
    }


def patient_columns(dataset: Dataset) -> Columns:
    """The patient's characteristics that matter for a radiograph."""
    return {
        "patient_sex": text_of(dataset.get("PatientSex")),
        "patient_age": text_of(dataset.get("PatientAge")),
    }


def flags_of(columns: Columns) -> str | None:
    """What a user of the image should know, as words: what is missing, and what may be wrong with it."""
    words = [f"no-{name}" for name in ("view", "laterality") if columns.get(name) is None]
    if columns.get("spacing_mm") is None:
        words.insert(0, "no-spacing")
    if columns.get("burned_in_annotation") == "YES":
        words.append("burned-in-annotation")
    if columns.get("lossy") == 1:
        words.append("lossy")
    return " ".join(words) or None


def _joined(value: Any) -> str | None:
    several = value is not None and not isinstance(value, str) and hasattr(value, "__iter__")
    return text_of("/".join(str(part) for part in value) if several else value)


def _code_meaning(items: Any) -> str | None:
    return text_of(items[0].get("CodeMeaning")) if items else None


def _exposure(dataset: Dataset) -> float | None:
    """Exposure in mAs: the attribute in uAs is finer where both are there (PS3.3 C.8.7.2)."""
    fine = first_number(dataset.get("ExposureInuAs"))
    return fine / 1000.0 if fine is not None else first_number(dataset.get("Exposure"))


def _lossy(dataset: Dataset) -> int | None:
    value = text_of(dataset.get("LossyImageCompression"))
    return {"00": 0, "01": 1}.get(value or "")
