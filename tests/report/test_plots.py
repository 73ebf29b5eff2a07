"""Plots are valid, small, self-contained SVG, and show what their curves say."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from crepitus.evaluate.evaluation import Curve
from crepitus.report import plots
from crepitus.report.svg import with_unique_ids


def curve(x, y, band=None):
    x, y = np.asarray(x, float), np.asarray(y, float)
    low, high = (None, None) if band is None else (y - band, y + band)
    return Curve(x, y, np.linspace(1, 0, len(x)), "x axis", "y axis", low, high)


SIMPLE = curve([0, 0.2, 0.6, 1], [0, 0.7, 0.8, 1], band=0.1)
MARK = plots.Mark(0.2, 0.7, "threshold 0.5")
RNG = np.random.default_rng(0)
SCORES, TRUTH = RNG.random(50), RNG.integers(0, 2, 50)

ALL = {
    "roc": lambda: plots.roc(SIMPLE, MARK),
    "pr": lambda: plots.precision_recall(SIMPLE, 0.3, MARK),
    "froc": lambda: plots.froc(SIMPLE, MARK),
    "area_froc": lambda: plots.area_froc(SIMPLE, MARK),
    "reliability": lambda: plots.reliability(SIMPLE),
    "reliability of one bin": lambda: plots.reliability(curve([0.1], [0.4])),
    "histogram": lambda: plots.histogram(SCORES, TRUTH, 0.5),
    "froc beyond the axis": lambda: plots.froc(curve([1.5, 2.0], [0.4, 0.9])),
    "one vertex": lambda: plots.froc(curve([0.1], [0.4])),
    "no vertex": lambda: plots.froc(curve([], [])),
    "pr without vertex": lambda: plots.precision_recall(curve([], [])),
    "roc without vertex": lambda: plots.roc(curve([], [])),
    "roc with undefined band": lambda: plots.roc(curve([0, 1], [0, 1], band=np.nan)),
    "empty histogram": lambda: plots.histogram(np.zeros(0), np.zeros(0, int)),
    "histogram of one group": lambda: plots.histogram(np.array([0.3, 4.0]), np.array([1, 1]), 0.5),
}


@pytest.mark.parametrize("name", ALL)
def test_plot_is_valid_xml_with_nothing_external(name):
    svg = with_unique_ids(ALL[name](), "p")
    root = ET.fromstring(svg)
    assert root.tag == "svg"
    assert "viewBox" in root.attrib
    assert "width" not in root.attrib
    assert "http" not in svg
    assert "<style" not in svg
    ids = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
    assert len(ids) == len(set(ids))
    targets = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
    assert targets
    assert set(targets) == set(ids)


@pytest.mark.parametrize("name", ["roc", "pr", "froc", "area_froc", "reliability", "histogram"])
def test_only_page_colours_are_used(name):
    svg = ALL[name]()
    assert "currentColor" in svg
    assert "var(--series" in svg
    assert not set(re.findall(r"#[0-9a-f]{6}\b", svg)) - {"#0b5cad"}


def test_same_input_gives_the_same_file():
    first, second = (with_unique_ids(plots.roc(SIMPLE, MARK), "roc") for _ in range(2))
    assert first == second


def test_long_curve_becomes_a_small_picture_that_keeps_its_shape():
    x = np.linspace(0, 1, 100_000)
    svg = plots.roc(curve(x, np.sqrt(x), band=0.02))
    assert len(svg) < 120_000
    at = plots._sparse((x, np.sqrt(x)))
    # Between kept vertices, dropped ones are within one step of the grid: 1/400.
    dropped = np.interp(x, x[at], np.sqrt(x)[at])
    assert np.abs(dropped - np.sqrt(x)).max() < 1 / 400
    assert at[0] == 0
    assert at[-1] == len(x) - 1


def test_order_of_a_curve_is_kept_within_equal_x():
    # Thresholds rise, so x falls; at x = 0.5 the later threshold has the lower y.
    x, y, low, _ = plots._ordered(curve([1, 0.5, 0.5, 0], [0.9, 0.8, 0.6, 0]))
    assert x.tolist() == [0, 0.5, 0.5, 1]
    assert y.tolist() == [0, 0.6, 0.8, 0.9]
    assert low is None


def test_matplotlib_settings_are_left_alone():
    import matplotlib as mpl

    # Merely reading "backend" would choose one.
    names = [name for name in mpl.rcParams if name != "backend"]
    before = {name: mpl.rcParams[name] for name in names}
    for make in ALL.values():
        make()
    assert {name: mpl.rcParams[name] for name in names} == before
