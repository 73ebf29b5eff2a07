"""Making phantom images by the number: deterministic, in parallel, each image independent of all others."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crepitus.errors import UsageError
from crepitus.phantom.render import Pixels, Subject, render
from crepitus.phantom.scene import Anatomy, Extras, Injury, SceneKind, Shot
from crepitus.phantom.scenes import SCENES
from crepitus.phantom.scenes.common import PRESETS, draw_severity
from crepitus.phantom.solid.field import DISTANCE
from crepitus.phantom.solid.textures import base_textures
from crepitus.phantom.truth import Place, field_mask, landmarks, masks, places
from crepitus.phantom.xray.project import Textures
from crepitus.structures import Annotation, Boxes, Points, Radiograph

MIN_SIZE, MAX_SIZE = 64, 4096
_ATTEMPTS = 12
_LABEL_STREAM = 0x6C6162
_METAL_SHARE = 0.12
"""Share of studies with metal when it does not depend on the label."""

FRACTURE_VISIBLE = 1.0
"""Contrast to noise from which a fracture counts as visible in a view."""


@dataclass(frozen=True)
class Request:
    """What to make.

    Attributes:
        scene: name in `SCENES`.
        seed: any whole number from 0.
        size: rows and columns; a multiple of 64.
        preset: name in `PRESETS`.
        twin: replace each fracture by its unbroken twin; labels stay as they were.
        hardware_correlation: phi coefficient between metal and label, -1..1.
        label_noise: share of studies whose label is wrong, 0..0.5.
        kind: only fractures of this kind, or None for their usual frequency.
    """

    scene: str
    seed: int
    size: int = 512
    preset: str = "default"
    twin: bool = False
    hardware_correlation: float = 0.0
    label_noise: float = 0.0
    kind: str | None = None

    def __post_init__(self) -> None:
        if self.scene not in SCENES:
            raise UsageError(f"expected a scene of {', '.join(SCENES)}, got '{self.scene}'")
        if self.preset not in PRESETS:
            raise UsageError(f"--preset: expected one of {', '.join(PRESETS)}, got '{self.preset}'")
        if self.size % 64 or not MIN_SIZE <= self.size <= MAX_SIZE:
            raise UsageError(
                f"--size: expected a multiple of 64 from {MIN_SIZE} to {MAX_SIZE} pixels, got {self.size}"
            )
        if self.seed < 0:
            raise UsageError(f"--seed: expected a whole number from 0, got {self.seed}")
        self._check_rates()

    def _check_rates(self) -> None:
        kinds = SCENES[self.scene].kinds
        if self.kind is not None and self.kind not in kinds:
            raise UsageError(f"--kind: expected one of {', '.join(kinds)}, got '{self.kind}'")
        if not 0 <= self.label_noise <= 0.5:
            raise UsageError(f"--label-noise: expected a share from 0 to 0.5, got {self.label_noise}")
        if not all(0 <= share <= 1 for share in metal_shares(self.hardware_correlation)):
            most = ((1 - _METAL_SHARE) * _METAL_SHARE) ** 0.5
            raise UsageError(
                f"--hardware-correlation: expected -1 to 1, got {self.hardware_correlation} ({most:.2f})"
            )


@dataclass(frozen=True)
class Sample:
    """One image with its truth.

    Attributes:
        radiograph: the image.
        annotation: label, points, boxes, landmarks.
        columns: of the `images` table.
        mask: bits per pixel, see `truth.masks`.
    """

    radiograph: Radiograph
    annotation: Annotation
    columns: dict[str, Any]
    mask: NDArray[np.uint8]


def metal_shares(correlation: float) -> tuple[float, float]:
    """Probability of metal without and with a fracture, for labels one half each.

    The share of metal grows with the strength of the correlation, since the phi coefficient of a rare and a
    frequent event is bounded: at 0 it is `_METAL_SHARE`, at 1 one half.
    """
    h = _METAL_SHARE + (0.5 - _METAL_SHARE) * abs(correlation)
    # phi = (p1 - p0) / 2 / sqrt(h (1 - h)) with (p0 + p1) / 2 = h.
    half = correlation * (h * (1 - h)) ** 0.5
    return h - half, h + half


@lru_cache(maxsize=1)
def _base() -> Textures:
    return base_textures()


def is_fractured(seed: int, study: int) -> bool:
    """Whether a study has a fracture: exactly one of each pair of studies, in random order."""
    first = np.random.default_rng(np.random.SeedSequence([seed, _LABEL_STREAM, study // 2])).random() < 0.5
    return bool(first) == (study % 2 == 0)


@dataclass(frozen=True)
class Study:
    """What the images of a study share."""

    subject: Subject
    fractured: bool
    label: int
    metal: bool


@lru_cache(maxsize=2)
def make_study(request: Request, number: int) -> Study:
    """Study number `number` of a request, with its fractures; twins leave them out when they are rendered.

    Person and anatomy, injury, and extras come from streams of their own, so that nothing but the fracture
    differs between studies with and without one.
    """
    kind = SCENES[request.scene]
    streams = np.random.SeedSequence([request.seed, number, 0]).spawn(4)
    person, injury, extra, rates = (np.random.default_rng(s) for s in streams)
    anatomy = kind.anatomy(person, kind.person(person))
    base = _base()
    shift = tuple(int(n) for n in person.integers(0, base.trabeculae.shape[0], 3))
    textures = Textures(np.ascontiguousarray(np.roll(base.trabeculae, shift, (0, 1, 2))), base.roughness)
    fractured = is_fractured(request.seed, number)
    metal = bool(rates.random() < metal_shares(request.hardware_correlation)[int(fractured)])
    wrong = bool(rates.random() < request.label_noise)
    extras = kind.extras(extra, anatomy, metal)
    broken = Injury()
    if fractured:
        broken = _injury(injury, request, anatomy, extras)
    return Study(Subject(anatomy, broken, extras, textures), fractured, int(fractured != wrong), metal)


def _injury(generator: np.random.Generator, request: Request, anatomy: Anatomy, extras: Extras) -> Injury:
    """An injury that no metal replaces: a hip that is a prosthesis has no neck to break.

    Drawn again rather than the metal, so that metal stays independent of the label.
    """
    severity = draw_severity(generator, PRESETS[request.preset])
    injury = Injury()
    for _ in range(_ATTEMPTS):
        injury = SCENES[request.scene].injury(generator, anatomy, severity, request.kind)
        places = np.array([surface.origin_mm for f in injury.fractures for surface in f.surfaces])
        inside = any((solid.sample(places)[:, DISTANCE] < 0).any() for _, solid in extras.metal)
        if not inside and not extras.removed(injury):
            break
    return injury


def make_image(request: Request, index: int) -> Sample:
    """Image number `index` of a request; depends on nothing else."""
    kind = SCENES[request.scene]
    number, view = divmod(index, len(kind.views))
    study = make_study(replace(request, twin=False), number)
    streams = np.random.SeedSequence([request.seed, number, 1 + view]).spawn(2)
    shot_stream, noise = (np.random.default_rng(s) for s in streams)
    shot = kind.shot(shot_stream, study.subject.anatomy, kind.views[view], request.size)
    subject = study.subject.unbroken if request.twin else study.subject
    pixels, expected, exposed = render(subject, shot, noise)
    found = places(subject, shot, exposed, expected, field_mask(shot))
    return _sample(request, kind, number, view, study, shot, pixels, found, masks(exposed, shot, found))


def _sample(
    request: Request,
    kind: SceneKind,
    number: int,
    view: int,
    study: Study,
    shot: Shot,
    pixels: Pixels,
    found: list[Place],
    mask: NDArray[np.uint8],
) -> Sample:
    injury, person = study.subject.injury, study.subject.anatomy.person
    study_id = f"{kind.name}-{request.seed}-{number:06d}"
    image_id = study_id if len(kind.views) == 1 else f"{study_id}-{view}"
    best = max((place.visibility for place in found), default=None)
    columns: dict[str, Any] = {
        "study_id": study_id,
        "patient_id": study_id,
        "body_part": study.subject.anatomy.body_part,
        "view": shot.view,
        "laterality": shot.laterality,
        "ao_class": injury.ao_class or ("N" if "A1" in kind.kinds and not injury.fractures else None),
        "hardware": int(study.metal),
        "sex": person.sex,
        "age": person.age,
        "bone_quality": round(person.quality, 3),
        "kilovolt": round(shot.exposure.kilovolt, 1),
        "fractured": int(study.fractured),
        "fracture_type": injury.kind,
        "region": injury.region,
        "side": injury.side,
        "gap_mm": injury.gap_mm,
        "displacement_mm": injury.displacement_mm,
        "angulation_deg": injury.angulation_deg,
        "visibility": best,
        "visible": None if not study.fractured else int((best or 0.0) >= FRACTURE_VISIBLE),
        **study.subject.extras.notes,
        **shot.notes,
    }
    annotation = Annotation(
        label=study.label,
        points=Points(np.array([place.point for place in found]).reshape(-1, 2)),
        boxes=Boxes(np.array([place.box for place in found]).reshape(-1, 4)),
        landmarks=landmarks(study.subject, shot),
    )
    return Sample(Radiograph(image_id, pixels, shot.spacing_mm), annotation, columns, mask)


def _make_some(request: Request, indices: range) -> list[Sample]:
    return [make_image(request, index) for index in indices]


def _cores() -> int:
    """Cores that this process may use; a container or a scheduler may grant fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start_worker() -> None:
    """Each worker has a core of its own, and leaves Ctrl-C to the process that started it."""
    import cv2
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The threads of OpenCV and of the linear algebra would only fight over the core.
    cv2.setNumThreads(1)
    threadpool_limits(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back; a process that starts meanwhile never gets it, not even before `_start_worker`."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def make_images(request: Request, count: int, workers: int | None = None) -> Iterator[Sample]:
    """Images 0 to count - 1 in order.

    Args:
        request: scene, seed, size, preset.
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
    # Chunks hold whole studies, of which the first has lost its first image.
    step = 2 * max(2, len(SCENES[request.scene].views))
    chunks = iter(range(max(low, 1), min(low + step, count)) for low in range(0, count, step))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        # Only a few chunks are under way at a time: the writer may be slower than the workers.
        pending: deque[Future[list[Sample]]] = deque()
        try:
            for chunk in chunks:
                with _interrupts_held():
                    pending.append(pool.submit(_make_some, request, chunk))
                if len(pending) > 3 * workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            # Nobody waits for the rest after Ctrl-C or a full disk.
            pool.shutdown(wait=False, cancel_futures=True)
