"""Each check finds what was put there, and nothing in a clean set."""

import numpy as np
import polars as pl
import pytest

from crepitus.data.audit import audit

POINT = [(10.0, 10.0)]


def findings(data):
    return {check.name: check.findings for check in audit(data).checks if check.findings}


def test_a_clean_set(make_set):
    data = make_set(
        {"a": {"label": 1, "split": "train"}, "b": {"label": 0, "split": "test"}}, points={"a": POINT}
    )
    assert findings(data) == {}
    assert audit(data).resolution_auroc == pytest.approx(0.5)


def test_files(make_set, save):
    data = make_set({i: {} for i in "abcd"})
    (data.root / "images/a.png").unlink()
    path = data.root / "images/b.png"
    path.write_bytes(path.read_bytes()[:-20])
    save(data.root / "images/c.png", 5, rows=50)
    found = findings(data)
    assert found["missing"] == ["a"]
    assert [row[:2] for row in found["damaged"]] == [["b", "damaged"]]
    assert found["sizes"] == [["c", "50 x 64, not 48 x 64"]]
    assert audit(data).resolution_auroc is None


def test_duplicates_leakage_and_truth(make_set):
    data = make_set(
        {
            "a": {"seed": 1, "label": 1, "split": "train", "fold": 1, "patient_id": "p"},
            "b": {"seed": 1, "label": 0, "split": "test", "fold": 0, "patient_id": "q"},
            "c": {"seed": 2, "label": 0, "split": "val", "fold": 1, "patient_id": "p"},
            "d": {"seed": 3, "label": 1, "split": "train", "fold": 1},
            "e": {"seed": 4, "label": 0, "split": "train", "fold": 1},
        },
        points={"a": POINT, "e": POINT},
    )
    assert findings(data) == {
        "identical": [["a", "b"]],
        "duplicates_across_splits": [["a", "b"]],
        "duplicates_across_folds": [["a", "b"]],
        "patients_across_splits": ["p"],
        "label_conflicts": [["a", "b"]],
        "negatives_with_points": ["e"],
        "positives_without_points": ["d"],
    }


def test_resolution_that_tells_the_label(make_set):
    data = make_set({i: {"label": int(i < "c")} for i in "abcd"})
    # Columns 65, 66 are positive, 63, 64 negative: the size ranks them perfectly.
    bigger = data.images.with_columns(columns=pl.Series([66, 65, 64, 63]))
    bigger.write_csv(data.root / "images.csv")
    assert audit(type(data).read(data.root)).resolution_auroc == 1.0


def test_what_import_set_aside_and_studies(make_set):
    data = make_set(
        {
            "a": {"split": "train", "study_id": "s"},
            "b": {"split": "test", "study_id": "s"},
        }
    )
    (data.root / "rejected.csv").write_text("file,code,message\nx.jpg,damaged,ends early\n")
    found = findings(data)
    assert found["set_aside"] == [["x.jpg", "damaged", "ends early"]]
    assert found["studies_across_splits"] == ["s"]
    (data.root / "rejected.csv").unlink()
    assert "set_aside" not in findings(data)


def test_features_for_the_probes(make_set):
    data = make_set({"a": {"seed": 1}, "b": {"seed": 1}, "c": {"seed": 2}})
    (data.root / "images/c.png").unlink()
    result = audit(data)
    assert set(result.looks) == {"a", "b"}
    np.testing.assert_array_equal(result.looks["a"], result.looks["b"])
    assert result.same == [["a", "b"]]
