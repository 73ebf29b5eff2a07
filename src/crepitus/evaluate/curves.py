"""The curves of an evaluation: taken from their definitions, and their bands from the bootstrap."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from crepitus.evaluate.bootstrap import CurveRounds
from crepitus.evaluate.boxes import BoxFroc
from crepitus.evaluate.calibration import CalibrationFigures
from crepitus.evaluate.classification import ImageFigures
from crepitus.evaluate.components import THRESHOLDS
from crepitus.evaluate.evaluation import Curve
from crepitus.evaluate.gather import Localization
from crepitus.evaluate.rates import ratio

BAND_POINTS = 201
"""A band is computed at no more than this many positions and interpolated between them."""


def image_curves(image: ImageFigures, calibration: CalibrationFigures, n_patients: int) -> dict[str, Curve]:
    """`roc` and `pr` where both classes are there, and `reliability` where there are images."""
    true, false = image.ranking.counts(np.ones((1, n_patients)))
    curves: dict[str, Curve] = {}
    if true[0, -1] > 0 and false[0, -1] > 0:
        recall, thresholds = true[0] / true[0, -1], image.ranking.thresholds
        curves["roc"] = Curve(false[0] / false[0, -1], recall, thresholds, "1 - specificity", "sensitivity")
        precision = ratio(true[0, 1:], true[0, 1:] + false[0, 1:])
        curves["pr"] = Curve(recall[1:], precision, thresholds[1:], "recall", "precision")
    said, observed = calibration.curve()
    if len(said):
        curves["reliability"] = Curve(said, observed, said, "mean score", "share with a fracture")
    return curves


def place_curves(heatmaps: Localization, boxes: BoxFroc, n_patients: int) -> dict[str, Curve]:
    """`froc`, `area_froc` and `boxes_froc`, each where it is defined."""
    once = np.ones((1, n_patients))
    curves: dict[str, Curve] = {}
    for name, (rate, found), thresholds, x_label in (
        ("froc", heatmaps.froc.rates(once), THRESHOLDS, "false positives per image"),
        ("area_froc", heatmaps.area.rates(once), THRESHOLDS, "share of negative area called"),
        ("boxes_froc", boxes.rates(once), boxes.thresholds, "false positives per image"),
    ):
        if not (np.isnan(rate).any() or np.isnan(found).any()):
            curves[name] = Curve(rate[0], found[0], thresholds, x_label, "recall of points")
    return curves


def curve_rounds(
    image: ImageFigures, calibration: CalibrationFigures, heatmaps: Localization, boxes: BoxFroc
) -> Mapping[str, CurveRounds]:
    """How each curve that gets a band is computed in a round of the bootstrap."""
    return {
        "roc": image.curve_rounds,
        "pr": image.precision_rounds,
        "reliability": calibration.curve_rounds,
        "froc": heatmaps.froc.curve_rounds,
        "area_froc": heatmaps.area.curve_rounds,
        "boxes_froc": boxes.curve_rounds,
    }


def grid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions at which the band of a curve over `x` (n,) is computed: few, rising, distinct."""
    distinct = np.unique(x)
    return distinct if len(distinct) <= BAND_POINTS else np.linspace(0.0, distinct[-1], BAND_POINTS)


def with_band(curve: Curve, band: tuple[NDArray[np.float64], NDArray[np.float64]] | None) -> Curve:
    """The curve with its band (low, high), each over `grid(curve.x)`; as it was without one."""
    if band is None or np.isnan(band[0]).any():
        return curve
    low, high = (np.interp(curve.x, grid(curve.x), edge) for edge in band)
    return Curve(curve.x, curve.y, curve.thresholds, curve.x_label, curve.y_label, low, high)
