"""What dciodvfy says about written files, and how they describe the position of the patient."""

import shutil
import subprocess

import pydicom
import pytest
from dicom_files import written
from dicom_studies import two_views
from pydicom.sr import codes

from crepitus.dicom.encoding import SYNTAXES, Encoding
from crepitus.dicom.positioning import REGION_CODES, VIEW_CODES, patient_orientation

DEPTHS = (8, 10, 12, 14, 16)
NO_DCIODVFY = "dciodvfy (Debian's dicom3tools) is not installed"
UNKNOWN_TO_DCIODVFY = ("deflated", "htj2k-lossless", "htj2k")
"""dicom3tools was last released before HTJ2K came, and is built without zlib."""


def test_codes_are_those_of_the_standard():
    for ours, theirs in ((REGION_CODES, codes.cid4009), (VIEW_CODES, codes.cid4010)):
        known = {code.value: code.meaning for code in theirs.concepts.values()}
        assert {value: known.get(value) for value, _ in ours.values()} == dict(ours.values())


@pytest.mark.parametrize(
    ("view", "side", "part", "wanted"),
    [
        ("AP", "R", "HIP", ("L", "F")),
        (None, None, None, ("L", "F")),
        ("PA", "R", "FOREARM", ("R", "F")),
        # Who stands behind the tube of a left lateral sees the right side: the patient looks to the right.
        ("LL", "L", "LEG", ("A", "F")),
        ("RL", "R", "LEG", ("P", "F")),
        # Fingers up, dorsum to the tube: half a turn, so the patient's left is at the right edge again.
        ("PA", "R", "WRIST", ("L", "H")),
        # Ulnar side of a right wrist on the detector, tube at the radial side, thumb to the tube: as a left
        # lateral, turned by half a turn.
        ("LM", "R", "WRIST", ("P", "H")),
        ("LAT", "R", "WRIST", ("P", "H")),
        ("LAT", "L", "WRIST", ("A", "H")),
        # Medial to lateral through a left hip: its left side is at the detector.
        ("ML", "L", "HIP", ("A", "F")),
        ("LAT", "R", "HIP", ("P", "F")),
    ],
)
def test_orientation_as_seen_from_the_tube(view, side, part, wanted):
    assert patient_orientation(view, side, part) == wanted


def complaints(path):
    """Errors that dciodvfy finds, after making sure that it recognised the object at all."""
    done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert any(line.startswith(("DXImage", "CRImage")) for line in lines), lines
    return [line for line in lines if line.startswith("Error")]


CHECKED = [
    *({"syntax": s, "modality": m} for s in SYNTAXES if s not in UNKNOWN_TO_DCIODVFY for m in ("DX", "CR")),
    {"photometric": "MONOCHROME1"},
    {"photometric": "MONOCHROME1", "modality": "CR", "bits": 12},
    {"for_processing": True, "bits": 14},
    *({"bits": b, "syntax": "jpeg-ls"} for b in DEPTHS),
    {"bits": 12, "modality": "CR", "signed": True, "rescale": (0.5, -1000.0)},
    {"window": (100.0, 50.0)},
]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason=NO_DCIODVFY)
@pytest.mark.parametrize("encoding", CHECKED, ids=str)
def test_dciodvfy_finds_no_error(tmp_path, encoding):
    for path in two_views(tmp_path, **encoding):
        assert complaints(path) == []


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason=NO_DCIODVFY)
@pytest.mark.parametrize("modality", ["DX", "CR"])
def test_dciodvfy_finds_no_error_for_any_part_view_and_side(tmp_path, modality):
    cases = [(part, "AP", side) for part in REGION_CODES for side in ("L", "U")]
    cases += [("HIP", view, side) for view in VIEW_CODES for side in ("R", "B", None)]
    cases += [("PELVIS", "AP", "B"), (None, None, None)]
    for part, view, side in cases:
        path = written(
            tmp_path / "a.dcm",
            body_part=part,
            view=view,
            laterality=side,
            spacing_mm=0.2,
            encoding=Encoding(modality=modality),
        )
        assert complaints(path) == [], (part, view, side)


@pytest.mark.parametrize("syntax", UNKNOWN_TO_DCIODVFY)
def test_syntaxes_that_dciodvfy_does_not_know_have_the_header_of_one_that_it_does(tmp_path, syntax):
    known = pydicom.dcmread(written(tmp_path / "a", encoding=Encoding()))
    found = pydicom.dcmread(written(tmp_path / "b", encoding=Encoding(syntax=syntax)))
    different = {e.keyword for e in found if e.keyword not in known or e.value != known[e.keyword].value}
    compression = {
        "LossyImageCompression",
        "LossyImageCompressionRatio",
        "LossyImageCompressionMethod",
        "PixelData",
    }
    assert different <= compression
    assert {e.keyword for e in known} <= {e.keyword for e in found}
