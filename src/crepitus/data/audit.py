"""What is wrong with a data set: files, duplicates, leakage between splits, contradictions in the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from crepitus.data.duplicates import (
    Fingerprint,
    fingerprint_files,
    identical_groups,
    near_duplicates,
)
from crepitus.data.folder import DataSet
from crepitus.data.looks import look
from crepitus.data.tables import read_text_table

DIVISIONS = ("split", "fold")
"""Columns whose values must not share a patient or a picture."""


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: stable key in the JSON result.
        meaning: what a finding means, in a few words.
        findings: each a list of image ids or a message; empty: nothing found.
    """

    name: str
    meaning: str
    findings: list[Any]


@dataclass(frozen=True)
class Audit:
    """All checks, and `resolution_auroc`: rows * columns as a score for the label, None where undefined.

    0.5 says that the size of an image tells nothing; a value far from it, on either side, that a model can
    guess the label from the size.

    Attributes:
        images: how many the data set has.
        checks: what was looked for, and what was found.
        resolution_auroc: see above.
        looks: features of `looks.look` of every image that could be read, for a probe.
        same: groups of images that show the same exposure.
    """

    images: int
    checks: list[Check]
    resolution_auroc: float | None
    looks: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    same: list[list[str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "images": self.images,
            **{check.name: check.findings for check in self.checks},
            "resolution_auroc": self.resolution_auroc,
        }


def audit(data: DataSet, watch: Callable[[Iterable[Path]], Iterable[Path]] = iter) -> Audit:
    """Read every image of `data` once, and check files, duplicates, leakage and truth."""
    ids = data.images["image_id"].to_list()
    files = [data.root / name for name in data.images["file"]]
    results = fingerprint_files(files, verify=True, watch=watch, look=look)
    good = [k for k, result in enumerate(results) if isinstance(result, Fingerprint)]
    prints = [result for result in results if isinstance(result, Fingerprint)]
    identical = [[ids[good[k]] for k in group] for group in identical_groups(prints)]
    near = [[ids[good[i]], ids[good[j]], round(s, 3)] for i, j, s in near_duplicates(prints)]
    checks = [
        *_files(data, ids, files, results),
        Check("set_aside", "files that were left out when the data set was made", _set_aside(data.root)),
        Check("identical", "groups of images with the same pixels", identical),
        Check("near_duplicates", "pairs of nearly the same image, with the share that agrees", near),
        *_leakage(data, identical + [pair[:2] for pair in near]),
        *_truth(data, identical),
    ]
    looks = {ids[k]: p.look for k, p in zip(good, prints, strict=True) if p.look is not None}
    same = identical + [pair[:2] for pair in near]
    return Audit(len(ids), checks, _resolution_auroc(data), looks, same)


def _files(
    data: DataSet, ids: Sequence[str], files: Sequence[Path], results: Sequence[Fingerprint | Exception]
) -> list[Check]:
    missing, damaged, sizes = [], [], []
    shapes = data.images.select("rows", "columns").rows()
    for image_id, file, result, shape in zip(ids, files, results, shapes, strict=True):
        if isinstance(result, Exception):
            if file.is_file():
                damaged.append([image_id, getattr(result, "code", "damaged"), str(result)])
            else:
                missing.append(image_id)
        elif result.shape != shape:
            text = f"{result.shape[0]} x {result.shape[1]}, not {shape[0]} x {shape[1]}"
            sizes.append([image_id, text])
    return [
        Check("missing", "files that are not there", missing),
        Check("damaged", "files that cannot be used", damaged),
        Check("sizes", "files whose size differs from the table", sizes),
    ]


def _set_aside(root: Path) -> list[list[str]]:
    """Rows of rejected.csv, which import wrote; none where the data set has no such file."""
    path = root / "rejected.csv"
    if not path.is_file():
        return []
    table = read_text_table(path, ("file", "code", "message"))
    return [[cell or "" for cell in row] for row in table.select("file", "code", "message").iter_rows()]


def across(images: pl.DataFrame, name: str, column: str) -> list[str]:
    """Values of `name` whose images lie in more than one part of `column`; empty cells are none."""
    return (
        images.drop_nulls([name, column])
        .group_by(name, maintain_order=True)
        .agg(pl.col(column).n_unique())
        .filter(pl.col(column) > 1)[name]
        .cast(pl.String)
        .to_list()
    )


def _leakage(data: DataSet, groups: Sequence[Sequence[str]]) -> list[Check]:
    checks = []
    for column in DIVISIONS:
        part = dict(zip(data.images["image_id"], data.images[column], strict=True))
        shared_pictures = [list(g) for g in groups if len({part[i] for i in g if part[i] is not None}) > 1]
        checks.append(
            Check(f"duplicates_across_{column}s", f"the same picture in two {column}s", shared_pictures)
        )
        for kind, kinds in (("patient", "patients"), ("study", "studies")):
            shared = across(data.images, f"{kind}_id", column)
            checks.append(Check(f"{kinds}_across_{column}s", f"the same {kind} in two {column}s", shared))
    return checks


def _truth(data: DataSet, identical: Sequence[Sequence[str]]) -> list[Check]:
    label = dict(zip(data.images["image_id"], data.images["label"], strict=True))
    conflicts = [list(g) for g in identical if {0, 1} <= {data.truth[i] for i in g}]
    placed = set(data.points_by_image) | set(data.fracture_boxes_by_image)
    annotated = data.points is not None or data.boxes is not None
    contradicted = [i for i, value in label.items() if value == 0 and i in placed]
    unplaced = [i for i, value in label.items() if value == 1 and i not in placed] if annotated else []
    return [
        Check("label_conflicts", "the same pixels, but fractured here and not there", conflicts),
        Check("negatives_with_points", "label 0, but a fracture is marked", contradicted),
        Check("positives_without_points", "label 1, but no place is marked", unplaced),
    ]


def _resolution_auroc(data: DataSet) -> float | None:
    area = data.images["rows"] * data.images["columns"]
    truth = [data.truth[image_id] for image_id in data.images["image_id"]]
    known = np.array([value is not None for value in truth])
    labels = np.array([value for value in truth if value is not None])
    if len(np.unique(labels)) < 2:
        return None
    return float(roc_auc_score(labels, area.to_numpy()[known]))
