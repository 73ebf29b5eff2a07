"""Patient-disjoint folds and splits, near-duplicates together, stratified by truth and body part.

`fold` is written once; train, val and test follow from it by `roles`, so that what the `split` column says
and what training with `--fold 0` does cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from crepitus.data.duplicates import components
from crepitus.data.tables import SPLITS
from crepitus.data.writer import write_table
from crepitus.errors import UsageError

DUPLICATE_GROUP = "duplicate_group"
"""Column of the `images` table: the same text for images that are near-duplicates of each other."""

VALIDATION_PARTS = 8
"""One part of eight, 12.5 % of the patients that are not tested, validates."""

_REMEDY = "write it with 'crepitus split DATASET --folds 5 --seed 0'"


@dataclass(frozen=True)
class _Group:
    """Images that must stay together, and what their distribution is balanced by."""

    image_ids: tuple[str, ...]
    stratum: tuple[str, str]


def roles(
    images: pl.DataFrame, truth: Mapping[str, int | None], *, fold: int | None, seed: int
) -> dict[str, str]:
    """What each image is for: "train", "val" or "test".

    Args:
        images: the `images` table; with `fold`, its column `fold` must be filled.
        truth: 1, 0 or None for each image_id, as `DataSet.truth`.
        fold: the fold K to test on; 12.5 % of the other patients, drawn by `seed`, validate. None: the
            column `split` decides, and images without an entry there have no role.
        seed: of the draw; `roles(…, fold=0, seed=S)` is what `crepitus split --seed S` writes to `split`.

    Returns:
        The role of each image_id, in the order of the table.

    Raises:
        UsageError: the column that decides is empty, or has no such fold.
    """
    if fold is None:
        return _published_roles(images)
    folds = images["fold"]
    if folds.null_count():
        raise UsageError(
            f"fold {fold}: expected a column 'fold' filled for all {images.height} images, "
            f"{folds.null_count()} are empty; {_REMEDY}"
        )
    known = sorted(folds.unique().to_list())
    if fold not in known:
        raise UsageError(f"fold {fold}: expected one of {known}, the folds of the data set")
    tested = set(images.filter(pl.col("fold") == fold)["image_id"])
    rest = [g for g in _groups(images, truth) if not tested.intersection(g.image_ids)]
    parts = _deal(rest, VALIDATION_PARTS, np.random.default_rng((seed, fold)))
    validating = {
        image_id for g, part in zip(rest, parts, strict=True) if part == 0 for image_id in g.image_ids
    }
    return {
        image_id: "test" if image_id in tested else "val" if image_id in validating else "train"
        for image_id in images["image_id"]
    }


def _published_roles(images: pl.DataFrame) -> dict[str, str]:
    named = images.filter(pl.col("split").is_in(SPLITS))
    if named.is_empty():
        raise UsageError(f"expected a filled column 'split', it is empty; {_REMEDY}, or use --fold")
    return dict(zip(named["image_id"], named["split"], strict=True))


def assign_folds(
    images: pl.DataFrame, truth: Mapping[str, int | None], *, folds: int, seed: int
) -> pl.DataFrame:
    """`images` with the columns `fold` and `split` filled.

    Args:
        images: the `images` table; patient_id and, if there, duplicate_group hold images together.
        truth: 1, 0 or None for each image_id.
        folds: number of folds, at least 2.
        seed: of the order in which patients are dealt out.

    Raises:
        UsageError: fewer patients than folds.
    """
    groups = _groups(images, truth)
    if folds < 2 or len(groups) < folds:
        raise UsageError(
            f"--folds {folds}: expected 2 to {len(groups)}, the number of patients (or groups of duplicates)"
        )
    parts = _deal(groups, folds, np.random.default_rng(seed))
    fold_of = {i: part for group, part in zip(groups, parts, strict=True) for i in group.image_ids}
    ids = images["image_id"].to_list()
    images = images.with_columns(pl.Series("fold", [fold_of[i] for i in ids], dtype=pl.Int64))
    role = roles(images, truth, fold=0, seed=seed)
    return images.with_columns(pl.Series("split", [role[i] for i in ids], dtype=pl.String))


def stratified_sample(
    images: pl.DataFrame, truth: Mapping[str, int | None], *, count: int, seed: int
) -> list[str]:
    """At most `count` images of whole patients, each stratum (truth, body part, fold) with its share.

    Args:
        images: the `images` table; patient_id and, if there, duplicate_group hold images together.
        truth: 1, 0 or None for each image_id.
        count: how many images at most.
        seed: of the draw.

    Returns:
        Ids of the images drawn.
    """
    fold_of = dict(zip(images["image_id"], images["fold"], strict=True))
    generator = np.random.default_rng(seed)
    strata: dict[tuple[object, ...], list[_Group]] = {}
    for group in _groups(images, truth):
        strata.setdefault((*group.stratum, fold_of[group.image_ids[0]]), []).append(group)
    # Each group gets a place between 0 and 1 within its stratum: a beginning of this order is a sample with
    # all strata in proportion.
    placed = [
        ((rank + 0.5) / len(groups), number, groups[index])
        for number, groups in enumerate(strata.values())
        for rank, index in enumerate(generator.permutation(len(groups)).tolist())
    ]
    drawn: list[str] = []
    for _, _, group in sorted(placed, key=lambda item: item[:2]):
        if len(drawn) + len(group.image_ids) <= count:
            drawn.extend(group.image_ids)
    return drawn


def with_duplicate_groups(images: pl.DataFrame, groups: Sequence[Sequence[int]]) -> pl.DataFrame:
    """`images` with the column duplicate_group: the id of its first image for each group of positions."""
    ids = images["image_id"].to_list()
    names: list[str | None] = [None] * len(ids)
    for group in groups:
        for position in group:
            names[position] = min(ids[i] for i in group)
    return images.with_columns(pl.Series(DUPLICATE_GROUP, names, dtype=pl.String))


def group_ids(images: pl.DataFrame) -> list[list[str]]:
    """Images that share a patient or are near-duplicates, directly or through others, sorted by image_id.

    An empty patient_id is a patient of its own.
    """
    ordered = images.sort("image_id")
    edges: list[tuple[int, int]] = []
    for column in ("patient_id", DUPLICATE_GROUP):
        first: dict[str, int] = {}
        values = ordered[column].cast(pl.String).to_list() if column in ordered.columns else []
        for row, value in enumerate(values):
            if value not in (None, ""):
                edges.append((first.setdefault(value, row), row))
    ids = ordered["image_id"].to_list()
    return [[ids[row] for row in group] for group in components(len(ids), edges)]


def _groups(images: pl.DataFrame, truth: Mapping[str, int | None]) -> list[_Group]:
    parts = dict(zip(images["image_id"], images["body_part"], strict=True))
    groups = []
    for ids in group_ids(images):
        known = {truth.get(image_id) for image_id in ids}
        # One fracture makes the patient positive; "unknown" only if nothing is known of any image.
        finding = "1" if 1 in known else "0" if 0 in known else "unknown"
        named = sorted(parts[image_id] for image_id in ids if parts[image_id] is not None)
        groups.append(_Group(tuple(ids), (finding, named[0] if named else "")))
    return groups


def _deal(groups: Sequence[_Group], parts: int, generator: np.random.Generator) -> list[int]:
    """Deal groups out to `parts` parts, stratum by stratum, the largest groups first.

    Each goes to the part with the fewest groups of its stratum, then of its finding, then with the fewest
    images; so in every stratum the parts differ by at most one group. Returns the part of each group.
    """
    order = generator.permutation(len(groups)).tolist()
    # Positives first: a part that can have only one group of few gets one that shows a fracture.
    order.sort(key=lambda i: (groups[i].stratum[0] != "1", groups[i].stratum, -len(groups[i].image_ids)))
    images = [0] * parts
    dealt: dict[tuple[str, ...], list[int]] = {}
    result = [0] * len(groups)
    for index in order:
        group = groups[index]
        counts = dealt.setdefault(group.stratum, [0] * parts)
        findings = dealt.setdefault(group.stratum[:1], [0] * parts)
        part = min(zip(counts, findings, images, range(parts), strict=True))[3]
        counts[part] += 1
        findings[part] += 1
        images[part] += len(group.image_ids)
        result[index] = part
    return result


def rewrite_images(root: Path, images: pl.DataFrame) -> Path:
    """Replace the `images` table of a folder, whole or not at all; images.csv if there is one: it wins."""
    name = "images.csv" if (root / "images.csv").is_file() else "images.parquet"
    write_table(root / name, images)
    return root / name
