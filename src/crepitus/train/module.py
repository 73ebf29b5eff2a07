"""The Lightning module around any method: steps, validation AUROC, optimiser; it knows no method's name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import lightning
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from crepitus.errors import TrainingError
from crepitus.methods.base import Batches, Method, Targets, TrainingConfig
from crepitus.train.loading import Failure, checked
from crepitus.train.stages import stage_bounds

Batch = tuple[Tensor, Targets]


def auroc(labels: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> float:
    """Area under the ROC curve of the labelled images; NaN if a class is missing."""
    known = ~np.isnan(labels)
    if len(np.unique(labels[known])) < 2:
        return math.nan
    return float(roc_auc_score(labels[known], scores[known]))


class MethodModule(lightning.LightningModule):
    """Trains `network` with the loss of `method`.

    Args:
        method: loss and decoding.
        network: the weights.
        steps_per_epoch: steps of the optimiser in an epoch, for the schedule.
        plain_batches: training images without augmentation, for `Method.before_epoch`.
    """

    def __init__(
        self,
        method: Method[Any],
        network: nn.Module,
        steps_per_epoch: int,
        plain_batches: Batches | None = None,
    ) -> None:
        super().__init__()
        self.method = method
        self.network = network.to(memory_format=torch.channels_last)
        self.steps_per_epoch = steps_per_epoch
        self.plain_batches = plain_batches
        self.figures: dict[str, float] = {}
        self.first_rates: list[float] = []
        self._losses: list[Tensor] = []
        self._validation: list[tuple[Tensor, Tensor, Tensor]] = []

    @property
    def options(self) -> TrainingConfig:
        """The training part of the method's configuration."""
        return self.method.config.training  # type: ignore[no-any-return]

    def transfer_batch_to_device(
        self, batch: Batch | Failure, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Move the images and labels; points stay, because a loss reads them one by one."""
        images, targets = checked(batch)
        moved = dataclasses.replace(
            targets,
            labels=targets.labels.to(device),
            classes=targets.classes.to(device),
            regions=targets.regions.to(device),
            landmarks=targets.landmarks.to(device),
            study=targets.study.to(device),
            views=targets.views.to(device),
        )
        return images.to(device, non_blocking=True), moved

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch.

        Raises:
            TrainingError: the loss is not finite.
        """
        images, targets = batch
        size = (int(images.shape[-2]), int(images.shape[-1]))
        loss = self.method.loss(self.method.forward(self.network, images, targets), targets, size)
        self._refuse_infinite(loss, "loss", batch_idx, targets)
        self._losses.append(loss.detach())
        return loss

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch, and let the method prepare this one."""
        self._losses.clear()
        # Whatever a network draws at random (dropout) depends on the epoch alone, as a resumed run needs.
        lightning.seed_everything(self.options.seed + self.current_epoch, workers=False, verbose=False)
        if self.plain_batches is not None:
            self.figures = self.method.before_epoch(self.network, self.current_epoch, self._moved_batches)

    def _moved_batches(self) -> Iterator[Batch]:
        """Training images without augmentation, on the network's device."""
        if self.plain_batches is not None:
            for batch in self.plain_batches():
                yield self.transfer_batch_to_device(batch, self.device, 0)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Scores and loss of one batch."""
        images, targets = batch
        raw = self.method.forward(self.network, images, targets)
        loss = self.method.loss(raw, targets, (int(images.shape[-2]), int(images.shape[-1])))
        self._refuse_infinite(loss, "validation loss", batch_idx, targets)
        decoded = self.method.decode(raw)
        of_studies = self.method.batch_unit == "study"
        scores = decoded.study_scores if of_studies else decoded.scores
        labels = targets.study_labels() if of_studies else targets.labels
        if scores is None:
            raise TrainingError(f"{self.method.name}: expected scores of studies, there are none")
        self._validation.append((scores.float(), labels, loss.detach().expand(len(scores))))

    def _refuse_infinite(self, loss: Tensor, what: str, batch: int, targets: Targets) -> None:
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the {what} is {loss.item()} in epoch {self.current_epoch}, batch {batch}, images "
                f"{', '.join(targets.image_ids)}; lower training.learning_rate, or look at these images"
            )

    def epoch_metrics(self) -> dict[str, float]:
        """Losses and AUROC of the epoch that ends, from all devices; NaN where undefined."""
        losses = torch.stack(self._losses) if self._losses else torch.zeros(0, device=self.device)
        columns = [torch.cat(parts) for parts in zip(*self._validation, strict=True)]
        if not columns:
            columns = [torch.zeros(0, device=self.device)] * 3
        self._validation.clear()
        if self.trainer.world_size > 1:
            losses, *columns = (self._gather(column) for column in (losses, *columns))
        scores, labels, checked = (c.cpu().double().numpy() for c in columns)
        metrics = {
            "train_loss": float(losses.mean()) if len(losses) else math.nan,
            "val_loss": float(checked.mean()) if len(checked) else math.nan,
            "val_auroc": auroc(labels, scores),
            **self.figures,
        }
        self.log_dict({name: value for name, value in metrics.items() if not math.isnan(value)})
        return metrics

    def _gather(self, column: Tensor) -> Tensor:
        """Concatenate a column over devices whose shares differ by at most one image."""
        count = torch.tensor([len(column)], device=column.device)
        longest = int(self.all_gather(count).max())  # type: ignore[union-attr]
        padded = torch.full((longest,), torch.nan, device=column.device, dtype=torch.float32)
        padded[: len(column)] = column.float()
        present = torch.zeros(longest, device=column.device)
        present[: len(column)] = 1
        gathered, kept = self.all_gather(padded), self.all_gather(present)
        return gathered.flatten()[kept.flatten() == 1]  # type: ignore[union-attr]

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule from the configuration; groups may have their own rate and decay."""
        options = self.options
        groups = self.method.parameter_groups(self.network)
        optimizer = optimizer_of(options, groups)
        self.first_rates = [float(group["lr"]) for group in optimizer.param_groups]
        if options.schedule == "plateau":
            # Its rates follow from the record of the epochs, so that a resumed run has the same.
            return optimizer
        starts = self.method.stage_starts
        factors = [rate_factor(options, group, self.steps_per_epoch, starts) for group in groups]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def optimizer_of(options: TrainingConfig, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The optimiser over groups of parameters, each with its learning rate."""
    own = [{"params": g["params"], "lr": g.get("lr", options.learning_rate)} for g in groups]
    shared: dict[str, Any] = {"lr": options.learning_rate, "weight_decay": options.weight_decay}
    match options.optimizer:
        case "sgd":
            return torch.optim.SGD(own, momentum=options.momentum, **shared)
        case "adagrad":
            return torch.optim.Adagrad(own, **shared)
        case "adamw":
            return torch.optim.AdamW(own, **shared)
        case _:
            return torch.optim.Adam(own, amsgrad=options.optimizer == "amsgrad", **shared)


def plateau_factor(losses: Sequence[float | None], options: TrainingConfig) -> float:
    """Factor on the learning rates after epochs with these validation losses.

    Times `step_factor` whenever the loss has not fallen below its lowest for `step_epochs` epochs in a row.
    """
    factor, lowest, waited = 1.0, math.inf, 0
    for loss in losses:
        if loss is not None and loss < lowest:
            lowest, waited = loss, 0
            continue
        waited += 1
        if waited == options.step_epochs:
            factor, waited = factor * options.step_factor, 0
    return factor


def rate_factor(
    options: TrainingConfig, group: dict[str, Any], steps_per_epoch: int, stage_starts: Sequence[int] = ()
) -> Callable[[int], float]:
    """Factor on a group's learning rate at each step; every stage of a training begins the schedule anew."""

    def within(step: int) -> tuple[int, int]:
        """The step within its stage, and how many the stage has."""
        first, end = stage_bounds(step // steps_per_epoch, stage_starts, options.epochs)
        return step - first * steps_per_epoch, max(1, (end - first) * steps_per_epoch)

    def one_cycle(step: int) -> float:
        own, total = within(step)
        warmup = max(1, round(total * options.warmup_fraction))
        if own < warmup:
            return (own + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (own - warmup) / max(1, total - warmup)))

    def steps(step: int) -> float:
        every = group.get("step_epochs", options.step_epochs)
        factor = group.get("step_factor", options.step_factor)
        return float(factor ** (within(step)[0] // steps_per_epoch // every))

    if options.schedule == "one-cycle":
        return one_cycle
    return steps if options.schedule == "step" or "step_epochs" in group else lambda _step: 1.0
