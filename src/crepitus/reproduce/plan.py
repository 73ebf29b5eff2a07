"""What is asked for, and the jobs that follow from it: configurations, folders, rows that others need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crepitus.reproduce.job import Job
from crepitus.reproduce.sample import for_row
from crepitus.reproduce.scales import Scale, row_config
from crepitus.reproduce.table import Row, Table, runs_needed
from crepitus.reproduce.weights import StartingWeights, backbones

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.methods.base import MethodConfig


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        table: to reproduce.
        scale: how much.
        out: folder of the runs and of the table.
        rows: that are run if they are not finished.
        fold: only this one; None takes those of the scale.
        seed: of the draw of images, of the folds, of training and of the bootstrap.
        rounds: of the bootstrap, 0 for none.
        weights: that all rows start from.
        overrides: "table.key=value" for every row.
        allow_leakage: run although patients or pictures lie in two parts of the data set.
    """

    table: Table
    scale: Scale
    out: Path
    rows: tuple[Row, ...]
    fold: int | None = None
    seed: int = 0
    rounds: int = 1000
    weights: StartingWeights = field(default_factory=StartingWeights)
    overrides: tuple[str, ...] = ()
    allow_leakage: bool = False


def configured(request: Request, row: Row) -> MethodConfig:
    """The configuration of a trained row with everything that the request says.

    On one device: the processes of a training on several would each begin this command anew.
    """
    own = (*request.overrides, f"training.seed={request.seed}", "training.devices=1")
    config = row_config(row, request.scale.name, own)
    return row_config(row, request.scale.name, (*own, *request.weights.overrides(config)))


def with_needed(table: Table, rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows and those whose runs they need, in the order of the table."""
    names = {row.name for row in rows}
    for row in reversed(table.rows):
        if row.name in names:
            names.update(runs_needed(row))
    return tuple(row for row in table.rows if row.name in names)


def row_folder(out: Path, row: str, fold: int) -> Path:
    """Where a row on a fold is kept."""
    return out / "rows" / row / f"fold-{fold}"


def decided(row: Row, config: MethodConfig, fold: int) -> dict[str, Any]:
    """What decides the result of a row on a fold, beside the images; JSON.

    Without what may change between two calls: the folder of the weights.
    """
    written: dict[str, Any] = config.model_dump(mode="json")
    for name, backbone in backbones(config):
        if backbone.weights_sha256:
            written[name]["weights"] = Path(backbone.weights).name
    images = [list(pair) for pair in row.images]
    return {"row": row.name, "fold": fold, "method": row.method, "images": images, "config": written}


def job_of(out: Path, row: Row, config: MethodConfig, data: DataSet, fold: int) -> Job:
    """A trained row on a fold, with the runs that it needs put in their places.

    Raises:
        UsageError: the data set has no image for this row.
    """
    filled: dict[str, Any] = config.model_dump(mode="json")
    places = {
        f"{{run:{name}}}": str((row_folder(out, name, fold) / "run").resolve()) for name in runs_needed(row)
    }
    if places:
        filled = _filled(filled, places)
    return Job(
        row=row,
        fold=fold,
        config=type(config).model_validate(filled),
        decided=decided(row, config, fold),
        data=for_row(data, row),
        folder=row_folder(out, row.name, fold),
    )


def _filled(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, places) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, places) for inner in value]
    if isinstance(value, str):
        for place, path in places.items():
            value = value.replace(place, path)
    return value
