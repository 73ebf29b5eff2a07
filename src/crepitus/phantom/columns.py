"""What each column that the phantom adds to a data set means, and which of them hold for a whole study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crepitus.phantom.truth import BONE_BIT, LINE_BIT, METAL_BIT

COLUMNS: dict[str, str] = {
    "sex": "F or M",
    "age": "in years",
    "bone_quality": "bone density; 1 is a young adult, 0.6 osteoporotic",
    "kilovolt": "tube voltage, kV",
    "fractured": "1 if the study has a fracture, whatever its label says",
    "fracture_type": "kind of the main fracture, a value of --kind; empty without one",
    "region": "where the fracture is",
    "side": "side of the patient with the fracture, L or R",
    "gap_mm": "width of the gap of the main fracture surface, mm",
    "displacement_mm": "how far the main fragment is displaced, mm",
    "angulation_deg": "how far the main fragment is turned, degrees",
    "visibility": "contrast to noise along the most visible fracture surface of the image; empty without one",
    "visible": "1 if visibility is at least 1, 0 if not; empty without a fracture",
    "gas": "1 if there is gas in the bowel",
    "gas_over_pubis": "1 if gas lies over a superior ramus",
    "gas_over_sacrum": "1 if gas lies over the sacrum",
    "nutrient_canal": "1 if a nutrient canal crosses a cortex",
    "healed_fracture": "1 if there is an old, healed fracture, which is no fracture of the labels",
    "bone_island": "1 if there is a dense island in a bone",
    "cast": "1 if the limb is in a cast or splint",
    "bangle": "1 if a metal bangle is worn, which does not count as hardware",
    "metal_kind": "what the metal is; empty without metal",
    "clothing": "1 if cloth lies over the image",
    "skin_fold": "1 if a fold of skin lies over the image",
    "catheter": "1 if a bladder catheter lies over the image",
}
"""Meaning by name, of columns beyond those of the format."""

OTHER = "further truth of the scene, see docs/phantom.md"

MASK_BITS = {"bone": BONE_BIT, "fracture": LINE_BIT, "metal": METAL_BIT}

STUDY_COLUMNS = (
    "study_id",
    "patient_id",
    "body_part",
    "label",
    "fractured",
    "fracture_type",
    "region",
    "ao_class",
    "side",
    "gap_mm",
    "displacement_mm",
    "angulation_deg",
    "hardware",
    "sex",
    "age",
    "bone_quality",
)
"""Columns of `studies.csv` that all images of a study share."""


def meanings(names: Iterable[str]) -> dict[str, str]:
    """Meaning of each of these columns."""
    return {name: COLUMNS.get(name, OTHER) for name in names}


def study_row(images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row of `studies.csv`.

    Args:
        images: columns and label of the images of one study, at least one.

    Returns:
        `STUDY_COLUMNS`; `images`, how many there are; `visibility`, the highest, and `visible`, whether the
        fracture is visible in any of them; the last two None where undefined.
    """
    row = {name: images[0].get(name) for name in STUDY_COLUMNS}
    for name in ("visibility", "visible"):
        row[name] = max((i[name] for i in images if i.get(name) is not None), default=None)
    return {**row, "images": len(images)}
