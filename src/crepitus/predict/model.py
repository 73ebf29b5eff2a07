"""A trained model from a run folder: weights checked against their record, ready for radiographs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from crepitus.data.images import GreyPixels
from crepitus.errors import ConfigError, WeightsError
from crepitus.methods.base import Method
from crepitus.methods.parts.boxes_from_heatmap import boxes_from_heatmap
from crepitus.methods.parts.precision import autocast
from crepitus.methods.parts.weights import load_into, load_weights
from crepitus.methods.registry import METHODS
from crepitus.prepare.fit import SquareFit
from crepitus.structures import Heatmap, Prediction

SHA256 = re.compile("[0-9a-f]{64}")
THRESHOLDS = ("image", "box_floor", "box_relative")


@dataclass(frozen=True)
class InputImage:
    """One image to predict: pixels (rows, columns), uint8 or uint16, bone bright, and where it came from."""

    image_id: str
    pixels: GreyPixels
    file: str


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
        self._network = network.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

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
    def finds_boxes(self) -> bool:
        """Whether predictions carry boxes."""
        return True

    def predictions_info(self) -> dict[str, Any]:
        """Content of predictions.json."""
        return {
            "model": self.record["method"],
            "sha256": self.record["sha256"],
            "preparation": self.record["preparation"],
            "thresholds": self.record["thresholds"],
            **{k: self.record[k] for k in ("calibration", "operating_points") if k in self.record},
            "config": self.record["config"],
            "commit": self.record.get("commit", ""),
            "device": str(self.device),
        }

    def predict(self, images: list[InputImage]) -> list[Prediction]:
        """Answers for a batch, in its order."""
        size = self._method.config.input.size_px
        fits = [SquareFit(image.pixels.shape[0], image.pixels.shape[1], size) for image in images]
        batch = np.stack([fit.apply(image.pixels) for fit, image in zip(fits, images, strict=True)])
        tensor = torch.from_numpy(batch)[:, None].to(self.device)
        with torch.inference_mode(), autocast(self._method.config.training.precision, self.device.type):
            decoded = self._method.infer(self._network, tensor)
        scores = decoded.scores.double().clamp(0, 1).cpu().tolist()
        if decoded.heatmaps is None:
            return [Prediction(i.image_id, score) for i, score in zip(images, scores, strict=True)]
        maps = decoded.heatmaps.float().clamp(0, 1).cpu().numpy()
        return [self._with_map(image, fit, m) for image, fit, m in zip(images, fits, maps, strict=True)]

    def _with_map(self, image: InputImage, fit: SquareFit, values: np.ndarray[Any, Any]) -> Prediction:
        """An answer whose score is the maximum of the heatmap over the image, without the padding."""
        heatmap = Heatmap(fit.crop_map(values), fit.rows, fit.columns)
        thresholds = self.record["thresholds"]
        boxes = boxes_from_heatmap(
            heatmap, floor=thresholds["box_floor"], relative=thresholds["box_relative"]
        )
        return Prediction(image.image_id, float(heatmap.values.max()), heatmap=heatmap, detections=boxes)


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
