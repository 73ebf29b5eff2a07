"""Figures are written the same everywhere, and undefined never looks like a number."""

import math

import pytest

from crepitus.report.tables import (
    OTHER_SECTION,
    describe,
    format_figure,
    format_interval,
    format_value,
    in_words,
)

KEYS = [
    "image.auroc", "image.ap", "image.specificity_at_recall_95", "image.recall_at_specificity_95",
    "image.precision_at_recall_95", "localization.froc_score", "localization.recall_at_fp_0.1",
    "localization.recall_at_fp_0.5", "localization.area_recall_at_0.01", "localization.area_recall_at_0.10",
    "boxes.ap_50", "boxes.froc_score", "boxes.map_femur", "study.accuracy", "study.auroc",
    "study.sensitivity", "study.specificity", "image.accuracy", "image.sensitivity", "image.specificity",
    "class.f1.A1", "class.f1.weighted", "calibration.ece", "calibration.brier",
]  # fmt: skip


def test_figure_with_and_without_interval():
    assert format_figure(0.8731, (0.8512, 0.8938)) == "0.873 [0.851, 0.894]"
    assert format_figure(0.8731, None) == "0.873"
    assert format_figure(0.0, None) == "0.000"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_undefined_is_said_and_never_zero(value):
    assert format_figure(value, (0.1, 0.2)) == "undefined"
    assert in_words("image.auroc", value) is None


def test_interval_with_undefined_bound_is_left_out():
    assert format_interval((0.1, math.nan)) == ""
    assert format_interval(None) == ""


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_the_contract_has_a_name_and_a_sentence(key):
    description = describe(key)
    assert description.name != key
    assert description.explanation.endswith(".")
    assert description.section != OTHER_SECTION


def test_names_differ_within_a_section():
    named = [(describe(k).section, describe(k).name) for k in KEYS]
    assert len(named) == len(set(named))


def test_counts_are_whole_numbers():
    assert format_value("count.images", 1234.0) == "1,234"
    assert format_value("image.auroc", 1.0) == "1.000"
    assert format_value("count.points", None) == "undefined"
    assert describe("count.points_unknown").name == "Images with a fracture but no point"


def test_unknown_key_is_its_own_name():
    assert describe("timing.seconds").name == "timing.seconds"
    assert describe("timing.seconds").section == OTHER_SECTION


def test_words_say_the_figure():
    assert "91 % of such pairs" in in_words("image.auroc", 0.912)
    assert "led to 62 %" in in_words("localization.froc_score", 0.618)
    # Rounding must not turn an imperfect figure into a perfect one.
    assert "100 %" not in in_words("image.sensitivity", 0.9996).split(";")[0]
    assert in_words("image.ap", 0.5) is None
