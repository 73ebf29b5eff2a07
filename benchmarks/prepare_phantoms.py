"""Wrist phantoms lying at any angle, with the true direction of the fingers, for prepare_steps.py."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.generate import Request, make_study
from crepitus.phantom.render import render
from crepitus.phantom.scenes import SCENES
from crepitus.phantom.scenes.common import rotation
from crepitus.phantom.truth import field_mask, masks, places
from crepitus.phantom.xray.project import Pose

SIZE = 256


@dataclass(frozen=True)
class Base:
    """One image: pixels and bone mask (256, 256) uint8; `angle`, degrees clockwise of the fingers from up."""

    pixels: NDArray[np.uint8]
    bone: NDArray[np.uint8]
    angle: float
    view: str
    point: tuple[float, float] | None


def make(seed: int, index: int) -> Base:
    """Image `index`; every second study lies at any angle, the others nearly upright."""
    request = Request("wrist", seed, SIZE)
    kind = SCENES["wrist"]
    number, view = divmod(index, len(kind.views))
    study = make_study(request, number)
    streams = np.random.SeedSequence([seed, number, 1 + view]).spawn(3)
    shot_stream, noise, turn_stream = (np.random.default_rng(s) for s in streams)
    shot = kind.shot(shot_stream, study.subject.anatomy, kind.views[view], SIZE)
    if number % 2:
        turn = rotation(z_deg=float(turn_stream.uniform(-180.0, 180.0)))
        shot = replace(
            shot, pose=Pose(np.ascontiguousarray(shot.pose.axes @ turn.T), turn @ shot.pose.origin_mm)
        )
    pixels, expected, exposed = render(study.subject, shot, noise)
    found = places(study.subject, shot, exposed, expected, field_mask(shot))
    centre = study.subject.anatomy.centre_mm
    # The y axis of the body runs to the elbow.
    ends = shot.detector.project(shot.pose.to_world(np.stack([centre, centre + np.array([0.0, 20.0, 0.0])])))
    x, y = ends[1] - ends[0]
    point = tuple(found[0].point.tolist()) if found else None
    angle = float(np.degrees(np.arctan2(-x, y)))
    return Base(pixels, masks(exposed, shot, found), angle, shot.view, point)


def stored(folder: Path, seed: int, count: int) -> list[Base]:
    """Images 0 to count - 1, each made once and kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    result = []
    for index in range(count):
        path = folder / f"{seed}-{index:05}.npz"
        if not path.is_file():
            base = make(seed, index)
            place = np.array(base.point or (np.nan, np.nan))
            partial = path.with_suffix(".tmp.npz")
            np.savez(partial, p=base.pixels, b=base.bone, a=base.angle, v=base.view, m=place)
            partial.replace(path)
        with np.load(path) as kept:
            place = kept["m"]
            point = None if np.isnan(place).any() else (float(place[0]), float(place[1]))
            result.append(Base(kept["p"], kept["b"], float(kept["a"]), str(kept["v"]), point))
    return result
