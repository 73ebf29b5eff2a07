"""Phantom images for experiments, made once and kept in files of 40 numbers; a stopped run goes on.

Of a broken study there are three variants: the image; its twin, in which the fracture is missing; and the
image with the confounders of an unbroken study.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

from crepitus.phantom.generate import Request, is_fractured, make_image, make_study, metal_shares
from crepitus.phantom.render import Subject, render
from crepitus.phantom.scene import Extras, Injury, SceneKind
from crepitus.phantom.scenes import SCENES
from crepitus.phantom.solid.field import DISTANCE

STEP = 40
"""Numbers per file; even, so that studies with two views are not divided."""

Images = dict[str, np.ndarray]
"""By variant, each of shape (n, size, size), uint8."""

_Image = tuple[np.ndarray, dict[str, Any]]


def plain(request: Request, number: int) -> _Image:
    """The image, and its columns."""
    sample = make_image(request, number)
    return sample.radiograph.pixels, {**sample.columns, "number": number}


def twin(request: Request, number: int) -> _Image:
    """The image without its fracture; of an unbroken study, the image itself."""
    return plain(replace(request, twin=True), number)


def exchanged(request: Request, number: int) -> _Image:
    """Person and fracture of this image with metal, gas, cast, markers and exposure of an unbroken study.

    That is the other one of its pair, or the next one whose metal leaves the place of the fracture alone.
    """
    kind = SCENES[request.scene]
    study, view = divmod(number, len(kind.views))
    subject = make_study(request, study).subject
    for other in (study ^ 1, *range(study + 2, study + 40)):
        if is_fractured(request.seed, other):
            continue
        extras = _extras(kind, request, other, subject)
        if not _in_the_way(extras, subject.injury):
            break
    # The streams of `generate.make_image`.
    streams = np.random.SeedSequence([request.seed, other, 1 + view]).spawn(2)
    shot = kind.shot(np.random.default_rng(streams[0]), subject.anatomy, kind.views[view], request.size)
    changed = Subject(subject.anatomy, subject.injury, extras, subject.textures)
    pixels, _, _ = render(changed, shot, np.random.default_rng(streams[1]))
    return pixels, {"number": number, "confounders_of": other}


def _in_the_way(extras: Extras, injury: Injury) -> bool:
    """Whether metal took the place of the fracture, as `generate` asks when it draws an injury."""
    places = np.array([surface.origin_mm for f in injury.fractures for surface in f.surfaces])
    inside = any((solid.sample(places)[:, DISTANCE] < 0).any() for _, solid in extras.metal)
    return inside or extras.removed(injury)


def _extras(kind: SceneKind, request: Request, other: int, subject: Subject) -> Extras:
    """Extras drawn as in the unbroken study `other`, fitted to this body."""
    # The third and fourth stream of `generate.make_study`.
    streams = np.random.SeedSequence([request.seed, other, 0]).spawn(4)[2:]
    extra, rates = (np.random.default_rng(stream) for stream in streams)
    metal = rates.random() < metal_shares(request.hardware_correlation)[0]
    return kind.extras(extra, subject.anatomy, bool(metal))


VARIANTS: dict[str, Callable[[Request, int], _Image]] = {
    "plain": plain,
    "twin": twin,
    "exchanged": exchanged,
}


def numbers_of(request: Request, count: int) -> tuple[list[int], list[int]]:
    """Of the image numbers below `count`, those of unbroken and those of broken studies."""
    views = len(SCENES[request.scene].views)
    broken = [n for n in range(count) if is_fractured(request.seed, n // views)]
    return sorted(set(range(count)) - set(broken)), broken


def made(
    request: Request, numbers: list[int], cache: Path, variants: tuple[str, ...]
) -> tuple[Images, pl.DataFrame]:
    """The variants of these images and the columns of the first, from files where there are some.

    Twins do not depend on the preset, so that another preset finds them made.
    """
    preset = "" if variants == ("twin",) else f"-{request.preset}"
    folder = cache / f"{request.scene}-{request.seed}-{request.size}{preset}-{'-'.join(variants)}"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {low: [n for n in numbers if low <= n < low + STEP] for low in range(0, max(numbers) + 1, STEP)}
    files = {folder / f"{low:06d}.npz": part for low, part in wanted.items() if part}
    missing = [(request, part, file, variants) for file, part in files.items() if not file.exists()]
    if missing:
        with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
            for done, file in enumerate(pool.map(_write, missing), 1):
                print(f"{file}: {done} of {len(missing)}", flush=True)
    parts = [np.load(file) for file in files]
    images = {name: np.concatenate([part[name] for part in parts]) for name in variants}
    tables = [pl.read_parquet(file.with_suffix(".parquet")) for file in files]
    return images, pl.concat(tables, how="diagonal_relaxed")


def _write(task: tuple[Request, list[int], Path, tuple[str, ...]]) -> Path:
    """Make the images of one file, which gets its name when it is whole."""
    request, numbers, file, variants = task
    cv2.setNumThreads(1)
    # All variants of one number after another: they share the study.
    done = [[VARIANTS[name](request, number) for name in variants] for number in numbers]
    columns = [images[0][1] for images in done]
    pl.DataFrame(columns, infer_schema_length=None).write_parquet(file.with_suffix(".parquet"))
    part = file.with_suffix(".part.npz")
    pixels = {name: np.stack([_grey(images[k][0]) for images in done]) for k, name in enumerate(variants)}
    np.savez(part, **pixels)
    part.replace(file)
    return file


def _grey(pixels: np.ndarray) -> np.ndarray:
    """The eight highest bits."""
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
