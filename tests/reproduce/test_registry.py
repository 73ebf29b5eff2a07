"""Every table of the registry: its rows can be configured at each scale, its figures are figures."""

from dataclasses import replace

import pytest

from crepitus.errors import ConfigError, UsageError
from crepitus.methods.registry import METHODS, method_info
from crepitus.reproduce.derive import DERIVATIONS
from crepitus.reproduce.registry import TABLES, find_rows, find_table
from crepitus.reproduce.scales import SCALES, config_file, find_scale, row_config
from crepitus.reproduce.table import Claim, Metric, Row, Table, all_pairs, runs_needed
from crepitus.reproduce.weights import StartingWeights, starting_point

TRAINED = [(table, row) for table in TABLES.values() for row in table.trained]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("table", "row"), TRAINED, ids=lambda x: x.name if hasattr(x, "name") else x)
def test_a_row_can_be_configured_at_each_scale(table, row, scale):
    config = row_config(row, scale)
    assert config == row_config(row, scale, ("training.seed=0",))
    assert StartingWeights.parse(["random"]).overrides(config) == () or "random" in starting_point(
        row_config(row, scale, StartingWeights.parse(["random"]).overrides(config))
    )


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_table_is_sound(table):
    for row in table.rows:
        assert row.method in METHODS or not row.method
        assert row.derive in DERIVATIONS or not row.derive
        assert all(value is None or 0 <= value <= 1 for value in row.published.values())
    assert {metric.derive for metric in table.metrics} <= {"", *DERIVATIONS}
    # Rows that train alike would be the same row twice.
    settings = [
        (r.method, r.variant, r.overrides, r.at_scale.items(), r.images, r.group) for r in table.trained
    ]
    assert all(settings.count(s) == 1 for s in settings)


def test_the_papers_claims_hold_in_its_own_figures():
    for table in (TABLES["window-loss-table2"], TABLES["window-loss-table3"]):
        for claim in table.claims:
            better, worse = (table.row(n).published[claim.metric] for n in (claim.better, claim.worse))
            difference = better - worse
            assert difference > 0 if claim.within is None else abs(difference) <= claim.within


def test_the_siamese_network_is_better_than_its_parts_in_its_own_figures():
    for name in ("aasn-table1", "aasn-table2"):
        table = TABLES[name]
        # 50 px on 512 px, and nothing that is claimed contradicts what is published.
        assert table.radius_rel * 512 == 50
        for claim in table.claims:
            better, worse = (table.row(n).published[claim.metric] for n in (claim.better, claim.worse))
            assert better > worse
    vanilla = row_config(TABLES["aasn-table2"].row("vanilla"), "paper").siamese
    assert (vanilla.fusion, vanilla.contrastive, vanilla.alignment) == (False, False, "none")
    fused = row_config(TABLES["aasn-table2"].row("ff"), "paper").siamese
    assert (fused.fusion, fused.contrastive, fused.alignment) == (True, False, "image")


def test_claims_about_the_baselines_hold_in_the_papers_own_figures():
    for name in ("window-loss-table1", "roi-mining-table1"):
        table = TABLES[name]
        assert table.claims
        for claim in table.claims:
            better, worse = (table.row(n).published[claim.metric] for n in (claim.better, claim.worse))
            assert better >= worse


def test_box_methods_are_judged_by_their_boxes():
    table = TABLES["window-loss-table1"]
    for row in table.rows:
        boxes = row.name in ("faster-rcnn", "retinanet", "fcos")
        assert row.keys.get("localization.froc_score") == ("boxes.froc_score" if boxes else None)
    # Paper 001 trains its classifiers on ResNet-50 at 1024 px, paper 003 on DenseNet-121 at 961 px.
    for name in ("chexnet", "wspl", "ufdet"):
        config = row_config(table.row(name), "paper")
        assert (config.backbone.name, config.input.size_px, config.training.batch_size) == (
            "resnet50",
            1024,
            48,
        )
        assert config.input.fit == "pad"
    # At every scale the rows share one backbone.
    for scale in ("cpu", "full", "paper"):
        assert len({row_config(row, scale).backbone.model_dump_json() for row in table.trained}) == 1


def test_the_second_stage_starts_from_the_row_before():
    table = TABLES["roi-mining-table1"]
    assert runs_needed(table.row("two-stage")) == ["single-stage"]
    for scale in SCALES:
        single, two = (row_config(table.row(n), scale) for n in ("single-stage", "two-stage"))
        assert single.backbone == two.backbone
        assert single.input == two.input
        assert two.mining.start_epoch == 0


def test_the_rows_of_the_window_loss_are_what_they_say():
    table = TABLES["window-loss-table3"]
    config = row_config(table.row("kld-10-50-200"), "paper")
    assert config.loss.model_dump() == {
        "divergence": "kld",
        "r_lower_px": 50,
        "r_upper_px": 200,
        "tau_px": 10,
        "reference_px": 1024,
    }
    # Table 3, fifth line of the third block.
    assert table.row("kld-10-50-200").published == {
        "image.auroc": 0.986,
        "localization.recall_at_fp_0.1": 0.692,
        "localization.froc_score": 0.806,
    }
    assert len(table.rows) == 8
    assert table.radius_rel * 1024 == 50


def test_full_is_the_paper_where_a_method_has_nothing_else():
    info = method_info("window-loss")
    assert config_file(info, "full").name == "full.toml"
    paper, full = (row_config(TABLES["window-loss-table2"].rows[0], s) for s in ("paper", "full"))
    assert full.training.batch_size * full.training.accumulate == paper.training.batch_size == 48
    with pytest.raises(UsageError, match="nope"):
        config_file(info, "nope")


def test_files_of_a_method_and_of_a_variant_come_first(tmp_path, monkeypatch):
    names = ("cpu.toml", "m-cpu.toml", "m-cpu-001.toml", "n-paper.toml")
    (tmp_path / "package/configs").mkdir(parents=True)
    (tmp_path / "package/__init__.py").touch()
    for name in names:
        (tmp_path / "package/configs" / name).touch()
    monkeypatch.syspath_prepend(tmp_path)
    info = replace(method_info("window-loss"), module="package.method", name="m")
    other = replace(info, name="n")
    assert config_file(info, "cpu").name == "m-cpu.toml"
    assert config_file(info, "cpu", "001").name == "m-cpu-001.toml"
    assert config_file(info, "cpu", "003").name == "m-cpu.toml"
    assert config_file(other, "cpu").name == "cpu.toml"
    assert config_file(other, "full").name == "n-paper.toml"


def test_wrong_names_list_the_known_ones():
    with pytest.raises(UsageError, match=r"window-loss-table2, window-loss-table3.* 'table2'"):
        find_table("table2")
    table = find_table("window-loss-table2")
    with pytest.raises(UsageError, match=r"mse-2-50-200.*'mse'"):
        find_rows(table, ["mse"])
    with pytest.raises(UsageError, match="''"):
        find_rows(table, [])
    assert [r.name for r in find_rows(table, ["mse-2-50-50", "mse-2-50-200"])] == [
        "mse-2-50-200",
        "mse-2-50-50",
    ]
    assert find_rows(table, None) == table.rows
    with pytest.raises(UsageError, match=r"smoke, cpu, full, paper.*'gpu'"):
        find_scale("gpu")


def test_an_override_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"loss.radius"):
        row_config(Row("a", "A", method="window-loss", overrides=("loss.radius=3",)), "cpu")
    row = Row("a", "A", method="window-loss", at_scale={"cpu": ("input.size_px=96",)})
    assert row_config(row, "cpu").input.size_px == 96
    assert row_config(row, "smoke").input.size_px != 96


METRIC = Metric("image.auroc", "AUROC")
TRAIN = Row("a", "A", method="window-loss")


@pytest.mark.parametrize(
    ("rows", "claims", "problem"),
    [
        ((TRAIN, TRAIN), (), "once"),
        ((Row("A b", "A"),), (), "name"),
        ((Row("a", "A", published={"image.ap": 0.5}),), (), "no metric"),
        ((Row("a", "A", method="window-loss", source="b"),), (), "both"),
        ((Row("b", "B", source="a"), TRAIN), (), "before"),
        ((Row("a", "A"), Row("b", "B", source="a")), (), "trained"),
        ((Row("a", "A", method="window-loss", overrides=("x={run:b}",)),), (), "before"),
        ((TRAIN,), (Claim("", "image.auroc", "a", "b"),), "claim"),
        ((TRAIN,), (Claim("", "image.ap", "a", "a"),), "claim"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(rows, claims, problem):
    with pytest.raises(ValueError, match=problem):
        Table("t", "T", "paper", (METRIC,), rows, claims)


def test_kinds_pairs_and_needs():
    derived = Row("b", "B", source="a", derive="study-majority")
    assert [row.kind for row in (TRAIN, derived, Row("c", "C"))] == ["train", "derived", "published"]
    needing = Row("d", "D", method="window-loss", overrides=('backbone.weights="{run:a}/model.safetensors"',))
    table = Table(
        "t", "T", "paper", (METRIC, Metric("study.accuracy", "any", "study-majority")), (TRAIN, needing)
    )
    assert [metric.id for metric in table.metrics] == ["image.auroc", "study.accuracy@study-majority"]
    assert (runs_needed(needing), runs_needed(derived)) == (["a"], ["a"])
    assert [(c.better, c.worse) for c in all_pairs("", "m", ("a", "b"), (x for x in "cd"))] == [
        ("a", "c"),
        ("a", "d"),
        ("b", "c"),
        ("b", "d"),
    ]
