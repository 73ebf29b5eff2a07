"""The same picture stored in every way that the standard allows gives the same image, to one grey level."""

import numpy as np
import pytest
from dicom_files import LOSSY, NATIVE, SYNTAXES, image_set, limb, save
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from crepitus.dicom.read import read_dicom

LEVEL = 257
"""One grey level of 256, in the 16 bits of an image."""

BITS, TOP = 10, 1023


def picture():
    """10-bit values that use the whole range, so that an image without a window shows the same."""
    values = limb(bits=BITS)
    values[0, 0], values[0, 1] = 0, TOP
    return values


def display():
    return picture() * (65535 / TOP)


def table(values, bits):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(values), 0, bits])
    item.add_new("LUTData", "US", list(values))
    return item


def packed(first, vr, values, bits, data_vr="OW"):
    """A table as devices write it: words in bytes, and a first value that may be negative."""
    item = Dataset()
    item.add_new("LUTDescriptor", vr, [len(values), first, bits])
    word = np.uint8 if bits == 8 else "<u2"
    item.add_new("LUTData", data_vr, np.asarray(values).astype(word).tobytes())
    return item


def scaled(top, dtype=np.uint16):
    return np.rint(picture() * (top / TOP)).astype(dtype)


# Name: stored pixels, bits stored, and elements that differ from the plain twin. The window of `image_set` is
# the whole range of the stored bits, by the linear formula: y = (x - (c - 0.5)) / (w - 1) + 0.5.
TWINS = {
    "plain": (picture(), 10, {}),
    "monochrome1": (
        TOP - picture(), 10, {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": None},
    ),
    "inverse shape": (TOP - picture(), 10, {"PresentationLUTShape": "INVERSE"}),
    "monochrome1 and inverse shape": (
        TOP - picture(), 10, {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    ),
    "same values in 12 bits": (picture(), 12, {"WindowCenter": "512", "WindowWidth": "1024"}),
    "same values in 16 bits": (picture(), 16, {"WindowCenter": "512", "WindowWidth": "1024"}),
    "12 bits": (scaled(4095), 12, {}),
    "16 bits": (scaled(65535), 16, {}),
    # c = 0, w = 1024: x = -512 gives -511.5 / 1023 + 0.5 = 0.
    "signed": (picture().astype(np.int16) - 512, 10, {"WindowCenter": "0", "WindowWidth": "1024"}),
    "signed in 16 bits": (picture().astype(np.int16) - 512, 16, {"WindowCenter": "0", "WindowWidth": "1024"}),
    # 2.5 x - 300: white at 2257.5, so w - 1 = 2557.5 and c - 0.5 = (2257.5 - 300) / 2 = 978.75.
    "rescaled": (
        picture(), 10,
        {
            "RescaleSlope": "2.5", "RescaleIntercept": "-300",
            "WindowCenter": "979.25", "WindowWidth": "2558.5",
        },
    ),
    "negative slope": (
        TOP - picture(), 10,
        {"RescaleSlope": "-1", "RescaleIntercept": "1023"},
    ),
    "linear exact": (
        picture(), 10, {"VOILUTFunction": "LINEAR_EXACT", "WindowCenter": "511.5", "WindowWidth": "1023"},
    ),
    "several windows": (picture(), 10, {"WindowCenter": ["512", "90"], "WindowWidth": ["1024", "20"]}),
    "first window without width": (
        picture(), 10, {"WindowCenter": ["9", "512"], "WindowWidth": ["0", "1024"]},
    ),
    "no window": (picture(), 10, {"WindowCenter": None, "WindowWidth": None}),
    # 3 x by a table: white at 3069.
    "modality table": (
        picture(), 10,
        {
            "ModalityLUTSequence": [table([3 * v for v in range(1024)], 12)],
            "RescaleSlope": None, "RescaleIntercept": None, "RescaleType": None,
            "WindowCenter": "1535", "WindowWidth": "3070",
        },
    ),
    "voi table": (picture(), 10, {"VOILUTSequence": [table(range(1024), 10)]}),
    "voi table of 16 bits": (
        picture(), 10, {"VOILUTSequence": [table([round(v * 65535 / 1023) for v in range(1024)], 16)]},
    ),
    "signed modality table in bytes": (
        picture().astype(np.int16) - 512, 10,
        {
            "ModalityLUTSequence": [packed(-512, "SS", range(1024), 16)],
            "RescaleSlope": None, "RescaleIntercept": None, "RescaleType": None,
        },
    ),
    "signed voi table in bytes": (
        picture().astype(np.int16) - 512, 10, {"VOILUTSequence": [packed(-512, "SS", range(1024), 10)]},
    ),
    # The output of the rescale is -1023 .. 0, so the first value mapped is negative, written as US.
    "voi table behind a negative rescale": (
        picture(), 10,
        {"RescaleIntercept": "-1023", "VOILUTSequence": [packed(65536 - 1023, "US", range(1024), 10)]},
    ),
    "left aligned": (picture() << 6, 10, {"HighBit": 15}),
    "overlay in the unused bits": (picture() | np.uint16(0xF000), 10, {}),
}  # fmt: skip


def read_back(tmp_path, pixels, bits, elements, syntax="explicit"):
    dataset = image_set(pixels, bits, folder=tmp_path, **elements)
    return read_dicom(save(dataset, tmp_path / "twin.dcm", syntax, pixels)).pixels


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("syntax", [*NATIVE, "rle"])
def test_twins_give_the_same_image(tmp_path, name, syntax):
    found = read_back(tmp_path, *TWINS[name], syntax)
    # Only what was rounded to 12 bits may differ by more than the last of 16 bits: by half of 65535 / 4095.
    tolerance = 8.5 if name == "12 bits" else 1
    assert np.abs(found - display()).max() <= tolerance < LEVEL


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("inverted", [False, True])
def test_twins_in_every_syntax(tmp_path, syntax, inverted):
    bits = 8 if syntax == "jpeg-8" else 12
    top = 2**bits - 1
    plain = limb(bits=bits)
    elements = {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": None} if inverted else {}
    found = read_back(tmp_path, top - plain if inverted else plain, bits, elements, syntax)
    assert np.abs(found - plain * (65535 / top)).max() <= LEVEL


@pytest.mark.parametrize("value", [0, TOP])
@pytest.mark.parametrize("inverted", [False, True])
def test_padding_is_black_and_does_not_set_the_range(tmp_path, value, inverted):
    inner = np.clip(picture(), 100, 900)
    inner[0, 0], inner[0, 1] = 100, 900
    stored = np.pad(1000 - inner if inverted else inner, 5, constant_values=value)
    elements = {
        "WindowCenter": None,
        "WindowWidth": None,
        "PixelPaddingValue": DataElement(0x00280120, "US", value),
    }
    if inverted:
        elements |= {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": None}
    found = read_back(tmp_path, stored.astype(np.uint16), 10, elements)
    assert not found[:5].any()
    assert not found[:, -5:].any()
    assert np.abs(found[5:-5, 5:-5] - (inner - 100.0) / 800 * 65535).max() <= 1


# Lossy compression of two's complement bits would blur their sign.
@pytest.mark.parametrize("syntax", [s for s in SYNTAXES if s not in LOSSY])
def test_signed_twins_survive_compression(tmp_path, syntax):
    # 12 bits, two's complement; codestreams without a sign hold the bits as they are.
    signed = limb(bits=11).astype(np.int16) - 700
    stored = (signed & 0xFFF).astype(np.uint16)
    elements = {"PixelRepresentation": 1, "WindowCenter": "324", "WindowWidth": "2048"}
    found = read_back(tmp_path, stored, 12, elements, syntax)
    # c - 0.5 = 323.5 is the middle of -700 .. 1347.
    assert np.abs(found - (signed + 700.0) * (65535 / 2047)).max() <= 1
