"""How a reproduction came about: what decides it, and what a reader must know of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crepitus import __version__
from crepitus.train.records import commit, device_name, now

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.reproduce.plan import Request


def settings_of(request: Request, data_sha256: str) -> dict[str, Any]:
    """What every call that goes on with the same folder must share."""
    return {
        "table": request.table.name,
        "scale": request.scale.name,
        "data": data_sha256,
        "seed": request.seed,
        "set": list(request.overrides),
    }


def provenance(
    request: Request, settings: dict[str, Any], data: DataSet, folds: Sequence[int], *, own_folds: bool
) -> dict[str, Any]:
    """Everything that stands at the head of the result.

    Args:
        request: what was asked for.
        settings: of `settings_of`.
        data: the images that were taken.
        folds: that were run.
        own_folds: the data set has folds; otherwise they were dealt out by the seed.
    """
    truth = [data.truth[i] for i in data.images["image_id"]]
    table = request.table
    return {
        "crepitus": __version__,
        "commit": commit(),
        "date": now(),
        "command": shlex.join(["crepitus", *sys.argv[1:]]),
        "device": device_name(),
        "scale": request.scale.name,
        "seed": request.seed,
        "set": list(request.overrides),
        "data": str(data.info.get("name") or data.root.name),
        "data_sha256": settings["data"],
        "images": {"all": len(truth), "with": truth.count(1), "without": truth.count(0)},
        "folds": list(folds),
        "folds_from": "the data set" if own_folds else "the seed",
        "bootstrap": request.rounds,
        "radius_rel": table.radius_rel,
        "radius": f"{100 * table.radius_rel:.2f} % of the longer side of an image: {table.radius_note}",
    }
