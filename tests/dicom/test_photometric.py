"""Each step of the grey scale with values computed by hand from the standard's formulas."""

import copy

import numpy as np
import pytest
from dicom_files import module
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from crepitus.dicom.photometric import (
    VoiFunction,
    display_values,
    is_inverted,
    modality_lut,
    padding,
    stored_values,
    voi,
    window,
)
from crepitus.errors import Damaged


def lut(first, bits, values, vr="US"):
    item = Dataset()
    item.add_new("LUTDescriptor", vr, [len(values) % 65536, first, bits])
    item.add_new("LUTData", "US", list(values))
    return item


def shown(values, **elements):
    return display_values(np.array([values], dtype=np.int32), module(**elements))[0].tolist()


def test_linear_window_at_its_edges():
    # C.11.2.1.2.1, c = 2048, w = 4096: black at x <= c - 0.5 - (w - 1) / 2 = 0,
    # white at x > c - 0.5 + (w - 1) / 2 = 4095.
    x = np.array([-1.0, 0.0, 1.0, 2047.5, 4094.0, 4095.0, 4096.0])
    expected = [0.0, 0.0, 1 / 4095, 0.5, 4094 / 4095, 1.0, 1.0]
    np.testing.assert_allclose(window(x, 2048, 4096, VoiFunction.LINEAR), expected, atol=1e-15)


def test_linear_window_of_width_one_is_a_threshold():
    # C.11.2.1.2.1 note: x <= c - 0.5 is black, above it white.
    assert window(np.array([9.0, 9.5, 9.51, 10.0]), 10.0, 1.0, VoiFunction.LINEAR).tolist() == [0, 0, 1, 1]


def test_linear_exact_window_at_its_edges():
    # C.11.2.1.3.2, c = 2048, w = 4096: black at x <= 0, white at x > 4096, x / 4096 between.
    x = np.array([-1.0, 0.0, 1024.0, 2048.0, 4096.0, 4097.0])
    np.testing.assert_allclose(window(x, 2048, 4096, VoiFunction.LINEAR_EXACT), [0, 0, 0.25, 0.5, 1, 1])


def test_sigmoid_window():
    # C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w)); at c + w / 4 it is 1 / (1 + 1/e) = 0.7310586.
    x = np.array([100.0, 125.0, -1e9, 1e9])
    found = window(x, 100, 100, VoiFunction.SIGMOID)
    np.testing.assert_allclose(found, [0.5, 0.7310585786, 0.0, 1.0], atol=1e-9)


def test_rescale():
    found = modality_lut(np.array([0, 10, 100]), module(RescaleSlope="0.5", RescaleIntercept="-20"))
    assert found.tolist() == [-20.0, -15.0, 30.0]
    assert modality_lut(np.array([7]), module()).tolist() == [7.0]


def test_rescale_slope_zero_is_damaged():
    with pytest.raises(Damaged, match="Slope"):
        modality_lut(np.array([7]), module(RescaleSlope="0"))


def test_modality_table_clamps_beyond_its_ends():
    table = module(ModalityLUTSequence=[lut(10, 16, [100, 200, 400])])
    found = modality_lut(np.array([0, 10, 11, 12, 99]), table)
    assert found.tolist() == [100, 100, 200, 400, 400]


def test_signed_first_value_of_a_table():
    # First value mapped -2, written as SS because the pixels are signed.
    table = module(PixelRepresentation=1, ModalityLUTSequence=[lut(-2, 16, [5, 6, 7], vr="SS")])
    assert modality_lut(np.array([-3, -2, -1, 0, 9]), table).tolist() == [5, 5, 6, 7, 7]


def test_short_table_is_damaged():
    item = lut(0, 16, [1, 2, 3])
    item.LUTDescriptor = [9, 0, 16]
    with pytest.raises(Damaged, match="9 entries"):
        modality_lut(np.array([0]), module(ModalityLUTSequence=[item]))


def test_voi_table_is_scaled_by_its_bits_and_wins_over_the_window():
    # 10 bits: 1023 is white; 0, 341 = 1023 / 3, 1023.
    dataset = module(VOILUTSequence=[lut(0, 10, [0, 341, 1023])], WindowCenter="1", WindowWidth="1")
    keep = np.ones(4, dtype=bool)
    np.testing.assert_allclose(voi(np.array([0.0, 1, 2, 3]), dataset, keep), [0, 1 / 3, 1, 1])


def test_table_of_65536_entries_is_written_as_zero():
    item = lut(0, 16, range(65536))
    assert item.LUTDescriptor[0] == 0
    assert shown([0, 1, 65535], VOILUTSequence=[item]) == [0, 1, 65535]


def test_first_of_several_windows():
    several = shown([0, 50, 100], WindowCenter=["50", "900"], WindowWidth=["101", "10"])
    assert several == shown([0, 50, 100], WindowCenter="50", WindowWidth="101")
    # (50 - 49.5) / 100 + 0.5 = 0.505 -> 33095.175.
    assert several[1] == 33095


def test_no_or_impossible_window_shows_the_whole_range():
    for elements in ({}, {"WindowCenter": "5", "WindowWidth": "0"}, {"WindowCenter": "5"}):
        assert shown([100, 150, 200], **elements) == [0, 32768, 65535]


def test_unknown_function_is_damaged():
    with pytest.raises(Damaged, match="SIGMOID"):
        shown([0, 1], WindowCenter="1", WindowWidth="2", VOILUTFunction="CUBIC")


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
    ],
)
def test_polarity(photometric, shape, inverted):
    dataset = module(PhotometricInterpretation=photometric)
    if shape:
        dataset.PresentationLUTShape = shape
    assert is_inverted(dataset) is inverted


def test_monochrome1_is_the_mirror_of_monochrome2():
    plain = shown([0, 50, 100], WindowCenter="50", WindowWidth="100")
    mirrored = shown(
        [0, 50, 100], WindowCenter="50", WindowWidth="100", PhotometricInterpretation="MONOCHROME1"
    )
    assert [a + b for a, b in zip(plain, mirrored, strict=True)] == [65535] * 3


def test_padding_is_black_in_both_polarities_and_does_not_set_the_range():
    for photometric, first, last in (("MONOCHROME2", 0, 65535), ("MONOCHROME1", 65535, 0)):
        found = shown([5000, 100, 200], PixelPaddingValue=5000, PhotometricInterpretation=photometric)
        assert found == [0, first, last]


def test_padding_range_and_signed_padding():
    dataset = module(PixelPaddingValue=10, PixelPaddingRangeLimit=5)
    assert padding(np.array([4, 5, 10, 11]), dataset).tolist() == [False, True, True, False]
    # -2000 written as US: 63536.
    signed = module(PixelRepresentation=1, PixelPaddingValue=63536)
    assert padding(np.array([-2000, 0]), signed).tolist() == [True, False]


def test_stored_bits():
    # 12 of 16 bits; bits 12-15 hold an overlay that is no part of the value.
    assert stored_values(np.array([0xF123], np.uint16), 12, 11, signed=False).tolist() == [0x123]
    # Two's complement in 12 bits: 0xFFF is -1, 0x800 is -2048.
    assert stored_values(np.array([0x0FFF, 0x0800, 0x07FF], np.uint16), 12, 11, signed=True).tolist() == [
        -1,
        -2048,
        2047,
    ]
    # High bit 15: the value is left-aligned.
    assert stored_values(np.array([0x1230], np.uint16), 12, 15, signed=False).tolist() == [0x123]
    assert stored_values(np.array([-5], np.int16), 16, 15, signed=True).tolist() == [-5]


def test_blank_image_is_black():
    assert shown([7, 7, 7]) == [0, 0, 0]


def test_the_data_set_is_not_changed():
    dataset = module(
        RescaleSlope="2", RescaleIntercept="1", WindowCenter="3", WindowWidth="4", PixelPaddingValue=0,
        VOILUTSequence=[lut(0, 8, [0, 100, 255])],
    )  # fmt: skip
    before = copy.deepcopy(dataset)
    display_values(np.array([[0, 1, 2]], dtype=np.int32), dataset)
    assert dataset == before


@given(
    st.lists(st.integers(0, 4095), min_size=2, max_size=30, unique=True),
    st.floats(0.01, 100),
    st.floats(-1e4, 1e4),
)
@settings(deadline=None)
def test_rescale_does_not_change_what_is_shown_without_a_window(values, slope, intercept):
    plain = np.array(shown(values))
    rescaled = np.array(shown(values, RescaleSlope=f"{slope:.6f}", RescaleIntercept=f"{intercept:.4f}"))
    assert np.abs(plain - rescaled).max() <= 1


@given(st.floats(-500, 500), st.floats(1, 1000), st.sampled_from(list(VoiFunction)))
@settings(deadline=None)
def test_windows_rise_and_stay_within_range(centre, width, function):
    levels = window(np.linspace(-2000, 2000, 401), centre, width, function)
    assert levels.min() >= 0
    assert levels.max() <= 1
    assert (np.diff(levels) >= 0).all()
