"""From DICOM files to a data set: everything is accounted for, nothing identifies a patient."""

import csv
import json
import os
import zipfile

import numpy as np
import pydicom
import pytest
from dicom_files import SYNTAXES, image_set, limb, save
from test_dicom_find import dicomdir

from crepitus.cli import main
from crepitus.data import DataSet
from crepitus.data.converting import Settings, convert
from crepitus.dicom.pool import Limits
from crepitus.dicom.write import Identity
from crepitus.errors import UsageError


def add(folder, name, patient="P1", study="S1", image=None, syntax="explicit", bits=12, **elements):
    """One file below `folder`, in the syntax asked for; returns its data set."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = limb(bits=bits)
    identity = Identity(f"NAME^{patient}", patient, study, image or name)
    dataset = image_set(pixels, bits, identity, path.parent, **elements)
    save(dataset, path, syntax, pixels)
    return dataset


def run(source, out, **options):
    options = {"workers": 1, **options}
    settings = {k: options.pop(k) for k in ("characteristics", "dicom", "keys") if k in options}
    return convert(Settings(source, **settings), out, **options)


def rejected(out):
    with (out / "rejected.csv").open(newline="") as stream:
        return {row["file"]: (row["code"], row["message"]) for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A folder as a hospital hands it over, and its conversion."""
    root = tmp_path_factory.mktemp("mixed")
    source = root / "source"
    for syntax in SYNTAXES:
        add(
            source, f"good/{syntax}", study=f"S-{syntax}", syntax=syntax, bits=8 if syntax == "jpeg-8" else 12
        )
    add(source, "other/ct", Modality="CT")
    add(source, "other/frames", NumberOfFrames=3)
    add(source, "other/blank", PixelData=bytes(64 * 48 * 2))
    add(source, "copy/a", image="same")
    add(source, "copy/b", image="same")
    whole = (source / "copy" / "a").read_bytes()
    (source / "broken").mkdir()
    (source / "broken" / "cut").write_bytes(whole[:-100])
    (source / "broken" / "text").write_text("patient,score\n")
    (source / "broken" / "empty").touch()
    (source / "broken" / "link").symlink_to(root)
    os.mkfifo(source / "broken" / "pipe")
    with zipfile.ZipFile(source / "disc.zip", "w") as out:
        add(root / "zipped", "z", study="S-zip")
        out.write(root / "zipped" / "z", "in/z")
        out.writestr("../out", b"x")
    outcome = run(source, root / "out", dicom=True, keys=root / "keys.json", workers=2)
    return root, outcome


def test_every_file_is_an_image_or_a_row(mixed):
    root, outcome = mixed
    assert outcome.images == len(SYNTAXES) + 2
    codes = {name: code for name, (code, _) in rejected(root / "out").items()}
    assert codes == {
        "broken/cut": "damaged",
        "broken/empty": "not-dicom",
        "broken/link": "unsafe-entry",
        "broken/pipe": "unsafe-entry",
        "broken/text": "not-dicom",
        "copy/b": "duplicate",
        "disc.zip/../out": "unsafe-entry",
        "other/blank": "not-assessable",
        "other/ct": "not-radiograph",
        "other/frames": "not-radiograph",
    }
    assert len(outcome.rejected) == len(codes)
    files = sum(path.is_file() or path.is_fifo() for path in (root / "source").rglob("*"))
    # The archive counts as its two members; the link to a folder and the pipe are counted by name.
    assert outcome.progress.files == outcome.images + len(codes) == files + 1 + 1
    assert "pixels as copy/a" in rejected(root / "out")["copy/b"][1]


def test_the_result_is_a_data_set_with_the_metadata(mixed):
    root, outcome = mixed
    data = DataSet.read(root / "out")
    assert len(data.images) == outcome.images
    assert not (root / "out" / ".convert").exists()
    row = data.images.row(0, named=True)
    assert (row["rows"], row["columns"], row["body_part"], row["view"]) == (64, 48, "FOREARM", "AP")
    assert row["label"] is None
    assert row["spacing_mm"] is None
    assert row["laterality"] == "U"
    assert "no-spacing" in row["flags"].split()
    assert row["study_date"] != "20000101"
    assert set(data.images["bits_stored"]) == {8, 12}
    assert data.images["patient_id"].n_unique() == 1
    assert data.images["study_id"].n_unique() == len(SYNTAXES) + 2
    info = json.loads((root / "out" / "dataset.json").read_text())
    assert info["deidentification"]["options"] == ["modified dates"]


def test_pixels_keep_sixteen_bits(mixed):
    root, _ = mixed
    keys = json.loads((root / "keys.json").read_text())
    by_file = {row["file"]: row["image_id"] for row in keys["images"]}
    pixels = DataSet.read(root / "out").radiograph(by_file["good/implicit"]).pixels
    assert pixels.dtype == np.uint16
    assert np.abs(pixels - limb() * (65535 / 4095)).max() <= 0.5
    for syntax in ("rle", "jpeg-lossless", "jpeg-ls", "jpeg-2000-lossless", "htj2k-lossless", "big-endian"):
        np.testing.assert_array_equal(
            DataSet.read(root / "out").radiograph(by_file[f"good/{syntax}"]).pixels, pixels
        )


def test_nothing_in_the_output_identifies_a_patient(mixed):
    root, _ = mixed
    dataset = pydicom.dcmread(root / "source" / "copy" / "a")
    secrets = [dataset.PatientID, dataset.StudyInstanceUID, dataset.SOPInstanceUID, "NAME^P1", "20000101"]
    keys = json.loads((root / "keys.json").read_text())
    secrets.append(keys["salt"])
    for path in (root / "out").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in secrets:
                # "P1" is too short to search for in pixels.
                assert len(secret) < 4 or secret.encode() not in content, (path.name, secret)
    assert not any(c in path.name for path in (root / "out").rglob("*") for c in ("good", "copy"))


def test_key_file_leads_back_and_is_private(mixed):
    root, outcome = mixed
    path = root / "keys.json"
    assert path.stat().st_mode & 0o777 == 0o600
    rows = json.loads(path.read_text())["images"]
    assert len(rows) == outcome.images
    one = next(row for row in rows if row["file"] == "copy/a")
    original = pydicom.dcmread(root / "source" / "copy" / "a")
    assert one["SOPInstanceUID"] == original.SOPInstanceUID
    assert one["StudyInstanceUID"] == original.StudyInstanceUID
    assert one["PatientID"] == "P1"
    assert not path.with_name("keys.json.partial").exists()


def test_dicom_copies_are_valid_and_deidentified(mixed):
    root, outcome = mixed
    copies = sorted((root / "out" / "dicom").glob("*.dcm"))
    assert len(copies) == outcome.images
    for path in copies:
        dataset = pydicom.dcmread(path)
        assert dataset.PatientIdentityRemoved == "YES"
        assert dataset.PatientName == dataset.PatientID != "P1"
        assert (root / "out" / "images" / f"{path.stem}.png").is_file()


def test_a_second_run_says_that_it_was_complete(mixed):
    root, outcome = mixed
    before = {p: p.stat().st_mtime_ns for p in (root / "out").rglob("*")}
    again = run(root / "source", root / "out", dicom=True, keys=root / "keys.json")
    assert (again.images, again.rejected) == (outcome.images, outcome.rejected)
    assert "complete" in again.warnings[0]
    assert {p: p.stat().st_mtime_ns for p in (root / "out").rglob("*")} == before
    with pytest.raises(UsageError, match="new or empty"):
        run(root / "source", root / "out")


def test_the_same_key_file_gives_the_same_identifiers(tmp_path):
    add(tmp_path / "one", "a")
    add(tmp_path / "two", "a")
    add(tmp_path / "two", "b", patient="P2")
    run(tmp_path / "one", tmp_path / "out1", keys=tmp_path / "k.json")
    run(tmp_path / "two", tmp_path / "out2", keys=tmp_path / "k.json")
    run(tmp_path / "two", tmp_path / "out3")
    ids = [set(DataSet.read(tmp_path / f"out{n}").images["image_id"]) for n in (1, 2, 3)]
    assert ids[0] < ids[1]
    assert not ids[1] & ids[2]
    assert len(json.loads((tmp_path / "k.json").read_text())["images"]) == 2


def test_copies_with_other_pixels_are_told_apart(tmp_path):
    add(tmp_path / "in", "1/a", image="same")
    add(tmp_path / "in", "2/a", image="same", WindowWidth="2000")
    run(tmp_path / "in", tmp_path / "out")
    assert rejected(tmp_path / "out")["2/a"] == (
        "duplicate",
        "the same SOP Instance UID but other pixels as 1/a",
    )


def test_hostile_identifiers_and_names(tmp_path):
    hostile = "../../../x\0\n" + "y" * 60
    folder = tmp_path / "in" / os.fsdecode(b"caf\xe9\n=1+1")
    add(folder, "a", PatientID=hostile, StudyInstanceUID="../1.2", BodyPartExamined="HIP")
    (folder / "b").write_bytes(b"nothing")
    outcome = run(tmp_path / "in", tmp_path / "out", keys=tmp_path / "k.json")
    assert outcome.images == 1
    (image,) = (tmp_path / "out" / "images").iterdir()
    assert image.stem.isalnum()
    assert list(rejected(tmp_path / "out")) == [r"caf\udce9\n=1+1/b"]


def test_bogus_character_sets_are_rendered_safely(tmp_path):
    add(tmp_path / "in", "a", SpecificCharacterSet="ISO 2022 NONSENSE")
    path = tmp_path / "in" / "a"
    path.write_bytes(path.read_bytes().replace(b"FOREARM ", b"F\xfcR\x1b\x07RM "))
    assert run(tmp_path / "in", tmp_path / "out").images == 1
    (part,) = DataSet.read(tmp_path / "out").images["body_part"]
    assert part.isprintable()
    assert part.startswith("F")


def test_missing_facts_are_empty_and_flagged(tmp_path):
    add(tmp_path / "in", "a", ViewPosition=None, ImageLaterality=None, BurnedInAnnotation="YES", PatientID="")
    outcome = run(tmp_path / "in", tmp_path / "out")
    row = DataSet.read(tmp_path / "out").images.row(0, named=True)
    assert [row[k] for k in ("view", "laterality", "spacing_mm", "patient_id")] == [None] * 4
    assert row["flags"].split() == ["no-spacing", "no-view", "no-laterality", "burned-in-annotation"]
    assert any("burned" in warning for warning in outcome.warnings)


def test_empty_source_gives_an_empty_data_set(tmp_path):
    (tmp_path / "in").mkdir()
    assert run(tmp_path / "in", tmp_path / "out").images == 0
    assert len(DataSet.read(tmp_path / "out").images) == 0


def test_dicomdir_as_source_and_inside_a_folder(tmp_path):
    cd = tmp_path / "cd"
    add(cd, "IMAGES/IM1")
    add(cd, "IMAGES/IM2")
    (tmp_path / "OUT").write_bytes(b"1")
    dicomdir(cd / "DICOMDIR", [["IMAGES", "IM1"], ["..", "OUT"], ["IMAGES", "IM9"]])
    assert run(cd / "DICOMDIR", tmp_path / "one").images == 1
    expected = {"../OUT": "unsafe-entry", "IMAGES/IM9": "damaged"}
    assert {name: code for name, (code, _) in rejected(tmp_path / "one").items()} == expected
    assert run(cd, tmp_path / "two").images == 2
    assert {name: code for name, (code, _) in rejected(tmp_path / "two").items()} == expected


def test_executable_preamble_is_read_and_not_written(tmp_path):
    add(tmp_path / "in", "a")
    path = tmp_path / "in" / "a"
    path.write_bytes(b"MZ" + b"\x90" * 126 + path.read_bytes()[128:])
    assert run(tmp_path / "in", tmp_path / "out", dicom=True).images == 1
    (copy,) = (tmp_path / "out" / "dicom").iterdir()
    assert copy.read_bytes()[:128] == bytes(128)


def test_a_file_that_takes_too_long_or_too_much_is_one_row(tmp_path):
    add(tmp_path / "in", "a")
    outcome = run(tmp_path / "in", tmp_path / "out", limits=Limits(seconds=0.0))
    assert outcome.images == 0
    assert rejected(tmp_path / "out")["a"][0] == "damaged"


def test_command_line(tmp_path, capsys):
    add(tmp_path / "in", "a")
    add(tmp_path / "in", "b", Modality="MR")
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--workers", "1", "--json"])
    assert ended.value.code == 3
    captured = capsys.readouterr()
    assert json.loads(captured.out)["images"] == 1
    assert "not-radiograph" in captured.err
    (tmp_path / "text").write_text("no key file")
    for arguments in (
        ["convert", str(tmp_path / "none"), "--out", str(tmp_path / "o")],
        ["convert", str(tmp_path / "in"), "--out", str(tmp_path / "in")],
        [
            "convert",
            str(tmp_path / "in"),
            "--out",
            str(tmp_path / "o"),
            "--labels",
            str(tmp_path / "none.csv"),
        ],
        ["convert", str(tmp_path / "in"), "--out", str(tmp_path / "o"), "--keys", str(tmp_path / "o" / "k")],
        ["convert", str(tmp_path / "in"), "--out", str(tmp_path / "o"), "--keys", str(tmp_path / "in" / "k")],
        [
            "convert",
            str(tmp_path / "in"),
            "--out",
            str(tmp_path / "o"),
            "--keys",
            str(tmp_path / "none" / "k"),
        ],
        ["convert", str(tmp_path / "in"), "--out", str(tmp_path / "o"), "--keys", str(tmp_path / "text")],
        ["convert", str(tmp_path / "in"), "--out", str(tmp_path / "in" / "o")],
        ["convert", str(tmp_path / "in"), "--out", str(tmp_path / "o"), "--workers", "-1"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "o" / "dataset.json").exists()
