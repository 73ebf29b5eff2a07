"""A trained model from a run folder: weights checked against their record, ready for radiographs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crepitus.data.images import GreyPixels
from crepitus.errors import ConfigError, NotAssessable, SetAside, WeightsError
from crepitus.methods.base import Decoded, Method, Targets
from crepitus.methods.parts.boxes_from_heatmap import boxes_from_heatmap
from crepitus.methods.parts.precision import autocast
from crepitus.methods.parts.weights import load_into, load_weights
from crepitus.methods.registry import METHODS
from crepitus.prepare.fit import InputFit
from crepitus.structures import Detections, Heatmap, Landmarks, Prediction

SHA256 = re.compile("[0-9a-f]{64}")
STORED = ("calibration", "operating_points", "class_column", "study_rules")
"""What predictions take over from model.json where it is there."""

THRESHOLDS = ("image", "box_floor", "box_relative")


@dataclass(frozen=True)
class InputImage:
    """One image to predict.

    Attributes:
        image_id: its name.
        pixels: shape (rows, columns), uint8 or uint16, bone bright.
        file: where it came from.
        region: of interest, shape (4,), pixels; None where it is not known.
        landmarks: that are known already, for methods that use some and find none themselves.
        study: that it belongs to; None where it is not known.
    """

    image_id: str
    pixels: GreyPixels
    file: str
    region: NDArray[np.float64] | None = None
    landmarks: Landmarks | None = None
    study: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A batch of b images as it enters a network.

    Attributes:
        images: shape (b, 1, h, w), float32, 0..1.
        targets: what is known about them beforehand: studies, regions, landmarks.
        fits: where each image lies in its input.
    """

    images: torch.Tensor
    targets: Targets
    fits: list[InputFit]


class Model:
    """A method with trained weights on the best device there is.

    Attributes:
        root: folder it was loaded from.
        record: content of model.json.
    """

    def __init__(
        self, root: Path, record: dict[str, Any], method: Method[Any], network: torch.nn.Module
    ) -> None:
        self.root = root
        self.record = record
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._method = method
        self._network: torch.nn.Module = network.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    @classmethod
    def load(cls, root: Path) -> Model:
        """Load a run folder.

        Raises:
            WeightsError: no model there, weights that differ from the recorded SHA-256, are no
                safetensors, or belong to another architecture.
        """
        record = _read_record(root)
        method_class = METHODS[record["method"]].load()
        try:
            config = method_class.config_class.model_validate(record["config"])
        except ValueError as error:
            raise ConfigError(
                f"{root / 'model.json'}: the configuration is not valid for this version"
            ) from error
        method = method_class(config)
        # A file name only: a record must not be able to point outside its own folder.
        weights = root / Path(str(record["weights"])).name
        network = method.network(initialise=False)
        load_into(network, load_weights(weights, record["sha256"]), str(weights))
        return cls(root, record, method, network)

    @property
    def method(self) -> Method[Any]:
        """The method with its configuration."""
        return self._method

    @property
    def network(self) -> torch.nn.Module:
        """The network with its weights, in evaluation mode."""
        return self._network

    @property
    def answers_studies(self) -> bool:
        """Whether images of a study must be predicted together: the method answers for studies itself."""
        return self._method.batch_unit == "study"

    @property
    def finds_boxes(self) -> bool:
        """Whether predictions carry boxes."""
        return self._method.finds_boxes

    def predictions_info(self) -> dict[str, Any]:
        """Content of predictions.json."""
        return {
            "model": self.record["method"],
            "sha256": self.record["sha256"],
            "preparation": self.record["preparation"],
            "thresholds": self.record["thresholds"],
            **{k: self.record[k] for k in STORED if k in self.record},
            "config": self.record["config"],
            "commit": self.record.get("commit", ""),
            "device": str(self.device),
        }

    def predict(self, images: list[InputImage]) -> list[Prediction | SetAside]:
        """Answers for a batch, in its order; a reason in place of one where the method cannot answer."""
        prepared = self.prepare(images)
        precision = self._method.config.training.precision
        with torch.inference_mode(), autocast(precision, self.device.type):
            decoded = self._method.infer(self._network, prepared.images, prepared.targets)
        return [
            self._answer(image, fit, decoded, k)
            for k, (image, fit) in enumerate(zip(images, prepared.fits, strict=True))
        ]

    def prepare(self, images: list[InputImage]) -> Prepared:
        """A batch of at least one image as it enters the network, on its device."""
        config = self._method.config
        fits = [config.input.fit_of(image.pixels.shape[0], image.pixels.shape[1]) for image in images]
        batch = np.stack([fit.apply(image.pixels) for fit, image in zip(fits, images, strict=True)])
        targets = Targets.unknown([image.image_id for image in images], _study_numbers(images))
        regions = [_region(image, fit) for image, fit in zip(images, fits, strict=True)]
        names = self._method.landmark_names
        marks = [_landmarks(image, fit, names) for image, fit in zip(images, fits, strict=True)]
        targets = replace(
            targets,
            regions=torch.from_numpy(np.stack(regions)).to(self.device),
            landmarks=torch.from_numpy(np.stack(marks)),
        )
        return Prepared(torch.from_numpy(batch)[:, None].to(self.device), targets, fits)

    def _answer(self, image: InputImage, fit: InputFit, decoded: Decoded, k: int) -> Prediction | SetAside:
        """What was decoded about the k-th image of a batch, in pixels of the image."""
        if decoded.assessable is not None and not bool(decoded.assessable[k]):
            return NotAssessable(
                f"{image.image_id}: {self._method.name} cannot answer ({self._method.unassessable})"
            )
        heatmap = _map(decoded.heatmaps, fit, k)
        peak = self._method.score_is_peak and heatmap is not None
        score = float(heatmap.values.max()) if peak and heatmap is not None else _number(decoded.scores[k])
        return Prediction(
            image.image_id,
            score,
            class_scores={name: _number(values[k]) for name, values in decoded.class_scores.items()},
            columns={name: _number(values[k]) for name, values in decoded.columns.items()},
            heatmap=heatmap,
            detections=self._detections(heatmap, fit, decoded, k),
            landmarks=self._landmarks(fit, decoded, k),
            evidence=_map(decoded.evidence, fit, k),
        )

    def _landmarks(self, fit: InputFit, decoded: Decoded, k: int) -> Landmarks | None:
        if decoded.landmarks is None:
            return None
        found = decoded.landmarks[k].double().cpu().numpy()
        # The two axes of a stretched input have their own scales; the deviation is that of their mean.
        return Landmarks(
            self._method.landmark_names, fit.to_image(found[:, :2]), found[:, 2] / float(fit.scale.mean())
        )

    def _detections(
        self, heatmap: Heatmap | None, fit: InputFit, decoded: Decoded, k: int
    ) -> Detections | None:
        """Boxes of the method, or else of the heatmap."""
        if decoded.boxes is not None:
            boxes = decoded.boxes[k].double().cpu().numpy()
            xyxy = fit.to_image(boxes[:, :4].reshape(-1, 2)).reshape(-1, 4)
            return Detections(xyxy, boxes[:, 4].clip(0, 1))
        if heatmap is None or not self._method.finds_boxes:
            return None
        thresholds = self.record["thresholds"]
        return boxes_from_heatmap(heatmap, floor=thresholds["box_floor"], relative=thresholds["box_relative"])


def _map(maps: torch.Tensor | None, fit: InputFit, k: int) -> Heatmap | None:
    """The k-th map over the image, without the padding."""
    if maps is None:
        return None
    return Heatmap(fit.crop_map(maps[k].float().clamp(0, 1).cpu().numpy()), fit.rows, fit.columns)


def _study_numbers(images: list[InputImage]) -> list[int]:
    """Index of each image's study in order of appearance; an image without one is its own."""
    numbers: dict[tuple[str, str], int] = {}
    keys = [("study", i.study) if i.study is not None else ("image", i.image_id) for i in images]
    return [numbers.setdefault(key, len(numbers)) for key in keys]


def _number(value: torch.Tensor) -> float:
    return float(value.double().clamp(0, 1))


def _region(image: InputImage, fit: InputFit) -> NDArray[np.float32]:
    """The region in pixels of the input, NaN where unknown; shape (4,)."""
    if image.region is None:
        return np.full(4, np.nan, dtype=np.float32)
    return fit.to_input(image.region.reshape(2, 2)).reshape(4).astype(np.float32)


def _landmarks(image: InputImage, fit: InputFit, names: Sequence[str]) -> NDArray[np.float32]:
    """The landmarks that are known in pixels of the input, shape (l, 2); NaN where unknown."""
    found = np.full((len(names), 2), np.nan, dtype=np.float32)
    if image.landmarks is not None:
        for name, xy in zip(image.landmarks.names, fit.to_input(image.landmarks.xy), strict=True):
            if name in names:
                found[names.index(name)] = xy
    return found


def _read_record(root: Path) -> dict[str, Any]:
    path = root / "model.json"
    if not path.is_file():
        training = (root / "run.json").is_file()
        remedy = (
            "its training is not finished: go on with 'crepitus train … --resume'"
            if training
            else "train one"
        )
        raise WeightsError(f"{root}: expected a run folder with model.json, there is none; {remedy}")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: expected JSON, got: {error}") from error
    problem = _first_problem(record)
    if problem:
        raise WeightsError(f"{path}: {problem}")
    return dict(record)


def _first_problem(record: Any) -> str:
    """What is wrong with a model's record, empty if nothing is."""
    if not isinstance(record, dict):
        return f"expected an object, got {type(record).__name__}"
    for key in ("method", "config", "weights", "sha256", "preparation", "thresholds"):
        if key not in record:
            return f"expected the key {key}, it is missing"
    if not isinstance(record["method"], str) or record["method"] not in METHODS:
        return f"expected a method of this version ({', '.join(METHODS)}), got {record['method']!r}"
    if not isinstance(record["sha256"], str) or not SHA256.fullmatch(record["sha256"]):
        return "expected 64 hexadecimal digits as sha256: weights are never used unchecked"
    thresholds = record["thresholds"]
    for key in THRESHOLDS:
        value = thresholds.get(key) if isinstance(thresholds, dict) else None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"expected a number as thresholds.{key}, got {value!r}"
    return ""
