"""Nothing that identifies a patient survives, wherever it stands; images and intervals stay as they were."""

import io
from datetime import datetime

import numpy as np
import pydicom
import pytest
from dicom_files import ENCODERS, SYNTAXES, image_set, limb, save
from hypothesis import given
from hypothesis import strategies as st
from pydicom import uid
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from crepitus.dicom.deidentify import MAX_SHIFT_DAYS, Project, deidentify, shift_days
from crepitus.dicom.file import parse
from crepitus.dicom.read import read_dicom

SECRET = "Zebediah"
PROJECT = Project(b"salt")
FREE_TEXT_THAT_STAYS = {
    "Manufacturer", "ManufacturerModelName", "ModalityLUTType", "RescaleType", "FilterType",
    "CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning", "LongCodeValue",
}  # fmt: skip
"""Kept attributes in which the standard lets a device write words; see docs/dicom.md."""


@pytest.fixture
def plain(tmp_path):
    return image_set(limb(), 12, folder=tmp_path)


def clean_of(dataset, project=PROJECT):
    return deidentify(dataset, dataset.file_meta.TransferSyntaxUID, project)


def written(dataset):
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def full_of_secrets():
    """Every text attribute of the dictionary with a secret in it, and again in nested and private places."""
    dataset = Dataset()
    for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
        if keyword and not retired and tag > 0x0008_0000 and vr in ("LO", "SH", "PN", "LT", "ST", "UT", "UC"):
            dataset.add_new(tag, vr, SECRET)
    dataset.add_new(0x00091010, "LO", SECRET)
    dataset.add_new(0x60003000, "OW", SECRET.encode())  # an overlay
    return dataset


def test_no_text_attribute_of_the_dictionary_survives_unless_it_is_listed(plain):
    plain.update(full_of_secrets())
    code = Dataset()
    code.update(full_of_secrets())
    deeper = Dataset()
    deeper.update(full_of_secrets())
    code.ViewModifierCodeSequence = Sequence([deeper])
    plain.ViewCodeSequence = Sequence([code])
    plain.RequestAttributesSequence = Sequence([full_of_secrets()])
    clean = clean_of(plain)
    survivors = {element.keyword for element in clean.iterall() if SECRET in str(element.value)}
    survivors = {k for k in survivors if not k.endswith("Sequence")}
    assert survivors == FREE_TEXT_THAT_STAYS
    for element in list(clean.iterall()):
        if element.keyword in FREE_TEXT_THAT_STAYS:
            element.value = ""
    assert SECRET.encode() not in written(clean)


def test_private_curves_overlays_and_preamble_are_gone(plain):
    plain.add_new(0x00110010, "LO", "ACME")
    plain.add_new(0x00111001, "UN", SECRET.encode())
    plain.add_new(0x50003000, "OW", SECRET.encode())
    plain.preamble = b"MZ" + SECRET.encode().ljust(126, b"\0")
    content = written(clean_of(plain))
    assert SECRET.encode() not in content
    assert content[:128] == bytes(128)


def test_identifiers_are_new_stable_and_depend_on_the_salt(plain):
    before = {
        k: str(plain.get(k)) for k in ("PatientID", "StudyInstanceUID", "SOPInstanceUID", "PatientName")
    }
    one, again, other = clean_of(plain), clean_of(plain), clean_of(plain, Project(b"other"))
    for keyword, original in before.items():
        assert str(one[keyword].value) == str(again[keyword].value) != original
        assert str(one[keyword].value) != str(other[keyword].value)
    assert uid.UID(one.SOPInstanceUID).is_valid
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    for keyword in (
        "StudyTime",
        "AccessionNumber",
        "ReferringPhysicianName",
        "PatientBirthDate",
        "PatientSex",
    ):
        assert one[keyword].value in ("", None)


def test_what_was_done_is_recorded(plain):
    clean = clean_of(plain)
    assert clean.PatientIdentityRemoved == "YES"
    assert clean.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [i.CodeValue for i in clean.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    with_age = clean_of(plain, Project(b"salt", characteristics=True))
    assert [i.CodeValue for i in with_age.DeidentificationMethodCodeSequence][-1] == "113108"


@pytest.mark.parametrize(("age", "kept"), [("047Y", "047Y"), ("097Y", "090Y"), ("006M", "006M"), ("old", "")])
def test_characteristics_are_kept_on_request_only(plain, age, kept):
    plain.PatientSex, plain.PatientAge = "F", age
    assert "PatientAge" not in clean_of(plain)
    assert not clean_of(plain).PatientSex
    clean = clean_of(plain, Project(b"salt", characteristics=True))
    assert (clean.PatientSex, clean.PatientAge) == ("F", kept)


@given(st.dates(datetime(1950, 1, 1).date(), datetime(2030, 1, 1).date()), st.integers(0, 900), st.text())
def test_intervals_between_the_dates_of_a_patient_stay(first, days, patient):
    def moved(date):
        dataset = Dataset()
        dataset.PatientID, dataset.StudyDate = patient[:64].replace("\\", ""), date.strftime("%Y%m%d")
        return datetime.strptime(deidentify(dataset, uid.ExplicitVRLittleEndian, PROJECT).StudyDate, "%Y%m%d")

    second = datetime.fromordinal(first.toordinal() + days)
    assert (moved(second) - moved(first)).days == days
    assert -MAX_SHIFT_DAYS <= (moved(first).date() - first).days <= -1


def test_patients_move_by_different_days_and_odd_dates_go(plain):
    shifts = set()
    for number in range(20):
        plain.PatientID = f"P{number}"
        shifts.add(shift_days(plain, PROJECT))
    assert len(shifts) > 15
    plain.StudyDate, plain.ContentDate = "00010101", "2020"
    clean = clean_of(plain)
    assert clean.StudyDate == ""
    assert "ContentDate" not in clean


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_picture_stays_what_it_was_in_every_syntax(tmp_path, syntax):
    pixels = limb(bits=8 if syntax == "jpeg-8" else 12)
    bits = 8 if syntax == "jpeg-8" else 12
    source = save(image_set(pixels, bits, folder=tmp_path), tmp_path / "a.dcm", syntax, pixels)
    dataset, found = parse(source.read_bytes())
    before = dataset.to_json() if syntax not in ENCODERS else None
    clean = deidentify(dataset, found, PROJECT)
    clean.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_dicom(tmp_path / "b.dcm").pixels, read_dicom(source).pixels)
    assert read_dicom(tmp_path / "b.dcm").metadata["body_part"] == "FOREARM"
    if before is not None:
        assert dataset.to_json() == before


def test_unreadable_values_are_left_out(plain):
    plain.add_new(0x00180060, "DS", "70")
    content = written(plain).replace(b"\x18\x00\x60\x00DS\x02\x0070", b"\x18\x00\x60\x00DS\x02\x00x\xff")
    dataset, syntax = parse(content)
    assert "KVP" not in deidentify(dataset, syntax, PROJECT)
    np.testing.assert_array_equal(deidentify(dataset, syntax, PROJECT).PixelData, plain.PixelData)
