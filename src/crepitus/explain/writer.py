"""Writing a folder of explanations: maps and pictures at once, tables last, each file whole or absent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import polars as pl
from PIL import Image

from crepitus import __version__
from crepitus.data.writer import Rejection, new_folder, write_rejected, write_table, write_text
from crepitus.errors import SetAside
from crepitus.explain.overlay import Picture
from crepitus.explain.pictures import drawn
from crepitus.explain.run import ImageExplained, ImageMap
from crepitus.explain.summary import Faithfulness, summarise

COLUMNS: dict[str, type[pl.DataType]] = {
    "image_id": pl.String,
    "explainer": pl.String,
    "target": pl.String,
    "score": pl.Float64,
    "explained": pl.Float64,
    "relevance": pl.Float64,
    "absorbed": pl.Float64,
    "conservation_error": pl.Float64,
    "pointing_game": pl.Float64,
    "energy_inside": pl.Float64,
    "area_inside": pl.Float64,
    "deletion_auc": pl.Float64,
    "insertion_auc": pl.Float64,
    "file": pl.String,
}
"""Of explanations.csv; a figure that is undefined or was not measured is empty."""


class ExplanationsWriter:
    """Collects explanations into a new folder; use as a context manager.

    The maps and pictures of an image are on disk when `add` returns; the tables follow when the block ends
    without an error, explanations.json last.

    Args:
        out: new or empty folder.
        info: content of explanations.json: model, sha256, target, settings.
        rounds: of the bootstrap over patients behind the summary; 0 for no intervals.
        rng: its source of randomness.
    """

    def __init__(self, out: Path, info: Mapping[str, Any], *, rounds: int, rng: np.random.Generator) -> None:
        self.root = new_folder(out)
        self.info = dict(info)
        self.rejected: list[Rejection] = []
        self._rounds, self._rng = rounds, rng
        self._rows: list[dict[str, Any]] = []
        self._measured: dict[str, list[tuple[Faithfulness, str | None, float]]] = {}
        self._images: set[str] = set()
        self._summary: dict[str, dict[str, Any]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()

    def __len__(self) -> int:
        return len(self._images)

    @property
    def table(self) -> pl.DataFrame:
        """The table explanations.csv so far."""
        return pl.DataFrame(self._rows, schema=dict(COLUMNS), orient="row")

    def set_aside(self, file: str, error: SetAside) -> None:
        """Record an input that cannot be used."""
        self.rejected.append((file, error.code, str(error)))

    def add(self, found: ImageExplained, target: str, patient_id: str | None = None) -> dict[str, Picture]:
        """Write the maps and pictures of an image and note its rows.

        Args:
            found: what was said about it.
            target: that was explained.
            patient_id: whose image it is; None: a patient of its own.

        Returns:
            The pictures by the names of their explainers, shape (h, w, 3), uint8.
        """
        image_id = found.image.image_id
        self._images.add(image_id)
        self._summary = None
        pictures = drawn(found)
        for name, one in found.maps.items():
            self._write(name, image_id, one, pictures[name])
            self._rows.append(_row(found, name, one, target))
            entry = (one.faithfulness, patient_id, one.conservation_error)
            self._measured.setdefault(name, []).append(entry)
        return pictures

    def _write(self, name: str, image_id: str, one: ImageMap, picture: Picture) -> None:
        path = self.root / "relevance" / name / f"{image_id}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".tmp")
        with partial.open("wb") as stream:
            np.save(stream, one.values.astype(np.float32), allow_pickle=False)
        partial.replace(path)
        path = self.root / "overlays" / name / f"{image_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".tmp")
        Image.fromarray(picture).save(partial, "PNG")
        partial.replace(path)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Per explainer: number of maps, largest and median error of conservation, means of faithfulness."""
        if self._summary is not None:
            return self._summary  # the intervals are drawn once
        result: dict[str, dict[str, Any]] = {}
        for name, entries in self._measured.items():
            errors = [error for _, _, error in entries if math.isfinite(error)]
            patients = [patient for _, patient, _ in entries]
            result[name] = {
                "maps": len(entries),
                "conservation_error.median": float(np.median(errors)) if errors else None,
                "conservation_error.max": max(errors) if errors else None,
                **summarise([f for f, _, _ in entries], patients, rounds=self._rounds, rng=self._rng),
            }
        self._summary = result
        return result

    def close(self) -> None:
        """Write explanations.csv, rejected.csv and explanations.json."""
        write_rejected(self.root, self.rejected)
        write_table(self.root / "explanations.csv", self.table)
        info = {**self.info, "explainers": self.summary(), "crepitus": __version__}
        write_text(self.root / "explanations.json", json.dumps(info, indent=2, allow_nan=False) + "\n")


def _row(found: ImageExplained, name: str, one: ImageMap, target: str) -> dict[str, Any]:
    figures = one.faithfulness.figures()
    numbers = {
        "score": found.prediction.score,
        "explained": one.explained,
        "relevance": one.total,
        "absorbed": one.absorbed,
        "conservation_error": one.conservation_error,
        **{key: figures[key] for key in COLUMNS if key in figures},
    }
    return {
        "image_id": found.image.image_id,
        "explainer": name,
        "target": target,
        **{key: value if math.isfinite(value) else None for key, value in numbers.items()},
        "file": found.image.file,
    }
