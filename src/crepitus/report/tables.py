"""How figures are named, explained and written, the same in the report and on the screen."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

UNDEFINED: Final = "undefined"


@dataclass(frozen=True)
class Description:
    """What a figure is called, and what it means.

    Attributes:
        name: short, for tables.
        explanation: one sentence for a reader who is no statistician.
        section: heading under which the figure stands.
    """

    name: str
    explanation: str
    section: str


SECTIONS: Final[Mapping[str, str]] = {
    "image": "Is there a fracture? One answer per image",
    "localization": "Where is it? Heatmaps against annotated points",
    "boxes": "Where is it? Boxes against annotated boxes",
    "study": "Is there a fracture? One answer per study",
    "class": "Which class?",
    "landmarks": "How far are found landmarks off?",
    "calibration": "Can the score be read as a probability?",
    "doubt": "What is left to a reader?",
    "count": "What was counted",
}
OTHER_SECTION: Final = "Further figures"

_KNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "image.auroc": (
        "AUROC",
        "Area under the ROC curve: how often an image with a fracture scores higher than one without; "
        "0.5 is chance, 1 is perfect.",
    ),
    "image.ap": (
        "Average precision",
        "Area under the precision-recall curve; chance is the share of images with a fracture.",
    ),
    "image.specificity_at_recall_95": (
        "Specificity at 95 % sensitivity",
        "The share of normal images passed as normal when at least 95 % of the fractured ones are caught.",
    ),
    "image.recall_at_specificity_95": (
        "Sensitivity at 95 % specificity",
        "The share of fractured images caught when at least 95 % of the normal ones are passed.",
    ),
    "image.precision_at_recall_95": (
        "Precision at 95 % sensitivity",
        "Of the images flagged when at least 95 % of the fractured ones are caught, the share that has one.",
    ),
    "image.accuracy": ("Accuracy", "The share of images judged rightly at the operating threshold."),
    "image.sensitivity": (
        "Sensitivity",
        "The share of images with a fracture that are flagged at the operating threshold.",
    ),
    "image.specificity": (
        "Specificity",
        "The share of images without a fracture that are not flagged at the operating threshold.",
    ),
    "localization.froc_score": (
        "FROC score",
        "The share of annotated fractures that the marks reach, averaged over allowances of 0.1, 0.2, 0.3, "
        "0.4 and 0.5 false marks per image.",
    ),
    "localization.area_recall_at_0.01": (
        "Recall with 1 % of the area marked falsely",
        "The share of annotated fractures inside the marked area when at most 1 % of the normal area is "
        "marked.",
    ),
    "localization.area_recall_at_0.10": (
        "Recall with 10 % of the area marked falsely",
        "The share of annotated fractures inside the marked area when at most 10 % of the normal area is "
        "marked.",
    ),
    "boxes.ap_50": (
        "AP50",
        "Average precision of the boxes, where a box counts as right when it overlaps a true one by at least "
        "half of their union (IoU 0.5).",
    ),
    "boxes.froc_score": (
        "FROC score of the boxes",
        "As the FROC score of the heatmaps, with the boxes that the method gives as its marks.",
    ),
    "boxes.map_femur": (
        "mAP of the best box",
        "The best-scored box of each fractured image: the share that overlaps the truth, averaged over five "
        "demands on the overlap (IoU above 0.1 to 0.9).",
    ),
    "boxes.map_roi": (
        "mAP of the best box, region of interest",
        "The same against the region of interest (the upper femur) in place of the fracture itself.",
    ),
    "study.accuracy": ("Accuracy", "The share of studies judged rightly at the operating threshold."),
    "study.sensitivity": ("Sensitivity", "The share of fractured studies that are called fractured."),
    "study.specificity": ("Specificity", "The share of studies without a fracture that are called so."),
    "study.auroc": ("AUROC", "As the AUROC of images; a study is fractured if any of its images is."),
    "class.accuracy": ("Accuracy of the class", "The share of images whose class is called right."),
    "class.f1.weighted": (
        "F1, weighted",
        "Harmonic mean of precision and recall of each class, weighted by how often the class occurs.",
    ),
    "calibration.ece": (
        "Expected calibration error",
        "How far, on average, the score is from the observed share of fractures (15 equally filled bins); "
        "0 is perfect.",
    ),
    "doubt.share": (
        "Images in doubt",
        "The share of images between the two thresholds of the doubt tier, left to a reader.",
    ),
    "doubt.missed": (
        "Fractures called clear",
        "The share of fractured images below the doubt tier, called clear without a reader.",
    ),
    "doubt.false_alarms": (
        "Normals called fractured",
        "The share of normal images above the doubt tier, called fractured without a reader.",
    ),
    "landmarks.mean_error_mm": (
        "Mean error, mm",
        "Mean distance of found landmarks from the true ones.",
    ),
    "landmarks.mean_error_px": ("Mean error, pixels", "The same in pixels of the image."),
    "landmarks.under_8mm": ("Within 8 mm", "The share of found landmarks that lie less than 8 mm off."),
    "landmarks.found": ("Found", "The share of the annotated landmarks for which there is a prediction."),
    "calibration.brier": (
        "Brier score",
        "Mean squared difference between score and truth; 0 is perfect, always saying 0.5 gives 0.25.",
    ),
}
_COUNTS: Final[Mapping[str, str]] = {
    "images": "Images",
    "patients": "Patients",
    "positives": "Images with a fracture",
    "negatives": "Images without a fracture",
    "truth_unknown": "Images of unknown truth",
    "points": "Annotated points",
    "points_unknown": "Images with a fracture but no point",
    "boxes": "Annotated fracture boxes",
    "boxes_unknown": "Images with a fracture but no box",
    "heatmaps": "Heatmaps",
    "leaks": "Kinds of leakage, allowed",
    "studies": "Studies",
}
_RECALL_AT_RATE: Final = re.compile(r"(localization|boxes)\.recall_at_fp_([0-9.]+)")


def describe(key: str) -> Description:
    """Name, explanation and section of a key of evaluation.json; an unknown key is its own name."""
    section = SECTIONS.get(key.split(".", 1)[0], OTHER_SECTION)
    if key in _KNOWN:
        return Description(*_KNOWN[key], section)
    if match := _RECALL_AT_RATE.fullmatch(key):
        rate = match[2]
        explanation = (
            f"The share of annotated fractures that the marks reach, allowing {rate} false marks per image."
        )
        return Description(f"Recall at {rate} false marks per image", explanation, section)
    if key.startswith("class.f1."):
        name = key.removeprefix("class.f1.")
        return Description(f"F1, class {name}", f"Harmonic mean of precision and recall of {name}.", section)
    if key.startswith("landmarks.error_mm."):
        name = key.removeprefix("landmarks.error_mm.")
        return Description(f"Error of {name}, mm", f"Mean distance of {name} from its annotation.", section)
    if key.startswith("count."):
        return Description(_COUNTS.get(key.removeprefix("count."), key), "", section)
    return Description(key, "", section)


def is_undefined(value: float | None) -> bool:
    """Whether a figure has no value: None, NaN or infinite."""
    return value is None or not math.isfinite(value)


def format_figure(value: float | None, interval: tuple[float, float] | None = None) -> str:
    """A figure as it is printed: `0.873 [0.851, 0.894]`, `0.873` without an interval, or `undefined`."""
    if value is None or is_undefined(value):
        return UNDEFINED
    text = f"{value:.3f}"
    return text if interval is None else f"{text} {format_interval(interval)}"


def format_value(key: str, value: float | None, decimals: int = 3) -> str:
    """The value of a key as it is printed: counts are whole numbers, all else has `decimals`."""
    if value is None or is_undefined(value):
        return UNDEFINED
    return f"{value:,.0f}" if key.startswith("count.") else f"{value:.{decimals}f}"


def format_interval(interval: tuple[float, float] | None) -> str:
    """A 95 % interval as it is printed: `[0.851, 0.894]`, or nothing where there is none."""
    if interval is None or any(is_undefined(bound) for bound in interval):
        return ""
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"


def in_words(key: str, value: float | None) -> str | None:
    """One sentence that says what a key figure's value means in practice, for a radiologist.

    Returns:
        None for figures that need no sentence of their own, or are undefined.
    """
    if value is None or is_undefined(value) or key not in _SENTENCES:
        return None
    return _SENTENCES[key](value)


def _percent(value: float) -> str:
    """As few digits as are honest: whole percents, but never 100 % or 0 % by rounding."""
    if 0 < value < 0.01 or 0.99 < value < 1:
        return f"{100 * value:.1f} %"
    return f"{100 * value:.0f} %"


_SENTENCES: Final[Mapping[str, Callable[[float], str]]] = {
    "image.auroc": lambda v: (
        f"AUROC {v:.3f}: of one randomly chosen image with a fracture and one without, the fractured one "
        f"gets the higher score in {_percent(v)} of such pairs (50 % would be a coin toss)."
    ),
    "image.specificity_at_recall_95": lambda v: (
        f"If the threshold is set so low that at least 95 % of the fractured images are flagged, "
        f"{_percent(v)} of the normal images stay unflagged."
    ),
    "image.sensitivity": lambda v: (
        f"At the operating threshold, {_percent(v)} of the images with a fracture are flagged; "
        f"{_percent(1 - v)} are missed."
    ),
    "image.specificity": lambda v: (
        f"At the operating threshold, {_percent(1 - v)} of the images without a fracture are flagged falsely."
    ),
    "localization.froc_score": lambda v: (
        f"FROC score {v:.3f}: a reader who accepts between 1 false mark in ten images and 5 in ten is led to "
        f"{_percent(v)} of the annotated fractures on average."
    ),
    "localization.area_recall_at_0.01": lambda v: (
        f"If 1 % of the normal image area may be highlighted, {_percent(v)} of the annotated fractures lie "
        "in the highlighted area."
    ),
    "boxes.ap_50": lambda v: (
        f"AP50 {v:.3f}: precision of the boxes averaged over all levels of recall, where a box must overlap "
        "the true one by at least half of their union; 1 would be every fracture boxed and nothing else."
    ),
    "calibration.ece": lambda v: (
        f"Read as a probability, the score is off by {100 * v:.1f} percentage points on average."
    ),
}
