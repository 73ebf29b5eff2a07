"""Codes of body parts and views, and how the patient lies in an image as seen from the X-ray tube."""

from __future__ import annotations

from crepitus.errors import UsageError

REGION_CODES = {
    "FOREARM": ("14975008", "Forearm"),
    "LEG": ("30021000", "Lower leg"),
    "HUMERUS": ("40983000", "Upper arm"),
    "HIP": ("29836001", "Hip"),
    "PELVIS": ("816092008", "Pelvis"),
    "FEMUR": ("68367000", "Thigh"),
    "WRIST": ("74670003", "Wrist joint"),
    "HAND": ("85562004", "Hand"),
    "SHOULDER": ("16982005", "Shoulder"),
    "ELBOW": ("16953009", "Elbow joint"),
    "KNEE": ("72696002", "Knee"),
    "ANKLE": ("70258002", "Ankle joint"),
    "FOOT": ("56459004", "Foot"),
}
"""SNOMED CT code and meaning by Body Part Examined, PS3.16 CID 4009."""

VIEW_CODES = {
    "AP": ("399348003", "antero-posterior"),
    "PA": ("272479007", "postero-anterior"),
    "LL": ("399173006", "left lateral"),
    "RL": ("399198007", "right lateral"),
    "ML": ("399260004", "medial-lateral"),
    "LM": ("399352003", "lateral-medial"),
    "LAT": ("399067008", "lateral"),
    "OBL": ("399182000", "oblique"),
}
"""SNOMED CT code and meaning by View Position, PS3.16 CID 4010."""

_TO_THE_RIGHT = {"AP": "L", "PA": "R", "LL": "A", "RL": "P", "OBL": "L"}
"""Side of the patient at the right edge of an image with the head up, as seen from the tube."""

UNPAIRED = frozenset({"PELVIS"})
"""Body parts of which there is one."""

_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A"}

_FINGERS_UP = frozenset({"WRIST", "HAND"})
"""Body parts that are shown with their distal end up; all others have the head up."""


LATERALITIES = ("L", "R", "B", "U")
"""Image Laterality (0020,0062): left, right, both, unpaired or unknown."""


def check_positioning(body_part: str | None, view: str | None, laterality: str | None) -> None:
    """Raise UsageError for a body part or view without a code, or another laterality; None and "" pass.

    A body part that is named needs its code beside it (PS3.3 C.8.11.2).
    """
    for what, value, known in (
        ("body part", body_part, tuple(REGION_CODES)),
        ("view", view, tuple(VIEW_CODES)),
        ("laterality", laterality, LATERALITIES),
    ):
        if value and value not in known:
            raise UsageError(f"{what}: expected one of {', '.join(known)}, got {value!r}")


def patient_orientation(view: str | None, laterality: str | None, body_part: str | None) -> tuple[str, str]:
    """Patient Orientation (0020,0020): where rows and columns lead (PS3.3 C.7.6.1.1.1).

    Directions are those of the standard anatomical position. The image is not mirrored: it shows the patient
    as the tube sees him. A beam from medial to lateral has the limb's own side at the detector, so it is a
    left lateral for a left limb. A lateral view without a direction (LAT) is latero-medial for wrist and
    hand, whose ulnar side lies on the detector, and medio-lateral for the others. Where the side is
    unknown, a limb counts as right. An oblique view is described by the frontal one that it is near to.

    Args:
        view: key of `VIEW_CODES` or None, which counts as AP.
        laterality: "L", "R" or anything else for unknown.
        body_part: DICOM Body Part Examined.

    Returns:
        letter for the rows' direction, letter for the columns' direction.
    """
    distal_up = body_part in _FINGERS_UP
    view = view or "AP"
    if view == "LAT":
        view = "LM" if distal_up else "ML"
    if view in ("ML", "LM"):
        view = "LL" if (view == "ML") == (laterality == "L") else "RL"
    right = _TO_THE_RIGHT[view]
    return (_OPPOSITE[right], "H") if distal_up else (right, "F")
