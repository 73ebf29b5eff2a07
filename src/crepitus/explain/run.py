"""Explains a stream of inputs with a trained model, batch by batch, and measures the maps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crepitus.data.folder import DataSet
from crepitus.errors import SetAside
from crepitus.evaluate.geometry import Radius
from crepitus.explain.explainers import Explainer
from crepitus.explain.measure import Scorer, measure
from crepitus.explain.relevance import Relevance
from crepitus.explain.summary import Faithfulness
from crepitus.explain.truth import truth_of
from crepitus.predict.inputs import Input
from crepitus.predict.model import InputImage, Model, Prepared
from crepitus.predict.run import batches
from crepitus.structures import Prediction


@dataclass(frozen=True)
class Measuring:
    """What is measured besides the maps.

    Attributes:
        data: points, boxes and masks; None for files.
        radius: around a point, in the pointing game.
        steps: of deletion and insertion; 0 leaves them out.
        at_once: images that the network gets together meanwhile.
    """

    data: DataSet | None = None
    radius: Radius = field(default_factory=Radius)
    steps: int = 0
    at_once: int = 4


@dataclass(frozen=True)
class ImageMap:
    """What one explainer says about one image.

    Attributes:
        values: signed relevance, shape (h, w), float32, covering the image as it was given.
        explained, absorbed, conservation_error: see `Relevance`; NaN where there is no such number.
        total: sum of the image's relevance before it was brought to the image, NaN likewise.
        faithfulness: what was measured.
    """

    values: NDArray[np.float32]
    explained: float
    total: float
    absorbed: float
    conservation_error: float
    faithfulness: Faithfulness


@dataclass(frozen=True)
class ImageExplained:
    """An image, the answer for it, and the maps by the names of their explainers."""

    image: InputImage
    prediction: Prediction
    maps: Mapping[str, ImageMap]


Outcome = ImageExplained | tuple[str, SetAside]
"""What was said about an image, or a file with the reason why there is nothing."""


def explain_stream(
    model: Model,
    inputs: Iterable[Input],
    explainers: Mapping[str, Explainer],
    measuring: Measuring,
    *,
    batch_size: int,
) -> Iterator[Outcome]:
    """Explain every input, in order; at most `batch_size` images are held at a time.

    Args:
        model: that is explained.
        inputs: of `predict`; with the images of a study together where the method answers for studies.
        explainers: by their names, for the model's method and network.
        measuring: what else is measured.
        batch_size: images at a time.
    """
    for waiting in batches(inputs, batch_size, whole_studies=model.answers_studies):
        images = [item for item in waiting if isinstance(item, InputImage)]
        answers = iter(_explained(model, images, explainers, measuring) if images else [])
        for item in waiting:
            yield next(answers) if isinstance(item, InputImage) else item


def _explained(
    model: Model, images: list[InputImage], explainers: Mapping[str, Explainer], measuring: Measuring
) -> list[Outcome]:
    predictions = model.predict(images)
    pairs = zip(images, predictions, strict=True)
    kept = [(image, answer) for image, answer in pairs if isinstance(answer, Prediction)]
    maps: dict[str, dict[str, ImageMap]] = {image.image_id: {} for image, _ in kept}
    if kept:
        batch = model.prepare([image for image, _ in kept])
        for name, explainer in explainers.items():
            found = explainer(batch.images, batch.targets)
            for k, (image, _) in enumerate(kept):
                maps[image.image_id][name] = _image_map(model, explainer, found, batch, k, measuring)
    return [
        (image.file, answer)
        if isinstance(answer, SetAside)
        else ImageExplained(image, answer, maps[image.image_id])
        for image, answer in zip(images, predictions, strict=True)
    ]


def _image_map(
    model: Model, explainer: Explainer, found: Relevance, batch: Prepared, k: int, measuring: Measuring
) -> ImageMap:
    """The k-th map of a batch over its image, measured on the input."""
    values = found.values[k].numpy()
    image_id, fit = batch.targets.image_ids[k], batch.fits[k]
    scorer = None
    if measuring.steps:
        scorer = Scorer(
            model.method,
            model.network,
            batch.images,
            batch.targets,
            k,
            explainer.target,
            at_once=measuring.at_once,
        )
    truth = None
    if measuring.data is not None:
        truth = truth_of(measuring.data, image_id, fit, measuring.radius)
    faithfulness = measure(
        batch.images[k, 0].cpu().numpy(), values, scorer, truth, steps=max(1, measuring.steps)
    )
    absorbed = float(found.absorbed[k])
    return ImageMap(
        values=fit.crop_map(values),
        explained=float(found.explained[k]),
        total=float(values.sum(dtype=np.float64)) if np.isfinite(absorbed) else float("nan"),
        absorbed=absorbed,
        conservation_error=float(found.conservation_error()[k]),
        faithfulness=faithfulness,
    )
