"""Written DX and CR files: round trip in every syntax, identity, and the elements that tell them apart."""

import numpy as np
import pydicom
import pytest
from dicom_files import IDENTITY, ramp, written
from dicom_studies import smooth, two_views
from pydicom import uid

from crepitus.dicom.encoding import SYNTAXES, Encoding, stored_cells
from crepitus.dicom.read import read_dicom
from crepitus.dicom.write import age_string, uid_from, write_dx
from crepitus.errors import UsageError

LOSSY = [name for name, syntax in SYNTAXES.items() if syntax.lossy]
LOSSLESS = [name for name in SYNTAXES if name not in LOSSY]
DEPTHS = (8, 10, 12, 14, 16)


def full(pixels):
    return np.rint(pixels / np.iinfo(pixels.dtype).max * 65535).astype(np.uint16)


def test_16_bit_round_trip_is_exact(tmp_path):
    np.testing.assert_array_equal(read_dicom(written(tmp_path / "a.dcm")).pixels, ramp())


def test_8_bit_round_trip_scales_to_the_whole_range(tmp_path):
    # Odd number of pixels: the pixel data are padded to an even length.
    pixels = ramp(5, 7, np.uint8)
    found = read_dicom(written(tmp_path / "a.dcm", pixels)).pixels
    np.testing.assert_array_equal(found, pixels.astype(np.uint16) * 257)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_syntaxes_give_the_same_image(tmp_path, syntax, photometric):
    for depth in DEPTHS:
        if SYNTAXES[syntax].depths and depth not in SYNTAXES[syntax].depths:
            continue
        pixels = smooth(2**depth)
        encoding = Encoding(syntax=syntax, photometric=photometric, bits=depth)
        path = written(tmp_path / "a.dcm", pixels, encoding=encoding)
        dataset = pydicom.dcmread(path)
        assert dataset.file_meta.TransferSyntaxUID == SYNTAXES[syntax].uid
        assert (dataset.BitsStored, dataset.BitsAllocated) == (depth, 8 if depth == 8 else 16)
        np.testing.assert_array_equal(read_dicom(path).pixels, pixels, err_msg=f"{depth} bits")


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("syntax", LOSSY)
def test_lossy_syntaxes_give_nearly_the_same_image(tmp_path, syntax, photometric):
    pixels = smooth(256, dtype=np.uint8)
    path = written(
        tmp_path / "a.dcm", pixels, encoding=Encoding(syntax=syntax, photometric=photometric, modality="CR")
    )
    error = np.abs(read_dicom(path).pixels.astype(float) - full(pixels)) / 65535
    # 2 % of the range at worst, a few thousandths on average.
    assert error.max() < 0.02
    assert error.mean() < 0.004
    dataset = pydicom.dcmread(path)
    assert dataset.LossyImageCompression == "01"
    assert dataset.LossyImageCompressionMethod == SYNTAXES[syntax].lossy
    assert float(dataset.LossyImageCompressionRatio) > 1
    assert dataset.BitsStored == (12 if syntax == "jpeg-12" else 8)


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big-endian", "rle", "jpeg-ls"])
@pytest.mark.parametrize("bits", DEPTHS)
def test_signed_pixels_with_a_rescale_show_the_same_image(tmp_path, syntax, bits):
    pixels = smooth(2**bits)
    for photometric in ("MONOCHROME2", "MONOCHROME1"):
        encoding = Encoding("CR", syntax, photometric, bits=bits, signed=True, rescale=(0.5, -1000.0))
        path = written(tmp_path / "a.dcm", pixels, encoding=encoding)
        assert pydicom.dcmread(path).PixelRepresentation == 1
        np.testing.assert_array_equal(read_dicom(path).pixels, pixels)


def test_stored_cells_by_hand():
    pixels = np.array([[0, 51, 255]], np.uint8)
    # 10 bits: 1023 * 51 / 255 = 204.6, rounded 205.
    assert stored_cells(pixels, 10, inverse=False, signed=False).tolist() == [[0, 205, 1023]]
    assert stored_cells(pixels, 10, inverse=True, signed=False).tolist() == [[1023, 818, 0]]
    # Signed, 512 less: -512, -307, 511 in two's complement with the sign repeated up to bit 15.
    wanted = [[65536 - 512, 65536 - 307, 511]]
    assert stored_cells(pixels, 10, inverse=False, signed=True).tolist() == wanted
    # 8 bits: -128, -77, 127.
    assert stored_cells(pixels, 8, inverse=False, signed=True).tolist() == [[128, 256 - 77, 127]]


def test_inverted_pixels_say_so(tmp_path):
    dataset = pydicom.dcmread(written(tmp_path / "a.dcm", encoding=Encoding(photometric="MONOCHROME1")))
    assert (dataset.PhotometricInterpretation, dataset.PresentationLUTShape) == ("MONOCHROME1", "INVERSE")
    assert dataset.PixelIntensityRelationshipSign == 1
    assert dataset.pixel_array[0, 0] == 65535


def test_a_window_of_ones_own_is_applied(tmp_path):
    # Width 51 around 100: values up to 99.5 - 25 = 74.5 are black, from 124.5 on white (PS3.3 C.11.2.1.2.1).
    pixels = np.array([[0, 74, 75, 124, 125, 255]], np.uint8)
    found = read_dicom(written(tmp_path / "a.dcm", pixels, encoding=Encoding(window=(100, 51)))).pixels[0]
    assert found[:2].tolist() == [0, 0]
    assert found[4:].tolist() == [65535, 65535]
    # (75 - 99.5) / 50 + 0.5 = 0.01
    assert found[2] == round(0.01 * 65535)


def test_for_processing_has_no_window(tmp_path):
    path = written(tmp_path / "a.dcm", encoding=Encoding(for_processing=True))
    dataset = pydicom.dcmread(path)
    assert dataset.SOPClassUID == uid.DigitalXRayImageStorageForProcessing
    assert dataset.file_meta.MediaStorageSOPClassUID == dataset.SOPClassUID
    assert dataset.PresentationIntentType == "FOR PROCESSING"
    assert "WindowCenter" not in dataset
    np.testing.assert_array_equal(read_dicom(path).pixels, ramp())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modality": "CT"}, "DX, CR"),
        ({"syntax": "mpeg"}, "jpeg-ls"),
        ({"photometric": "RGB"}, "MONOCHROME1"),
        ({"bits": 7}, "8 to 16"),
        ({"bits": 12, "syntax": "jpeg-8"}, "expected 8 with jpeg-8"),
        ({"bits": 8, "syntax": "jpeg-12"}, "expected 12"),
        ({"bits": 12, "syntax": "htj2k"}, "expected 8 or 16"),
        ({"signed": True}, "CR"),
        ({"rescale": (1.0, -5.0)}, "CR"),
        ({"modality": "CR", "signed": True, "syntax": "jpeg-2000"}, "unsigned"),
        ({"modality": "CR", "rescale": (0.0, 1.0)}, "slope above 0"),
        ({"modality": "CR", "rescale": (float("nan"), 1.0)}, "slope above 0"),
        ({"window": (10.0, 0.0)}, "at least 1"),
        ({"for_processing": True, "modality": "CR"}, "for processing"),
        ({"for_processing": True, "window": (10.0, 5.0)}, "for processing"),
    ],
)
def test_impossible_encodings_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Encoding(**options)


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
    assert list(dataset.PatientOrientation) == ["A", "F"]


def test_uids_are_valid_and_repeatable(tmp_path):
    first, second = (pydicom.dcmread(written(tmp_path / n)) for n in ("a.dcm", "b.dcm"))
    assert first.SOPInstanceUID == second.SOPInstanceUID
    for value in (first.SOPInstanceUID, first.StudyInstanceUID, first.SeriesInstanceUID):
        assert value.startswith("2.25.")
        assert uid.UID(value).is_valid
    assert len({first.SOPInstanceUID, first.StudyInstanceUID, first.SeriesInstanceUID}) == 3
    assert uid_from("a") != uid_from("b")


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_files_repeat_byte_by_byte(tmp_path, syntax):
    pixels = smooth(256, dtype=np.uint8)
    paths = [written(tmp_path / name, pixels, encoding=Encoding(syntax=syntax)) for name in ("a", "b")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_views_share_their_study(tmp_path):
    first, second = (pydicom.dcmread(p) for p in two_views(tmp_path))
    for name in ("StudyInstanceUID", "StudyID", "PatientID", "PatientSex", "PatientAge", "StudyDate"):
        assert first[name].value == second[name].value
    for name in ("SeriesInstanceUID", "SeriesNumber", "SOPInstanceUID", "InstanceNumber", "ViewPosition"):
        assert first[name].value != second[name].value
    assert (first.PatientSex, first.PatientAge, first.KVP) == ("F", "061Y", 55)
    assert len(first.StudyID) <= 16


@pytest.mark.parametrize(
    ("years", "wanted"), [(0, "000M"), (1.99, "023M"), (2, "002Y"), (64.9, "064Y"), (101, "101Y")]
)
def test_age_string(years, wanted):
    assert age_string(years) == wanted


@pytest.mark.parametrize("years", [-0.1, 1000, float("nan")])
def test_impossible_ages_are_refused(years):
    with pytest.raises(UsageError, match="0 to 999"):
        age_string(years)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"view": "FROG"}, "expected one of AP"),
        ({"body_part": "TAIL"}, "PELVIS"),
        ({"laterality": "X"}, "L, R, B, U"),
    ],
)
def test_positions_without_a_code_are_refused(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        written(tmp_path / "a.dcm", **options)
    assert not list(tmp_path.iterdir())


def test_pixels_of_another_type_are_refused(tmp_path):
    with pytest.raises(UsageError, match="uint8 or uint16"):
        write_dx(tmp_path / "a.dcm", np.zeros((2, 2), np.float32), IDENTITY)
    assert not (tmp_path / "a.dcm").exists()
