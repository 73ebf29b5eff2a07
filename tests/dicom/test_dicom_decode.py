"""Every transfer syntax of radiography: same pixels, and streams that lie or end early are refused."""

import imagecodecs
import numpy as np
import pydicom
import pytest
from dicom_files import ENCODERS, LOSSY, SYNTAXES, image_set, limb, ramp, save, set_frame
from pydicom import uid
from pydicom.encaps import encapsulate, generate_fragments

from crepitus.dicom.codestream import Announced, check_jpeg2000_parts, jpeg2000_header, jpeg_header
from crepitus.dicom.decode import decode_cells, fragments
from crepitus.dicom.read import read_dicom
from crepitus.errors import Damaged, SetAside, UnsupportedSyntax

EOI = b"\xff\xd9"


def bits_of(syntax):
    return 8 if syntax == "jpeg-8" else 12


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same picture in every syntax: name -> path."""
    folder = tmp_path_factory.mktemp("syntaxes")
    made = {}
    for syntax in SYNTAXES:
        pixels = limb(bits=bits_of(syntax))
        dataset = image_set(pixels, bits_of(syntax), folder=folder)
        made[syntax] = save(dataset, folder / f"{syntax}.dcm", syntax, pixels)
    return made


def stream_of(path):
    return b"".join(list(generate_fragments(pydicom.dcmread(path).PixelData))[1:])


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_syntax_gives_the_picture_to_one_grey_level(files, syntax):
    assert pydicom.dcmread(files[syntax]).file_meta.TransferSyntaxUID.is_transfer_syntax
    found = read_dicom(files[syntax]).pixels / 257.0
    wanted = limb(bits=bits_of(syntax)) * (255 / (2 ** bits_of(syntax) - 1))
    assert np.abs(found - wanted).max() <= 1
    if syntax not in LOSSY:
        assert np.abs(found - wanted).max() <= 0.5 / 257 + 1e-9


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
@pytest.mark.parametrize("syntax", ["implicit", "big-endian", "rle", "jpeg-2000-lossless", "htj2k-lossless"])
def test_lossless_syntaxes_keep_eight_bit_and_signed_cells(tmp_path, syntax, dtype):
    pixels = limb(bits=8).astype(dtype) if dtype == np.uint8 else limb(bits=15).astype(dtype) - 9000
    path = save(image_set(pixels, folder=tmp_path), tmp_path / "a.dcm", syntax, pixels)
    dataset = pydicom.dcmread(path)
    cells = decode_cells(dataset, dataset.file_meta.TransferSyntaxUID)
    np.testing.assert_array_equal(cells.astype(dtype), pixels)


def test_odd_number_of_bytes_in_big_endian_words(tmp_path):
    pixels = ramp(5, 3, np.uint8)
    path = save(image_set(pixels, folder=tmp_path), tmp_path / "a.dcm", "big-endian")
    np.testing.assert_array_equal(read_dicom(path).pixels, pixels * np.uint16(257))


@pytest.mark.parametrize("syntax", ENCODERS)
def test_headers_of_codestreams(files, syntax):
    stream = stream_of(files[syntax])
    header = jpeg2000_header if "2" in syntax[3:6] or syntax.startswith("jpeg-2000") else jpeg_header
    header = jpeg2000_header if stream[:2] == b"\xff\x4f" else header
    found = header(stream)
    assert (found.rows, found.columns, found.samples) == (64, 48, 1)
    assert found.precision in (8, 12, 16)


def test_size_segment_of_jpeg_2000_by_hand():
    # T.800 A.5.1: Rsiz 0, Xsiz 10, Ysiz 7, XOsiz 2, YOsiz 1, tiles, 1 component: signed 12 bits (0x80 | 11).
    body = bytes(2) + b"".join(n.to_bytes(4, "big") for n in (10, 7, 2, 1, 10, 7, 0, 0)) + b"\0\1\x8b\1\1"
    stream = b"\xff\x4f\xff\x51" + (len(body) + 2).to_bytes(2, "big") + body
    assert jpeg2000_header(stream) == Announced(rows=6, columns=8, samples=1, precision=12)


@pytest.mark.parametrize("syntax", ENCODERS)
def test_codestream_of_another_size_is_refused_before_decoding(tmp_path, files, syntax, monkeypatch):
    for name in ("jpeg8_decode", "jpegsof3_decode", "jpegls_decode"):
        monkeypatch.setattr(imagecodecs, name, lambda *a: pytest.fail("decoded"))
    monkeypatch.setattr("openjpeg.utils.decode", lambda *a, **k: pytest.fail("decoded"))
    dataset = pydicom.dcmread(files[syntax])
    dataset.Rows = 63
    dataset.save_as(tmp_path / "a.dcm")
    with pytest.raises(Damaged, match=r"63 x 48 .* 64 x 48"):
        read_dicom(tmp_path / "a.dcm")


@pytest.mark.parametrize("ending", [b"", EOI, b"\0" * 64], ids=["cut", "closed", "zeros"])
@pytest.mark.parametrize("syntax", ENCODERS)
def test_codestream_that_ends_early_is_damaged(tmp_path, files, syntax, ending):
    stream = stream_of(files[syntax])
    dataset = pydicom.dcmread(files[syntax])
    for part in (0.02, 0.3, 0.6, 0.9, 0.97):
        set_frame(dataset, dataset.file_meta.TransferSyntaxUID, stream[: int(part * len(stream))] + ending)
        dataset.save_as(tmp_path / "a.dcm")
        with pytest.raises(Damaged):
            read_dicom(tmp_path / "a.dcm")


@pytest.mark.parametrize("syntax", ["rle", *ENCODERS])
def test_file_that_ends_early_is_damaged(tmp_path, files, syntax):
    content = files[syntax].read_bytes()
    for end in np.linspace(140, len(content) - 1, 25).astype(int):
        (tmp_path / "a.dcm").write_bytes(content[:end])
        with pytest.raises(Damaged):
            read_dicom(tmp_path / "a.dcm")


def test_rle_that_ends_early_is_damaged(tmp_path, files):
    dataset = pydicom.dcmread(files["rle"])
    stream = stream_of(files["rle"])
    set_frame(dataset, uid.RLELossless, stream[: len(stream) // 2])
    dataset.save_as(tmp_path / "a.dcm")
    with pytest.raises(Damaged):
        read_dicom(tmp_path / "a.dcm")


def test_one_frame_in_several_fragments(tmp_path, files):
    stream = stream_of(files["jpeg-ls"])
    dataset = pydicom.dcmread(files["jpeg-ls"])
    dataset.PixelData = encapsulate([stream], fragments_per_frame=5)
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_dicom(tmp_path / "a.dcm").pixels, read_dicom(files["jpeg-ls"]).pixels)


def test_fragments_by_hand():
    item = b"\xfe\xff\x00\xe0"
    value = item + bytes(4) + item + b"\x02\0\0\0ab" + item + b"\x02\0\0\0cd" + b"\xfe\xff\xdd\xe0" + bytes(4)
    assert fragments(value) == [b"ab", b"cd"]
    for broken in (b"", item + bytes(4), item + bytes(4) + item + b"\x09\0\0\0ab", b"abcdefghijk"):
        with pytest.raises(Damaged):
            fragments(broken)


def test_jpeg_2000_in_the_boxes_of_a_file_is_read(tmp_path):
    pixels = limb()
    wrapped = imagecodecs.jpeg2k_encode(pixels, codecformat="JP2", bitspersample=12, reversible=True)
    dataset = image_set(pixels, 12, folder=tmp_path)
    set_frame(dataset, uid.JPEG2000Lossless, bytes(wrapped))
    dataset.save_as(tmp_path / "a.dcm")
    assert np.abs(read_dicom(tmp_path / "a.dcm").pixels - pixels * (65535 / 4095)).max() <= 0.5


def test_jpeg_2000_without_its_end_marker_is_whole_if_its_parts_are(files):
    stream = stream_of(files["jpeg-2000-lossless"])
    assert stream.endswith(EOI)
    check_jpeg2000_parts(stream[:-2])
    with pytest.raises(Damaged, match="ends early"):
        check_jpeg2000_parts(stream[:-3])


@pytest.mark.parametrize(
    "value", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.55"]
)
def test_unsupported_syntax_says_which_and_what_to_do(tmp_path, value):
    dataset = image_set(limb(), 12, folder=tmp_path)
    set_frame(dataset, uid.UID(value), b"\0" * 8)
    dataset.save_as(tmp_path / "a.dcm")
    with pytest.raises(UnsupportedSyntax, match=value.replace(".", r"\.") + r"\).*export"):
        read_dicom(tmp_path / "a.dcm")


def test_a_syntax_that_nobody_knows_is_unsupported(tmp_path, files):
    known, unknown = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"
    (tmp_path / "a.dcm").write_bytes(files["explicit"].read_bytes().replace(known, unknown))
    with pytest.raises(UnsupportedSyntax, match="unknown"):
        read_dicom(tmp_path / "a.dcm")


@pytest.mark.parametrize("syntax", ENCODERS)
def test_nonsense_for_a_codestream_is_damaged(tmp_path, syntax):
    for noise in (
        b"\0\0",
        b"\xff\xd8",
        b"\xff\x4f\xff\x51",
        b"\xff\xd8 nonsense".ljust(80, b"\0"),
        bytes(100),
    ):
        dataset = image_set(limb(bits=bits_of(syntax)), bits_of(syntax), folder=tmp_path)
        set_frame(dataset, ENCODERS[syntax][0], noise)
        dataset.save_as(tmp_path / "a.dcm")
        with pytest.raises(SetAside) as caught:
            read_dicom(tmp_path / "a.dcm")
        assert caught.value.code == "damaged"
