"""The class of an image among given ones, from its AO class or, where they are coarser, from its label."""

from __future__ import annotations

from collections.abc import Sequence

NORMAL = "N"
"""An image without a fracture, in `ao_class` and as a class."""

FRACTURE = "fracture"
"""A class that holds every fracture, whatever its AO class."""


def class_of(ao_class: str | None, label: int | None, names: Sequence[str]) -> str | None:
    """The class of an image.

    Args:
        ao_class: N, A1 to B3, or empty.
        label: 1 fracture, 0 none, None unknown; asked where `ao_class` is empty and `FRACTURE` is a class.
        names: of the classes.

    Returns:
        The class named like `ao_class`, or else like its group (A of A2), or else `FRACTURE` for any
        fracture; None if there is none of them.
    """
    if ao_class in (None, ""):
        if FRACTURE not in names or label is None:
            return None
        ao_class = FRACTURE if label == 1 else NORMAL
    for name in (ao_class, ao_class[:1], FRACTURE if ao_class != NORMAL else NORMAL):
        if name in names:
            return name
    return None
