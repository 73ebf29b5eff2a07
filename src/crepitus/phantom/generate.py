"""Making phantom images by the number: deterministic, in parallel, each image independent of all others."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from crepitus.errors import UsageError
from crepitus.phantom.breaks import PRESETS, Breaks, Preset, draw_breaks
from crepitus.phantom.project import Textures
from crepitus.phantom.render import box_around, fracture_trace, render, visibility
from crepitus.phantom.scene import Scene, base_textures, draw_scene
from crepitus.structures import Annotation, Boxes, Points, Radiograph

Sample = tuple[Radiograph, Annotation, dict[str, Any]]
"""An image, its truth, and further columns of the `images` table."""

MIN_SIZE, MAX_SIZE = 64, 4096
_ATTEMPTS = 50
_LABEL_STREAM = 0x6C6162


@dataclass(frozen=True)
class Request:
    """What to make.

    Attributes:
        seed: any whole number from 0.
        size: rows and columns; a multiple of 32.
        preset: name in `PRESETS`.
    """

    seed: int
    size: int = 256
    preset: str = "default"

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise UsageError(f"--preset: expected one of {', '.join(PRESETS)}, got '{self.preset}'")
        if self.size % 32 or not MIN_SIZE <= self.size <= MAX_SIZE:
            raise UsageError(
                f"--size: expected a multiple of 32 from {MIN_SIZE} to {MAX_SIZE} pixels, got {self.size}"
            )
        if self.seed < 0:
            raise UsageError(f"--seed: expected a whole number from 0, got {self.seed}")


@lru_cache(maxsize=1)
def _base() -> Textures:
    return base_textures()


def is_fractured(seed: int, index: int) -> bool:
    """Whether image `index` shows a fracture: exactly one of each pair of images, in random order."""
    first = np.random.default_rng(np.random.SeedSequence([seed, _LABEL_STREAM, index // 2])).random() < 0.5
    return bool(first) == (index % 2 == 0)


def make_image(request: Request, index: int) -> Sample:
    """Image number `index` of a request; depends on nothing else.

    Scene, fracture and noise come from three independent streams, so that pose, exposure, anatomy and noise
    have the same distribution with and without a fracture.
    """
    streams = np.random.SeedSequence([request.seed, index]).spawn(3)
    scene_stream, fracture_stream, noise = (np.random.default_rng(s) for s in streams)
    scene = draw_scene(scene_stream, request.size, _base())
    breaks = Breaks()
    if is_fractured(request.seed, index):
        breaks = _placed(fracture_stream, scene, PRESETS[request.preset])
    pixels, expected = render(scene, breaks, noise)
    traces = [fracture_trace(scene, breaks, f) for f in breaks.fractures]
    boxes = [(t, box_around(t, request.size)) for t in traces]
    shown = [(t, box) for t, box in boxes if box is not None]
    seen = [visibility(scene, breaks, expected, t) for t, _ in shown]
    columns: dict[str, Any] = {
        "body_part": scene.limb.body_part,
        "view": scene.view,
        "laterality": scene.laterality,
        "fracture_type": breaks.kind,
        "gap_mm": max((f.gap_mm for f in breaks.fractures), default=None),
        "displacement_mm": breaks.displacement_mm,
        "angulation_deg": breaks.angulation_deg,
        "visibility": max(seen, default=None),
    }
    name = f"long-bone-{request.seed}-{index:06d}"
    annotation = Annotation(
        label=int(bool(breaks.fractures)),
        points=Points(np.array([(box[:2] + box[2:]) / 2 for _, box in shown]).reshape(-1, 2)),
        boxes=Boxes(np.array([box for _, box in shown]).reshape(-1, 4)),
    )
    radiograph = Radiograph(name, pixels, scene.spacing_mm)
    return radiograph, annotation, {"study_id": name, "patient_id": name, **columns}


def _placed(generator: np.random.Generator, scene: Scene, preset: Preset) -> Breaks:
    """Fractures whose every line lies within the image and the collimated field."""
    for _ in range(_ATTEMPTS):
        breaks = draw_breaks(generator, scene, preset)
        if all(_is_inside(scene, fracture_trace(scene, breaks, f).mean(axis=0)) for f in breaks.fractures):
            return breaks
    raise RuntimeError("no visible place for a fracture was found in the scene; the scene's ranges are wrong")


def _is_inside(scene: Scene, point: Any) -> bool:
    margin = 0.06 * scene.size
    if (point < margin).any() or (point > scene.size - margin).any():
        return False
    if scene.field is None:
        return True
    for start, end in zip(scene.field, np.roll(scene.field, -1, axis=0), strict=True):
        edge = end - start
        inward = np.array([-edge[1], edge[0]]) / np.hypot(*edge)
        if float((point - start) @ inward) < margin:
            return False
    return True


def _make_some(request: Request, indices: range) -> list[Sample]:
    return [make_image(request, index) for index in indices]


def _cores() -> int:
    """Cores that this process may use; a container or a scheduler may grant fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _one_thread() -> None:
    """Each worker has a core of its own; OpenCV's threads would only fight over it."""
    import cv2

    cv2.setNumThreads(1)


def make_images(request: Request, count: int, workers: int | None = None) -> Iterator[Sample]:
    """Images 0 to count - 1 in order.

    Args:
        request: seed, size, preset.
        count: how many.
        workers: processes; None means one per core, 1 means none besides this one.
    """
    workers = _cores() if workers is None else workers
    if workers < 1:
        raise UsageError(f"--workers: expected a whole number from 1, got {workers}")
    if workers == 1 or count < 8:
        for index in range(count):
            yield make_image(request, index)
        return
    # The first image compiles the kernels into the cache from which the workers then load them.
    yield make_image(request, 0)
    step = 4
    chunks = iter(range(low, min(low + step, count)) for low in range(1, count, step))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        # Only a few chunks are under way at a time: the writer may be slower than the workers.
        pending: deque[Future[list[Sample]]] = deque()
        for chunk in chunks:
            pending.append(pool.submit(_make_some, request, chunk))
            if len(pending) > 3 * workers:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
