"""Real radiographs: the compression samples of the DICOM working group, where they are at hand."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_fragments

from crepitus.data import DataSet
from crepitus.data.converting import Settings, convert
from crepitus.dicom.read import read_dicom

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "dicom_wg04"

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(),
    reason="the compression samples of the DICOM working group are not at hand (../shared/data/dicom_wg04)",
)

LEVEL = 257


@pytest.fixture(scope="module")
def hip():
    return read_dicom(SAMPLES / "RG2_UNC").pixels.astype(float)


def test_all_ten_files_convert(tmp_path):
    outcome = convert(Settings(SAMPLES), tmp_path / "out", workers=2)
    assert (outcome.images, outcome.rejected) == (10, [])
    images = DataSet.read(tmp_path / "out").images
    assert images["body_part"].value_counts().sort("body_part").rows() == [("CHEST", 2), ("HIP", 8)]
    assert images["patient_id"].n_unique() == 2


def test_hip_is_the_plain_pixels_through_the_window(hip):
    # 10 bits, window 511 / 1024: y = (x - 510.5) / 1023 + 0.5, the whole range but for one value.
    cells = pydicom.dcmread(SAMPLES / "RG2_UNC").pixel_array.astype(float)
    expected = np.clip((cells - 510.5) / 1023 + 0.5, 0, 1) * 65535
    assert np.abs(hip - expected).max() <= 0.5


@pytest.mark.parametrize("name", ["RLE", "JPLL", "J2KR", "JLSL"])
def test_lossless_variants_are_identical(hip, name):
    np.testing.assert_array_equal(read_dicom(SAMPLES / f"RG2_{name}").pixels, hip)


def test_near_lossless_variant_keeps_its_own_tolerance(hip):
    dataset = pydicom.dcmread(SAMPLES / "RG2_JLSN")
    stream = b"".join(list(generate_fragments(dataset.PixelData))[1:])
    scan = stream.index(b"\xff\xda")
    near = stream[scan + 5 + 2 * stream[scan + 4]]  # T.87 C.2.3: NEAR follows the components of the scan
    assert near > 0
    found = read_dicom(SAMPLES / "RG2_JLSN").pixels
    assert np.abs(found - hip).max() <= near * (65535 / 1023) + 1


@pytest.mark.parametrize(("name", "most"), [("J2KI", 1.0), ("JPLY", 2.0)])
def test_lossy_variants_are_close(hip, name, most):
    # The sample set gives no bound for these two; the root mean square error is in grey levels of 256.
    found = read_dicom(SAMPLES / f"RG2_{name}").pixels
    assert np.sqrt(np.mean((found - hip) ** 2)) / LEVEL <= most


def test_chest_is_inverted_so_that_bone_is_bright():
    for name in ("RG1_J2KI", "RG1_JLSN"):
        pixels = read_dicom(SAMPLES / name).pixels
        rows, columns = pixels.shape
        spine = pixels[rows // 3 : rows // 2, columns * 47 // 100 : columns * 53 // 100]
        lung = pixels[rows // 3 : rows // 2, columns * 25 // 100 : columns * 31 // 100]
        assert spine.mean() > lung.mean() + 20 * LEVEL
