"""After the last epoch: operating points from the validation images, and the record that makes a model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_curve
from torch.utils.data import SequentialSampler

from crepitus.data.folder import DataSet
from crepitus.data.writer import write_text
from crepitus.methods.base import Method
from crepitus.methods.parts.boxes_from_heatmap import boxes_from_heatmap, iou
from crepitus.methods.parts.precision import autocast
from crepitus.methods.parts.weights import load_into, load_weights, sha256_of
from crepitus.structures import Heatmap
from crepitus.train.loading import PreparedImages, checked, loader
from crepitus.train.records import RunFolder
from crepitus.train.study_rules import learn_study_rules

DEFAULT_THRESHOLD = 0.5
DEFAULT_RELATIVE = 0.5
RELATIVE_CHOICES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def finish(run: RunFolder, data: DataSet, method: Method[Any], validation_ids: list[str]) -> dict[str, Any]:
    """Choose thresholds with the best weights and write model.json.

    Returns:
        Content of model.json.
    """
    network = method.network(initialise=False)
    load_into(network, load_weights(run.weights), str(run.weights))
    thresholds: dict[str, float] = {"image": DEFAULT_THRESHOLD}
    relative = method.config.inference.box_relative
    rules: dict[str, Any] = {}
    if validation_ids:
        scores, labels, heatmaps = _infer(method, network, data, validation_ids)
        thresholds["image"] = youden_threshold(labels, scores)
        if method.batch_unit == "image":
            rules = _study_rules(data, validation_ids, labels, scores)
        if relative is None and heatmaps:
            relative = _best_relative(data, heatmaps, floor=method.config.inference.box_floor)
    thresholds["box_relative"] = DEFAULT_RELATIVE if relative is None else relative
    thresholds["box_floor"] = method.config.inference.box_floor
    model = {
        "method": method.name,
        "weights": run.weights.name,
        "sha256": sha256_of(run.weights),
        "config": method.config.model_dump(mode="json"),
        "preparation": {
            "fit": method.config.input.fit,
            "rows": method.config.input.shape[0],
            "columns": method.config.input.shape[1],
            "range": "0..1 of the pixel type",
        },
        "thresholds": thresholds,
        **({"study_rules": rules} if rules else {}),
        "commit": run.read()["commit"],
    }
    if method.class_column:
        model["class_column"] = method.class_column
    write_text(run.root / "model.json", json.dumps(model, indent=2) + "\n")
    return model


def _infer(
    method: Method[Any], network: torch.nn.Module, data: DataSet, image_ids: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, Heatmap]]:
    """Scores as a prediction gives them, their labels, and heatmaps of images that have fracture boxes.

    Scores and labels are those of studies, if the method answers for these.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).eval()
    images = PreparedImages(data, image_ids, method=method)
    scores: list[float] = []
    labels: list[float] = []
    heatmaps: dict[str, Heatmap] = {}
    order = SequentialSampler(images)
    for loaded in loader(images, order, batch_size=8, workers=0, unit=method.batch_unit):
        batch, targets = checked(loaded)
        with autocast(method.config.training.precision, device.type):
            decoded = method.infer(network, batch.to(device), targets)
        if decoded.study_scores is not None:
            scores.extend(decoded.study_scores.double().cpu().tolist())
            labels.extend(targets.study_labels().double().tolist())
            continue
        labels.extend(targets.labels.double().tolist())
        if decoded.heatmaps is None or not method.score_is_peak:
            scores.extend(decoded.scores.double().cpu().tolist())
        if decoded.heatmaps is None:
            continue
        for image_id, values in zip(targets.image_ids, decoded.heatmaps.float().cpu().numpy(), strict=True):
            row = data.row(image_id)
            cropped = method.config.input.fit_of(row["rows"], row["columns"]).crop_map(values)
            if method.score_is_peak:
                scores.append(float(cropped.max()))
            if image_id in data.fracture_boxes_by_image:
                heatmaps[image_id] = Heatmap(cropped, row["rows"], row["columns"])
    return np.array(scores), np.array(labels), heatmaps


def _study_rules(
    data: DataSet, image_ids: list[str], labels: NDArray[np.float64], scores: NDArray[np.float64]
) -> dict[str, Any]:
    """What study rules learn from the validation images; labels and scores in the order of `image_ids`."""
    study_of = dict(data.images.select("image_id", "study_id").iter_rows())
    return learn_study_rules([study_of[i] for i in image_ids], labels, scores, youden_threshold)


def youden_threshold(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """The score with the highest sensitivity + specificity - 1 (Youden 1950), 0.5 if a class is missing.

    Args:
        labels: shape (n,), 1, 0 or NaN.
        scores: shape (n,), 0..1.
    """
    known = ~np.isnan(labels)
    if len(np.unique(labels[known])) < 2:
        return DEFAULT_THRESHOLD
    false_positive, true_positive, thresholds = roc_curve(labels[known], scores[known])
    chosen = thresholds[int(np.argmax(true_positive - false_positive))]
    # Between the chosen score and the next lower one, so that no rounding moves an image across.
    below = scores[known & (scores < chosen)]
    threshold = chosen if not len(below) else (chosen + below.max()) / 2
    return float(np.clip(threshold, 0.0, 1.0))


def _best_relative(data: DataSet, heatmaps: dict[str, Heatmap], *, floor: float) -> float:
    """The fraction of the peak at which boxes overlap the annotated ones most, on average over those."""

    def overlap(relative: float) -> float:
        best: list[float] = []
        for image_id, heatmap in heatmaps.items():
            truth = data.fracture_boxes_by_image[image_id]
            found = boxes_from_heatmap(heatmap, floor=floor, relative=relative).xyxy
            best.extend(iou(truth, found).max(axis=1, initial=0.0).tolist())
        return float(np.mean(best))

    return max(RELATIVE_CHOICES, key=overlap)
