"""Reading files: what is recognised, decoded and set aside, and what the metadata say."""

import zlib

import imagecodecs
import numpy as np
import pydicom
import pytest
from dicom_files import ramp, set_frame, written
from pydicom import uid
from pydicom.dataset import Dataset

from crepitus.dicom.file import has_prefix
from crepitus.dicom.metadata import hashed, image_id_of
from crepitus.dicom.read import read_dicom
from crepitus.errors import Damaged, NotDicom, NotRadiograph, TooLarge, UnsupportedSyntax


@pytest.fixture
def change(tmp_path):
    """Write a DX file after `edit` has changed its data set; returns its path."""

    def make(edit, name="image.dcm"):
        dataset = pydicom.dcmread(written(tmp_path / "plain.dcm"))
        edit(dataset)
        dataset.save_as(tmp_path / name)
        return tmp_path / name

    return make


def set_to(**elements):
    def edit(dataset):
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)

    return edit


def test_reads_pixels_and_metadata(tmp_path):
    path = written(tmp_path / "a.dcm", spacing_mm=0.15, body_part="FOREARM", view="AP", laterality="R")
    found = read_dicom(path)
    np.testing.assert_array_equal(found.pixels, ramp())
    assert found.spacing_mm == pytest.approx(0.15)
    assert found.metadata["body_part"] == "FOREARM"
    assert found.metadata["view"] == "AP"
    assert found.metadata["laterality"] == "R"
    assert found.metadata["spacing_source"] == "PixelSpacing"


def test_missing_facts_are_empty(change):
    def edit(dataset):
        for keyword in ("PixelSpacing", "ImagerPixelSpacing", "ViewPosition", "ImageLaterality", "PatientID"):
            if keyword in dataset:
                del dataset[keyword]

    found = read_dicom(change(edit))
    assert found.spacing_mm is None
    assert [found.metadata[k] for k in ("view", "laterality", "patient_id", "spacing_source")] == [None] * 4


def test_imager_spacing_is_divided_by_the_magnification(change):
    def edit(dataset):
        dataset.ImagerPixelSpacing = [0.3, 0.3]
        dataset.EstimatedRadiographicMagnificationFactor = "1.2"

    found = read_dicom(change(edit))
    assert found.spacing_mm == pytest.approx(0.25)
    assert found.metadata["spacing_source"] == "ImagerPixelSpacing"


def test_pixels_that_are_not_square_have_no_spacing(change):
    assert read_dicom(change(set_to(PixelSpacing=[0.1, 0.2]))).spacing_mm is None


def compressed(syntax, frame):
    def edit(dataset):
        set_frame(dataset, syntax, frame)

    return edit


def test_deflated(tmp_path):
    dataset = pydicom.dcmread(written(tmp_path / "plain.dcm"))
    dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "deflated.dcm")
    np.testing.assert_array_equal(read_dicom(tmp_path / "deflated.dcm").pixels, ramp())


def test_deflated_bomb_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("crepitus.dicom.file.MAX_INFLATED_BYTES", 1000)
    plain = written(tmp_path / "plain.dcm").read_bytes()
    dataset = pydicom.dcmread(tmp_path / "plain.dcm")
    dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    dataset.PatientComments = "x" * 5000
    dataset.save_as(tmp_path / "bomb.dcm")
    assert len(plain) > 0
    with pytest.raises(TooLarge, match="inflates"):
        read_dicom(tmp_path / "bomb.dcm")


def test_file_meta_without_a_preamble_is_read(tmp_path):
    content = written(tmp_path / "a.dcm").read_bytes()
    (tmp_path / "b").write_bytes(content[132:])
    assert has_prefix((tmp_path / "b").read_bytes()[:132])
    np.testing.assert_array_equal(read_dicom(tmp_path / "b").pixels, ramp())


@pytest.mark.parametrize("content", [b"", b"patient,score\n1,0.5\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 300])
def test_other_files_are_not_dicom(tmp_path, content):
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    assert not has_prefix(content[:132])
    with pytest.raises(NotDicom, match=r"a\.dcm"):
        read_dicom(path)


def test_data_set_without_preamble_and_meta_is_not_dicom(tmp_path):
    dataset = pydicom.dcmread(written(tmp_path / "a.dcm"))
    del dataset.file_meta
    dataset.preamble = None
    pydicom.dcmwrite(
        tmp_path / "bare", dataset, implicit_vr=True, little_endian=True, enforce_file_format=False
    )
    with pytest.raises(NotDicom):
        read_dicom(tmp_path / "bare")


def test_truncation_anywhere_is_set_aside(tmp_path):
    content = written(tmp_path / "a.dcm").read_bytes()
    for end in [*range(0, len(content) - 1, 23), len(content) - 1]:
        (tmp_path / "cut.dcm").write_bytes(content[:end])
        with pytest.raises((Damaged, NotDicom, NotRadiograph)) as caught:
            read_dicom(tmp_path / "cut.dcm")
        assert "\n" not in str(caught.value)
        if end > 132 + 400:
            assert isinstance(caught.value, Damaged | NotRadiograph)


def test_truncated_pixels_are_damaged(tmp_path):
    content = written(tmp_path / "a.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(content[:-10])
    with pytest.raises(Damaged):
        read_dicom(tmp_path / "cut.dcm")


def test_element_of_four_gigabytes_is_damaged(tmp_path):
    content = written(tmp_path / "a.dcm").read_bytes()
    where = content.index(b"\xe0\x7f\x10\x00OW\0\0") + 8
    (tmp_path / "long.dcm").write_bytes(content[:where] + b"\xf0\xff\xff\xff" + content[where + 4 :])
    with pytest.raises(Damaged):
        read_dicom(tmp_path / "long.dcm")


def test_deeply_nested_sequences_are_damaged(tmp_path):
    content = written(tmp_path / "a.dcm").read_bytes()
    start = content.index(b"\x08\x00\x05\x00CS")
    # (0008,1140) SQ of undefined length, with an item of undefined length, 5,000 times, never closed.
    nest = (b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * 5000
    (tmp_path / "nested.dcm").write_bytes(content[:start] + nest + content[start:])
    with pytest.raises(Damaged):
        read_dicom(tmp_path / "nested.dcm")


def test_huge_image_is_refused_from_its_header(change):
    with pytest.raises(TooLarge, match="65535 x 65535"):
        read_dicom(change(set_to(Rows=65535, Columns=65535)))


@pytest.mark.parametrize("modality", ["CT", "MR", "SR", "PR", "OT", "MG"])
def test_other_modalities_are_not_radiographs(change, modality):
    with pytest.raises(NotRadiograph, match=modality):
        read_dicom(change(set_to(Modality=modality)))


def test_several_frames_and_colours_are_not_radiographs(change):
    with pytest.raises(NotRadiograph, match="2"):
        read_dicom(change(set_to(NumberOfFrames=2)))
    with pytest.raises(NotRadiograph, match="3 of MONOCHROME2"):
        read_dicom(change(set_to(SamplesPerPixel=3)))
    with pytest.raises(NotRadiograph, match="1 of RGB"):
        read_dicom(change(set_to(PhotometricInterpretation="RGB")))
    with pytest.raises(TooLarge, match="1000000 frames"):
        read_dicom(change(set_to(NumberOfFrames=1_000_000)))


def test_unsupported_syntax_is_named(change):
    with pytest.raises(UnsupportedSyntax, match="MPEG2"):
        read_dicom(change(compressed(uid.MPEG2MPML, b"\0" * 8)))


@pytest.mark.parametrize(
    "syntax",
    [uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.JPEGLosslessSV1, uid.JPEGExtended12Bit, uid.RLELossless],
)
def test_corrupt_codestream_is_damaged(change, syntax):
    with pytest.raises(Damaged):
        read_dicom(change(compressed(syntax, b"\xff\xd8 nonsense ".ljust(80, b"\0"))))


def test_codestream_of_another_size_is_damaged(change):
    frame = bytes(imagecodecs.ljpeg_encode(ramp(5, 5), bitspersample=16))
    with pytest.raises(Damaged, match="6 x 8"):
        read_dicom(change(compressed(uid.JPEGLosslessSV1, frame)))


def test_missing_pixels_are_damaged(change):
    def edit(dataset):
        del dataset.PixelData

    with pytest.raises(Damaged, match="PixelData"):
        read_dicom(change(edit))


def test_window_is_applied(change):
    # Linear, c = 32768, w = 65536: identity; c = 16384, w = 32768: twice as steep, white from 32767 on.
    found = read_dicom(change(set_to(WindowCenter="16384", WindowWidth="32768"))).pixels
    expected = np.minimum(ramp().astype(float) / 32767, 1) * 65535
    assert np.abs(found - expected).max() <= 1


def test_identifiers_never_reach_names(change, tmp_path):
    hostile = "../../etc/passwd"
    found = read_dicom(change(set_to(PatientID=hostile, StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.4")))
    again = read_dicom(change(set_to(PatientID=hostile, SOPInstanceUID="1.2.3.4"), "other-name.dcm"))
    assert "/" not in str(found.metadata["patient_id"])
    assert found.image_id == again.image_id
    assert found.image_id.isalnum()
    assert len(found.image_id) < 30


def test_image_id_without_a_uid_comes_from_the_content():
    a, b, c = (image_id_of(Dataset(), content) for content in (b"one", b"one", b"two"))
    assert a == b != c


def test_hashes_depend_on_kind_and_salt_and_take_any_text():
    assert hashed("1", "study") != hashed("1", "patient")
    assert hashed("1", "study") != hashed("1", "study", b"salt")
    assert hashed(" \0", "study") is None
    assert len({hashed(text, "image") for text in ("../x", "a\0b", "x" * 10_000, "\udcff")}) == 4


def test_zlib_is_what_deflated_means(tmp_path):
    # PS3.5 A.5: raw deflate after the file meta information.
    dataset = pydicom.dcmread(written(tmp_path / "plain.dcm"))
    dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "d.dcm")
    content = (tmp_path / "d.dcm").read_bytes()
    (tmp_path / "broken.dcm").write_bytes(content[:-40] + b"\xff" * 40)
    with pytest.raises(Damaged):
        read_dicom(tmp_path / "broken.dcm")
    assert zlib.MAX_WBITS == 15
