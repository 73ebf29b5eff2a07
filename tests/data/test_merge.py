"""Sites are joined without mixing up persons or turning unknown images into negatives."""

import numpy as np
import pytest

from crepitus.data.folder import DataSet
from crepitus.data.merge import merge
from crepitus.errors import UsageError

MARK = [(10.0, 10.0)]


def test_ids_that_collide_carry_the_site(make_set, tmp_path):
    first = make_set(
        {"a": {"patient_id": "1", "study_id": "s1"}, "b": {"patient_id": "2"}}, {"a": MARK}, name="north"
    )
    second = make_set({"a": {"patient_id": "1", "study_id": "s2"}}, {"a": MARK * 2}, name="south", seed=1)
    done = merge([first, second], tmp_path / "m")
    assert done.prefixed == ("image_id", "patient_id")
    data = DataSet.read(tmp_path / "m")
    assert data.images["image_id"].to_list() == ["north_a", "north_b", "south_a"]
    assert data.images["patient_id"].to_list() == ["north_1", "north_2", "south_1"]
    assert data.images["study_id"].to_list() == ["s1", None, "s2"]
    assert data.images["site"].to_list() == ["north", "north", "south"]
    assert data.points["image_id"].to_list() == ["north_a", "south_a", "south_a"]
    assert np.array_equal(data.radiograph("south_a").pixels, second.radiograph("a").pixels)
    assert [part["site"] for part in data.info["merged"]] == ["north", "south"]


def test_ids_that_do_not_collide_stay(make_set, tmp_path):
    first = make_set({"a": {"patient_id": "1", "split": "test", "fold": 0, "ward": 3}}, name="north")
    second = make_set(
        {"b": {"patient_id": "2", "split": "train", "fold": 0, "ward": "x"}}, name="south", seed=1
    )
    assert merge([first, second], tmp_path / "m").prefixed == ()
    data = DataSet.read(tmp_path / "m")
    assert data.images["patient_id"].to_list() == ["1", "2"]
    # Folds of different sets say nothing about each other; a column of numbers and texts becomes text.
    assert data.images["split"].to_list() == [None, None]
    assert data.images["fold"].to_list() == [None, None]
    assert data.images["ward"].to_list() == ["3", "x"]
    assert (data.points, data.boxes) == (None, None)


def test_the_same_patients(make_set, tmp_path):
    first = make_set({"a": {"patient_id": "1"}}, name="old")
    second = make_set({"b": {"patient_id": "1"}}, name="new", seed=1)
    assert merge([first, second], tmp_path / "m", same_patients=True).prefixed == ()
    assert DataSet.read(tmp_path / "m").images["patient_id"].to_list() == ["1", "1"]


def test_unknown_does_not_become_negative(make_set, tmp_path):
    marked = make_set({"a": {}, "b": {}}, points={"a": MARK}, name="marked")
    bare = make_set({"c": {"label": 1}, "d": {"label": 0}, "e": {}}, name="bare", seed=1)
    with pytest.raises(UsageError, match=r"bare: .*got 1 without, such as e.*--leave-out-unknown"):
        merge([marked, bare], tmp_path / "m")
    assert not (tmp_path / "m").exists()
    done = merge([marked, bare], tmp_path / "m", leave_out_unknown=True)
    assert done.left_out == 1
    data = DataSet.read(tmp_path / "m")
    assert data.truth == {"a": 1, "b": 0, "c": 1, "d": 0}
    # Written out, since c without a point is a positive at an unknown place.
    assert data.images["label"].to_list() == [1, 0, 1, 0]


def test_points_here_and_boxes_there(make_set, tmp_path):
    """A positive of the set with points only has no box, but must not count as a negative for boxes."""
    points = make_set({"a": {}, "b": {}}, points={"a": MARK}, name="points")
    boxes = make_set({"c": {}, "d": {}}, boxes={"c": [(1, 1, 5, 5, "fracture")]}, name="boxes", seed=1)
    merge([points, boxes], tmp_path / "m")
    data = DataSet.read(tmp_path / "m")
    assert data.images["label"].to_list() == [1, 0, 1, 0]
    assert data.points.height == 1
    assert data.boxes.height == 1


def test_equal_names_are_told_apart(make_set, tmp_path):
    first, second = make_set({"a": {}}, name="x"), make_set({"a": {}}, name="y", seed=1)
    for data in (first, second):
        data.info["name"] = "The same"
    done = merge([first, second], tmp_path / "m")
    assert done.sites == ("x", "y")
    assert merge([first, first], tmp_path / "n").sites == ("x-1", "x-2")
    with pytest.raises(UsageError, match="at least two data sets, got 1"):
        merge([first], tmp_path / "o")
