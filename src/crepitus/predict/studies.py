"""From the scores of images to those of their studies, with the views that carried each answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from crepitus.errors import UsageError
from crepitus.methods.parts.study_rules import (
    DEFAULT_THRESHOLD,
    STUDY_SCORE,
    STUDY_SHARE,
    StudyRule,
    stored_rule,
)

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.predict.folder import Predictions
    from crepitus.predict.writer import PredictionsWriter

SCHEMA: dict[str, type[pl.DataType]] = {
    "study_id": pl.String,
    "score": pl.Float64,
    "images": pl.Int64,
    "views": pl.String,
}

CARRIED = 0.5
"""A view carried an answer if it adds at least this part of what the most important view adds."""

SEPARATOR = ";"
"""Between the ids in the column `views`; no image_id holds it."""


def carrying_views(image_ids: list[str], contributions: np.ndarray) -> str:
    """Ids of the views that carried an answer, the most important first, ties in their order."""
    order = np.argsort(-contributions, kind="stable")
    least = CARRIED * contributions.max(initial=0.0)
    return SEPARATOR.join(image_ids[k] for k in order.tolist() if contributions[k] >= least)


def study_table(images: pl.DataFrame, study_of: Mapping[str, str | None], rule: StudyRule) -> pl.DataFrame:
    """The table studies.csv: study_id, score, images (their number), views (those that carried the score).

    Args:
        images: image_id and score, in any order.
        study_of: study of each image; images without one belong to no study.
        rule: makes one score of several.

    Returns:
        One row per study, in the order in which they appear.
    """
    members: dict[str, list[tuple[str, float]]] = {}
    for image_id, score in images.select("image_id", "score").iter_rows():
        study = study_of.get(image_id)
        if study is not None:
            members.setdefault(study, []).append((image_id, score))
    rows = []
    for study, views in members.items():
        ids, scores = [name for name, _ in views], np.array([score for _, score in views])
        carried = carrying_views(ids, rule.contributions(scores))
        rows.append((study, rule.score(scores), len(views), carried))
    return pl.DataFrame(rows, schema=dict(SCHEMA), orient="row")


def answered_table(images: pl.DataFrame, study_of: Mapping[str, str | None]) -> pl.DataFrame:
    """The table studies.csv of a method that answers for studies itself.

    Args:
        images: image_id, and of each image the columns `STUDY_SCORE`, the answer for its study, and
            `STUDY_SHARE`, what the image added to it, 0..1.
        study_of: study of each image; images without one belong to no study.
    """
    members: dict[str, list[tuple[str, float, float]]] = {}
    for image_id, score, share in images.select("image_id", STUDY_SCORE, STUDY_SHARE).iter_rows():
        study = study_of.get(image_id)
        if study is not None:
            members.setdefault(study, []).append((image_id, score, share))
    rows = []
    for study, views in members.items():
        carried = carrying_views([view[0] for view in views], np.array([view[2] for view in views]))
        rows.append((study, views[0][1], len(views), carried))
    return pl.DataFrame(rows, schema=dict(SCHEMA), orient="row")


def add_studies(writer: PredictionsWriter, data: DataSet, rule: StudyRule | None = None) -> None:
    """Give predictions their studies.csv, by a rule, or without one as the method answered itself.

    Args:
        writer: has all images.
        data: the data set that was predicted; it says which study an image belongs to.
        rule: makes one score of several; None for methods that answer for studies.
    """
    study_of = dict(data.images.select("image_id", "study_id").iter_rows())
    if rule is None:
        writer.studies = answered_table(writer.images, study_of)
    else:
        writer.studies = study_table(writer.images, study_of, rule)
        writer.info = rule_info(rule, writer.info)


def with_study_rule(predictions: Predictions, data: DataSet, name: str) -> Predictions:
    """The same predictions, with the studies judged by a rule in place of studies.csv.

    The study threshold is that of the rule, and the image threshold for rules that have none of their own.

    Args:
        predictions: of any tool.
        data: the data set that was predicted; it says which study an image belongs to.
        name: of the rule.

    Raises:
        UsageError: no such rule, it was not learned, or no predicted image belongs to a study.
    """
    rule = stored_rule(name, predictions.info)
    study_of = dict(data.images.select("image_id", "study_id").iter_rows())
    table = study_table(predictions.images, study_of, rule)
    if not table.height:
        raise UsageError(
            f"--study-rule {name}: expected images with a study_id in {data.root}, none of the predicted "
            "ones has one"
        )
    return replace(predictions, studies=table, info=rule_info(rule, predictions.info))


def rule_info(rule: StudyRule, info: Mapping[str, Any]) -> dict[str, Any]:
    """The content of predictions.json with the rule that judged the studies and its threshold."""
    thresholds = info.get("thresholds", {})
    own = thresholds.get("image", DEFAULT_THRESHOLD) if rule.threshold is None else rule.threshold
    return {**info, "study_rule": rule.name, "thresholds": {**thresholds, "study": own}}
