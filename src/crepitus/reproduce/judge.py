"""The figures of one row on one fold, and their bootstrap rounds, which rows with the same images share."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crepitus.data.writer import write_text
from crepitus.evaluate.bootstrap import draw_weights, point_estimates
from crepitus.evaluate.cases import Cases
from crepitus.evaluate.geometry import Radius
from crepitus.evaluate.parts import Parts
from crepitus.reproduce.derive import derived
from crepitus.reproduce.settings import digest
from crepitus.reproduce.table import Metric, Row

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.predict import Predictions


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: rounds over patients (0 for none) and the seed."""

    rounds: int
    seed: int


@dataclass(frozen=True)
class Judged:
    """A row on one fold.

    Attributes:
        figures: by `Metric.id`; None where undefined.
        rounds: by `Metric.id`, shape (rounds,), NaN where undefined.
    """

    figures: dict[str, float | None]
    rounds: dict[str, NDArray[np.float64]]


def judge(
    predictions: Predictions,
    data: DataSet,
    metrics: Sequence[Metric],
    row: Row,
    radius: Radius,
    bootstrap: Bootstrap,
) -> Judged:
    """Evaluate predictions; rows with the same images draw the same patients in the same rounds.

    Args:
        predictions: of the images of a fold.
        data: the data set that was predicted.
        metrics: columns of the table.
        row: says which keys and which derivation it uses.
        radius: around points.
        bootstrap: rounds and seed.
    """
    own = derived(row.derive, predictions, data)
    figures: dict[str, float | None] = {}
    rounds: dict[str, NDArray[np.float64]] = {}
    for derive in dict.fromkeys(metric.derive for metric in metrics):
        cases = Cases.of(derived(derive, own, data), data)
        keys = {m.id: row.keys.get(m.id, m.key) for m in metrics if m.derive == derive}
        parts = Parts.of(cases, radius)
        values = point_estimates(parts.statistics, cases.n_patients)
        figures |= {name: values.get(key) for name, key in keys.items()}
        rounds |= _rounds(parts, cases, keys, bootstrap)
    return Judged(figures, rounds)


def _rounds(
    parts: Parts, cases: Cases, keys: dict[str, str], bootstrap: Bootstrap
) -> dict[str, NDArray[np.float64]]:
    """Each figure in each round; the stream follows from the seed and the images alone."""
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in keys}
    named = hashlib.sha256("\n".join(cases.image_ids).encode()).digest()
    rng = np.random.default_rng([bootstrap.seed, int.from_bytes(named[:8], "big")])
    for weights in draw_weights(cases.n_patients, bootstrap.rounds if cases.n_patients else 0, rng):
        found = {k: v for s in parts.statistics for k, v in s.figures(weights).items()}
        for name, key in keys.items():
            drawn[name].append(found.get(key, np.full(len(weights), np.nan)))
    nothing = np.full(bootstrap.rounds, np.nan)
    return {name: np.concatenate(blocks) if blocks else nothing for name, blocks in drawn.items()}


def judged_once(
    path: Path,
    predictions: Predictions,
    data: DataSet,
    metrics: Sequence[Metric],
    row: Row,
    radius: Radius,
    bootstrap: Bootstrap,
) -> Judged:
    """As `judge`; the result is kept in the file `path` and read from there while nothing has changed."""
    decided: dict[str, Any] = {
        "metrics": [[m.id, row.keys.get(m.id, m.key)] for m in metrics],
        "derive": row.derive,
        "radius": [radius.value, radius.unit],
        "bootstrap": [bootstrap.rounds, bootstrap.seed],
        "model": predictions.info.get("sha256"),
    }
    stamp = digest(decided)
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.get("sha256") == stamp:
            rounds = {
                name: np.array([np.nan if v is None else v for v in values], dtype=np.float64)
                for name, values in kept["rounds"].items()
            }
            return Judged(kept["figures"], rounds)
    judged = judge(predictions, data, metrics, row, radius, bootstrap)
    rows = {name: [_number(v) for v in values.tolist()] for name, values in judged.rounds.items()}
    kept = {"sha256": stamp, **decided, "figures": judged.figures, "rounds": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(kept, allow_nan=False) + "\n")
    return judged


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
