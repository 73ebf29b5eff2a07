"""What happens after every epoch: best weights, checkpoint, metrics, one line of progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import lightning

from crepitus.methods.parts.weights import save_weights
from crepitus.train.module import MethodModule, plateau_factor
from crepitus.train.order import EpochSampler
from crepitus.train.records import RunFolder
from crepitus.train.stages import begin_stage, stage_bounds


class EpochRecord(lightning.Callback):
    """Keeps the best epoch by validation AUROC, and a checkpoint from which training resumes exactly.

    Between epochs of equal AUROC, which is common among few validation images, the lowest validation loss
    decides; it also does where these have one class only and AUROC is undefined. Without validation images
    the last epoch is the best.

    Args:
        run: where to write.
        sampler: of the training images; told the epoch when training resumes.
        epochs: of the whole run.
        say: prints one line.
    """

    def __init__(
        self, run: RunFolder, sampler: EpochSampler, epochs: int, say: Callable[[str], None]
    ) -> None:
        self.run = run
        self.sampler = sampler
        self.epochs = epochs
        self.say = say
        self.history: list[dict[str, Any]] = []
        self.best = (-math.inf, -math.inf)
        self._started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback."""
        return {"history": self.history, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.history, self.best = state_dict["history"], state_dict["best"]
        # Lightning makes the first iterator of a resumed run before it announces the epoch, and loader
        # processes draw from the sampler as soon as the iterator is made.
        self.sampler.set_epoch(len(self.history))

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: MethodModule) -> None:  # type: ignore[override]
        """Start the clock; where a stage begins, go back to the best weights of the last one."""
        self._started = time.monotonic()
        starts = sorted(pl_module.method.stage_starts)
        if trainer.current_epoch in starts:
            begin_stage(self.run, pl_module.network, 1 + starts.index(trainer.current_epoch), trainer)
            self.best = (-math.inf, -math.inf)
        if pl_module.options.schedule == "plateau":
            first, _ = stage_bounds(trainer.current_epoch, starts, self.epochs)
            factor = plateau_factor([row["val_loss"] for row in self.history[first:]], pl_module.options)
            for group, rate in zip(trainer.optimizers[0].param_groups, pl_module.first_rates, strict=True):
                group["lr"] = rate * factor

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: MethodModule) -> None:  # type: ignore[override]
        """Note the epoch; runs after validation."""
        metrics = pl_module.epoch_metrics()
        criterion = _criterion(metrics, trainer.current_epoch, pl_module.options.select)
        better = criterion > self.best
        row = {
            "epoch": trainer.current_epoch,
            **{name: None if math.isnan(value) else value for name, value in metrics.items()},
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "best": int(better),
            "seconds": round(time.monotonic() - self._started, 2),
        }
        self.history = [*self.history, row]
        self.best = max(self.best, criterion)
        if trainer.is_global_zero:
            if better:
                save_weights(self.run.weights, pl_module.network.state_dict())
            self.run.write_metrics(self.history)
            self.say(self._line(row))
        trainer.save_checkpoint(self.run.checkpoint)

    def _line(self, row: dict[str, Any]) -> str:
        shown = {
            k: "undefined" if v is None else f"{v:.4f}"
            for k, v in row.items()
            if k.startswith(("train", "val"))
        }
        return (
            f"epoch {row['epoch'] + 1}/{self.epochs}: "
            + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())
            + f", {row['seconds']:.0f} s"
            + (" *" if row["best"] else "")
        )


def _criterion(metrics: dict[str, float], epoch: int, select: str = "auroc") -> tuple[float, float]:
    """What a better epoch has more of; the second number decides where the first are equal."""
    auroc, loss = metrics["val_auroc"], metrics["val_loss"]
    if math.isnan(loss):
        return (float(epoch), 0.0)
    if select == "loss":
        return (-loss, 0.0)
    return (0.0 if math.isnan(auroc) else auroc, -loss)
