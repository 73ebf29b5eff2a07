"""What is wrong with a data set: files, duplicates, leakage between splits, contradictions in the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from crepitus.data.duplicates import (
    Fingerprint,
    fingerprint_files,
    identical_groups,
    near_duplicates,
)
from crepitus.data.folder import DataSet

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
    """

    images: int
    checks: list[Check]
    resolution_auroc: float | None

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
    results = fingerprint_files(files, verify=True, watch=watch)
    good = [k for k, result in enumerate(results) if isinstance(result, Fingerprint)]
    prints = [result for result in results if isinstance(result, Fingerprint)]
    identical = [[ids[good[k]] for k in group] for group in identical_groups(prints)]
    near = [[ids[good[i]], ids[good[j]], round(s, 3)] for i, j, s in near_duplicates(prints)]
    checks = [
        *_files(data, ids, files, results),
        Check("identical", "groups of images with the same pixels", identical),
        Check("near_duplicates", "pairs of nearly the same image, with the share that agrees", near),
        *_leakage(data, identical + [pair[:2] for pair in near]),
        *_truth(data, identical),
    ]
    return Audit(len(ids), checks, _resolution_auroc(data))


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


def _leakage(data: DataSet, groups: Sequence[Sequence[str]]) -> list[Check]:
    checks = []
    for column in DIVISIONS:
        part = dict(zip(data.images["image_id"], data.images[column], strict=True))
        across = [list(g) for g in groups if len({part[i] for i in g if part[i] is not None}) > 1]
        checks.append(Check(f"duplicates_across_{column}s", f"the same picture in two {column}s", across))
        shared = (
            data.images.drop_nulls(["patient_id", column])
            .group_by("patient_id", maintain_order=True)
            .agg(pl.col(column).n_unique())
            .filter(pl.col(column) > 1)["patient_id"]
            .to_list()
        )
        checks.append(Check(f"patients_across_{column}s", f"the same patient in two {column}s", shared))
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
