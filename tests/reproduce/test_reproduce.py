"""A table of two trained rows and two others, end to end on a tiny data set: run, resumed, refused."""

import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from crepitus.cli import main
from crepitus.data import DataSet
from crepitus.errors import LeakageError, TrainingError, UsageError
from crepitus.methods.parts.weights import save_weights
from crepitus.predict import Predictions
from crepitus.reproduce import registry
from crepitus.reproduce.derive import derived
from crepitus.reproduce.plan import Request, decided, with_needed
from crepitus.reproduce.result import as_json
from crepitus.reproduce.run import reproduce
from crepitus.reproduce.sample import fingerprint, folds_of, sampled
from crepitus.reproduce.scales import SCALES
from crepitus.reproduce.settings import claim_folder
from crepitus.reproduce.table import Claim, Metric, Row, Table
from crepitus.reproduce.weights import StartingWeights, starting_point
from crepitus.reproduce.write import NAMES, write_result
from tiny import make_tiny

AUROC, FROC = "image.auroc", "localization.froc_score"
MAJORITY = "study.accuracy@study-majority"
MSE = 'loss.divergence="mse"'
SMALL = ("input.size_px=32", "training.epochs=2")

TABLE = Table(
    name="tiny-table1",
    title="Two rows <and> more",
    paper="Nobody, 2021, Table 1",
    metrics=(
        Metric(AUROC, "AUROC"),
        Metric(FROC, "FROC"),
        Metric("study.accuracy", "Study", "study-majority"),
    ),
    rows=(
        Row(
            "mse",
            "WL-MSE",
            "window-loss",
            ('loss.divergence="mse"', *SMALL),
            published={AUROC: 0.9, FROC: 0.8},
        ),
        Row("kld", "WL-KLD", "window-loss", SMALL, published={AUROC: 0.95, FROC: None}),
        Row("boxes", "its boxes", source="kld", keys={FROC: "boxes.froc_score"}),
        Row("reader", "a reader", published={AUROC: 0.85}),
    ),
    claims=(Claim("KLD is better", AUROC, "kld", "mse"), Claim("a reader is worse", AUROC, "kld", "reader")),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twenty images, ten studies of two images each."""
    data = make_tiny(tmp_path_factory.mktemp("tiny") / "data")
    studies = pl.Series("study_id", [f"s{k // 2}" for k in range(len(data))])
    data.images.with_columns(studies).write_csv(data.root / "images.csv")
    return DataSet.read(data.root)


def request(out, **changes):
    return Request(
        **{"table": TABLE, "scale": SCALES["smoke"], "out": out, "rows": TABLE.rows, "rounds": 50} | changes
    )


def run(data, out, **changes):
    """The result and the lines that were said."""
    lines = []
    return reproduce(request(out, **changes), data, lines.append), lines


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "table"
    return out, *run(data, out)


def figures_of(result):
    return {r["name"]: r["figures"] for r in as_json(result)["rows"]}


def trained(lines):
    return [line for line in lines if "epoch" in line]


def test_rows_are_trained_and_judged(finished, data):
    _, result, lines = finished
    assert [row.state for row in result.rows] == ["finished", "finished", "finished", "published"]
    # Two epochs of each of two rows, and two lines that tell the steps; the other rows are not trained.
    assert len([line for line in lines if re.search(r"epoch \d/2", line)]) == 4
    figures = figures_of(result)
    for name in ("mse", "kld"):
        assert 0 <= figures[name][AUROC]["value"] <= 1
        low, high = figures[name][AUROC]["ci95"]
        assert 0 <= low <= high <= 1
        assert figures[name][MAJORITY]["value"] is not None
    assert figures["kld"][AUROC]["published"] == 0.95
    assert figures["kld"][FROC]["published"] is None
    assert figures["boxes"][AUROC]["value"] == figures["kld"][AUROC]["value"]
    assert figures["reader"][AUROC] == {"value": None, "ci95": None, "published": 0.85}
    facts = result.provenance
    assert facts["images"] == {"all": 20, "with": 10, "without": 10}
    assert (facts["folds"], facts["folds_from"], facts["seed"]) == ([0], "the data set", 0)
    assert "50 px" in facts["radius"]
    assert result.rows[0].start == "resnet10t: random"
    (taken,) = result.rows[0].times
    assert taken["seconds"] > 0
    assert taken["cpu_seconds"] > 0
    assert not taken["resumed"]
    assert result.rows[2].times == ()


def test_figures_are_those_of_evaluate(finished, data, tmp_path):
    """The same predictions, judged by the other command."""
    out, result, _ = finished
    predictions = out / "rows/mse/fold-0/predictions"
    main_of(
        ["evaluate", str(predictions), "--data", str(data.root), "--radius-rel", str(50 / 1024)],
        ["--out", str(tmp_path)],
    )
    evaluation = json.loads((tmp_path / "evaluation.json").read_text())
    for key in (AUROC, FROC):
        assert figures_of(result)["mse"][key]["value"] == pytest.approx(evaluation[key])
    claim = as_json(result)["claims"][0]
    both = [figures_of(result)[name][AUROC]["value"] for name in ("kld", "mse")]
    assert claim["difference"] == pytest.approx(both[0] - both[1])
    assert as_json(result)["claims"][1]["verdict"] == "undecided"


def main_of(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([word for part in arguments for word in part])
    return ended.value.code


def test_finished_rows_are_used_again(finished, data):
    out, result, _ = finished
    again, lines = run(data, out)
    assert trained(lines) == []
    assert figures_of(again) == figures_of(result)
    more, lines = run(data, out, rounds=0)
    assert trained(lines) == []
    assert figures_of(more)["mse"][AUROC]["ci95"] is None


def test_a_killed_row_goes_on_to_the_same_figures(finished, data, tmp_path):
    _, result, _ = finished
    out = tmp_path / "table"
    folder = out / "rows/mse/fold-0"

    class Killed(Exception):
        pass

    def kill(line):
        # Said after the weights are written and before the checkpoint is.
        if "epoch 2/2" in line:
            raise Killed

    with pytest.raises(Killed):
        reproduce(request(out), data, kill)
    assert (folder / "run/checkpoints/last.safetensors").is_file()
    # And one that was killed while it wrote predictions.
    (folder / "predictions/heatmaps").mkdir(parents=True)
    (folder / "predictions/heatmaps/tiny-00.npy.tmp").write_bytes(b"half")
    resumed, lines = run(data, out)
    assert not any("epoch 1/2" in line for line in lines if "mse" in line)
    assert any("resuming" in line for line in lines)
    assert [time["resumed"] for row in resumed.rows[:2] for time in row.times] == [True, False]
    assert figures_of(resumed) == figures_of(result)


def test_some_rows_first_and_the_others_later(finished, data, tmp_path):
    _, result, _ = finished
    out = tmp_path / "table"
    # A derived row brings the row that it needs; what was not asked for is not run.
    first, lines = run(data, out, rows=(TABLE.row("boxes"),))
    assert [row.state for row in first.rows] == ["not run", "finished", "finished", "published"]
    assert not any("mse" in line for line in lines)
    assert as_json(first)["claims"][0]["verdict"] == "undecided"
    second, lines = run(data, out, rows=(TABLE.row("mse"),))
    assert figures_of(second) == figures_of(result)
    assert not any("kld" in line for line in trained(lines))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 1}, "seed was 0, now 1"),
        ({"scale": SCALES["cpu"]}, 'scale was "smoke", now "cpu"'),
        ({"overrides": ("training.epochs=3",)}, "set was"),
        ({"table": replace(TABLE, name="other")}, 'table was "tiny-table1"'),
    ],
)
def test_another_setting_in_the_same_folder_is_refused(finished, data, changes, named):
    with pytest.raises(UsageError, match=re.escape(named)):
        run(data, finished[0], **changes)


def test_other_starting_weights_are_refused_before_anything_runs(finished, data, tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(path, {})
    weights = StartingWeights.parse([str(path)])
    with pytest.raises(UsageError, match=r"config\.backbone\.weights"):
        run(data, finished[0], weights=weights)


def test_settings_of_another_version_are_refused_by_name(tmp_path):
    claim_folder(tmp_path / "a", {"config": {"epochs": 1}}, "--out a")
    claim_folder(tmp_path / "a", {"config": {"epochs": 1}}, "--out a")
    with pytest.raises(UsageError, match=r'config\.momentum was "absent", now null'):
        claim_folder(tmp_path / "a", {"config": {"epochs": 1, "momentum": None}}, "--out a")
    with pytest.raises(UsageError, match=r'config\.epochs was 1, now "absent"'):
        claim_folder(tmp_path / "a", {"config": {}}, "--out a")


def test_other_images_in_the_same_folder_are_refused(finished, data):
    with pytest.raises(UsageError, match="data was"):
        run(data.select(data.images["image_id"].to_list()[:18]), finished[0])


def test_a_folder_of_somebody_else_is_refused(data, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UsageError, match="new or empty folder"):
        run(data, tmp_path)
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(UsageError, match="another --out"):
        run(data, tmp_path)


def test_a_row_that_fails_does_not_stop_the_others(data, tmp_path):
    rows = (
        replace(TABLE.row("mse"), images=(("hardware", "1"),)),
        TABLE.row("kld"),
    )
    table = replace(TABLE, rows=rows, claims=TABLE.claims[:1])
    result, _ = run(data, tmp_path / "a", table=table, rows=rows)
    assert [row.state for row in result.rows] == ["failed", "finished"]
    assert "hardware = 1" in result.failed[0].message
    assert result.claims[0].verdict == "undecided"
    with pytest.raises(UsageError, match="hardware = 1"):
        run(data, tmp_path / "b", table=replace(table, rows=rows[:1], claims=()), rows=rows[:1])


def test_the_images_of_a_row_can_be_restricted(data, tmp_path):
    images = data.images.with_columns(hardware=pl.Series([int(k >= 16) for k in range(20)]))
    rows = (replace(TABLE.row("kld"), images=(("hardware", "0"),)),)
    run(replace(data, images=images), tmp_path / "a", table=replace(TABLE, rows=rows, claims=()), rows=rows)
    split = pl.read_csv(tmp_path / "a/rows/kld/fold-0/run/split.csv")
    assert split.height == 16


def test_a_row_can_start_from_the_run_of_another(data, tmp_path):
    place = 'backbone.weights="{run:kld}/model.safetensors"'
    second = Row("second", "second", "window-loss", (*SMALL, place))
    rows = (TABLE.row("kld"), second)
    out = tmp_path / "a"
    result, _ = run(data, out, table=replace(TABLE, rows=rows, claims=()), rows=(second,))
    assert with_needed(replace(TABLE, rows=rows, claims=()), (second,)) == rows
    assert not result.failed
    trained = (out / "rows/second/fold-0/run/config.toml").read_text()
    assert "rows/kld/fold-0/run/model.safetensors" in trained, "the place was filled in"
    settings = json.loads((out / "rows/second/fold-0/settings.json").read_text())
    assert settings["config"]["backbone"]["weights"] == "{run:kld}/model.safetensors"


def test_all_folds_at_full_scale(data, tmp_path):
    scale = replace(SCALES["smoke"], all_folds=True)
    small = data.select(data.images.filter(pl.col("fold") < 3)["image_id"].to_list())
    rows = (TABLE.row("mse"),)
    result, _ = run(small, tmp_path / "a", scale=scale, rows=rows, overrides=("training.epochs=1",))
    assert result.provenance["folds"] == [0, 1, 2]
    kept = [json.loads((tmp_path / f"a/rows/mse/fold-{k}/figures.json").read_text()) for k in range(3)]
    mean = np.mean([fold["figures"][AUROC] for fold in kept])
    assert figures_of(result)["mse"][AUROC]["value"] == pytest.approx(mean)
    assert folds_of(small, scale, 1) == (1,)
    with pytest.raises(UsageError, match="--fold: expected one of 0, 1, 2, got 7"):
        folds_of(small, scale, 7)


def test_images_are_drawn_and_folds_dealt_by_the_seed(data):
    bare = replace(data, images=data.images.with_columns(fold=pl.lit(None, dtype=pl.Int64)))
    scale = replace(SCALES["smoke"], images=10)
    (first, own), (same, _), (other, _) = (sampled(bare, scale, seed) for seed in (0, 0, 1))
    assert (len(first), own) == (10, False)
    assert fingerprint(first) == fingerprint(same) != fingerprint(other)
    assert sorted(first.images["fold"].unique()) == [0, 1, 2, 3, 4]
    assert [first.truth[i] for i in first.images["image_id"]].count(1) == 5
    everything, own = sampled(data, SCALES["full"], 0)
    assert (everything.images.equals(data.images), own) == (True, True)


def test_leakage_is_refused(data, tmp_path):
    images = data.images.with_columns(patient_id=pl.lit("one"))
    leaking = replace(data, images=images)
    with pytest.raises(LeakageError):
        run(leaking, tmp_path / "a")


def test_a_loss_that_is_not_finite_ends_the_row(data, tmp_path):
    rows = (
        replace(TABLE.row("mse"), overrides=(*TABLE.row("mse").overrides, "training.learning_rate=1e30")),
    )
    with pytest.raises(TrainingError):
        run(data, tmp_path / "a", table=replace(TABLE, rows=rows, claims=()), rows=rows)


def test_studies_by_another_rule(tmp_path):
    # Threshold 0.6. s1: 0.7, 0.6, 0.1: two of three; s2: 0.9, 0.2: half, which is no majority; s3: none.
    (tmp_path / "images.csv").write_text("image_id,score\na,0.7\nb,0.6\nc,0.1\nd,0.9\ne,0.2\nf,0.5\n")
    (tmp_path / "predictions.json").write_text('{"thresholds": {"image": 0.6}}')
    studies = {"a": "s1", "b": "s1", "c": "s1", "d": "s2", "e": "s2", "f": "s3"}
    images = pl.DataFrame({"image_id": list(studies), "study_id": list(studies.values())})
    predictions = Predictions.read(tmp_path)
    for rule, expected in (("majority", [True, False, False]), ("at-least-one", [True, True, False])):
        found = derived(f"study-{rule}", predictions, DataSet(tmp_path, images))
        assert [score >= found.thresholds["study"] for score in found.studies["score"]] == expected
    nameless = images.with_columns(study_id=pl.lit(None, dtype=pl.String))
    assert derived("study-majority", predictions, DataSet(tmp_path, nameless)) is predictions
    assert derived("", predictions, DataSet(tmp_path, images)) is predictions


def test_the_table_is_written_four_times(finished, tmp_path):
    _, result, _ = finished
    paths = write_result(replace(result, warnings=("A <warning>.",)), tmp_path)
    assert [path.name for path in paths] == list(NAMES)
    content = json.loads(paths[0].read_text())
    assert content["rows"][0]["figures"] == figures_of(result)["mse"]
    table = pl.read_csv(paths[1])
    assert table["row"].to_list() == [row.name for row in TABLE.rows]
    assert table[f"{AUROC}.published"].to_list() == [0.9, 0.95, None, 0.85]
    assert table[AUROC][0] == pytest.approx(figures_of(result)["mse"][AUROC]["value"])
    text = paths[2].read_text()
    assert "| WL-KLD |" in text
    assert "KLD is better" in text
    assert "s of processor time" in text
    page = paths[3].read_text()
    assert "Two rows &lt;and&gt; more" in page
    assert "A &lt;warning&gt;." in page
    assert page.count("<svg") == 3
    assert not re.search(r'(src|href)="(?!#)[^"]', page)
    assert "http" not in page.replace("http-equiv", "")


def test_the_command(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(registry.TABLES, TABLE.name, TABLE)
    command = ["reproduce", TABLE.name, "--data", str(data.root), "--scale", "smoke", "--bootstrap", "20"]
    assert main_of(command, ["--rows", "mse", "--out", str(tmp_path / "t"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "t/table.json").read_text())
    assert [row["state"] for row in printed["rows"]] == ["finished", "not run", "not run", "published"]
    assert main_of(command, ["--rows", "mse", "--out", str(tmp_path / "t")]) == 0
    assert capsys.readouterr().out == (tmp_path / "t/table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "TABLE"),
        (("nope",), "window-loss-table2"),
        (("window-loss-table2",), "--data"),
        (("window-loss-table2", "--data", "nowhere"), "nowhere"),
        (("window-loss-table2", "--data", "nowhere", "--scale", "gpu"), "smoke, cpu"),
        (("window-loss-table2", "--data", "nowhere", "--rows", "wl"), "mse-2-50-200"),
        (("window-loss-table2", "--data", "nowhere", "--weights", "none.safetensors"), "--weights"),
        (("--list", "nope"), "window-loss-table2"),
    ],
)
def test_wrong_usage_is_one_line(arguments, named, capsys):
    assert main_of(["reproduce", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert named in captured.err


def test_tables_and_rows_are_listed(capsys):
    assert main_of(["reproduce", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(registry.TABLES)
    assert main_of(["reproduce", "--list", "window-loss-table2"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("mse-2-50-200 ")
    assert main_of(["reproduce", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["window-loss-table3"]["rows"][1]["name"] == "kld-2-100-200"


def test_starting_weights_are_named_by_their_hash(tmp_path):
    path = tmp_path / "w.safetensors"
    sha256 = save_weights(path, {})
    row = registry.TABLES["window-loss-table2"].rows[0]
    config = row_config_of(row)
    found = StartingWeights.parse([str(path)]).overrides(config)
    assert found == (f'backbone.weights="{path}"', f'backbone.weights_sha256="{sha256}"')
    named = StartingWeights.parse(["imagenet", f"resnet10t={path}"])
    assert named.overrides(config) == found
    assert StartingWeights.parse([f"resnet50={path}"]).overrides(config) == ()
    assert StartingWeights.parse(["imagenet"]).overrides(config)[0] == 'backbone.weights="imagenet"'
    with pytest.raises(UsageError, match="one for all"):
        StartingWeights.parse(["imagenet", "random"])


def test_starting_weights_reach_every_backbone_of_a_row(tmp_path):
    path = tmp_path / "w.safetensors"
    sha256 = save_weights(path, {})
    row = registry.TABLES["roi-mining-table1"].row("two-stage")
    start = StartingWeights.parse(["random", f"resnet18={path}"])
    overrides = start.overrides(row_config_of(row, "cpu"))
    assert overrides[0] == 'backbone.weights="random"'
    assert overrides[2:] == (f'second.weights="{path}"', f'second.weights_sha256="{sha256}"')
    config = row_config_of(row, "cpu", overrides)
    words = f"densenet121: random; resnet18: w.safetensors, SHA-256 {sha256}"
    assert starting_point(config) == words
    # The folder of the weights may change between two calls, their content may not.
    assert decided(row, config, 0)["config"]["second"]["weights"] == "w.safetensors"


def row_config_of(row, scale="smoke", overrides=()):
    from crepitus.reproduce.scales import row_config

    return row_config(row, scale, overrides)
