"""`crepitus phantom` as a user runs it."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pydicom
import pytest
from PIL import Image

from crepitus.cli import main
from crepitus.data.folder import DataSet
from crepitus.dicom.encoding import SYNTAXES
from crepitus.dicom.read import read_dicom
from crepitus.phantom import generate
from crepitus.phantom.columns import COLUMNS, STUDY_COLUMNS
from crepitus.phantom.generate import Request, make_image
from crepitus.phantom.scene import Extras, Injury, Severity
from crepitus.phantom.scenes import SCENES
from crepitus.phantom.scenes.common import PRESETS
from crepitus.phantom.xray.project import Bone

NO_DCIODVFY = "dciodvfy (Debian's dicom3tools) is not installed"
SCENE = "two-views"
FIRST = next(iter(SCENES.values()))


def run(*arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in arguments])
    return caught.value.code


@pytest.fixture
def two_views(monkeypatch):
    """A scene of two views of a leg, made of the parts of the tests' own tube."""
    kind = tube_scene()
    monkeypatch.setitem(SCENES, kind.name, kind)
    return kind


def tube_scene():
    from crepitus.phantom.injuries.fracture import Fracture, Fragment, Motion, Surface
    from crepitus.phantom.scene import Anatomy, SceneKind, Shot, Site
    from crepitus.phantom.scenes.common import detector_for, draw_adult, draw_exposure, posed, rotation
    from crepitus.phantom.solid.clay import Clay, Stuff, curve
    from crepitus.phantom.xray.project import Tissue

    def anatomy(generator, person):
        clay = Clay(np.array([-25.0, -70, -25]), np.array([25.0, 70, 25]), 2.0)
        line = curve(np.array([[0, -65, 0.0], [1, 0, 0], [0, 65, 0]]), 8)
        clay.tube(line, np.full(8, 13.0), Stuff(4, 0.1, 4))
        flesh = Clay(np.array([-60.0, -110, -60]), np.array([60.0, 110, 60]), 5.0)
        flesh.tube(np.array([[0, -100.0, 0], [0, 100, 0]]), np.array([40.0, 40]), Stuff(8, 0.9, 4))
        axes = np.array([[0, 1.0, 0], [1, 0, 0], [0, 0, -1.0]])
        return Anatomy(
            "LEG",
            person,
            (Bone(clay.finish("bone")),),
            (Tissue(flesh.finish("flesh")),),
            {"middle": ("bone", np.zeros(3))},
            {"shaft": Site("bone", np.zeros(3), axes, 13.0)},
            np.zeros(3),
        )

    def injury(generator, part, severity: Severity, kind):
        site = part.sites["shaft"]
        surface = Surface(site.origin_mm, site.axes, severity.gap_mm, (0.2, 0.0), 0.0, 0.6)
        motion = Motion(translation=np.array([severity.motion * 12, 0, 0]))
        fracture = Fracture("bone", (surface,), (Fragment((1,), motion),), "transverse")
        return Injury(
            (fracture,), kind=kind or "transverse", region="shaft", side="L", gap_mm=severity.gap_mm
        )

    def shot(generator, part, view, size):
        turn = rotation(0.0, 90.0 if view == "LM" else 0.0, float(generator.normal(0, 5)))
        pose = posed(turn, part.centre_mm, np.array([0, 0, 80.0]))
        exposure = draw_exposure(generator, size, 160.0, (60.0, 70.0), (0.1, 0.4))
        return Shot(view, "L", pose, detector_for(size, 160.0, 1150.0), exposure)

    def extras(generator, part, metal):
        return Extras(notes={"gas": 0, "odd": 1})

    return SceneKind(SCENE, ("AP", "LM"), anatomy, injury, extras, shot, ("transverse", "spiral"), draw_adult)


def make(tmp_path, *options, count=4, size=64):
    out = tmp_path / "set"
    arguments = ("phantom", SCENE, "--count", count, "--size", size, "--workers", 1, "--out", out)
    assert run(*arguments, "--preset", "easy", *options) == 0
    return out


def test_writes_a_data_set_that_can_be_read(tmp_path, capsys, two_views):
    out = make(tmp_path, "--seed", 1, "--dicom", "--json")
    result = json.loads(capsys.readouterr().out)
    assert (result["images"], result["studies"], result["fractured"]) == (4, 2, 1)
    data = DataSet.read(out)
    assert len(data) == 4
    for table in (data.points, data.boxes, data.landmarks):
        assert table is not None
    assert data.images["view"].to_list() == ["AP", "LM"] * 2
    for image_id in data.images["image_id"]:
        image, truth = data.radiograph(image_id), data.annotation(image_id)
        assert bool(truth.label) == bool(len(truth.points)) == bool(len(truth.boxes))
        assert truth.landmarks.names == ("middle",)
        dicom = read_dicom(out / "dicom" / f"{image_id}.dcm")
        np.testing.assert_array_equal(dicom.pixels, full(image.pixels))
        assert dicom.spacing_mm == pytest.approx(image.spacing_mm, rel=1e-4)
    assert not list(out.rglob("*.tmp"))


def full(pixels):
    return np.rint(pixels / np.iinfo(pixels.dtype).max * 65535).astype(np.uint16)


def test_masks_have_the_bits_of_their_places(tmp_path, two_views):
    out = make(tmp_path, "--seed", 1)
    data = DataSet.read(out)
    bits = data.info["masks"]["bits"]
    for image_id in data.images["image_id"]:
        mask = np.asarray(Image.open(out / "masks" / f"{image_id}.png"))
        assert mask.shape == (64, 64)
        truth = data.annotation(image_id)
        assert bool((mask & bits["fracture"]).any()) == bool(truth.label)
        for x, y in truth.points.xy:
            assert mask[int(y), int(x)] & bits["fracture"]
        x, y = truth.landmarks.xy[0]
        assert mask[int(y), int(x)] & (bits["bone"] | bits["fracture"])


def test_studies_table_and_meanings(tmp_path, two_views):
    out = make(tmp_path, "--seed", 1)
    studies = pl.read_csv(out / "studies.csv")
    images = DataSet.read(out).images
    assert studies["study_id"].to_list() == images["study_id"].unique(maintain_order=True).to_list()
    assert studies["images"].to_list() == [2, 2]
    broken = studies.filter(pl.col("label") == 1)
    assert broken.select("fractured", "fracture_type", "region", "side", "visible").rows() == [
        (1, "transverse", "shaft", "L", 1)
    ]
    views = images.filter(pl.col("label") == 1)["visibility"]
    assert broken["visibility"].item() == pytest.approx(views.max())
    whole = studies.filter(pl.col("label") == 0)
    assert whole.select("ao_class", "fracture_type", "visibility", "visible").rows() == [
        (None, None, None, None)
    ]
    info = json.loads((out / "dataset.json").read_text())
    known = {"image_id", "file", "rows", "columns", "spacing_mm", "label", "split", "fold", "study_id"}
    known |= {"patient_id", "body_part", "view", "laterality", "ao_class", "hardware"}
    assert set(info["columns"]) == set(images.columns) - known
    assert info["columns"]["gas"] == "1 if there is gas in the bowel"
    assert "scene" in info["columns"]["odd"]
    assert info["settings"]["seed"] == 1


def test_dicom_files_of_a_study_belong_together(tmp_path, two_views):
    out = make(tmp_path, "--dicom", "--transfer-syntax", "jpeg-ls", "--photometric", "MONOCHROME1")
    first, second, third = (pydicom.dcmread(p) for p in sorted((out / "dicom").iterdir())[:3])
    assert first.StudyInstanceUID == second.StudyInstanceUID != third.StudyInstanceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    assert (first.InstanceNumber, second.InstanceNumber, third.InstanceNumber) == (1, 2, 1)
    assert (first.ViewPosition, second.ViewPosition) == ("AP", "LM")
    # A left leg from its medial side would show the front at the right; from the lateral side, at the left.
    assert [list(f.PatientOrientation) for f in (first, second)] == [["L", "F"], ["P", "F"]]
    assert first.file_meta.TransferSyntaxUID == SYNTAXES["jpeg-ls"].uid
    assert first.PhotometricInterpretation == "MONOCHROME1"
    row = DataSet.read(out).images.row(0, named=True)
    assert first.PatientSex == row["sex"]
    assert first.PatientAge == f"{int(row['age']):03d}Y"
    assert pytest.approx(row["kilovolt"]) == first.KVP
    image = DataSet.read(out).radiograph(row["image_id"]).pixels
    found = read_dicom(out / "dicom" / f"{row['image_id']}.dcm").pixels
    np.testing.assert_array_equal(found, full(image))


@pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy (Debian's dicom3tools) is not installed"
)
@pytest.mark.parametrize("modality", ["DX", "CR"])
def test_dciodvfy_finds_no_error(tmp_path, two_views, modality):
    out = make(tmp_path, "--dicom", "--modality", modality, count=2)
    for path in (out / "dicom").iterdir():
        done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
        assert ("DXImage" if modality == "DX" else "CRImage") in done.stdout + done.stderr
        assert "Error" not in done.stdout + done.stderr


def test_twins_keep_their_labels_and_have_no_places(tmp_path, two_views):
    out = make(tmp_path, "--seed", 1, "--twin")
    data = DataSet.read(out)
    assert data.images["label"].sum() == 2
    assert len(data.points) == len(data.boxes) == 0
    assert data.info["settings"]["twin"] is True


def test_options_reach_the_scene(tmp_path, two_views):
    out = make(
        tmp_path, "--kind", "spiral", "--hardware-correlation", "0.5", "--label-noise", "0.25", count=2
    )
    data = DataSet.read(out)
    wanted = replace(Request(SCENE, 0, 64, "easy"), kind="spiral", hardware_correlation=0.5, label_noise=0.25)
    for index, image_id in enumerate(data.images["image_id"]):
        sample = make_image(wanted, index)
        np.testing.assert_array_equal(data.radiograph(image_id).pixels, sample.radiograph.pixels)
        assert data.annotation(image_id).label == sample.annotation.label
    settings = data.info["settings"]
    assert (settings["kind"], settings["hardware_correlation"], settings["label_noise"]) == (
        "spiral",
        0.5,
        0.25,
    )


def test_all_negative_set_is_still_annotated(tmp_path, two_views):
    # One image: whether it is broken or not, all tables exist, and the study has one image.
    out = make(tmp_path, count=1)
    data = DataSet.read(out)
    assert data.points is not None
    assert data.boxes is not None
    assert data.landmarks is not None
    assert pl.read_csv(out / "studies.csv")["images"].to_list() == [1]


def test_help_names_scenes_presets_kinds_and_syntaxes(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert run("phantom", "--help") == 0
    out = " ".join(capsys.readouterr().out.split())
    for name in (*SCENES, *PRESETS, *SYNTAXES, *FIRST.kinds, "MONOCHROME1"):
        assert name in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("spine", "--count", 1), "spine"),
        ((SCENE, "--count", 0), "--count"),
        ((SCENE, "--count", 1, "--size", 100), "multiple of 64"),
        ((SCENE, "--count", 1, "--preset", "simple"), "simple"),
        ((SCENE, "--count", 1, "--kind", "bent"), "transverse, spiral"),
        ((SCENE, "--count", 1, "--label-noise", 0.6), "--label-noise"),
        ((SCENE, "--count", 1, "--label-noise", "nan"), "--label-noise"),
        ((SCENE, "--count", 1, "--hardware-correlation", 2), "--hardware-correlation"),
        ((SCENE, "--count", 1, "--transfer-syntax", "rle"), "--dicom"),
        ((SCENE, "--count", 1, "--dicom", "--transfer-syntax", "zip"), "jpeg-ls"),
        ((SCENE, "--count", 1, "--dicom", "--photometric", "RGB"), "MONOCHROME1"),
        ((SCENE, "--count", 1, "--dicom", "--modality", "CT"), "DX, CR"),
        ((SCENE,), "--count"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(tmp_path, capsys, two_views, arguments, message):
    assert run("phantom", *arguments, "--out", tmp_path / "x") == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_existing_folder_is_not_overwritten(tmp_path, capsys, two_views):
    (tmp_path / "kept.txt").write_text("mine")
    assert run("phantom", SCENE, "--count", 1, "--out", tmp_path) == 2
    assert (tmp_path / "kept.txt").read_text() == "mine"
    assert "--out" in capsys.readouterr().err


def test_a_full_disk_is_one_line_and_leaves_no_whole_set(tmp_path, capsys, two_views, monkeypatch):
    def full_disk(self, *args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    assert run("phantom", SCENE, "--count", 1, "--size", 64, "--out", tmp_path / "x") == 2
    assert capsys.readouterr().err.strip() == f"crepitus: {os.strerror(errno.ENOSPC)}"
    assert not (tmp_path / "x" / "dataset.json").exists()


def test_ctrl_c_is_one_line_and_leaves_no_whole_set(tmp_path, capsys, two_views, monkeypatch):
    def interrupted(request, index):
        raise KeyboardInterrupt

    monkeypatch.setattr(generate, "make_image", interrupted)
    assert run("phantom", SCENE, "--count", 1, "--size", 64, "--out", tmp_path / "x") == 130
    assert capsys.readouterr().err.strip() == "crepitus: interrupted"
    assert not (tmp_path / "x" / "dataset.json").exists()


def test_workers_leave_ctrl_c_to_the_program():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=generate._start_worker) as pool:
        # Without the initializer this raises KeyboardInterrupt in the worker, which prints a traceback.
        assert pool.submit(signal.raise_signal, signal.SIGINT).result(timeout=120) is None


def test_every_column_of_every_scene_has_a_meaning_and_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "phantom.md").read_text(encoding="utf-8")
    for scene in SCENES.values():
        person, part, extra = (np.random.default_rng(n) for n in range(3))
        anatomy = scene.anatomy(part, scene.person(person))
        assert set(scene.extras(extra, anatomy, True).notes) <= set(COLUMNS), scene.name
    for name in (*COLUMNS, *STUDY_COLUMNS, *SYNTAXES, *PRESETS):
        assert f"`{name}`" in page, name
