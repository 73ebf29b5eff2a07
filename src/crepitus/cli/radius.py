"""The three options that set the radius around a point, shared by the commands that judge places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crepitus.errors import UsageError

if TYPE_CHECKING:
    from crepitus.evaluate.geometry import Radius

RadiusPx = Annotated[float | None, typer.Option(help="Radius around a point in pixels. Default: 50.")]
RadiusMm = Annotated[
    float | None, typer.Option(help="Radius in millimetres instead; needs spacing_mm of every image.")
]
RadiusRel = Annotated[
    float | None, typer.Option(help="Radius as a share of the longer side of the image instead.")
]


def radius_of(px: float | None, mm: float | None, rel: float | None) -> Radius:
    """The radius that at most one of the options gives.

    Raises:
        UsageError: more than one is given, or it is not above 0.
    """
    from crepitus.evaluate.geometry import Radius

    given = [(value, unit) for value, unit in ((px, "px"), (mm, "mm"), (rel, "rel")) if value is not None]
    if len(given) > 1:
        names = " and ".join(f"--radius-{unit}" for _, unit in given)
        raise UsageError(f"expected one radius, got {names}; give only one of them")
    if px is not None:
        return Radius(px, "px")
    if mm is not None:
        return Radius(mm, "mm")
    return Radius(rel, "rel") if rel is not None else Radius()
