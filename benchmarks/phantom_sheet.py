"""Contact sheets of the phantom: normals, each fracture at three severities, each confounder.

    python benchmarks/phantom_sheet.py femur --out docs/images/phantom-femur.jpg

The three images of a fracture show the same person; beside its name stands the visibility figure.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from crepitus.phantom.generate import Request, make_study
from crepitus.phantom.render import Subject, render
from crepitus.phantom.scene import Injury, SceneKind, Severity, Shot
from crepitus.phantom.scenes import SCENES
from crepitus.phantom.truth import field_mask, places

SEVERITIES = (
    Severity(gap_mm=0.35, motion=0.0, incomplete=False, in_plane=True),
    Severity(gap_mm=0.9, motion=0.25, incomplete=False, in_plane=True),
    Severity(gap_mm=2.2, motion=0.8, incomplete=False, in_plane=True),
)
NORMALS = 6
COLUMNS = 6
TRIES = 120


def tile(subject: Subject, shot: Shot, title: str, *, mark: bool = True) -> np.ndarray:
    """An image with its title, fractures framed, as (rows, columns, 3)."""
    pixels, expected, exposed = render(subject, shot, np.random.default_rng(1))
    grey = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    found = places(subject, shot, exposed, expected, field_mask(shot)) if mark else []
    for place in found:
        x0, y0, x1, y1 = (int(v) for v in place.box)
        cv2.rectangle(picture, (x0 - 3, y0 - 3), (x1 + 3, y1 + 3), (60, 200, 255), 1)
    if mark:
        title += f" {max((p.visibility for p in found), default=0.0):.1f}" if found else " (not in view)"
    bar = np.full((16, picture.shape[1], 3), 24, np.uint8)
    cv2.putText(bar, title, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([bar, picture])


def shot_of(kind: SceneKind, subject: Subject, seed: int, size: int, view: int = 0) -> Shot:
    """An exposure of a view."""
    return kind.shot(np.random.default_rng(seed), subject.anatomy, kind.views[view], size)


def normals(kind: SceneKind, request: Request) -> Iterator[np.ndarray]:
    """Unbroken persons in all views."""
    for number in range(NORMALS // len(kind.views)):
        subject = make_study(request, number).subject.unbroken
        for view, name in enumerate(kind.views):
            yield tile(
                subject, shot_of(kind, subject, number, request.size, view), f"normal, {name}", mark=False
            )


def fractures(kind: SceneKind, request: Request) -> Iterator[np.ndarray]:
    """Every kind at three severities, on persons who can have it."""
    for index, name in enumerate(kind.kinds):
        for number in range(100 + 10 * index, 140 + 10 * index):
            study = make_study(request, number)
            subject = study.subject
            if study.metal:
                continue
            injury = kind.injury(np.random.default_rng(number), subject.anatomy, SEVERITIES[1], name)
            if injury.kind == name:
                break
        shot = shot_of(kind, subject, number, request.size)
        for severity in SEVERITIES:
            broken = kind.injury(np.random.default_rng(number), subject.anatomy, severity, name)
            yield tile(Subject(subject.anatomy, broken, subject.extras, subject.textures), shot, name)


def confounders(kind: SceneKind, request: Request) -> Iterator[np.ndarray]:
    """Everything that may be in an image of an unbroken person, one at a time."""
    subject = make_study(request, 1).subject.unbroken
    wanted: dict[str, tuple[Subject, Shot]] = {}
    for seed in range(TRIES):
        extras = kind.extras(np.random.default_rng(seed), subject.anatomy, seed % 3 == 0)
        notes = {k: v for k, v in extras.notes.items() if v and k != "metal_kind"}
        metal = extras.notes.get("metal_kind")
        names = [f"metal: {metal}"] if metal else list(notes)
        with_extras = Subject(subject.anatomy, Injury(), extras, subject.textures)
        shot = shot_of(kind, subject, seed, request.size)
        names += [name for name, value in shot.notes.items() if value and not metal]
        for name in names:
            wanted.setdefault(name, (with_extras, shot))
    for name, (with_extras, shot) in sorted(wanted.items()):
        yield tile(with_extras, shot, name, mark=False)


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene", choices=sorted(SCENES))
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    kind, request = SCENES[options.scene], Request(options.scene, options.seed, options.size)
    tiles = [*normals(kind, request), *fractures(kind, request), *confounders(kind, request)]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(options.out), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
