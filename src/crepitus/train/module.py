"""The Lightning module around any method: steps, validation AUROC, optimiser; it knows no method's name."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import lightning
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from crepitus.errors import TrainingError
from crepitus.methods.base import Method, Targets, TrainingConfig
from crepitus.train.loading import Failure, checked

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
    """

    def __init__(self, method: Method[Any], network: nn.Module, steps_per_epoch: int) -> None:
        super().__init__()
        self.method = method
        self.network = network.to(memory_format=torch.channels_last)
        self.steps_per_epoch = steps_per_epoch
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
        moved = dataclasses.replace(targets, labels=targets.labels.to(device))
        return images.to(device, non_blocking=True), moved

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch.

        Raises:
            TrainingError: the loss is not finite.
        """
        images, targets = batch
        size = (int(images.shape[-2]), int(images.shape[-1]))
        loss = self.method.loss(self.network(images), targets, size)
        self._refuse_infinite(loss, "loss", batch_idx, targets)
        self._losses.append(loss.detach())
        return loss

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch."""
        self._losses.clear()
        # Whatever a network draws at random (dropout) depends on the epoch alone, as a resumed run needs.
        lightning.seed_everything(self.options.seed + self.current_epoch, workers=False, verbose=False)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Scores and loss of one batch."""
        images, targets = batch
        raw = self.network(images)
        loss = self.method.loss(raw, targets, (int(images.shape[-2]), int(images.shape[-1])))
        self._refuse_infinite(loss, "validation loss", batch_idx, targets)
        scores = self.method.decode(raw).scores.float()
        self._validation.append((scores, targets.labels, loss.detach().expand(len(scores))))

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
        """Optimiser and schedule from the configuration."""
        options = self.options
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[options.optimizer]
        weights = [p for p in self.network.parameters() if p.requires_grad]
        optimizer = kind(weights, lr=options.learning_rate, weight_decay=options.weight_decay)
        if options.schedule == "constant":
            return optimizer
        total = max(1, options.epochs * self.steps_per_epoch)
        warmup = max(1, round(total * options.warmup_fraction))

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
