"""One training run from start, or from where it was killed, to a model that is ready to predict."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from safetensors import SafetensorError
from torch.utils.data import SequentialSampler

from crepitus.data.folder import DataSet
from crepitus.data.writer import new_folder
from crepitus.errors import ConfigError, TrainingError, UsageError
from crepitus.methods.base import Method, MethodConfig, Targets, TrainingConfig
from crepitus.methods.config_file import dump_config, load_config
from crepitus.methods.parts.precision import resolve_precision
from crepitus.methods.registry import method_info
from crepitus.train.callbacks import EpochRecord
from crepitus.train.checkpoint import SafetensorsIO
from crepitus.train.finish import finish
from crepitus.train.loading import PreparedImages, checked, loader, worker_count
from crepitus.train.module import MethodModule
from crepitus.train.order import EpochSampler, ShareSampler
from crepitus.train.records import RunFolder

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def start_run(
    name: str,
    data: DataSet,
    out: Path,
    config: MethodConfig,
    roles: Mapping[str, str],
    *,
    fold: int | None,
) -> RunFolder:
    """Make a run folder with everything that decides the result.

    Args:
        name: of the method.
        data: the data set.
        out: new or empty folder.
        config: of the method.
        roles: "train", "val" or "test" for each image.
        fold: tested fold, None if the data set's own split is used.
    """
    method = method_info(name).load()(config)
    _check_trainable(method, data, roles)
    # Built once for nothing: wrong weights or a wrong backbone must not leave a run folder behind.
    method.network(initialise=True)
    run = RunFolder(new_folder(out))
    dump_config(config, run.config)
    run.write_split(roles)
    counts = {role: sum(1 for r in roles.values() if r == role) for role in ("train", "val", "test")}
    run.start(name, config.training.seed, data.root, {"fold": fold, "images": counts})
    return run


def _check_trainable(method: Method[Any], data: DataSet, roles: Mapping[str, str]) -> None:
    name = method.name
    training = [i for i, role in roles.items() if role == "train"]
    if not training:
        raise UsageError("expected images with split 'train', got none; run 'crepitus split' first")
    if "labels" in method.needs and all(data.truth[i] is None for i in training):
        raise UsageError(
            f"{name} learns from labels: none of the {len(training)} training images has one; give labels "
            "in the table of images, or to 'crepitus convert' with --labels"
        )
    if method.batch_unit == "study" and data.images["study_id"].null_count() == data.images.height:
        raise UsageError(
            f"{name} learns from studies: expected images with a study_id in {data.root}, there are none"
        )
    if "landmarks" in method.needs and (
        data.landmarks is None or data.landmarks.filter(data.landmarks["image_id"].is_in(training)).is_empty()
    ):
        raise UsageError(
            f"{name} learns from landmarks: expected landmarks.csv in {data.root} with rows of its "
            f"{len(training)} training images, there are none"
        )
    if "points" in method.needs:
        if data.points is None:
            raise UsageError(f"{name} learns from points: expected points.csv in {data.root}, there is none")
        if not any(i in data.points_by_image for i in training):
            raise UsageError(
                f"{name} learns from points: none of the {len(training)} training images has one"
            )
    if "classes" in method.needs and not any(method.class_of(data.row(i)) for i in training):
        raise UsageError(
            f"{name} learns the classes {', '.join(method.class_names)}: expected them in the "
            f"column ao_class of {data.root}, none of the {len(training)} training images has one"
        )
    if "regions" in method.needs and not any(i in data.regions_by_image for i in training):
        raise UsageError(
            f"{name} learns from regions of interest: expected boxes labelled 'roi', or landmarks of one "
            f"upper femur, none of the {len(training)} training images has them"
        )


def train(run: RunFolder, data: DataSet, say: Callable[[str], None]) -> dict[str, Any]:
    """Train, or go on with training, the run in a folder made by `start_run`.

    Returns:
        Content of model.json; empty in the further processes of a training on several devices.

    Raises:
        TrainingError: the loss is not finite, or the data set is not the one the run began with.
    """
    record = run.read()
    info = method_info(record["method"])
    method_class = info.load()
    config = load_config(method_class.config_class, run.config)
    method = method_class(config)
    roles = run.read_split()
    unknown = [i for i in roles if i not in data.truth]
    if unknown:
        raise TrainingError(
            f"{data.root}: expected the images of the run's split.csv, {unknown[0]} is missing"
        )
    _quiet()
    torch.set_float32_matmul_precision("high")
    lightning.seed_everything(config.training.seed, workers=False, verbose=False)
    network = method.network(initialise=not run.checkpoint.is_file())
    first = fit(run, data, method, network, roles, say)
    if not first:
        return {}
    model = finish(run, data, method, [i for i, role in roles.items() if role == "val"])
    run.update(state="finished")
    return model


def fit(
    run: RunFolder,
    data: DataSet,
    method: Method[Any],
    network: torch.nn.Module,
    roles: Mapping[str, str],
    say: Callable[[str], None],
) -> bool:
    """Run the epochs that are left.

    Returns:
        Whether this is the first process, the one that goes on to choose thresholds.
    """
    options = method.config.training
    on_cpu = not torch.cuda.is_available()
    workers = worker_count(options.workers, on_cpu=on_cpu)
    training = PreparedImages(
        data,
        [i for i, role in roles.items() if role == "train"],
        method=method,
        augmentation=method.config.augmentation,
        seed=options.seed,
    )
    validation = PreparedImages(data, [i for i, role in roles.items() if role == "val"], method=method)
    sampler = EpochSampler(
        training.positive,
        seed=options.seed,
        positive_fraction=options.positive_fraction,
        sampling=options.sampling,
        classes=training.classes if method.class_names else None,
    )
    record = EpochRecord(run, sampler, options.epochs, say)
    trainer = _trainer(run, options, record, on_cpu=on_cpu, validates=len(validation) > 0)
    units = len(set(training.studies)) if method.batch_unit == "study" else len(sampler)
    share = -(-units // trainer.world_size)
    # An incomplete last batch would distort batch statistics: it is dropped if others exist.
    drop_last = share > options.batch_size
    batches = loader(
        training,
        sampler,
        batch_size=options.batch_size,
        workers=workers,
        drop_last=drop_last,
        unit=method.batch_unit,
    )
    checks = loader(
        validation,
        ShareSampler(len(validation)),
        batch_size=options.batch_size,
        workers=workers,
        unit=method.batch_unit,
    )
    steps = -(-max(1, share // options.batch_size) // options.accumulate)
    if method.batch_unit == "study" and trainer.world_size > 1:
        raise ConfigError(
            f"training.devices: {method.name} learns from whole studies, on one device; set it to 1"
        )
    if trainer.is_global_zero:
        say(
            f"{len(training)} training images ({int(training.positive.sum())} positive), "
            f"{len(validation)} for validation, {steps} steps an epoch"
        )
    resume = run.checkpoint if run.checkpoint.is_file() else None
    if resume is not None and trainer.is_global_zero:
        say(f"resuming from {resume}")
    if 0 < len(validation) < trainer.world_size:
        raise UsageError(f"{len(validation)} validation images are too few for {trainer.world_size} devices")
    plain = PreparedImages(data, training.image_ids, method=method)

    def plain_batches() -> Iterator[tuple[torch.Tensor, Targets]]:
        for batch in loader(
            plain, SequentialSampler(plain), batch_size=options.batch_size, workers=0, unit=method.batch_unit
        ):
            yield checked(batch)

    _run(trainer, MethodModule(method, network, steps, plain_batches), batches, checks, resume)
    return trainer.is_global_zero


def _run(trainer: lightning.Trainer, module: MethodModule, batches: Any, checks: Any, resume: Any) -> None:
    """Fit, with what a user can cause turned into errors that say what to do."""
    try:
        trainer.fit(module, batches, checks, ckpt_path=resume)
    except SystemExit as end:
        # Lightning takes Ctrl-C for itself and exits.
        if trainer.interrupted:
            raise KeyboardInterrupt from end
        raise
    except torch.OutOfMemoryError as error:
        raise TrainingError("the device has too little memory: lower training.batch_size") from error
    except SafetensorError as error:
        raise TrainingError(f"a checkpoint could not be written ({error}); is the disk full?") from error
    except RuntimeError as error:
        if resume is not None and "state_dict" in str(error):
            raise TrainingError(
                f"{resume}: the checkpoint does not fit config.toml; was it edited?"
            ) from error
        raise


def _trainer(
    run: RunFolder, options: TrainingConfig, record: EpochRecord, *, on_cpu: bool, validates: bool
) -> lightning.Trainer:
    """Lightning's loop with this project's records in place of its own."""
    devices = torch.cuda.device_count()
    if not on_cpu and options.devices != "auto" and options.devices > devices:
        raise ConfigError(
            f"training.devices: expected at most {devices} on this machine, got {options.devices}"
        )
    precision = PRECISIONS[resolve_precision(options.precision, "cpu" if on_cpu else "cuda")]
    return lightning.Trainer(
        max_epochs=options.epochs,
        accelerator="cpu" if on_cpu else "cuda",
        devices=options.devices,
        deterministic="warn" if not on_cpu else None,
        precision=precision,  # type: ignore[arg-type]
        accumulate_grad_batches=options.accumulate,
        gradient_clip_val=options.gradient_clip or None,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if validates else 0,
        logger=TensorBoardLogger(save_dir=run.root, name="tensorboard", version=""),
        log_every_n_steps=50,
        callbacks=[record],
        plugins=[SafetensorsIO()],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        default_root_dir=run.root,
    )


def _quiet() -> None:
    """Keep advice for programmers away from users."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec.*")
