"""Trainings of several stages: each begins with the best weights of the one before."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import lightning
from torch import nn

from crepitus.methods.parts.weights import load_into, load_weights
from crepitus.train.records import RunFolder


def stage_bounds(epoch: int, starts: Sequence[int], epochs: int) -> tuple[int, int]:
    """First epoch of the stage that `epoch` belongs to, and of the next one (`epochs` for the last).

    Args:
        epoch: number of the epoch.
        starts: `Method.stage_starts`.
        epochs: of the whole run.
    """
    bounds = [0, *sorted(starts), epochs]
    first = max(b for b in bounds[:-1] if b <= max(epoch, 0))
    return first, min((b for b in bounds if b > first), default=epochs)


def begin_stage(run: RunFolder, network: nn.Module, number: int, trainer: lightning.Trainer) -> None:
    """Go back to the best weights of the stage that ended.

    They are kept as `stage-<number>.safetensors`, since those of the run are overwritten by the next stage: a
    run that is killed in its first epoch begins the stage again with the same ones.

    Args:
        run: of this training.
        network: gets the weights.
        number: of the stage that ended, from 1.
        trainer: of this training.
    """
    kept = run.root / f"stage-{number}.safetensors"
    if trainer.is_global_zero and not kept.is_file():
        partial = kept.with_name(kept.name + ".tmp")
        shutil.copyfile(run.weights, partial)
        partial.replace(kept)
    trainer.strategy.barrier()
    load_into(network, load_weights(kept), str(kept))
