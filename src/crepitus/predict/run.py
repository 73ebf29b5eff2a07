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
    """Answer every input, in order; at most `batch_size` images are held at a time, see `batches`."""
    for waiting in batches(inputs, batch_size, whole_studies=model.answers_studies):
        yield from _answer(model, waiting)


def batches(inputs: Iterable[Input], batch_size: int, *, whole_studies: bool) -> Iterator[list[Input]]:
    """Inputs in lists with at most `batch_size` images each, in order; never empty.

    With `whole_studies` neighbouring images of a study stay together; then it may be more.
    """
    waiting: list[Input] = []
    images = 0
    study: str | None = None
    for item in inputs:
        same = isinstance(item, InputImage) and item.study is not None and item.study == study
        if images >= batch_size and not (whole_studies and same):
            yield waiting
            waiting, images = [], 0
        waiting.append(item)
        if isinstance(item, InputImage):
            images, study = images + 1, item.study
    if waiting:
        yield waiting


def _answer(model: Model, waiting: list[Input]) -> Iterator[Outcome]:
    images = [item for item in waiting if isinstance(item, InputImage)]
    answers = iter(model.predict(images) if images else [])
    for item in waiting:
        if not isinstance(item, InputImage):
            yield item
            continue
        answer = next(answers)
        yield (item.file, answer) if isinstance(answer, SetAside) else (item, answer)
