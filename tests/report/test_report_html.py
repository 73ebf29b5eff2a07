"""The report is one whole file: every figure in it, nothing outside it, and no markup from the data."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import polars as pl
import pytest

from crepitus.data.folder import DataSet
from crepitus.evaluate.evaluation import Evaluation
from crepitus.evaluate.strata import KEYS, Stratum
from crepitus.report import summary
from crepitus.report.html import write_report

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>'
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects elements and text, and checks that every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def report(scene, tmp_path, **changes):
    path = tmp_path / "report.html"
    write_report(replace(scene.evaluation, **changes), scene.predictions, scene.data, path, now=NOW)
    return path.read_text(encoding="utf-8")


def test_page_holds_every_figure_and_setting(scene, tmp_path):
    page = Page(report(scene, tmp_path))
    for part in (
        "0.889", "[0.712, 0.988]", "0.917", "0.510", "0.888900", "0.712340", "image.auroc", "boxes.ap_50",
        "radius_px", "2026-01-02 03:04 UTC", "ab" * 32, "test", "Not a medical device",
        "site.ward", "3 with, 3 without fracture",
    ):  # fmt: skip
        assert part in page.text, part
    assert "6.000" not in page.text
    # Patients "f" and "n".
    assert "Patients 2" in page.text.replace("  ", " ")


def test_document_is_accessible_in_its_structure(scene, tmp_path):
    page = Page(report(scene, tmp_path))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("title")) == len(page.all("h1")) == len(page.all("main")) == 1
    assert all(image.get("alt") for image in page.all("img"))
    assert all(plot.get("aria-label") for plot in page.all("div") if plot.get("role") == "img")
    assert all("type" in button for button in page.all("button"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    referred = [a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a]
    assert set(referred) <= set(ids)
    # Six cases, two pictures each; five curves and the scores.
    assert len(page.all("img")) == 12
    assert len([s for s in page.all("svg") if s.get("class") == "plot"]) == 7


def test_nothing_is_loaded_from_outside(scene, tmp_path):
    text = report(scene, tmp_path)
    assert not re.search(r"https?://|//[a-z]+\.", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in text
    policy = next(m["content"] for m in page.all("meta") if "content" in m and "default-src" in m["content"])
    assert "default-src 'none'" in policy


def test_markup_in_the_data_stays_text(scene, tmp_path):
    text = report(scene, tmp_path)
    assert "<script>alert" not in text
    page = Page(text)
    assert len(page.all("script")) == 1
    # Name (title and heading), warning, command, model, and their rows in the appendix.
    assert page.text.count('<script>alert("x")</script>') >= 6


def test_undefined_is_said_with_its_reason_and_is_never_zero(scene, tmp_path):
    predictions = replace(scene.predictions, detections=None, has_heatmaps=False)
    evaluation = replace(
        scene.evaluation,
        figures={"boxes.ap_50": None, "localization.froc_score": float("nan")},
        intervals={},
        curves={},
    )
    write_report(evaluation, predictions, scene.data, tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "Undefined: the predictions have no detections." in page.text
    assert "Undefined: the predictions have no heatmaps." in page.text
    assert "0.000" not in page.text
    assert "nan" not in page.text.lower()


def test_report_of_nothing(scene, tmp_path):
    evaluation = Evaluation({"image.auroc": None}, {}, {}, scene.evaluation.images.clear(), [], {})
    data = DataSet(scene.data.root, scene.data.images.clear())
    predictions = replace(scene.predictions, info={}, detections=None, has_heatmaps=False)
    write_report(evaluation, predictions, data, tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "truth is known for none of the images" in page.text
    assert "No image has both a score and a known truth" in page.text
    assert page.all("img") == []


def test_unreadable_image_leaves_the_report_whole(scene, tmp_path):
    scene.data.path("f1").unlink()
    page = Page(report(scene, tmp_path))
    assert "The image cannot be shown" in page.text
    assert len(page.all("img")) == 10


def test_unknown_truth_and_places_not_evaluated(scene, tmp_path):
    images = scene.evaluation.images.with_columns(
        truth=pl.when(pl.col("image_id") == "n3").then(None).otherwise(pl.col("truth")),
        found=pl.lit(None, dtype=pl.Int64),
        false_positives=pl.lit(None, dtype=pl.Int64),
    )
    page = Page(report(scene, tmp_path, images=images, settings={}))
    assert "1 unknown" in page.text
    assert not re.search(r"\d of \d points? found", page.text)
    assert re.search(r"\d of \d points? found", Page(report(scene, tmp_path)).text)


def test_same_input_gives_the_same_file(scene, tmp_path):
    assert report(scene, tmp_path) == report(scene, tmp_path)


def test_confusion_counts_by_hand(scene):
    table = summary.confusion(scene.evaluation.images, 0.5)
    assert (table.tp, table.fn, table.fp, table.tn) == (2, 1, 1, 2)
    assert table.sensitivity == pytest.approx(2 / 3)
    assert table.precision == pytest.approx(2 / 3)
    empty = summary.confusion(scene.evaluation.images.clear(), 0.5)
    assert empty.sensitivity != empty.sensitivity
    assert empty.specificity != empty.specificity


def test_positive_without_a_place_is_counted(scene):
    data = replace(scene.data, points=scene.data.points.filter(pl.col("image_id") != "f3"), boxes=None)
    counts = summary.count(scene.evaluation, data)
    assert (counts.points, counts.boxes, counts.without_place) == (3, None, 1)


def test_nested_settings_become_rows():
    rows = summary.flatten({"a": {"b": 1, "c": [1, 2]}, "d": None, "e": {}, "f": "x"})
    assert rows == [("a.b", "1"), ("a.c", "[1, 2]"), ("d", "null"), ("e", "{}"), ("f", "x")]


def test_pyplot_is_not_needed():
    code = "import sys, crepitus.report.html; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_operating_threshold_of_the_evaluation_is_used(scene, tmp_path):
    # At 0.65, n1 with 0.6 is no false alarm any more: 2 hits, 1 miss, 0 false alarms, 3 normals.
    page = Page(report(scene, tmp_path, settings={"image_threshold": 0.65}))
    assert "score is at least 0.65" in page.text
    assert "False alarms 0 in all" in page.text
    assert "Correct normals 3 in all" in page.text


@pytest.mark.parametrize(
    ("key", "change", "reason"),
    [
        ("study.auroc", {}, "names no studies"),
        ("boxes.ap_50", {"boxes": None}, "no boxes are annotated"),
        ("boxes.froc_score", {"points": None}, "no fracture points are annotated"),
        ("localization.froc_score", {"points": None}, "no fracture points are annotated"),
        ("class.f1.A1", {}, ""),
    ],
)
def test_reason_of_an_undefined_figure(scene, key, change, reason):
    data = replace(scene.data, **change)
    counts = summary.count(scene.evaluation, data)
    said = summary.undefined_reason(key, counts, data, scene.predictions)
    assert reason in said
    assert bool(said) == bool(reason)
    negatives = scene.evaluation.images.filter(pl.col("truth") == 0)
    counts = summary.count(replace(scene.evaluation, images=negatives), data)
    assert "none of the images" in summary.undefined_reason("image.auroc", counts, data, scene.predictions)


def test_strata_and_the_worst_of_them(scene, tmp_path):
    figures = dict.fromkeys(KEYS) | {"image.auroc": 0.9}
    strata = [
        Stratum("ward", HOSTILE, 20, 30, figures, {"image.auroc": (0.85, 0.95)}),
        Stratum("ward", "b$x$", 20, 30, figures | {"image.auroc": 0.6}, {"image.auroc": (0.5, 0.7)}),
        Stratum("ward", "c", 0, 5, dict.fromkeys(KEYS)),
    ]
    text = report(scene, tmp_path, strata=strata)
    page = Page(text)
    assert "Worst stratum by AUROC: ward = b$x$: 0.600 (0.500 to 0.700), 20 images with" in page.text
    assert "the difference is more than chance" in page.text
    assert "0.900 [0.850, 0.950]" in page.text
    assert HOSTILE not in text
    assert len([s for s in page.all("svg") if s.get("class") == "plot"]) == 8
    alone = Page(report(scene, tmp_path, strata=strata[:1]))
    assert "No stratum is called the worst" in alone.text
    assert "Strata" not in Page(report(scene, tmp_path)).text
