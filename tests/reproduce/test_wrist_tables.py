"""Tables of thesis 004: published figures by hand, claims in the thesis's own figures, rows as they say."""

import pytest

from crepitus.reproduce.registry import TABLES
from crepitus.reproduce.scales import row_config

WRIST = [table for name, table in TABLES.items() if name.startswith("wrist-")]
IMAGE, STUDY = "image.accuracy", "study.accuracy"


def test_there_are_seven():
    assert [table.name for table in WRIST] == [f"wrist-table6.{k}" for k in range(2, 9)]


def test_the_claims_hold_in_the_thesis_s_own_figures():
    for table in WRIST:
        for claim in table.claims:
            better, worse = (table.row(n).published[claim.metric] for n in (claim.better, claim.worse))
            assert better > worse


def test_the_confusion_matrices_make_the_accuracies():
    # Half of the studies are broken: accuracy is the mean of sensitivity and specificity, 85.0 and 77.66.
    for name, row in (("wrist-table6.6", "baseline"), ("wrist-table6.7", "rx-lite")):
        published = TABLES[name].row(row).published
        mean = (published["study.sensitivity"] + published["study.specificity"]) / 2
        assert published[STUDY] == pytest.approx(mean, abs=1e-4)


def test_sizes_and_epochs_of_table_6_2_at_each_scale():
    rows = TABLES["wrist-table6.2"].rows
    assert [row_config(row, "paper").input.shape for row in rows] == [(512, 341), (768, 512), (1152, 768)]
    assert [row_config(row, "cpu").input.shape for row in rows] == [(192, 128), (288, 192), (432, 288)]
    assert {row_config(row, "paper").training.epochs for row in rows} == {10}
    assert {row_config(row, "paper").training.batch_size for row in rows} == {16}


def test_the_rows_differ_in_what_the_table_compares():
    padding, stretching = (TABLES["wrist-table6.4"].row(n) for n in ("padding", "resize"))
    assert row_config(padding, "cpu").input.fit == "pad"
    assert row_config(stretching, "cpu").input.fit == "stretch"
    inversion = TABLES["wrist-table6.5"].row("inversion")
    assert row_config(inversion, "cpu").augmentation.inversion_probability == 0.5


@pytest.mark.parametrize("scale", ["smoke", "cpu", "full", "paper"])
def test_the_aggregator_has_the_blocks_of_the_rx_that_it_begins_with(scale):
    table = TABLES["wrist-table6.8"]
    rx, aggregator = (row_config(table.row(n), scale).rx for n in ("rx-lite", "aggregator"))
    assert rx == aggregator
    assert len(row_config(table.row("rx-large"), scale).rx.channels) == 8
