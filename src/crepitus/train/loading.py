"""Prepared images and their targets as PyTorch data, decided by (seed, epoch, image) and nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from crepitus.data.augmentation import AugmentationConfig, draw_view
from crepitus.data.folder import DataSet
from crepitus.data.images import read_image
from crepitus.errors import SetAside, TrainingError
from crepitus.methods.base import Method, Targets
from crepitus.train.order import StudyBatches

MAX_WORKERS = 8
PRIME = 0x9E3779B1
"""Separates the streams of augmentation from those of the sampler."""


@dataclass(frozen=True)
class Sample:
    """One prepared image: pixels (rows, columns) float32, and what is known in pixels of the input.

    Attributes:
        boxes: labelled `fracture`, shape (k, 4).
        class_index: of the method's classes, -1 where unknown.
        region: of interest, shape (4,), NaN where unknown.
        landmarks: shape (l, 2), NaN where unknown.
        view: shape (2, 3), from the prepared image to its view.
        study: name of the study.
    """

    image_id: str
    pixels: NDArray[np.float32]
    points: NDArray[np.float64]
    label: float
    place_known: bool
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    class_index: int = -1
    region: NDArray[np.float64] = field(default_factory=lambda: np.full(4, np.nan))
    landmarks: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    view: NDArray[np.float64] = field(default_factory=lambda: np.eye(2, 3))
    study: str = ""


@dataclass(frozen=True)
class Failure:
    """An image that cannot be used; raised by the parent, since a loader process would add its traceback."""

    message: str


class PreparedImages(Dataset[Sample | Failure]):
    """Images of a data set, fitted into a square and, for training, drawn as random views.

    Holds plain paths and arrays, so that loader processes share no table library with their parent.

    Args:
        data: the data set.
        image_ids: which images, in this order.
        method: whose input, classes and landmarks they are prepared for.
        augmentation: None for validation.
        seed: of the run.
    """

    def __init__(
        self,
        data: DataSet,
        image_ids: Sequence[str],
        *,
        method: Method[Any],
        augmentation: AugmentationConfig | None = None,
        seed: int = 0,
    ) -> None:
        truth = data.truth
        self.image_ids = list(image_ids)
        self.paths = [str(data.path(i)) for i in self.image_ids]
        rows = data.images.select("image_id", "rows", "columns").iter_rows()
        shape_of = {image_id: (height, width) for image_id, height, width in rows}
        self.shapes = [shape_of[i] for i in self.image_ids]
        self.labels = np.array([np.nan if (t := truth[i]) is None else float(t) for i in self.image_ids])
        none = np.zeros((0, 2))
        self.points = [data.points_by_image.get(i, none) for i in self.image_ids]
        # A fracture without a mark may be anywhere, and so may one in an image that nobody read.
        self.place_known = np.array(
            [len(p) > 0 or label == 0 for p, label in zip(self.points, self.labels, strict=True)], dtype=bool
        )
        self.input = method.config.input
        self.boxes = [data.fracture_boxes_by_image.get(i, np.zeros((0, 4))) for i in self.image_ids]
        self.regions = [data.regions_by_image.get(i, np.full(4, np.nan)) for i in self.image_ids]
        self.classes = np.full(len(self.image_ids), -1, dtype=np.int64)
        if method.class_names:
            place = {name: k for k, name in enumerate(method.class_names)}
            names = [method.class_of(data.row(i)) for i in self.image_ids]
            self.classes = np.array([-1 if n is None else place[n] for n in names], dtype=np.int64)
        self.landmarks = _landmarks(data, self.image_ids, method.landmark_names)
        # An image without a study is a study of its own.
        studies = dict(data.images.select("image_id", "study_id").iter_rows())
        self.studies = [studies[i] or i for i in self.image_ids]
        self.augmentation = augmentation
        self.seed = seed

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Shape (n,): which images are known to show a fracture."""
        return np.asarray(self.labels == 1)

    def __getitem__(self, key: tuple[int, int] | int) -> Sample | Failure:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        path = Path(self.paths[index])
        try:
            pixels = read_image(path, verify=False)
        except SetAside as error:
            return Failure(f"{self.image_ids[index]}: {error}; run 'crepitus audit' on the data set")
        if pixels.shape != self.shapes[index]:
            return Failure(
                f"{self.image_ids[index]}: expected {self.shapes[index]} rows and columns, "
                f"got {pixels.shape}; run 'crepitus audit' on the data set"
            )
        fit = self.input.fit_of(pixels.shape[0], pixels.shape[1])
        square, points = fit.apply(pixels), fit.to_input(self.points[index])
        boxes = fit.to_input(self.boxes[index].reshape(-1, 2)).reshape(-1, 4)
        region = fit.to_input(self.regions[index].reshape(2, 2)).reshape(4)
        landmarks, matrix = fit.to_input(self.landmarks[index]), np.eye(2, 3)
        if self.augmentation is not None:
            generator = np.random.default_rng([self.seed, epoch, index, PRIME])
            known = None if np.isnan(region).any() else region
            view = draw_view(self.augmentation, self.input.shape, generator, known)
            square, points, boxes = view.pixels(square), view.points(points), view.boxes(boxes)
            region = view.regions(region[None])[0]
            landmarks, matrix = view.points(landmarks), view.matrix
        return Sample(
            image_id=self.image_ids[index],
            pixels=square,
            points=points,
            label=float(self.labels[index]),
            place_known=bool(self.place_known[index]),
            boxes=boxes,
            class_index=int(self.classes[index]),
            region=region,
            landmarks=landmarks,
            view=matrix,
            study=self.studies[index],
        )


def _landmarks(data: DataSet, image_ids: Sequence[str], names: Sequence[str]) -> NDArray[np.float64]:
    """Positions (n, l, 2) in pixels of the images, NaN where there is none."""
    found = np.full((len(image_ids), len(names), 2), np.nan)
    if data.landmarks is None or not len(names):
        return found
    row = {image_id: k for k, image_id in enumerate(image_ids)}
    column = {name: k for k, name in enumerate(names)}
    for image_id, name, x, y in data.landmarks.select("image_id", "name", "x", "y").iter_rows():
        if image_id in row and name in column:
            found[row[image_id], column[name]] = x, y
    return found


def collate(items: list[Sample | Failure]) -> tuple[torch.Tensor, Targets] | Failure:
    """A batch: images (b, 1, size, size) float32 and what is known about them; or its first failure."""
    samples: list[Sample] = []
    for item in items:
        if isinstance(item, Failure):
            return item
        samples.append(item)
    images = torch.from_numpy(np.stack([s.pixels for s in samples]))[:, None]
    return images, Targets(
        image_ids=[s.image_id for s in samples],
        labels=torch.tensor([s.label for s in samples], dtype=torch.float32),
        points=[torch.from_numpy(s.points.astype(np.float32)) for s in samples],
        place_known=torch.tensor([s.place_known for s in samples]),
        boxes=[torch.from_numpy(s.boxes.astype(np.float32)) for s in samples],
        classes=torch.tensor([s.class_index for s in samples], dtype=torch.int64),
        regions=torch.from_numpy(np.stack([s.region for s in samples]).astype(np.float32)),
        landmarks=torch.from_numpy(np.stack([s.landmarks for s in samples]).astype(np.float32)),
        study=study_numbers([s.study for s in samples]),
        views=torch.from_numpy(np.stack([s.view for s in samples]).astype(np.float32)),
    )


def study_numbers(studies: Sequence[str]) -> torch.Tensor:
    """Index of each image's study in order of appearance: shape (n,), int64."""
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(name, len(numbers)) for name in studies], dtype=torch.int64)


def checked(batch: tuple[torch.Tensor, Targets] | Failure) -> tuple[torch.Tensor, Targets]:
    """The batch.

    Raises:
        TrainingError: one of its images cannot be used.
    """
    if isinstance(batch, Failure):
        raise TrainingError(batch.message)
    return batch


def worker_count(setting: int | str, *, on_cpu: bool) -> int:
    """Loader processes: the cores up to `MAX_WORKERS`; one where the same cores also train."""
    if isinstance(setting, int):
        return setting
    if on_cpu:
        return 1
    return min(MAX_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)


START_METHOD = "spawn"
"""Forking copies the locks of OpenCV's and Polars' threads, which then hang; processes from a fork server
outlive a trainer that is killed."""


def _single_threaded(_worker: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def loader(
    images: PreparedImages,
    sampler: Sampler[Any],
    *,
    batch_size: int,
    workers: int,
    drop_last: bool = False,
    unit: Literal["image", "study"] = "image",
) -> DataLoader[Sample | Failure]:
    """A data loader of `workers` processes that keep running between epochs, by images or studies."""
    batches: dict[str, Any] = {"batch_size": batch_size, "sampler": sampler, "drop_last": drop_last}
    if unit == "study":
        whole = StudyBatches(sampler, images.studies, batch_size=batch_size, drop_last=drop_last)
        batches = {"batch_sampler": whole}
    return DataLoader(
        images,
        **batches,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=_single_threaded,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        multiprocessing_context=START_METHOD if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
