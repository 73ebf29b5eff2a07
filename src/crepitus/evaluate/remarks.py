"""What a reader of an evaluation must be told: sentences about the data, not about the method."""

from __future__ import annotations

import numpy as np

from crepitus.evaluate.cases import Cases
from crepitus.evaluate.components import NEAR_DENOMINATOR, NEAR_NUMERATOR
from crepitus.evaluate.geometry import Radius

FEW = 20
"""Below this many positive or negative images, one image moves a rate by more than 5 percentage points."""

MAX_RADIUS_PER_BOX = 2.0
"""A disk whose radius is more than this many times the median box accepts findings beside the fracture."""


def remarks(cases: Cases, radius: Radius, rounds: int, partly_undefined: list[str]) -> list[str]:
    """Sentences about what was left out and what makes the figures weak.

    Args:
        cases: the evaluated images.
        radius: of the disks around the points.
        rounds: of the bootstrap, 0 for none.
        partly_undefined: figures that are undefined in some of the rounds.
    """
    found = [*_left_out(cases), *_balance(cases), *_radius(cases, radius)]
    if rounds and (without := cases.table["patient_id"].null_count()):
        found.append(
            f"{_images(without)} without patient_id counted as patients of their own in the intervals, "
            "which are too narrow if some of them show the same patient."
        )
    if partly_undefined:
        found.append(
            f"The intervals of {', '.join(partly_undefined)} leave out bootstrap rounds in which the figure "
            "is undefined: too few cases of one kind."
        )
    return found


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _left_out(cases: Cases) -> list[str]:
    found = []
    if unknown := cases.truth.count(None):
        found.append(f"{_images(unknown)} without label or annotation left out of the image figures.")
    positives = cases.truth.count(1)
    for annotated, places, what, figures in (
        (cases.data.points is not None, cases.data.points_by_image, "points", "localization figures"),
        (cases.data.boxes is not None, cases.data.fracture_boxes_by_image, "fracture boxes", "boxes.ap_50"),
    ):
        unplaced = sum(t == 1 and i not in places for i, t in zip(cases.image_ids, cases.truth, strict=True))
        if annotated and unplaced:
            found.append(f"{_images(unplaced)} labelled as fracture without {what} left out of {figures}.")
    if cases.predictions.has_heatmaps and cases.data.points is None and positives:
        found.append("The data set has no points.csv: the heatmaps were not evaluated.")
    pairs = zip(cases.image_ids, cases.truth, strict=True)
    if contradicting := sum(t == 0 and i in cases.data.points_by_image for i, t in pairs):
        found.append(
            f"{_images(contradicting)} labelled as without fracture, but with points: negative in the image "
            "figures, searched for their points in the localization figures. Correct the data set."
        )
    return found


def _balance(cases: Cases) -> list[str]:
    found = []
    for truth, name in ((1, "positive"), (0, "negative")):
        count = cases.truth.count(truth)
        if count == 0:
            found.append(f"No {name} image: figures that compare the two classes are undefined.")
        elif count < FEW:
            found.append(f"Only {count} {name} image{'' if count == 1 else 's'}: the figures are uncertain.")
    if len(cases.image_ids) > 1 and cases.table["score"].n_unique() == 1:
        found.append("All images have the same score: the predictions do not rank them.")
    return found


def _radius(cases: Cases, radius: Radius) -> list[str]:
    ratios, sides, radii, shares = [], [], [], []
    for k in cases.with_known_points().tolist():
        boxes = cases.boxes(k)
        side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        pixels = cases.radius_px(k, radius)
        if len(cases.points(k)):
            shares.append(np.pi * pixels**2 / (cases.sizes[k][0] * cases.sizes[k][1]))
        ratios.extend((pixels / side).tolist())
        sides.extend(side.tolist())
        radii.extend([pixels] * len(side))
    found = []
    if ratios and float(np.median(ratios)) > MAX_RADIUS_PER_BOX:
        found.append(
            f"The radius of {np.median(radii):.3g} px around a point is more than twice the median fracture "
            f"box ({np.median(sides):.3g} px, longer side): findings well beside a fracture are not counted "
            "as false positives. Consider a smaller --radius-px, --radius-mm or --radius-rel."
        )
    if shares and float(np.median(shares)) >= NEAR_NUMERATOR / NEAR_DENOMINATOR:
        found.append(
            f"The disk around a point covers {np.median(shares):.0%} of a typical image with a fracture: a "
            "box around such a whole image finds every point and is no false positive, so that FROC "
            "flatters. Consider a smaller --radius-px, --radius-mm or --radius-rel."
        )
    return found
