"""Faithfulness of many relevance maps: means with intervals from a bootstrap over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crepitus.errors import UsageError
from crepitus.evaluate.bootstrap import bootstrap, number_patients, point_estimates
from crepitus.evaluate.rates import ratio

PREFIX: Final = "faithfulness."


@dataclass(frozen=True)
class Faithfulness:
    """What was measured of one map; None or NaN where it was not, or where it is undefined.

    Attributes:
        hit: answer of `pointing_game`.
        energy_inside: share of the positive relevance in the mask, 0..1.
        area_inside: share of the image that the mask covers, 0..1: what a map without knowledge reaches.
        deletion_auc, insertion_auc: areas of `deletion_insertion`.
    """

    hit: bool | None = None
    energy_inside: float = float("nan")
    area_inside: float = float("nan")
    deletion_auc: float = float("nan")
    insertion_auc: float = float("nan")

    def figures(self) -> dict[str, float]:
        """Each figure by its name, NaN where it is missing.

        `energy_over_area` is the ratio of the two: 1 without knowledge. It is NaN where the area is 0.
        """
        return {
            "pointing_game": float("nan") if self.hit is None else float(self.hit),
            "energy_inside": self.energy_inside,
            "area_inside": self.area_inside,
            "energy_over_area": float(ratio(np.array(self.energy_inside), np.array(self.area_inside))),
            "deletion_auc": self.deletion_auc,
            "insertion_auc": self.insertion_auc,
            "insertion_minus_deletion": self.insertion_auc - self.deletion_auc,
        }


@dataclass(frozen=True)
class _Means:
    """Means over the images for which each figure is known.

    Attributes:
        names: of the m figures.
        values: (m, n), NaN where unknown.
        patients: (n,), number of the patient of each image.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    patients: NDArray[np.intp]

    def figures(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        of_image = weights[:, self.patients]
        found = {}
        for name, row in zip(self.names, self.values, strict=True):
            known = np.isfinite(row)
            found[PREFIX + name] = ratio(of_image[:, known] @ row[known], of_image[:, known].sum(axis=1))
        return found


def summarise(
    images: Sequence[Faithfulness],
    patient_ids: Sequence[str | None],
    *,
    rounds: int = 1000,
    rng: np.random.Generator,
) -> dict[str, float | int | list[float] | None]:
    """Mean of each figure over the images for which it is known.

    Args:
        images: what was measured of each image.
        patient_ids: the patient of each image; an empty one is a patient of its own.
        rounds: of the bootstrap, at least 0; 0 for no intervals.
        rng: source of randomness.

    Returns:
        `faithfulness.<figure>`, None where it is known for no image; `.ci95` behind it is [low, high], there
        with `rounds` and where the figure is defined in at least half of them; `.count` behind it is the
        number of images that it is known for.

    Raises:
        UsageError: there are not as many patients as images, or fewer than 0 rounds.
    """
    if len(images) != len(patient_ids):
        raise UsageError(f"expected one patient per image, got {len(patient_ids)} for {len(images)} images")
    if rounds < 0:
        raise UsageError(f"expected at least 0 rounds, got {rounds}")
    names = tuple(Faithfulness().figures())
    rows = [list(image.figures().values()) for image in images]
    values = np.array(rows, dtype=np.float64).reshape(-1, len(names)).T
    patients, n_patients = number_patients(patient_ids)
    statistic = _Means(names, values, patients)
    found = point_estimates([statistic], n_patients)
    intervals = bootstrap([statistic], {}, n_patients, rounds, rng).intervals if rounds and images else {}
    result: dict[str, float | int | list[float] | None] = {}
    for name, row in zip(names, values, strict=True):
        key = PREFIX + name
        result[key] = found[key]
        if key in intervals:
            result[f"{key}.ci95"] = list(intervals[key])
        result[f"{key}.count"] = int(np.isfinite(row).sum())
    return result
