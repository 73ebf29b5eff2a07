"""How far found landmarks lie from the true ones: mean error, share within 8 mm, each landmark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from crepitus.evaluate.cases import Cases
from crepitus.evaluate.rates import ratio

NEAR_MM = 8.0
"""Errors below this count as near (the failure threshold of the landmark detector of paper 000)."""


@dataclass(frozen=True)
class LandmarkFigures:
    """`landmarks.*` of n true landmarks.

    Attributes:
        names: of the landmarks, m of them, in the order of their figures.
        which: (n,), index into `names`.
        patients: (n,), number of the patient.
        error_px: (n,), distance in pixels of the image; NaN where the landmark was not found.
        error_mm: (n,), distance in mm; NaN also where the spacing is unknown.
    """

    names: tuple[str, ...]
    which: NDArray[np.intp]
    patients: NDArray[np.intp]
    error_px: NDArray[np.float64]
    error_mm: NDArray[np.float64]

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Figures (rounds,) for patient weights (rounds, p); NaN where nothing counts.

        `landmarks.found` is the share of the true landmarks that have a prediction; the others are means over
        those that do.
        """
        of_mark = weights[:, self.patients]
        found = {
            "landmarks.mean_error_px": _mean(of_mark, self.error_px),
            "landmarks.mean_error_mm": _mean(of_mark, self.error_mm),
            "landmarks.under_8mm": _mean(of_mark, _near(self.error_mm)),
            "landmarks.found": _mean(of_mark, np.isfinite(self.error_px).astype(np.float64)),
        }
        for index, name in enumerate(self.names):
            own = self.which == index
            found[f"landmarks.error_mm.{name}"] = _mean(of_mark[:, own], self.error_mm[own])
        return found


def _near(error_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(error_mm), np.nan, (error_mm < NEAR_MM).astype(np.float64))


def _mean(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted mean of the values that are known, (rounds,)."""
    known = np.isfinite(values)
    return ratio(weights[:, known] @ values[known], weights[:, known].sum(axis=1))


def landmark_figures(cases: Cases) -> LandmarkFigures | None:
    """Errors of the found landmarks; None where the data set or the predictions have none."""
    truth, found = cases.data.landmarks, cases.predictions.landmarks
    if truth is None or found is None:
        return None
    place = {image_id: k for k, image_id in enumerate(cases.image_ids)}
    marks = truth.filter(pl.col("image_id").is_in(cases.image_ids)).join(
        found.select("image_id", "name", found_x="x", found_y="y").unique(
            ["image_id", "name"], keep="first", maintain_order=True
        ),
        on=["image_id", "name"],
        how="left",
        maintain_order="left",
    )
    names = tuple(marks["name"].unique(maintain_order=True))
    index = {name: k for k, name in enumerate(names)}
    rows = np.array([place[i] for i in marks["image_id"]], dtype=np.intp)
    xy = marks.select("x", "y").to_numpy().astype(np.float64)
    found_xy = marks.select("found_x", "found_y").to_numpy().astype(np.float64)
    error = np.hypot(*(found_xy - xy).reshape(-1, 2).T)
    spacing = cases.table["spacing_mm"].cast(pl.Float64).to_numpy().astype(np.float64)
    return LandmarkFigures(
        names=names,
        which=np.array([index[name] for name in marks["name"]], dtype=np.intp),
        patients=cases.patients[rows],
        error_px=error,
        error_mm=error * spacing[rows],
    )
