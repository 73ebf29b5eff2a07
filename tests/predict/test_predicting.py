"""`crepitus predict`: data sets, DICOM, PNG and JPEG in; what is damaged or tampered with is named."""

import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from PIL import Image

from crepitus.cli import main
from crepitus.dicom.write import Identity, write_dx
from crepitus.methods.config_file import load_config
from crepitus.methods.window_loss.method import WindowLossConfig
from crepitus.predict import Predictions
from crepitus.predict.model import InputImage, Model
from crepitus.train.run import start_run, train
from tiny import TINY, make_tiny


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    config = load_config(WindowLossConfig, None, (*TINY, "training.epochs=2", "inference.flip_average=true"))
    roles = dict(zip(data.images["image_id"], data.images["split"], strict=True))
    folder = start_run("window-loss", data, tmp_path_factory.mktemp("run") / "run", config, roles, fold=None)
    train(folder, data, lambda line: None)
    return folder.root


def crepitus(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return end.value.code, captured.out, captured.err


def test_the_test_split_of_the_run(run, data, tmp_path, capsys):
    status, out, _ = crepitus(
        capsys, "predict", run, data.root, "--split", "test", "--out", tmp_path / "p", "--json"
    )
    assert status == 0
    assert json.loads(out)["predicted"] == 4
    predictions = Predictions.read(tmp_path / "p")
    roles = dict(zip(data.images["image_id"], data.images["split"], strict=True))
    assert {roles[i] for i in predictions.images["image_id"]} == {"test"}
    assert predictions.info["model"] == "window-loss"
    assert predictions.info["sha256"] == json.loads((run / "model.json").read_text())["sha256"]
    for image_id, score in predictions.images.select("image_id", "score").iter_rows():
        heatmap = predictions.heatmap(image_id)
        # 48 x 60 in a square of 64 leaves 51 x 64 px of content: 13 x 16 cells of 4 px.
        assert heatmap.shape == (13, 16)
        # The score is the heatmap's maximum; the file rounds it to float16.
        assert heatmap.max() == pytest.approx(score, rel=1e-3)
    assert not (tmp_path / "p" / "overlays").exists()


def test_predictions_can_be_evaluated(run, data, tmp_path, capsys):
    crepitus(capsys, "predict", run, data.root, "--out", tmp_path / "p")
    status, out, _ = crepitus(capsys, "evaluate", tmp_path / "p", "--data", data.root, "--json")
    assert status == 0
    assert 0 <= json.loads(out)["image.auroc"] <= 1
    assert (tmp_path / "p" / "report.html").is_file()


def test_studies_are_answered_by_a_rule_that_names_their_views(run, data, tmp_path, capsys):
    shutil.copytree(data.root, tmp_path / "d")
    images = pl.read_parquet(tmp_path / "d" / "images.parquet")
    # Images 0 and 1 are study s0, 2 and 3 are s1, and so on; the last two belong to none.
    studies = [f"s{k // 2}" for k in range(18)] + [None, None]
    images.with_columns(study_id=pl.Series(studies)).write_parquet(tmp_path / "d" / "images.parquet")
    status, _, error = crepitus(
        capsys, "predict", run, tmp_path / "d", "--study-rule", "majority", "--out", tmp_path / "p"
    )
    assert status == 0, error
    predictions = Predictions.read(tmp_path / "p")
    scores = dict(predictions.images.select("image_id", "score").iter_rows())
    assert predictions.studies.height == 9
    for study, score, count, views in predictions.studies.iter_rows():
        own = {f"tiny-{2 * int(study[1:]) + k:02d}" for k in range(2)}
        # Of two views both must be positive: the lower score decides, and both carry it.
        assert score == pytest.approx(min(scores[i] for i in own))
        assert count == 2
        assert set(views.split(";")) == own
    assert predictions.info["study_rule"] == "majority"
    assert predictions.thresholds["study"] == predictions.thresholds["image"]


@pytest.mark.parametrize("rule", ["majority", "learned", "most"])
def test_a_study_rule_without_studies_or_that_was_not_learned_is_one_line(run, data, tmp_path, capsys, rule):
    status, _, error = crepitus(
        capsys, "predict", run, data.root, "--study-rule", rule, "--out", tmp_path / "p"
    )
    assert status == 2
    assert "study_id" in error
    assert not (tmp_path / "p").exists()


def test_one_image_as_png_jpeg_and_dicom(run, data, tmp_path, capsys):
    pixels = data.radiograph("tiny-01").pixels
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "a b.png")
    Image.fromarray(pixels.astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(pixels).save(folder / "c.jpg", quality=100)
    write_dx(folder / "d", pixels, Identity("PHANTOM^T", "p", "s", "i", "20200101"))
    status, _, _ = crepitus(capsys, "predict", run, folder, "--out", tmp_path / "p")
    assert status == 0
    images = Predictions.read(tmp_path / "p").images
    scores = dict(images.select("file", "score").iter_rows())
    scores = {name.rsplit("/", 1)[-1]: score for name, score in scores.items()}
    assert scores["deep.png"] == pytest.approx(scores["a b.png"], abs=1e-5)
    assert scores["d"] == pytest.approx(scores["a b.png"], abs=1e-3)
    assert scores["c.jpg"] == pytest.approx(scores["a b.png"], abs=0.02)
    assert "a_b" in images["image_id"].to_list()
    overlays = sorted(p.stem for p in (tmp_path / "p" / "overlays").iterdir())
    assert overlays == sorted(images["image_id"])


def test_files_of_the_same_name_do_not_collide(run, data, tmp_path, capsys):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(data.path("tiny-01"), tmp_path / name / "x.png")
    status, _, _ = crepitus(
        capsys, "predict", run, tmp_path / "one", tmp_path / "two", "--out", tmp_path / "p", "--no-overlays"
    )
    assert status == 0
    assert Predictions.read(tmp_path / "p").images["image_id"].n_unique() == 2


def test_what_is_no_radiograph_is_set_aside_and_the_rest_goes_on(run, data, tmp_path, capsys):
    # Rows 1 and 18 of the list of faults.
    folder = tmp_path / "in"
    folder.mkdir()
    good = data.path("tiny-01")
    shutil.copy(good, folder / "good.png")
    (folder / "cut.png").write_bytes(good.read_bytes()[:400])
    (folder / "empty.dcm").touch()
    (folder / "notes.txt").write_text("no image")
    (folder / "text.png").write_text("no image either")
    status, _, err = crepitus(capsys, "predict", run, folder, "--out", tmp_path / "p")
    assert status == 3
    assert "4 inputs were set aside" in err
    rejected = pl.read_csv(tmp_path / "p" / "rejected.csv")
    assert rejected.columns == ["file", "code", "message"]
    codes = {file.rsplit("/", 1)[-1]: code for file, code in rejected.select("file", "code").iter_rows()}
    assert codes == {
        "cut.png": "damaged",
        "empty.dcm": "not-dicom",
        "notes.txt": "not-dicom",
        "text.png": "not-dicom",
    }
    assert Predictions.read(tmp_path / "p").images["image_id"].to_list() == ["good"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "expected a file or a folder"),
        (["DATA", "--split", "trian"], "expected train, val or test"),
        (["IMAGE", "--split", "test"], "--split goes with a data set"),
        (["DATA", "IMAGE"], "one data set or any number of files"),
    ],
)
def test_wrong_inputs_are_one_line(run, data, tmp_path, capsys, arguments, words):
    places = {"DATA": data.root, "IMAGE": data.path("tiny-01")}
    inputs = [places.get(a, a) for a in arguments]
    status, out, err = crepitus(capsys, "predict", run, *inputs, "--out", tmp_path / "p")
    assert status == 2
    assert words in err
    assert err.count("\n") == 1
    assert not out
    assert not (tmp_path / "p").exists()


def tampered(run, folder):
    copy = folder / "run"
    shutil.copytree(run, copy)
    return copy


def refused(capsys, model, data, tmp_path):
    status, _, err = crepitus(capsys, "predict", model, data.root, "--out", tmp_path / "p")
    assert status == 2
    assert err.count("\n") == 1
    return err


def test_changed_weights_are_refused(run, data, tmp_path, capsys):
    # Row 23 of the list of faults.
    copy = tampered(run, tmp_path)
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    assert "SHA-256" in refused(capsys, copy, data, tmp_path)


def test_a_pickle_is_refused_even_with_its_own_hash(run, data, tmp_path, capsys):
    from crepitus.methods.parts.weights import sha256_of

    copy = tampered(run, tmp_path)
    (copy / "model.safetensors").write_bytes(pickle.dumps({"a": 1}))
    record = json.loads((copy / "model.json").read_text())
    record["sha256"] = sha256_of(copy / "model.safetensors")
    (copy / "model.json").write_text(json.dumps(record))
    assert "only safetensors is read" in refused(capsys, copy, data, tmp_path)


def test_weights_of_another_architecture_are_refused(run, data, tmp_path, capsys):
    copy = tampered(run, tmp_path)
    record = json.loads((copy / "model.json").read_text())
    record["config"]["pyramid"]["channels"] = 24
    (copy / "model.json").write_text(json.dumps(record))
    assert "another architecture" in refused(capsys, copy, data, tmp_path)


def test_a_record_without_a_hash_or_with_nonsense_is_refused(run, data, tmp_path, capsys):
    copy = tampered(run, tmp_path)
    record = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps({k: v for k, v in record.items() if k != "sha256"}))
    assert "expected the key sha256" in refused(capsys, copy, data, tmp_path)
    for sha in ("", None, 7, "abc"):
        (copy / "model.json").write_text(json.dumps(record | {"sha256": sha}))
        assert "64 hexadecimal digits" in refused(capsys, copy, data, tmp_path)
    (copy / "model.json").write_text(json.dumps(record | {"thresholds": {"image": 0.5}}))
    assert "thresholds.box_floor" in refused(capsys, copy, data, tmp_path)
    (copy / "model.json").write_text("{")
    assert "expected JSON" in refused(capsys, copy, data, tmp_path)


def test_an_unfinished_run_says_how_to_go_on(run, data, tmp_path, capsys):
    copy = tampered(run, tmp_path)
    (copy / "model.json").unlink()
    assert "--resume" in refused(capsys, copy, data, tmp_path)


def test_without_the_training_libraries_one_line_names_the_extra(run, data, tmp_path):
    blocked = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "timm", "lightning", "safetensors"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from crepitus.cli import main
main(sys.argv[1:])
"""
    for command in (
        ["predict", run, data.root, "--out", tmp_path / "p"],
        ["train", "window-loss", "--data", data.root, "--out", tmp_path / "r"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", blocked, *map(str, command)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "crepitus[train]" in done.stderr
        assert done.stderr.count("\n") == 1
    done = subprocess.run(
        [sys.executable, "-c", blocked, "audit", str(data.root)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_batch_gives_what_single_images_give(run, data):
    model = Model.load(run)
    images = [InputImage(i, data.radiograph(i).pixels, i) for i in data.images["image_id"][:3]]
    together = model.predict(images)
    for image, answer in zip(images, together, strict=True):
        assert model.predict([image])[0].score == pytest.approx(answer.score, abs=1e-5)


def test_a_stored_calibration_goes_into_the_predictions():
    model = Model.__new__(Model)
    model.device = "cpu"
    model.record = {
        "method": "m",
        "sha256": "ab",
        "preparation": {},
        "thresholds": {"image": 0.3},
        "config": {},
    }
    assert "calibration" not in model.predictions_info()
    model.record |= {"calibration": {"method": "temperature", "temperature": 2.0}, "operating_points": [{}]}
    info = model.predictions_info()
    assert info["calibration"] == {"method": "temperature", "temperature": 2.0}
    assert info["operating_points"] == [{}]
    assert info["thresholds"] == {"image": 0.3}
