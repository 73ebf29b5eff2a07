"""Configuration of the Siamese methods; the defaults are those of paper 000."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crepitus.methods.aasn.fusion import Place
from crepitus.methods.aasn.network import Alignment
from crepitus.methods.base import InputConfig, MethodConfig, TrainingConfig
from crepitus.methods.landmarks.answer import PELVIS
from crepitus.methods.parts.backbone import BackboneConfig

DETECTORS = ("landmarks", "landmarks-heatmap")


class RegionConfig(BaseModel):
    """The region of the anterior pelvis.

    Attributes:
        source: "landmarks" cuts it out of the image; "image": the images of the data set are regions already.
        rows_px: height of the region, pixels.
        columns_px: width.
        members: beginnings of the names of the landmarks that it surrounds.
        margin: added on each side, fraction of the box around them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["landmarks", "image"] = "image"
    rows_px: int = Field(default=256, ge=32)
    columns_px: int = Field(default=512, ge=32)
    members: tuple[str, ...] = ("pubis", "ischium")
    margin: float = Field(default=0.1, ge=0)


class LandmarkConfig(BaseModel):
    """Where the landmarks come from.

    Attributes:
        names: of the landmarks; those of two sides end in -L and -R.
        run: folder of a finished training of `landmarks` or `landmarks-heatmap`. Its network becomes part of
            this one and finds the landmarks at prediction, and in training where the data set has none.
            Empty: the landmarks of the data set are needed.
        detector: filled from `run`: name of the method and its configuration.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] = Field(default=PELVIS, min_length=3)
    run: str = ""
    detector: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_run(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not values.get("run") or values.get("detector"):
            return values
        record = detector_record(Path(str(values["run"])))
        detector = {"method": record["method"], "config": without_nulls(record["config"])}
        names = detector["config"].get("detector", {}).get("names") or values.get("names", PELVIS)
        return {**values, "detector": detector, "names": tuple(names)}


def without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    """The same nested dictionary without keys whose value is None, as TOML needs it."""
    return {
        key: without_nulls(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


def detector_record(run: Path) -> dict[str, Any]:
    """The content of model.json of a landmark run.

    Raises:
        ValueError: there is none, or it belongs to another method.
    """
    path = run / "model.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"landmarks.run: expected the folder of a finished 'crepitus train landmarks', "
            f"got {run} without a readable model.json"
        ) from error
    method = record.get("method") if isinstance(record, dict) else None
    if method not in DETECTORS:
        raise ValueError(f"landmarks.run: expected a run of {' or '.join(DETECTORS)}, got one of {method!r}")
    return dict(record)


class SiameseConfig(BaseModel):
    """The network and its four switches (Table 2).

    Attributes:
        split: dense block after which the two sides meet, 1 to 4.
        fusion: the decoder sees both sides (FF).
        fusion_place: of the concatenation in the transition: "before", "inside" or "after" (Fig. 4).
        alignment: what the warp moves: "feature" (FA), "image", or "none" (flip alone).
        contrastive: train with the contrastive loss (CL).
        projection: compare the sides after the projection g.
        projection_channels: of g; the paper does not give them.
        prior: fracture probability of the untrained network.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: int = Field(default=3, ge=1, le=4)
    fusion: bool = True
    fusion_place: Place = "inside"
    alignment: Alignment = "feature"
    contrastive: bool = True
    projection: bool = True
    projection_channels: int = Field(default=256, ge=1)
    prior: float = Field(default=0.01, gt=0, lt=1)


class SymmetryLossConfig(BaseModel):
    """The losses.

    Attributes:
        radius_px: of the disks around points, at a region of `reference_px` columns; scaled with it.
        reference_px: width of the region for which the radius is given.
        contrastive_weight: lambda of Eq. 1.
        margin: m of Eq. 2, on the squared distance.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    radius_px: float = Field(default=50.0, gt=0)
    reference_px: float = Field(default=512.0, gt=0)
    contrastive_weight: float = Field(default=0.5, ge=0)
    margin: float = Field(default=0.5, gt=0)


class AasnInput(InputConfig):
    """Regions of 256 x 512 pixels."""

    rows_px: int | None = Field(default=256, ge=32, le=8192)
    columns_px: int | None = Field(default=512, ge=32, le=8192)
    fit: Literal["pad", "stretch"] = "stretch"


class AasnTraining(TrainingConfig):
    """Adam with a learning rate of 1e-5 (Sec. 4.1); the paper names neither batch nor epochs."""

    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1e-5, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)


class DenseNetConfig(BackboneConfig):
    """DenseNet-121."""

    name: str = "densenet121"


class AasnConfig(MethodConfig):
    """Everything that can be set."""

    input: AasnInput = AasnInput()
    training: AasnTraining = AasnTraining()
    backbone: DenseNetConfig = DenseNetConfig()
    region: RegionConfig = RegionConfig()
    landmarks: LandmarkConfig = LandmarkConfig()
    siamese: SiameseConfig = SiameseConfig()
    loss: SymmetryLossConfig = SymmetryLossConfig()


class BaselineConfig(AasnConfig):
    """A relative of `aasn`: what defines it cannot be set."""

    fixed: ClassVar[dict[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _defined(cls, values: Any) -> Any:
        given = values.get("siamese", {}) if isinstance(values, dict) else None
        if not isinstance(given, dict):
            return values
        wrong = [key for key in cls.fixed if given.get(key, cls.fixed[key]) != cls.fixed[key]]
        if wrong:
            raise ValueError(
                f"siamese.{wrong[0]} is {cls.fixed[wrong[0]]!r} in this method by definition; "
                "'aasn' has it as a switch"
            )
        return {**values, "siamese": {**given, **cls.fixed}}


class LiuMetricConfig(BaselineConfig):
    """Image alignment, comparison, no fusion."""

    fixed: ClassVar[dict[str, Any]] = {"fusion": False, "alignment": "image", "contrastive": True}


class FusionConfig(BaselineConfig):
    """Image alignment, fusion, no comparison: `deepsymnet` and `cbn`."""

    fixed: ClassVar[dict[str, Any]] = {"fusion": True, "alignment": "image", "contrastive": False}
