"""De-identification by the Basic Application Level Confidentiality Profile of PS3.15 Annex E."""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom import uid
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from crepitus import __version__
from crepitus.dicom.checks import text_of
from crepitus.dicom.metadata import hashed
from crepitus.dicom.profile import CHARACTERISTICS, EMPTIED, KEPT, REPLACED_UIDS, SHIFTED_DATES
from crepitus.dicom.write import uid_from
from crepitus.errors import Damaged

MAX_SHIFT_DAYS = 3650
"""Dates move into the past by 1 to this many days, the same for all images of a patient."""

OLDEST_YEARS = 90
"""Older patients are so few that their age would point at them; they get this age."""

MAX_DEPTH = 8
"""Sequences within sequences that are followed; kept ones nest three deep at most."""


@dataclass(frozen=True)
class Project:
    """What makes the new identifiers of one project.

    Attributes:
        salt: secret bytes. The same salt gives the same identifiers; without it nobody can go back.
        characteristics: keep sex, age, size and weight (Retain Patient Characteristics Option).
    """

    salt: bytes
    characteristics: bool = False


def deidentify(dataset: Dataset, syntax: uid.UID, project: Project) -> Dataset:
    """A new data set with the attributes of `profile.KEPT` and new identifiers.

    Args:
        dataset: of a radiograph; not changed. Large values are shared with it, not copied.
        syntax: its transfer syntax, which stays.
        project: salt and options.

    Returns:
        a data set with file meta information and an empty preamble, which records what was done:
        Patient Identity Removed, De-identification Method and its code sequence (PS3.15 E.1.1).
    """
    kept = KEPT | (CHARACTERISTICS if project.characteristics else frozenset())
    clean = _filtered(dataset, kept, 0)
    for keyword in EMPTIED:
        if keyword not in clean:
            setattr(clean, keyword, "")
    if project.characteristics:
        _cap_age(clean)
    for keyword in REPLACED_UIDS:
        original = text_of(dataset.get(keyword))
        if original is not None:
            setattr(clean, keyword, uid_from(f"{project.salt.hex()}:{original}"))
    patient = hashed(dataset.get("PatientID"), "patient", project.salt)
    clean.PatientID = patient or ""
    clean.PatientName = patient or ""
    days = shift_days(dataset, project)
    for keyword in SHIFTED_DATES:
        moved = _shifted(text_of(dataset.get(keyword)), days)
        if moved is not None or keyword == "StudyDate":
            setattr(clean, keyword, moved or "")
    _record(clean, project)
    _meta(clean, syntax)
    return clean


def _filtered(dataset: Dataset, kept: frozenset[str], depth: int) -> Dataset:
    """Kept elements with a readable value; sequences are filtered the same way."""
    if depth > MAX_DEPTH:
        raise Damaged("sequences are nested too deeply")
    clean = Dataset()
    # A new Dataset would write 8-bit tables and the like in another byte order than they were read in.
    clean.set_original_encoding(*dataset.original_encoding)
    for tag in dataset.keys():  # noqa: SIM118  (a Dataset iterates over its elements and would convert all)
        if not _is_kept(tag, kept):
            continue
        # An unreadable value is no use, and might hold anything.
        with suppress(ValueError, TypeError, KeyError, NotImplementedError, AttributeError):
            element = dataset[tag]
            if element.VR == "SQ":
                items = [_filtered(item, kept, depth + 1) for item in element.value]
                clean.add_new(tag, "SQ", Sequence(items))
            else:
                clean.add_new(tag, element.VR, element.value)
                clean[tag].is_undefined_length = element.is_undefined_length
    return clean


def _is_kept(tag: BaseTag, kept: frozenset[str]) -> bool:
    return keyword_for_tag(tag) in kept


def shift_days(dataset: Dataset, project: Project) -> int:
    """Days by which dates move: from the patient, or from the study where there is no patient ID."""
    who = text_of(dataset.get("PatientID")) or text_of(dataset.get("StudyInstanceUID")) or ""
    digest = hmac.new(project.salt, f"shift:{who}".encode("utf-8", "replace"), hashlib.sha256).digest()
    return -(1 + int.from_bytes(digest[:8], "big") % MAX_SHIFT_DAYS)


def _shifted(date: str | None, days: int) -> str | None:
    """A DICOM date (YYYYMMDD) moved by `days`; None where it is absent or no date."""
    try:
        moved = datetime.strptime(date or "", "%Y%m%d") + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return f"{moved.year:04}{moved.month:02}{moved.day:02}"


def _cap_age(clean: Dataset) -> None:
    """Patient's Age (nnnD, nnnW, nnnM, nnnY) of at most `OLDEST_YEARS`; what is no age goes."""
    age = text_of(clean.get("PatientAge")) or ""
    if len(age) != 4 or not age[:3].isdigit() or age[3] not in "DWMY":
        clean.PatientAge = ""
    elif age[3] == "Y" and int(age[:3]) > OLDEST_YEARS:
        clean.PatientAge = f"{OLDEST_YEARS:03}Y"


def _record(clean: Dataset, project: Project) -> None:
    """Attributes that say what was done (PS3.15 E.1.1 step 6, PS3.16 CID 7050)."""
    clean.PatientIdentityRemoved = "YES"
    clean.LongitudinalTemporalInformationModified = "MODIFIED"
    clean.DeidentificationMethod = [
        "PS3.15 Basic Profile, by a list of what is kept",
        f"crepitus {__version__}",
    ]
    codes = [
        ("113100", "Basic Application Confidentiality Profile"),
        ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ]
    if project.characteristics:
        codes.append(("113108", "Retain Patient Characteristics Option"))
    items = []
    for value, meaning in codes:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        items.append(item)
    clean.DeidentificationMethodCodeSequence = Sequence(items)


def _meta(clean: Dataset, syntax: uid.UID) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.UID(str(clean.get("SOPClassUID") or ""))
    meta.MediaStorageSOPInstanceUID = uid.UID(str(clean.get("SOPInstanceUID") or ""))
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = uid_from("crepitus")
    meta.ImplementationVersionName = f"CREPITUS_{__version__}"[:16]
    clean.file_meta = meta
    # Never the old preamble: it may hold a program (PS3.10 7.1).
    clean.preamble = b"\0" * 128
