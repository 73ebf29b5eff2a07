"""Predict a stream of inputs in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crepitus.errors import SetAside
from crepitus.predict.inputs import Input
from crepitus.predict.model import InputImage, Model
from crepitus.structures import Prediction

Outcome = tuple[InputImage, Prediction] | tuple[str, SetAside]
"""An image with its answer, or a file with the reason why there is none."""


def predict_stream(model: Model, inputs: Iterable[Input], *, batch_size: int) -> Iterator[Outcome]:
    """Answer every input, in order; at most `batch_size` images are held at a time.

    Neighbouring images of a study stay together where the method answers for studies; then it may be more.
    """
    waiting: list[Input] = []
    images = 0
    study: str | None = None
    for item in inputs:
        same = isinstance(item, InputImage) and item.study is not None and item.study == study
        if images >= batch_size and not (model.answers_studies and same):
            yield from _answer(model, waiting)
            waiting, images = [], 0
        waiting.append(item)
        if isinstance(item, InputImage):
            images, study = images + 1, item.study
    yield from _answer(model, waiting)


def _answer(model: Model, waiting: list[Input]) -> Iterator[Outcome]:
    images = [item for item in waiting if isinstance(item, InputImage)]
    answers = iter(model.predict(images) if images else [])
    for item in waiting:
        if not isinstance(item, InputImage):
            yield item
            continue
        answer = next(answers)
        yield (item.file, answer) if isinstance(answer, SetAside) else (item, answer)
