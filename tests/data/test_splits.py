"""Folds and splits are disjoint, complete, balanced, reproducible, and `split` is fold 0."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.data.splits import (
    DUPLICATE_GROUP,
    assign_folds,
    group_ids,
    rewrite_images,
    roles,
    stratified_sample,
    with_duplicate_groups,
)
from crepitus.errors import UsageError


def make(rows):
    """`images` and truth from rows of (image_id, patient_id, body_part, duplicate_group, truth)."""
    schema = dict.fromkeys(("image_id", "patient_id", "body_part", DUPLICATE_GROUP), pl.String)
    images = pl.DataFrame([row[:4] for row in rows], schema=schema, orient="row")
    images = images.with_columns(split=pl.lit(None, dtype=pl.String), fold=pl.lit(None, dtype=pl.Int64))
    return images, {row[0]: row[4] for row in rows}


@st.composite
def tables(draw):
    count = draw(st.integers(12, 60))
    return make(
        [
            (
                f"i{number:03}",
                draw(st.none() | st.sampled_from([f"p{k}" for k in range(20)])),
                draw(st.sampled_from([None, "hand", "leg"])),
                draw(st.none() | st.none() | st.sampled_from(["d1", "d2"])),
                draw(st.sampled_from([0, 0, 1, None])),
            )
            for number in range(count)
        ]
    )


@settings(max_examples=30, deadline=None)
@given(tables(), st.integers(2, 5), st.integers(0, 2**32), st.randoms())
def test_properties(given_table, folds, seed, shuffle):
    images, truth = given_table
    groups = group_ids(images)
    if len(groups) < folds:
        return
    divided = assign_folds(images, truth, folds=folds, seed=seed)
    fold_of = dict(zip(divided["image_id"], divided["fold"], strict=True))
    assert set(fold_of.values()) == set(range(folds))
    # `split` describes fold 0 with the given seed.
    assert roles(divided, truth, fold=0, seed=seed) == dict(
        zip(divided["image_id"], divided["split"], strict=True)
    )
    assert roles(divided, truth, fold=None, seed=seed + 1) == roles(divided, truth, fold=0, seed=seed)
    for fold in range(folds):
        role = roles(divided, truth, fold=fold, seed=seed)
        assert list(role) == divided["image_id"].to_list()
        assert {i for i, r in role.items() if r == "test"} == {i for i, k in fold_of.items() if k == fold}
        for column in ("patient_id", DUPLICATE_GROUP):
            shared = divided.drop_nulls(column).select("image_id", column).rows()
            for parts in (role, fold_of):
                assert len({(name, parts[i]) for i, name in shared}) == len({name for _, name in shared})
        if len({tuple(g) for g in groups if role[g[0]] != "test"}) >= 2:
            assert "val" in role.values()
    # The order of the rows does not matter.
    rows = list(range(divided.height))
    shuffle.shuffle(rows)
    again = assign_folds(images[rows], truth, folds=folds, seed=seed)
    assert dict(zip(again["image_id"], again["split"], strict=True)) == dict(
        zip(divided["image_id"], divided["split"], strict=True)
    )


def test_balance():
    """200 patients, 40 positive: each of 5 folds has 40 patients and 8 positives; 20 of 160 validate."""
    rows = [(f"i{k:03}", f"p{k}", "hand" if k % 2 else "leg", None, int(k % 5 == 0)) for k in range(200)]
    images, truth = make(rows)
    divided = assign_folds(images, truth, folds=5, seed=3)
    assert Counter(divided["fold"]) == dict.fromkeys(range(5), 40)
    counts = Counter(
        (f, truth[i], p) for i, f, p in divided.select("image_id", "fold", "body_part").iter_rows()
    )
    # 20 positive hands, 20 positive legs, 80 negatives of each.
    assert {counts[f, 1, p] for f in range(5) for p in ("hand", "leg")} == {4}
    assert {counts[f, 0, p] for f in range(5) for p in ("hand", "leg")} == {16}
    for fold in range(5):
        role = roles(divided, truth, fold=fold, seed=9)
        assert Counter(role.values()) == {"test": 40, "val": 20, "train": 140}
        assert sum(truth[i] for i, r in role.items() if r == "val") == 4


def test_seeds():
    images, truth = make([(f"i{k:03}", None, None, None, k % 2) for k in range(80)])
    divided = assign_folds(images, truth, folds=4, seed=1)
    assert assign_folds(images, truth, folds=4, seed=1).equals(divided)
    assert not assign_folds(images, truth, folds=4, seed=2)["fold"].equals(divided["fold"])
    drawn = [
        frozenset(i for i, r in roles(divided, truth, fold=1, seed=s).items() if r == "val") for s in range(5)
    ]
    assert len(set(drawn)) == 5


def test_groups_join_patients_and_duplicates():
    rows = [
        ("a", "p", None, None, 0),
        ("b", "p", None, "d", 0),
        ("c", "q", None, "d", 0),
        ("e", "", None, None, 0),
    ]
    rows += [("f", None, None, None, 0)]
    assert group_ids(make(rows)[0]) == [["a", "b", "c"], ["e"], ["f"]]


def test_duplicate_groups_column():
    images, _ = make([(i, None, None, None, 0) for i in "dcba"])
    assert with_duplicate_groups(images, [[0, 2]])[DUPLICATE_GROUP].to_list() == ["b", None, "b", None]


def test_refusals():
    images, truth = make([(f"i{k}", "p" if k < 8 else None, None, None, 0) for k in range(10)])
    with pytest.raises(UsageError, match=r"expected 2 to 3, the number of patients"):
        assign_folds(images, truth, folds=4, seed=0)
    with pytest.raises(UsageError, match="write it with 'crepitus split"):
        roles(images, truth, fold=None, seed=0)
    with pytest.raises(UsageError, match=r"fold 0: .*10 are empty; write it with 'crepitus split"):
        roles(images, truth, fold=0, seed=0)
    divided = assign_folds(images, truth, folds=2, seed=0)
    with pytest.raises(UsageError, match=r"fold 2: expected one of \[0, 1\]"):
        roles(divided, truth, fold=2, seed=0)


def test_a_split_written_by_hand_decides():
    images, truth = make([(i, None, None, None, 0) for i in "abc"])
    images = images.with_columns(split=pl.Series(["test", None, "train"]))
    assert roles(images, truth, fold=None, seed=0) == {"a": "test", "c": "train"}


def test_the_table_that_is_read_is_rewritten(make_set):
    data = make_set({i: {} for i in "ab"})
    changed = data.images.with_columns(fold=pl.Series([0, 1]))
    assert rewrite_images(data.root, changed).name == "images.parquet"
    data.images.write_csv(data.root / "images.csv")
    assert rewrite_images(data.root, changed).name == "images.csv"
    assert type(data).read(data.root).images["fold"].to_list() == [0, 1]
    assert not list(data.root.glob("*.tmp"))


@settings(max_examples=25)
@given(tables(), st.integers(0, 60), st.integers(0, 3))
def test_a_sample_holds_whole_groups_and_never_more_than_asked_for(table, count, seed):
    images, truth = table
    drawn = stratified_sample(images, truth, count=count, seed=seed)
    assert len(drawn) == len(set(drawn)) <= count
    assert all(set(group) <= set(drawn) or set(group).isdisjoint(drawn) for group in group_ids(images))
    # Nothing that still fits is left out.
    rest = [len(group) for group in group_ids(images) if set(group).isdisjoint(drawn)]
    assert not rest or min(rest) > count - len(drawn)
    assert drawn == stratified_sample(images, truth, count=count, seed=seed)


def test_a_sample_keeps_the_strata_in_proportion():
    # 40 positive and 20 negative hands, 20 negative legs: of 20 images, 10, 5 and 5.
    rows = [(f"a{k}", None, "hand", None, 1) for k in range(40)]
    rows += [(f"b{k}", None, "hand", None, 0) for k in range(20)]
    rows += [(f"c{k}", None, "leg", None, 0) for k in range(20)]
    drawn = stratified_sample(*make(rows), count=20, seed=0)
    assert Counter(image_id[0] for image_id in drawn) == {"a": 10, "b": 5, "c": 5}
    assert drawn != stratified_sample(*make(rows), count=20, seed=1)
