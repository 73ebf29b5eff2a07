"""In which order images and studies are visited, and how several devices share an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from torch.utils.data import Sampler

from crepitus.data.sampling import Sampling, epoch_order


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index); on several devices each takes its share of the same order."""

    def __init__(
        self,
        positive: NDArray[np.bool_],
        *,
        seed: int,
        positive_fraction: float | None,
        sampling: Sampling = "all",
        classes: NDArray[np.int64] | None = None,
    ) -> None:
        self.positive = positive
        self.sampling: Sampling = sampling
        self.classes = classes
        self.seed = seed
        self.positive_fraction = positive_fraction
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the loop before each epoch."""
        self.epoch = epoch

    def _order(self) -> list[int]:
        order = epoch_order(
            self.positive,
            seed=self.seed,
            epoch=self.epoch,
            positive_fraction=self.positive_fraction,
            sampling=self.sampling,
            classes=self.classes,
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


class StudyBatches(Sampler[list[Any]]):
    """Batches of whole studies: each study at the place of its first image in the order of a sampler.

    Args:
        order: yields (epoch, index) or index; of a study of which it leaves images out, the others come too.
        studies: name of the study of each image.
        batch_size: studies in a batch.
        drop_last: leave an incomplete last batch out.
    """

    def __init__(
        self, order: Sampler[Any], studies: Sequence[str], *, batch_size: int, drop_last: bool
    ) -> None:
        self.order = order
        self.studies = studies
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.members: dict[str, list[int]] = {}
        for index, name in enumerate(studies):
            self.members.setdefault(name, []).append(index)

    def __iter__(self) -> Iterator[list[Any]]:
        seen: set[str] = set()
        batch: list[Any] = []
        for key in self.order:
            index = key[1] if isinstance(key, tuple) else key
            name = self.studies[index]
            if name in seen:
                continue
            seen.add(name)
            batch.append([(key[0], k) if isinstance(key, tuple) else k for k in self.members[name]])
            if len(batch) == self.batch_size:
                yield [k for study in batch for k in study]
                batch = []
        if batch and not self.drop_last:
            yield [k for study in batch for k in study]

    def __len__(self) -> int:
        return sum(1 for _ in self)
