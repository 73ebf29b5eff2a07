"""What is still true of a part of an image that was split: label, AO class, hardware, side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crepitus.data.folder import FRACTURE
from crepitus.errors import NotAssessable
from crepitus.structures import Annotation


def part_columns(
    row: Mapping[str, Any], whole: Annotation, mine: Annotation, part: tuple[int, int]
) -> dict[str, Any]:
    """Columns of one part that the source's row does not answer for any more.

    A part with a fracture point, or a box labelled `fracture`, is 1, one without is 0, if the source says
    where its fractures are. What is true of the source and not of each part becomes empty.

    Args:
        row: of the source.
        whole: places in the source.
        mine: those in the part.
        part: its number and how many there are; nothing changes for an image that is whole.

    Raises:
        NotAssessable: the data set has annotations, but not the place of this image's fracture. Its parts
            would count as negatives, and one of them is none.
    """
    if part[1] == 1:
        return {}
    label, ao_class = row.get("label"), row.get("ao_class")
    here, anywhere = _has_place(mine), _has_place(whole)
    columns: dict[str, Any] = {"laterality": None, "hardware": 0 if row.get("hardware") == 0 else None}
    if label == 1 and anywhere:
        columns["label"] = int(here)
        columns["ao_class"] = ao_class if here or ao_class is None else "N"
    elif label != 0:
        if label == 1 and (whole.points is not None or whole.boxes is not None):
            raise NotAssessable(
                f"fracture at an unknown place: which of the {part[1]} parts has it is unknown; "
                "annotate a point, or leave out the step split"
            )
        columns["label"] = None
        columns["ao_class"] = None
    return columns


def _has_place(annotation: Annotation) -> bool:
    points, boxes = annotation.points, annotation.boxes
    return bool(points is not None and len(points)) or bool(boxes is not None and FRACTURE in boxes.labels)
