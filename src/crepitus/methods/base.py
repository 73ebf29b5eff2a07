"""What a method is: a configuration, a network, a loss on raw outputs, and a decoder; each apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from crepitus.data.augmentation import AugmentationConfig
from crepitus.data.sampling import Sampling
from crepitus.prepare.fit import InputFit

Raw = TypeVar("Raw")


@dataclass(frozen=True)
class Targets:
    """What is known about a batch of b prepared images; positions in pixels of the network's input.

    Attributes:
        image_ids: b names.
        labels: shape (b,), float32; 1, 0 or NaN where unknown.
        points: per image (x, y), shape (k, 2), float32.
        place_known: shape (b,), bool; False where a fracture may be at a place that nobody marked.
        boxes: per image the boxes labelled `fracture`, shape (k, 4), float32.
        classes: shape (b,), int64; index into the method's `class_names`, -1 where unknown.
        landmarks: shape (b, l, 2), float32, in the order of the method's `landmark_names`; NaN where unknown.
        study: shape (b,), int64; index of the image's study within the batch, in order of appearance.
        views: shape (b, 2, 3), float32; maps (x, y, 1) of the prepared image to its augmented view.
        regions: shape (b, 4), float32; regions of interest, NaN where unknown; see `data.region_of_interest`.
    """

    image_ids: Sequence[str]
    labels: Tensor
    points: Sequence[Tensor]
    place_known: Tensor
    boxes: Sequence[Tensor] = ()
    classes: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    landmarks: Tensor = field(default_factory=lambda: torch.zeros(0, 0, 2))
    study: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    views: Tensor = field(default_factory=lambda: torch.zeros(0, 2, 3))
    regions: Tensor = field(default_factory=lambda: torch.zeros(0, 4))

    @classmethod
    def unknown(cls, image_ids: Sequence[str], study: Sequence[int] | None = None) -> Targets:
        """Targets of images of which only the study is known; each image is its own if None."""
        count = len(image_ids)
        numbers = list(range(count)) if study is None else list(study)
        return cls(
            image_ids=list(image_ids),
            labels=torch.full((count,), torch.nan),
            points=[torch.zeros(0, 2)] * count,
            place_known=torch.zeros(count, dtype=torch.bool),
            boxes=[torch.zeros(0, 4)] * count,
            classes=torch.full((count,), -1, dtype=torch.int64),
            landmarks=torch.full((count, 0, 2), torch.nan),
            study=torch.tensor(numbers, dtype=torch.int64),
            views=torch.eye(2, 3).expand(count, 2, 3),
            regions=torch.full((count, 4), torch.nan),
        )

    def study_labels(self) -> Tensor:
        """Shape (s,): 1 if any image of the study is positive, 0 if all are negative, else NaN."""
        labels = []
        for number in range(int(self.study.max()) + 1 if len(self.study) else 0):
            own = self.labels[self.study == number]
            labels.append(
                own.nan_to_num(0).max()
                if (own == 1).any() or not own.isnan().any()
                else own.new_tensor(torch.nan)
            )
        return torch.stack(labels) if labels else self.labels.new_zeros(0)


@dataclass(frozen=True)
class Decoded:
    """Answers for a batch of b prepared images.

    Attributes:
        scores: shape (b,), float32, 0..1.
        heatmaps: shape (b, h, w), float32, 0..1, covering the prepared image; None where there is none.
        class_scores: per class shape (b,), 0..1.
        boxes: per image shape (k, 5): x_min, y_min, x_max, y_max in pixels of the input, score 0..1; None:
            the boxes come from the heatmap.
        landmarks: shape (b, l, 3): x, y and their standard deviation, pixels of the input.
        assessable: shape (b,), bool; False where the method cannot answer; None: all are.
        study_scores: shape (s,), 0..1, in the order of `Targets.study`; of methods that answer for studies.
        columns: per name shape (b,), 0..1; further columns of the predictions, which are no classes.
        evidence: shape (b, h, w), 0..1, covering the prepared image: what a reader may look at besides, for
            example how far the two sides differ; no figure uses it.
    """

    scores: Tensor
    heatmaps: Tensor | None = None
    class_scores: dict[str, Tensor] = field(default_factory=dict)
    boxes: Sequence[Tensor] | None = None
    landmarks: Tensor | None = None
    assessable: Tensor | None = None
    study_scores: Tensor | None = None
    columns: dict[str, Tensor] = field(default_factory=dict)
    evidence: Tensor | None = None


class InputConfig(BaseModel):
    """How an image enters a network.

    Attributes:
        size_px: side of the square input.
        rows_px: height of the input where it is no square; null: `size_px`.
        columns_px: width likewise.
        fit: "pad" keeps the proportions and adds black, "stretch" fills the input.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size_px: int = Field(default=1024, ge=32, le=8192)
    rows_px: int | None = Field(default=None, ge=32, le=8192)
    columns_px: int | None = Field(default=None, ge=32, le=8192)
    fit: Literal["pad", "stretch"] = "pad"

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the input, pixels."""
        return self.rows_px or self.size_px, self.columns_px or self.size_px

    def fit_of(self, rows: int, columns: int) -> InputFit:
        """Where an image of (rows, columns) lies in the input."""
        return InputFit(rows, columns, *self.shape, stretch=self.fit == "stretch")


class TrainingConfig(BaseModel):
    """The loop: optimiser, length, precision.

    Attributes:
        epochs: number of epochs.
        batch_size: images per step and device.
        accumulate: steps whose gradients are added up before the weights move.
        optimizer: "adam", "adamw" with decoupled weight decay, "amsgrad", "sgd" or "adagrad".
        momentum: of "sgd".
        learning_rate: peak learning rate.
        weight_decay: L2, decoupled for "adamw".
        schedule: "constant"; "one-cycle": linear warm-up, then cosine to zero, over all steps; "step": times
            `step_factor` every `step_epochs` epochs; "plateau": times `step_factor` whenever the validation
            loss has not fallen for `step_epochs` epochs.
        step_epochs: see `schedule`.
        step_factor: see `schedule`.
        warmup_fraction: part of the steps that warms up ("one-cycle").
        select: the epoch that is kept: highest validation "auroc", or lowest validation "loss".
        gradient_clip: largest norm of the gradient; 0 switches it off.
        positive_fraction: share of positives in an epoch, see `data.sampling`; null takes every image.
        sampling: "all", "opposite-counts" or "class-balanced", see `data.sampling`.
        precision: "fp32", "bf16" or "fp16" (mixed), or "auto": bf16 where the device computes in it.
        devices: number of devices, or "auto".
        workers: loader processes per device; "auto" takes the cores, at most 8.
        seed: of everything random.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=48, ge=1)
    accumulate: int = Field(default=1, ge=1)
    optimizer: Literal["adam", "adamw", "amsgrad", "sgd", "adagrad"] = "adam"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    learning_rate: float = Field(default=4e-5, gt=0)
    weight_decay: float = Field(default=1e-3, ge=0)
    schedule: Literal["constant", "one-cycle", "step", "plateau"] = "constant"
    step_epochs: int = Field(default=10, ge=1)
    step_factor: float = Field(default=0.5, gt=0, lt=1)
    select: Literal["auroc", "loss"] = "auroc"
    warmup_fraction: float = Field(default=0.1, ge=0, lt=1)
    gradient_clip: float = Field(default=0.0, ge=0)
    positive_fraction: float | None = Field(default=None, gt=0, lt=1)
    sampling: Sampling = "all"
    precision: Literal["fp32", "bf16", "fp16", "auto"] = "auto"
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    seed: int = Field(default=0, ge=0)


class InferenceConfig(BaseModel):
    """What happens after training: averaging over the flip, and boxes from heatmaps.

    Attributes:
        flip_average: average the heatmap with that of the flipped image.
        box_floor: cells below this probability belong to no box.
        box_relative: a box surrounds the cells of its component that reach this fraction of its peak;
            null chooses the fraction whose boxes overlap the annotated ones of the validation images most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    flip_average: bool = False
    box_floor: float = Field(default=0.05, gt=0, lt=1)
    box_relative: float | None = Field(default=None, gt=0, le=1)


class MethodConfig(BaseModel):
    """What every method's configuration has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: InputConfig = InputConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    training: TrainingConfig = TrainingConfig()
    inference: InferenceConfig = InferenceConfig()


Batches = Callable[[], Iterable[tuple[Tensor, Targets]]]
"""Gives an iterator over training images without augmentation, in batches on the network's device."""


class Method(ABC, Generic[Raw]):
    """A method with its configuration; the network holds the weights.

    Attributes:
        name: as in `crepitus methods`.
        config_class: of its configuration.
        needs: what a data set must have to train it: "points", "labels", "classes", "landmarks".
        score_is_peak: the score is the maximum of the heatmap over the image, without the padding.
        finds_boxes: predictions carry boxes, from the network or from heatmaps.
        batch_unit: "study": a batch holds whole studies, and `decode` gives study scores.
        unassessable: what an image lacks about which `Decoded.assessable` says no.
    """

    name: str
    config_class: type[MethodConfig]
    needs: ClassVar[frozenset[str]] = frozenset({"labels"})
    score_is_peak: ClassVar[bool] = False
    finds_boxes: ClassVar[bool] = True
    batch_unit: ClassVar[Literal["image", "study"]] = "image"
    unassessable: ClassVar[str] = "no bone was found"

    def __init__(self, config: Any) -> None:
        self.config = config

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes that it tells apart, in the order of `Targets.classes`; none for fracture or not."""
        return ()

    def class_of(self, row: Mapping[str, Any]) -> str | None:
        """The class of an image by its row of the `images` table, None where unknown."""
        return None

    @property
    def class_column(self) -> str:
        """Column of the `images` table that names the class of an image; empty: its AO class or its label."""
        return ""

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Landmarks that it needs or finds, in the order of `Targets.landmarks`."""
        return ()

    @property
    def stage_starts(self) -> tuple[int, ...]:
        """Epochs at which a new stage of the training begins.

        It starts from the best weights of the stage before and with the first learning rates, the schedule is
        that of the stage alone, and the epoch that is kept is one of the last stage.
        """
        return ()

    @abstractmethod
    def network(self, *, initialise: bool) -> nn.Module:
        """A network that maps grey images (b, 1, h, w), 0..1, to raw outputs.

        Args:
            initialise: load the starting weights that the configuration names.
        """

    def forward(self, network: nn.Module, images: Tensor, targets: Targets) -> Raw:
        """Raw outputs; of a network that needs more than images, such as the studies they belong to."""
        return network(images)  # type: ignore[no-any-return]

    @abstractmethod
    def loss(self, raw: Raw, targets: Targets, size: tuple[int, int]) -> Tensor:
        """Scalar loss of raw outputs for inputs of `size` (height, width)."""

    @abstractmethod
    def decode(self, raw: Raw) -> Decoded:
        """Answers from raw outputs."""

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Groups for the optimiser: `params`, and where they differ `lr`, `step_epochs`, `step_factor`."""
        return [{"params": [p for p in network.parameters() if p.requires_grad]}]

    def before_epoch(self, network: nn.Module, epoch: int, images: Batches) -> dict[str, float]:
        """Whatever an epoch needs before its first step, such as mining; returns figures for the record."""
        return {}

    @torch.no_grad()
    def infer(self, network: nn.Module, images: Tensor, targets: Targets | None = None) -> Decoded:
        """Decode `images`, averaged with their flip if the configuration asks for it.

        Args:
            network: with trained weights, in evaluation mode.
            images: shape (b, 1, h, w), 0..1.
            targets: of these images; what is unknown at prediction is empty. None: each is a study.
        """
        known = targets or Targets.unknown([str(k) for k in range(len(images))])
        decoded = self.decode(self.forward(network, images, known))
        if not self.config.inference.flip_average:
            return decoded
        flipped = self.decode(self.forward(network, images.flip(-1), known))
        return averaged(decoded, flipped, peak=self.score_is_peak)


def averaged(decoded: Decoded, flipped: Decoded, *, peak: bool) -> Decoded:
    """Mean of the answers for images and for their flips.

    Args:
        decoded: of the images.
        flipped: of the flipped images; their boxes are left out.
        peak: the score is the maximum of the averaged heatmap.
    """
    heatmaps = None
    if decoded.heatmaps is not None and flipped.heatmaps is not None:
        heatmaps = (decoded.heatmaps + flipped.heatmaps.flip(-1)) / 2
    scores = (decoded.scores + flipped.scores) / 2
    study = decoded.study_scores
    if study is not None and flipped.study_scores is not None:
        study = (study + flipped.study_scores) / 2
    return replace(
        decoded,
        scores=heatmaps.flatten(1).amax(dim=1) if peak and heatmaps is not None else scores,
        heatmaps=heatmaps,
        class_scores={k: (v + flipped.class_scores[k]) / 2 for k, v in decoded.class_scores.items()},
        study_scores=study,
        columns={k: (v + flipped.columns[k]) / 2 for k, v in decoded.columns.items()},
    )
