"""`crepitus evaluate` on folders written by hand, as another tool would write them."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from crepitus.cli import main

# Three images of 40 x 40 px, heatmaps of 4 x 4 cells of 10 px; radius 10 px.
#
#   image  label  score  points            heatmap (row, column): value
#   a      1      0.9    (5, 5), (35, 5)   (0, 0): 0.75, (3, 3): 0.5
#   b      1      0.4    (25, 25)          (2, 2): 0.25
#   c      0      0.6    none              (1, 1): 0.5
#
# FROC, boxes of cells: a's (0, 0) holds its first point up to t = 0.75; a's (3, 3), [30, 40)^2, has no pixel
# within 10 px of (5, 5) or (35, 5): a false positive up to 0.50; c's (1, 1) likewise; b's (2, 2) holds its
# point up to 0.25. Three points, three images:
#   t in (0.75, 1): recall 0, rate 0; (0.50, 0.75]: 1/3, 0; (0.25, 0.50]: 1/3, 2/3; (0, 0.25]: 2/3, 2/3.
# The rate 2/3 exceeds 0.5: recall 1/3 at every rate; FROC score 1/3.
#
# Area FROC, centres at 5, 15, 25, 35. In a, within 10 px (inclusive) of (5, 5): (0, 0), (0, 1), (1, 0); of
# (35, 5): (0, 3), (0, 2), (1, 3): 10 negative cells, of which (3, 3) is called up to 0.50: 1/10. In b, around
# (25, 25): (2, 2) and its 4 neighbours: 11 negative, none called. In c 16 negative, (1, 1) up to 0.50: 1/16.
#   t in (0.50, 0.75]: ratio 0, recall 1/3; (0.25, 0.50]: (1/10 + 0 + 1/16) / 3 = 0.054167, recall 1/3;
#   (0, 0.25]: same ratio, recall 2/3. At 1 %: 1/3; at 10 %: 2/3.
#
# AP50: three boxes. Detections by score: 0.9 on a's first box, IoU 90/100: hit; 0.8 in c: false;
# 0.7 on a's second box, IoU 1: hit; 0.6 on b's box [20, 30)^2 as [20, 30) x [25, 35): IoU 50/150: false.
#   (recall, precision): (1/3, 1), (1/3, 1/2), (2/3, 2/3), (2/3, 1/2). Of the 101 recalls, 0.00 ... 0.33 (34)
#   read 1, 0.34 ... 0.66 (33) read 2/3, the others 0: (34 + 22) / 101 = 56/101.
#
# FROC of boxes: 0.9 holds (5, 5); 0.8 is false; 0.7 holds (35, 5); 0.6, [20, 30) x [25, 35), holds (25, 25).
#   t = 0.9: recall 1/3, rate 0; 0.8: rate 1/3; 0.7: recall 2/3; 0.6: recall 1, all at rate 1/3.
#   At 0.1, 0.2, 0.3: 1/3; at 0.4, 0.5: 1. Score (3 * 1/3 + 2) / 5 = 0.6.
#
# Images: pairs (0.9, 0.6) won, (0.4, 0.6) lost: AUROC 1/2. AP: 1/2 * 1 + 1/2 * 2/3 = 5/6.
# At the stored threshold 0.5: a and c called: accuracy 1/3, sensitivity 1/2, specificity 0.
# Calibration: three images, each a bin: errors 0.1, 0.6, 0.6. ECE 1.3 / 3; Brier (0.01 + 0.36 + 0.36) / 3.
# mAP of the best box: in a IoU 0.9 (not above 0.9), in b 1/3. Above 0.1 and 0.25: 2/2, 0.5 and 0.75: 1/2,
# 0.9: 0. Mean 3/5.
# Studies: s1 = a and c (positive, maximum 0.9), s2 = b (positive, 0.4): accuracy 1/2, AUROC undefined.
EXPECTED = {
    "image.auroc": 1 / 2,
    "image.ap": 5 / 6,
    "image.specificity_at_recall_95": 0,
    "image.recall_at_specificity_95": 1 / 2,
    "image.precision_at_recall_95": 2 / 3,
    "image.accuracy": 1 / 3,
    "image.sensitivity": 1 / 2,
    "image.specificity": 0,
    "localization.froc_score": 1 / 3,
    "localization.recall_at_fp_0.1": 1 / 3,
    "localization.recall_at_fp_0.5": 1 / 3,
    "localization.area_recall_at_0.01": 1 / 3,
    "localization.area_recall_at_0.10": 2 / 3,
    "boxes.ap_50": 56 / 101,
    "boxes.froc_score": 0.6,
    "boxes.map_femur": 0.6,
    "calibration.ece": 1.3 / 3,
    "calibration.brier": 0.73 / 3,
    "study.accuracy": 1 / 2,
    "study.auroc": None,
    "count.images": 3,
    "count.patients": 2,
    "count.points": 3,
    "count.boxes": 3,
}
HEATMAPS = {
    "a": {(0, 0): 0.75, (3, 3): 0.5},
    "b": {(2, 2): 0.25},
    "c": {(1, 1): 0.5},
}


@pytest.fixture(autouse=True)
def report(monkeypatch):
    """Stands for the report, which has tests of its own; keeps what it was given."""
    calls = []

    def write_report(evaluation, predictions, data, path):
        calls.append(evaluation)
        path.write_text("<html></html>")

    module = types.ModuleType("crepitus.report.html")
    module.write_report = write_report
    monkeypatch.setitem(sys.modules, "crepitus.report.html", module)
    return calls


@pytest.fixture
def folders(tmp_path):
    data, predictions = tmp_path / "data", tmp_path / "predictions"
    (predictions / "heatmaps").mkdir(parents=True)
    data.mkdir()
    (data / "images.csv").write_text(
        "image_id,study_id,patient_id,file,rows,columns,label,split\n"
        "a,s1,p1,a.png,40,40,1,test\nb,s2,p2,b.png,40,40,1,val\nc,s1,p1,c.png,40,40,0,test\n"
        "unseen,s3,p3,d.png,40,40,1,test\n"
    )
    (data / "points.csv").write_text("image_id,x,y\na,5,5\na,35,5\nb,25,25\nunseen,1,1\n")
    (data / "boxes.csv").write_text(
        "image_id,x_min,y_min,x_max,y_max,label\n"
        "a,0,0,10,10,fracture\na,30,0,40,10,fracture\nb,20,20,30,30,fracture\nc,0,0,9,9,metal\n"
    )
    (predictions / "images.csv").write_text("image_id,score\na,0.9\nb,0.4\nc,0.6\n")
    (predictions / "detections.csv").write_text(
        "image_id,x_min,y_min,x_max,y_max,score\n"
        "a,0,0,10,9,0.9\na,30,0,40,10,0.7\nb,20,25,30,35,0.6\nc,20,20,30,30,0.8\n"
    )
    (predictions / "predictions.json").write_text('{"thresholds": {"image": 0.5}}')
    for name, cells in HEATMAPS.items():
        heatmap = np.zeros((4, 4), np.float16)
        for cell, value in cells.items():
            heatmap[cell] = value
        np.save(predictions / "heatmaps" / f"{name}.npy", heatmap)
    return predictions, data


def run(*arguments, capsys, command="evaluate"):
    with pytest.raises(SystemExit) as ended:
        main([command, *map(str, arguments)])
    output = capsys.readouterr()
    return ended.value.code, output.out, output.err


def evaluation_of(folder):
    return json.loads((folder / "evaluation.json").read_text())


def test_figures_computed_by_hand(folders, capsys):
    predictions, data = folders
    status, out, _ = run(predictions, "--data", data, "--radius-px", 10, capsys=capsys)
    assert status == 0
    result = evaluation_of(predictions)
    for key, expected in EXPECTED.items():
        assert result[key] == pytest.approx(expected, abs=1e-9), key
    assert not [key for key in result if key.endswith(".ci95")]
    lines = dict(line.split()[:2] for line in out.splitlines())
    assert lines["localization.froc_score"] == "0.3333"
    assert lines["study.auroc"] == "-"
    assert lines["count.images"] == "3"
    assert (predictions / "report.html").is_file()
    settings = json.loads((predictions / "evaluation-settings.json").read_text())
    assert (settings["radius"], settings["radius_unit"], settings["bootstrap"]) == (10, "px", 0)


def test_what_the_report_is_given(folders, capsys, report):
    predictions, data = folders
    run(predictions, "--data", data, "--radius-px", 10, "--bootstrap", 20, capsys=capsys)
    (evaluation,) = report
    assert set(evaluation.curves) == {"roc", "pr", "reliability", "froc", "area_froc", "boxes_froc"}
    froc = evaluation.curves["froc"]
    assert froc.x.shape == froc.y.shape == froc.thresholds.shape == froc.low.shape == froc.high.shape == (99,)
    assert (froc.x[49], froc.y[49], froc.thresholds[49]) == pytest.approx((2 / 3, 1 / 3, 0.5))
    # 1/3 is the highest recall at a rate of at most 0.5; 0.75 is the highest threshold that reaches it.
    assert evaluation.settings["localization_threshold"] == 0.75
    assert evaluation.images.rows() == [
        ("a", 1, 0.9, 2, 1, 0),
        ("b", 1, 0.4, 1, 0, 0),
        ("c", 0, 0.6, 0, 0, 0),
    ]


def test_whole_curves_are_written(folders, capsys):
    predictions, data = folders
    run(predictions, "--data", data, "--radius-px", 10, capsys=capsys)
    curves = json.loads((predictions / "curves.json").read_text())
    assert set(curves) == {"roc", "pr", "reliability", "froc", "area_froc", "boxes_froc"}
    # Thresholds: none, 0.9 (a), 0.6 (c), 0.4 (b).
    assert curves["roc"]["thresholds"] == [None, 0.9, 0.6, 0.4]
    assert (curves["roc"]["x"], curves["roc"]["y"]) == ([0, 0, 1, 1], [0, 0.5, 0.5, 1])
    assert "low" not in curves["roc"]
    assert len(curves["froc"]["x"]) == 99


def test_strata(folders, capsys, report):
    predictions, data = folders
    text = (data / "images.csv").read_text().replace("label", "view,label")
    text = text.replace("a.png,40,40", "a.png,40,40,ap").replace("b.png,40,40", "b.png,40,40,lateral")
    (data / "images.csv").write_text(
        text.replace("40,40,0", "40,40,ap,0").replace("d.png,40,40", "d.png,40,40,")
    )
    _, _, err = run(predictions, "--data", data, "--strata", "view, fracture_count", capsys=capsys)
    lines = (predictions / "strata.csv").read_text().splitlines()
    assert [line.split(",")[:5] for line in lines[1:]] == [
        ["view", "ap", "1", "1", "1.0"],
        ["view", "lateral", "1", "0", ""],
        # b has one point and loses against c, a has two and wins.
        ["fracture_count", "1", "1", "1", "0.0"],
        ["fracture_count", "2", "1", "1", "1.0"],
    ]
    assert "No stratum is called the worst" in err
    assert len(report[-1].strata) == 4
    run(predictions, "--data", data, capsys=capsys)
    assert not (predictions / "strata.csv").exists()


def test_json_alone_on_standard_output(folders, capsys, tmp_path):
    predictions, data = folders
    out = tmp_path / "elsewhere"
    options = ("--data", data, "--bootstrap", 50, "--seed", 3, "--out", out, "--json")
    status, first, _ = run(predictions, *options, capsys=capsys)
    assert status == 0
    result = json.loads(first)
    assert result == evaluation_of(out)
    assert not (predictions / "evaluation.json").exists()
    low, high = result["image.accuracy.ci95"]
    assert 0 <= low <= result["image.accuracy"] <= high <= 1
    for key, value in result.items():  # flat: numbers, null, and pairs of numbers
        assert value is None or isinstance(value, int | float) or (key.endswith(".ci95") and len(value) == 2)
    assert run(predictions, *options, capsys=capsys)[1] == first


def test_split(folders, capsys):
    predictions, data = folders
    run(predictions, "--data", data, "--split", "test", capsys=capsys)
    result = evaluation_of(predictions)
    assert (result["count.images"], result["image.auroc"]) == (2, 1)


def test_without_heatmaps_and_detections(folders, capsys):
    predictions, data = folders
    for path in (predictions / "heatmaps").iterdir():
        path.unlink()
    (predictions / "heatmaps").rmdir()
    (predictions / "detections.csv").unlink()
    assert run(predictions, "--data", data, capsys=capsys)[0] == 0
    result = evaluation_of(predictions)
    assert {v for k, v in result.items() if k.startswith(("localization.", "boxes."))} == {None}
    assert "localization.froc_score" in result
    assert "boxes.ap_50" in result
    assert result["image.auroc"] == 0.5


def test_an_empty_detections_file_is_an_answer(folders, capsys):
    predictions, data = folders
    (predictions / "detections.csv").write_text("image_id,x_min,y_min,x_max,y_max,score\n")
    run(predictions, "--data", data, capsys=capsys)
    result = evaluation_of(predictions)
    assert (result["boxes.ap_50"], result["boxes.froc_score"]) == (0, 0)
    # Without a box to find there is nothing to miss.
    (data / "boxes.csv").write_text("image_id,x_min,y_min,x_max,y_max,label\n")
    run(predictions, "--data", data, capsys=capsys)
    assert evaluation_of(predictions)["boxes.ap_50"] is None


def test_every_key_is_documented(folders, capsys):
    """docs/conventions.md names each key, a range of keys as `first` … `_last`."""
    predictions, data = folders
    run(predictions, "--data", data, capsys=capsys)
    page = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")
    ranges = ("localization.recall_at_fp_", "boxes.recall_at_fp_", "class.f1.")
    missing = [
        key for key in evaluation_of(predictions) if not key.startswith(ranges) and f"`{key}`" not in page
    ]
    assert missing == []
    settings = json.loads((predictions / "evaluation-settings.json").read_text())
    assert {"split", "radius", "radius_unit", "bootstrap", "seed", "warnings"} <= set(settings)


def test_unknown_place_and_unknown_truth(folders, capsys):
    # Without b's point and box, b is labelled as fracture but its place is unknown: two images are left,
    # with two points; the detection in b is not judged either.
    predictions, data = folders
    (data / "points.csv").write_text("image_id,x,y\na,5,5\na,35,5\n")
    (data / "boxes.csv").write_text("image_id,x_min,y_min,x_max,y_max,label\na,0,0,10,10,fracture\n")
    _, _, err = run(predictions, "--data", data, "--radius-px", 10, capsys=capsys)
    result = evaluation_of(predictions)
    assert (result["count.points_unknown"], result["count.heatmaps"], result["count.images"]) == (1, 2, 3)
    assert result["localization.froc_score"] == 0.5
    assert result["image.auroc"] == 0.5
    assert "1 image labelled as fracture without points left out" in err
    for table in ("points", "boxes"):
        (data / f"{table}.csv").unlink()
    text = (data / "images.csv").read_text().replace("c.png,40,40,0", "c.png,40,40,")
    (data / "images.csv").write_text(text)
    _, _, err = run(predictions, "--data", data, capsys=capsys)
    result = evaluation_of(predictions)
    assert (result["count.truth_unknown"], result["image.auroc"], result["count.points"]) == (1, None, None)
    assert "1 image without label or annotation left out" in err
    assert "no points.csv" in err


def test_warns_of_a_radius_beyond_the_boxes(folders, capsys):
    # Boxes of 10 px: 50 px is more than twice that, 20 px is not.
    predictions, data = folders
    err = run(predictions, "--data", data, capsys=capsys)[2]
    assert "radius of 50 px around a point is more than twice the median fracture box (10 px" in err
    # A disk of 10 px covers 314 of 1600 px, one of 7 px 154: 20 % and less than 10 %.
    err = run(predictions, "--data", data, "--radius-px", 10, capsys=capsys)[2]
    assert "covers 20% of a typical image" in err
    assert "covers" not in run(predictions, "--data", data, "--radius-px", 7, capsys=capsys)[2]
    assert "median" not in run(predictions, "--data", data, "--radius-px", 20, capsys=capsys)[2]


@pytest.mark.parametrize("option", [("--radius-rel", 0.25), ("--radius-mm", 5)])
def test_other_units_of_the_radius(folders, capsys, option):
    # 0.25 of 40 px, and 5 mm at 0.5 mm per pixel, are both 10 px.
    predictions, data = folders
    text = (
        (data / "images.csv").read_text().replace("label", "spacing_mm,label").replace("40,40,", "40,40,0.5,")
    )
    (data / "images.csv").write_text(text)
    run(predictions, "--data", data, *option, capsys=capsys)
    result = evaluation_of(predictions)
    assert result["localization.area_recall_at_0.10"] == pytest.approx(2 / 3)
    assert result["boxes.froc_score"] == pytest.approx(0.6)


def test_studies_and_classes(folders, capsys):
    predictions, data = folders
    (predictions / "studies.csv").write_text("study_id,score\ns1,0.2\n")  # s2 takes its maximum, 0.4
    (predictions / "images.csv").write_text(
        "image_id,score,score_N,score_A\na,0.9,0.1,0.9\nb,0.4,0.6,0.4\nc,0.6,0.9,0.1\n"
    )
    text = (data / "images.csv").read_text().replace("split", "ao_class,split").replace(",test", ",N,test")
    text = text.replace("40,40,1,N", "40,40,1,A2").replace(",val", ",A1,val")
    (data / "images.csv").write_text(text)
    run(predictions, "--data", data, capsys=capsys)
    result = evaluation_of(predictions)
    assert result["study.accuracy"] == 0
    # Truth A A N, called A N N: F1 of A 2/3, of N 2/3.
    assert result["class.f1.A"] == result["class.f1.N"] == pytest.approx(2 / 3)
    assert result["class.f1.weighted"] == pytest.approx(2 / 3)
    assert result["class.accuracy"] == pytest.approx(2 / 3)
    # Another column holds the truth: N, none, N of which the first is called A and the last N.
    (predictions / "predictions.json").write_text('{"class_column": "kind"}')
    (data / "images.csv").write_text(text.replace("ao_class", "kind").replace("A2", "N").replace("A1", ""))
    run(predictions, "--data", data, capsys=capsys)
    result = evaluation_of(predictions)
    assert result["class.accuracy"] == pytest.approx(1 / 2)
    # F1 of N: 2 * 1 / (2 + 1).
    assert result["class.f1.N"] == pytest.approx(2 / 3)
    (predictions / "predictions.json").write_text('{"class_column": "absent"}')
    run(predictions, "--data", data, capsys=capsys)
    assert "class.accuracy" not in evaluation_of(predictions)


@pytest.mark.parametrize(
    ("break_it", "options", "message"),
    [
        (lambda p, d: (p / "heatmaps/b.npy").unlink(), (), "heatmaps/b.npy: expected a heatmap for every"),
        (lambda p, d: (p / "heatmaps/b.npy").write_bytes(b"\x93NUMPY"), (), "heatmaps/b.npy: expected"),
        (lambda p, d: (p / "images.csv").write_text("image_id,score\nz,0\n"), (), "row 1, column image_id"),
        (lambda p, d: (p / "studies.csv").write_text("study_id,score\nz,0\n"), (), "studies.csv, row 1"),
        (lambda p, d: (p / "images.csv").unlink(), (), "expected images.csv"),
        (lambda p, d: (d / "images.csv").unlink(), (), "expected images.parquet or images.csv"),
        (lambda p, d: None, ("--split", "train"), "there are none; they belong to test, val"),
        (lambda p, d: None, ("--split", "holdout"), "expected one of train, val, test"),
        (lambda p, d: None, ("--radius-mm", 5), "expected a spacing_mm for every image"),
        (lambda p, d: None, ("--radius-px", 5, "--radius-rel", 0.1), "--radius-px and --radius-rel"),
        (lambda p, d: None, ("--radius-px", 0), "expected a number above 0"),
        (lambda p, d: None, ("--radius-px", "nan"), "expected a number above 0"),
        (lambda p, d: None, ("--bootstrap", -1), "--bootstrap"),
        (lambda p, d: None, ("--threshold", 1), "--threshold"),
    ],
)
def test_one_line_and_status_2(folders, capsys, break_it, options, message):
    predictions, data = folders
    break_it(predictions, data)
    status, out, err = run(predictions, "--data", data, *options, capsys=capsys)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (predictions / "evaluation.json").exists()


def test_compare(folders, capsys, tmp_path):
    # B gives c 0.3 instead of 0.6: pairs (0.9, 0.3) and (0.4, 0.3) won, AUROC 1 against 1/2; at 0.5 c is
    # right in B only, so that McNemar's exact p is 2 * 1/2 = 1 and chi2 (1 - 1)^2 / 1 = 0.
    predictions, data = folders
    other, out = tmp_path / "other", tmp_path / "results" / "comparison.json"
    other.mkdir()
    (other / "images.csv").write_text("image_id,score\nc,0.3\na,0.9\nb,0.4\n")
    options = (predictions, other, "--data", data, "--bootstrap", 40, "--radius-px", 10)
    status, text, _ = run(*options, "--out", out, capsys=capsys, command="compare")
    assert status == 0
    lines = {line.split()[0]: line.split()[1:4] for line in text.splitlines() if line.startswith(("i", "l"))}
    assert lines["image.auroc"] == ["0.5000", "1.0000", "-0.5000"]
    assert lines["localization.froc_score"] == ["0.3333", "-", "-"]
    result = json.loads(out.read_text())
    assert result["figures"]["image.auroc"]["difference"] == -0.5
    # One negative only: no variance.
    assert (result["delong"]["difference"], result["delong"]["p"]) == (-0.5, None)
    test = result["mcnemar"]
    assert (test["only_a_right"], test["only_b_right"], test["exact_p"], test["chi2"]) == (0, 1, 1, 0)
    status, text, _ = run(*options, "--json", capsys=capsys, command="compare")
    assert json.loads(text) == result


def test_compare_of_other_images_is_one_line(folders, capsys, tmp_path):
    predictions, data = folders
    (tmp_path / "images.csv").write_text("image_id,score\na,0.9\n")
    status, out, err = run(predictions, tmp_path, "--data", data, capsys=capsys, command="compare")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "expected the same images in both predictions, 2 of" in err
