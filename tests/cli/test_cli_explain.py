"""`crepitus explain`: the folder it makes, its figures, what it refuses, and the table of methods."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from crepitus.cli import main
from crepitus.cli.explain import support_text
from crepitus.data import DataSet
from crepitus.methods.config_file import load_config
from crepitus.methods.registry import METHODS
from crepitus.train.run import start_run, train
from tiny import make_tiny
from tiny_methods import SETTINGS


def run(*arguments):
    """Exit status of the command."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code or 0


def trained(method, data, out):
    """A small run, trained for an epoch."""
    config = load_config(METHODS[method].load().config_class, None, SETTINGS[method])
    roles = dict(zip(data.images["image_id"], data.images["split"], strict=True))
    made = start_run(method, data, out, config, roles, fold=None)
    train(made, data, lambda line: None)
    return out


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Marks as fractures, two neighbours as one study."""
    root = tmp_path_factory.mktemp("explain") / "data"
    made = make_tiny(root)
    studies = pl.Series("study_id", [f"s{k // 2}" for k in range(len(made))])
    made.images.with_columns(studies).write_parquet(root / "images.parquet")
    return DataSet.read(root)


@pytest.fixture(scope="module")
def models(data, tmp_path_factory):
    """A run of three methods."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("runs")
    return {name: trained(name, data, root / name) for name in ("wrist-rx", "wrist-aggregator", "chexnet")}


@pytest.fixture(scope="module")
def explained(data, models, tmp_path_factory):
    """The test images explained by everything that can."""
    out = tmp_path_factory.mktemp("out") / "explained"
    options = ("--split", "test", "--steps", 3, "--bootstrap", 20, "--radius-px", 6)
    assert run("explain", models["chexnet"], data.root, "--out", out, *options) == 0
    return out


def test_the_folder_has_a_map_and_a_picture_of_every_image_by_every_explainer(explained):
    table = pl.read_csv(explained / "explanations.csv")
    names = ["lrp", "grad-cam", "cam", "own"]
    assert table["explainer"].unique(maintain_order=True).to_list() == names
    assert table.height == 4 * len(names)
    for image_id, name in table.select("image_id", "explainer").iter_rows():
        values = np.load(explained / "relevance" / name / f"{image_id}.npy")
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        with Image.open(explained / "overlays" / name / f"{image_id}.png") as picture:
            assert picture.mode == "RGB"
            assert picture.height > 500
    assert not list(explained.rglob("*.tmp"))


def test_relevance_per_pixel_covers_the_image_without_the_padding(explained):
    # 48 x 60 pixels fill 51 of 64 rows of the input.
    values = np.load(next((explained / "relevance" / "lrp").glob("*.npy")))
    assert values.shape == (51, 64)


def test_the_table_balances_its_books(explained):
    lrp = pl.read_csv(explained / "explanations.csv").filter(pl.col("explainer") == "lrp")
    for row in lrp.iter_rows(named=True):
        assert 1 / (1 + np.exp(-row["explained"])) == pytest.approx(row["score"], abs=1e-4)
        lost = abs(row["explained"] - row["relevance"] - row["absorbed"]) / abs(row["explained"])
        assert lost == pytest.approx(row["conservation_error"], abs=1e-4)
        assert lost < 0.05


def test_what_is_unknown_is_empty_and_never_0(explained, data):
    table = pl.read_csv(explained / "explanations.csv")
    truth = data.truth
    for row in table.iter_rows(named=True):
        assert (row["pointing_game"] is None) == (truth[row["image_id"]] == 0)
        assert (row["area_inside"] is None) == (truth[row["image_id"]] == 0)
        assert (row["explained"] is None) == (row["explainer"] == "own")
        assert (row["conservation_error"] is None) == (row["explainer"] != "lrp")
        assert 0 <= row["deletion_auc"] <= 1
        assert 0 <= row["insertion_auc"] <= 1


def test_the_summary_is_the_mean_of_the_table(explained):
    info = json.loads((explained / "explanations.json").read_text())
    table = pl.read_csv(explained / "explanations.csv")
    assert info["model"] == "chexnet"
    assert info["target"] == "fracture"
    for name, figures in info["explainers"].items():
        own = table.filter(pl.col("explainer") == name)
        assert figures["maps"] == 4
        for key in ("pointing_game", "deletion_auc", "insertion_auc"):
            assert figures[f"faithfulness.{key}"] == pytest.approx(own[key].mean())
        assert figures["faithfulness.pointing_game.count"] == 2
        low, high = figures["faithfulness.deletion_auc.ci95"]
        assert low <= figures["faithfulness.deletion_auc"] <= high
    assert info["explainers"]["own"]["conservation_error.max"] is None


def test_the_page_needs_no_other_file(explained):
    page = (explained / "explain.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 4 * (1 + 4)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)
    assert "Not a medical device" in page


def test_json_is_all_that_stands_on_standard_output(data, models, tmp_path, capsys):
    out = tmp_path / "out"
    options = ("--limit", 1, "--steps", 0, "--explainer", "grad-cam", "--json")
    assert run("explain", models["wrist-rx"], data.root, "--out", out, *options) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["explained"], result["set_aside"]) == (1, 0)
    assert list(result["explainers"]) == ["grad-cam"]
    assert result["explainers"]["grad-cam"]["faithfulness.deletion_auc"] is None


def test_a_study_stays_whole_and_is_explained_as_one(data, models, tmp_path):
    out = tmp_path / "out"
    options = ("--limit", 1, "--steps", 2, "--explainer", "lrp")
    assert run("explain", models["wrist-aggregator"], data.root, "--out", out, *options) == 0
    table = pl.read_csv(out / "explanations.csv")
    assert table.height == 2
    assert table["explained"].n_unique() == 1
    whole = table["relevance"].sum() + table["absorbed"][0]
    assert whole == pytest.approx(table["explained"][0], rel=1e-3)


def test_damaged_files_are_set_aside_and_the_rest_is_explained(data, models, tmp_path):
    folder, out = tmp_path / "files", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(data.radiograph("tiny-01").pixels).save(folder / "good.png")
    (folder / "bad.png").write_bytes(b"\x89PNG nothing")
    options = ("--explainer", "lrp", "--steps", 2, "--lrp-rule", "epsilon")
    assert run("explain", models["wrist-rx"], folder, "--out", out, *options) == 3
    assert pl.read_csv(out / "explanations.csv")["image_id"].to_list() == ["good"]
    assert pl.read_csv(out / "rejected.csv").height == 1
    assert json.loads((out / "explanations.json").read_text())["lrp"]["body"] == "epsilon"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--explainer", "own"), "--explainer own: it cannot explain wrist-rx: it gives no heatmap"),
        (("--explainer", "lime"), "--explainer: expected some of lrp, grad-cam"),
        (("--target", "A1"), "--target: expected one of fracture of wrist-rx, got 'A1'"),
        (("--lrp-rule", "plus"), "--lrp-rule: expected one of sign, gamma, epsilon, got 'plus'"),
        (("--split", "other"), "--split: expected train, val or test"),
        (("--radius-px", 5, "--radius-rel", 0.1), "expected one radius"),
    ],
)
def test_wrong_options_end_with_one_line_and_no_folder(data, models, tmp_path, capsys, options, message):
    out = tmp_path / "out"
    assert run("explain", models["wrist-rx"], data.root, "--out", out, *options) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_a_folder_that_holds_something_is_refused(data, models, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert run("explain", models["wrist-rx"], data.root, "--out", tmp_path) == 2
    assert "expected a new or empty folder" in capsys.readouterr().err


def test_the_list_names_every_method_within_80_columns(capsys):
    assert run("explain", "--list") == 0
    text = capsys.readouterr().out
    assert text == support_text()
    assert all(len(line) < 80 for line in text.splitlines())
    table = text.split("\n\n")[0].splitlines()[1:]
    assert [line.split()[0] for line in table] == list(METHODS)


def test_the_documented_table_is_what_the_command_prints():
    text = (Path(__file__).parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
    assert support_text() in text
