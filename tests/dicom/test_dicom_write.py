"""Written DX files: round trip, identity and the elements that the standard requires."""

import numpy as np
import pydicom
import pytest
from dicom_files import IDENTITY, ramp, written
from pydicom import uid
from pydicom.sr import codes

from crepitus.dicom.read import read_dicom
from crepitus.dicom.write import REGION_CODES, VIEW_CODES, uid_from, write_dx
from crepitus.errors import UsageError


def test_16_bit_round_trip_is_exact(tmp_path):
    np.testing.assert_array_equal(read_dicom(written(tmp_path / "a.dcm")).pixels, ramp())


def test_8_bit_round_trip_scales_to_the_whole_range(tmp_path):
    # Odd number of pixels: the pixel data are padded to an even length.
    pixels = ramp(5, 7, np.uint8)
    found = read_dicom(written(tmp_path / "a.dcm", pixels)).pixels
    np.testing.assert_array_equal(found, pixels.astype(np.uint16) * 257)


def test_required_elements(tmp_path):
    dataset = pydicom.dcmread(
        written(tmp_path / "a.dcm", spacing_mm=0.2, body_part="LEG", view="LL", laterality="L")
    )
    assert dataset.SOPClassUID == uid.DigitalXRayImageStorageForPresentation
    assert dataset.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    assert dataset.PresentationIntentType == "FOR PRESENTATION"
    assert dataset.PixelIntensityRelationship == "LOG"
    assert dataset.PresentationLUTShape == "IDENTITY"
    assert dataset.ImageLaterality == "L"
    assert [float(v) for v in dataset.ImagerPixelSpacing] == [0.2, 0.2]
    assert dataset.AnatomicRegionSequence[0].CodeMeaning == "Lower leg"
    assert dataset.ViewCodeSequence[0].CodingSchemeDesignator == "SCT"


def test_uids_are_valid_and_repeatable(tmp_path):
    first, second = (pydicom.dcmread(written(tmp_path / n)) for n in ("a.dcm", "b.dcm"))
    assert first.SOPInstanceUID == second.SOPInstanceUID
    for value in (first.SOPInstanceUID, first.StudyInstanceUID, first.SeriesInstanceUID):
        assert value.startswith("2.25.")
        assert uid.UID(value).is_valid
    assert len({first.SOPInstanceUID, first.StudyInstanceUID, first.SeriesInstanceUID}) == 3
    assert uid_from("a") != uid_from("b")


def test_pixels_of_another_type_are_refused(tmp_path):
    with pytest.raises(UsageError, match="uint8 or uint16"):
        write_dx(tmp_path / "a.dcm", np.zeros((2, 2), np.float32), IDENTITY)
    assert not (tmp_path / "a.dcm").exists()


def test_codes_are_those_of_the_standard():
    for ours, theirs in ((REGION_CODES, codes.cid4009), (VIEW_CODES, codes.cid4010)):
        known = {code.value: code.meaning for code in theirs.concepts.values()}
        assert {value: known.get(value) for value, _ in ours.values()} == dict(ours.values())
