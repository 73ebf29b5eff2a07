"""Colour and palette pictures are taken where every pixel is exactly grey, and only there."""

import imagecodecs
import numpy as np
import pytest
from dicom_files import image_set, limb, set_frame
from pydicom import uid

from crepitus.dicom.read import read_dicom
from crepitus.errors import Damaged, NotRadiograph


@pytest.fixture
def read(tmp_path):
    def read_back(dataset):
        dataset.save_as(tmp_path / "a.dcm")
        return read_dicom(tmp_path / "a.dcm").pixels

    return read_back


def colour_set(folder, cells, photometric="RGB", planar=0):
    dataset = image_set(cells[..., 0].copy(), 8, folder=folder, SamplesPerPixel=3)
    dataset.PhotometricInterpretation = photometric
    dataset.PlanarConfiguration = planar
    data = (cells if planar == 0 else cells.transpose(2, 0, 1)).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    return dataset


@pytest.mark.parametrize("planar", [0, 1])
def test_grey_rgb_is_exact(tmp_path, read, planar):
    grey = limb(bits=8)
    cells = np.dstack([grey] * 3)
    np.testing.assert_array_equal(read(colour_set(tmp_path, cells, planar=planar)), grey * np.uint16(257))


def test_one_coloured_pixel_is_enough(tmp_path, read):
    cells = np.dstack([limb(bits=8)] * 3)
    cells[3, 4, 1] ^= 1
    with pytest.raises(NotRadiograph, match="colours"):
        read(colour_set(tmp_path, cells))


def test_grey_luminance_and_chroma(tmp_path, read):
    # PS3.3 C.7.6.3.1.2, YBR_FULL of 8 bits: grey is CB = CR = 128.
    grey = limb(bits=8)
    cells = np.dstack([grey, np.full_like(grey, 128), np.full_like(grey, 128)])
    np.testing.assert_array_equal(read(colour_set(tmp_path, cells, "YBR_FULL")), grey * np.uint16(257))
    cells[0, 0, 2] = 127
    with pytest.raises(NotRadiograph):
        read(colour_set(tmp_path, cells, "YBR_FULL"))
    with pytest.raises((NotRadiograph, Damaged)):
        read(colour_set(tmp_path, cells, "YBR_FULL_422"))


def test_grey_colour_jpeg(tmp_path, read):
    grey = limb(bits=8)
    dataset = colour_set(tmp_path, np.dstack([grey] * 3), "YBR_FULL_422")
    set_frame(dataset, uid.JPEGBaseline8Bit, bytes(imagecodecs.jpeg8_encode(np.dstack([grey] * 3), level=98)))
    assert np.abs(read(dataset) / 257.0 - grey).max() <= 4


def palette_set(folder, red, green, blue):
    cells = np.arange(12, dtype=np.uint8).reshape(3, 4)
    dataset = image_set(cells, 8, folder=folder, PhotometricInterpretation="PALETTE COLOR")
    for name, table in (("Red", red), ("Green", green), ("Blue", blue)):
        dataset.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [len(table), 0, 16])
        data = np.asarray(table, dtype="<u2").tobytes()
        dataset.add_new(f"{name}PaletteColorLookupTableData", "OW", data)
    return dataset


def test_grey_palette_is_exact(tmp_path, read):
    table = [5000 * i for i in range(12)]
    found = read(palette_set(tmp_path, table, table, table))
    assert found.ravel().tolist() == table


def test_colour_in_the_palette_counts_where_it_is_used(tmp_path, read):
    table = [5000 * i for i in range(12)]
    coloured = [*table[:-1], 1]
    with pytest.raises(NotRadiograph, match="palette"):
        read(palette_set(tmp_path, table, coloured, table))
    found = read(palette_set(tmp_path, [*table, 9], [*table, 8], [*table, 7]))
    assert found.ravel().tolist() == table


def test_palette_without_tables_is_no_radiograph(tmp_path, read):
    dataset = image_set(limb(bits=8), 8, folder=tmp_path, PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(NotRadiograph, match="Red"):
        read(dataset)
