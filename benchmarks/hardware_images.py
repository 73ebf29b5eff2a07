"""Wrist phantoms each with and without metal, for experiments on metal as a confounder; made once and kept.

The person, the fracture, the exposure and the noise of the two are the same: only the metal differs. A set
with any correlation of metal with the label is a choice among them, and it is the choice of `crepitus phantom
wrist --hardware-correlation`: same seed, same persons, same draw.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from crepitus.phantom.columns import MASK_BITS
from crepitus.phantom.generate import Request, make_study, metal_shares
from crepitus.phantom.render import Subject, render
from crepitus.phantom.scenes import SCENES
from crepitus.phantom.truth import field_mask, landmarks, masks, places

STEP = 20
"""Studies per file."""

ANCHORS = ("lunate-fossa", "capitate")
"""Landmarks that the region around the joint is cut out by."""


@dataclass(frozen=True)
class Pairs:
    """Regions around the joint of n studies, one view each.

    Attributes:
        bare: without metal, shape (n, side, side), uint8, bone bright.
        metal: the same with metal, likewise.
        mask: where the metal is, shape (n, side, side), bool.
        line: where the fracture is, likewise.
        label: 1 fracture, 0 none, shape (n,).
        draw: what decides whether the phantom gives the study metal, 0..1, shape (n,).
        study: number of the study, shape (n,).
    """

    bare: np.ndarray
    metal: np.ndarray
    mask: np.ndarray
    line: np.ndarray
    label: np.ndarray
    draw: np.ndarray
    study: np.ndarray

    def chosen(self, correlation: float) -> np.ndarray:
        """Which studies have metal at this correlation, shape (n,), bool."""
        shares = np.array(metal_shares(correlation))
        return self.draw < shares[self.label]


def around_joint(xy: dict[str, np.ndarray], size: int) -> tuple[int, int]:
    """Top and left of the half of the side around the distal radius, moved into the image."""
    joint = xy["lunate-fossa"]
    down = joint - xy["capitate"]
    centre = joint + 0.1 * size * down / np.linalg.norm(down)
    left, top = np.clip(np.rint(centre - size / 4), 0, size // 2).astype(int)
    return int(top), int(left)


def pair(request: Request, number: int, view: int) -> dict[str, np.ndarray] | None:
    """Both images of a study; None if the joint is not in the picture."""
    kind = SCENES[request.scene]
    # At a correlation of 1 every fracture has metal beside it, and is drawn where metal leaves room for it.
    study = make_study(replace(request, hardware_correlation=1.0), number)
    anatomy, injury = study.subject.anatomy, study.subject.injury
    # The third and fourth stream of `generate.make_study`.
    extra, rates = np.random.SeedSequence([request.seed, number, 0]).spawn(4)[2:]
    found: dict[str, np.ndarray] = {}
    bits = {}
    for name, with_metal in (("bare", False), ("metal", True)):
        extras = kind.extras(np.random.default_rng(extra), anatomy, with_metal)
        # `spawn` counts its children, so the sequence of the extras must be a new one for the second image.
        extra = np.random.SeedSequence([request.seed, number, 0]).spawn(4)[2]
        # The streams of `generate.make_image`.
        streams = np.random.SeedSequence([request.seed, number, 1 + view]).spawn(2)
        shot = kind.shot(np.random.default_rng(streams[0]), anatomy, kind.views[view], request.size)
        subject = Subject(anatomy, injury, extras, study.subject.textures)
        pixels, expected, exposed = render(subject, shot, np.random.default_rng(streams[1]))
        seen = places(subject, shot, exposed, expected, field_mask(shot))
        marks = landmarks(subject, shot)
        xy = {n.rsplit("-", 1)[0]: p for n, p in zip(marks.names, marks.xy, strict=True)}
        if any(anchor not in xy for anchor in ANCHORS):
            return None
        top, left = around_joint(xy, request.size)
        spot = np.s_[top : top + request.size // 2, left : left + request.size // 2]
        # The eight highest bits.
        grey = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
        found[name], bits[name] = grey[spot], masks(exposed, shot, seen)[spot]
    return {
        **found,
        "mask": (bits["metal"] & MASK_BITS["metal"] > 0) & (bits["bare"] & MASK_BITS["metal"] == 0),
        "line": bits["metal"] & MASK_BITS["fracture"] > 0,
        "label": np.array(int(study.fractured)),
        "draw": np.array(np.random.default_rng(rates).random()),
        "study": np.array(number),
    }


def pairs(request: Request, count: int, view: int, cache: Path, workers: int) -> Pairs:
    """Pairs of the studies 0 to count - 1 of a request, from files where there are some."""
    folder = cache / f"{request.scene}-{request.seed}-{request.size}-{request.preset}-{request.kind}-{view}"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{low:05d}.npz" for low in range(0, count, STEP)]
    missing = [(request, view, k * STEP, file) for k, file in enumerate(files) if not file.exists()]
    if missing:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            for done, file in enumerate(pool.map(_write, missing), 1):
                print(f"{file.name}: {done} of {len(missing)}", flush=True)
    parts = [np.load(file) for file in files]
    everything = {name: np.concatenate([part[name] for part in parts]) for name in parts[0].files}
    kept = everything["study"] < count
    return Pairs(**{name: values[kept] for name, values in everything.items()})


def _write(task: tuple[Request, int, int, Path]) -> Path:
    """Make the pairs of one file, which gets its name when it is whole."""
    request, view, first, file = task
    cv2.setNumThreads(1)
    made = [pair(request, number, view) for number in range(first, first + STEP)]
    whole = [one for one in made if one is not None]
    part = file.with_suffix(".part.npz")
    np.savez(part, **{name: np.stack([one[name] for one in whole]) for name in whole[0]})
    part.replace(file)
    return file
