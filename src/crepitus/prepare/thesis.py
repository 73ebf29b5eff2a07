"""The heuristics of the thesis (paper 004, section 4.2.2) as published: baselines to compare with."""

from __future__ import annotations

import numpy as np

from crepitus.prepare.plan import Picture

INVERT_FROM = 100.0 / 255.0
"""Eq. 4.1b: mean of the corner patches from which the background counts as white."""

CORNER = 0.1
"""Side of a corner patch as a share of the image's; the thesis does not give it."""


def is_inverted(picture: Picture) -> bool:
    """Whether the mean of the four corner patches is at least 100 of 255 (Eq. 4.1).

    Args:
        picture: shape (h, w), 0..1.
    """
    height, width = (max(1, round(n * CORNER)) for n in picture.shape)
    corners = [picture[y, x] for y in np.s_[:height, -height:] for x in np.s_[:width, -width:]]
    return bool(np.mean([corner.mean() for corner in corners]) >= INVERT_FROM)
