"""Prepared images and their targets as PyTorch data, decided by (seed, epoch, image) and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from crepitus.data.augmentation import AugmentationConfig, draw_view
from crepitus.data.folder import DataSet
from crepitus.data.images import read_image
from crepitus.data.sampling import epoch_order
from crepitus.errors import SetAside, TrainingError
from crepitus.methods.base import Targets
from crepitus.prepare.fit import SquareFit

MAX_WORKERS = 8
PRIME = 0x9E3779B1
"""Separates the streams of augmentation from those of the sampler."""


@dataclass(frozen=True)
class Sample:
    """One prepared image: pixels (size, size) float32, points (k, 2) in the square, label, place known."""

    image_id: str
    pixels: NDArray[np.float32]
    points: NDArray[np.float64]
    label: float
    place_known: bool


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
        size: side of the square, pixels.
        augmentation: None for validation.
        seed: of the run.
    """

    def __init__(
        self,
        data: DataSet,
        image_ids: Sequence[str],
        *,
        size: int,
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
        self.size = size
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
        fit = SquareFit(pixels.shape[0], pixels.shape[1], self.size)
        square, points = fit.apply(pixels), fit.to_square(self.points[index])
        if self.augmentation is not None:
            generator = np.random.default_rng([self.seed, epoch, index, PRIME])
            view = draw_view(self.augmentation, self.size, generator)
            square, points = view.pixels(square), view.points(points)
        return Sample(
            image_id=self.image_ids[index],
            pixels=square,
            points=points,
            label=float(self.labels[index]),
            place_known=bool(self.place_known[index]),
        )


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index); on several devices each takes its share of the same order."""

    def __init__(self, positive: NDArray[np.bool_], *, seed: int, positive_fraction: float | None) -> None:
        self.positive = positive
        self.seed = seed
        self.positive_fraction = positive_fraction
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the loop before each epoch."""
        self.epoch = epoch

    def _order(self) -> list[int]:
        order = epoch_order(
            self.positive, seed=self.seed, epoch=self.epoch, positive_fraction=self.positive_fraction
        ).tolist()
        rank, world = _rank_and_world()
        # Every device must do the same number of steps: the order is filled up from its beginning.
        order += order[: -len(order) % world]
        return [int(index) for index in order[rank::world]]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter([(self.epoch, index) for index in self._order()])

    def __len__(self) -> int:
        return len(self._order())


def _rank_and_world() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


class ShareSampler(Sampler[int]):
    """Each device's share of the images in order, without repeats: for validation."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        rank, world = _rank_and_world()
        return iter(range(rank, self.count, world))

    def __len__(self) -> int:
        rank, world = _rank_and_world()
        return len(range(rank, self.count, world))


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
    )


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
    images: PreparedImages, sampler: Sampler[Any], *, batch_size: int, workers: int, drop_last: bool = False
) -> DataLoader[Sample | Failure]:
    """A data loader of `workers` processes that keep running between epochs."""
    return DataLoader(
        images,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=_single_threaded,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        multiprocessing_context=START_METHOD if workers else None,
        pin_memory=torch.cuda.is_available(),
        drop_last=drop_last,
    )
