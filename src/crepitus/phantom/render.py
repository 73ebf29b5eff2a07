"""A scene with its fractures as an image: path lengths, beam, detector, display, truth."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.breaks import Breaks
from crepitus.phantom.fracture import DISTAL, Fracture, surface_points
from crepitus.phantom.physics import (
    ADIPOSE,
    BONE,
    SOFT,
    binned,
    detected,
    expected_signal,
    log_signal,
    tone,
    transmission,
    tube_spectrum,
)
from crepitus.phantom.project import CORTICAL, OCCUPIED, TRABECULAR, Detector, bone_paths, tissue_paths
from crepitus.phantom.scene import SUPERSAMPLING, Scene

FloatArray = NDArray[np.float64]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_ANCHOR_GRID = 64
_MARKER_TRANSMISSION = 0.08


def lengths(scene: Scene, breaks: Breaks, detector: Detector) -> FloatArray:
    """Path lengths (3, rows, columns) in mm through bone, soft and adipose tissue."""
    bones = bone_paths(breaks.bones(scene), detector, scene.pose, scene.textures)
    outer, skin, fascia, along, across = tissue_paths(breaks.tissue(scene.limb), detector, scene.pose)
    # Muscle bellies and the fat between them run along the limb.
    streaks = cv2.remap(
        scene.muscle.astype(np.float32),
        (across / 2.2).astype(np.float32) % 64,
        (along / 9.0).astype(np.float32) % 64,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    lean_share = np.clip(0.9 + 0.09 * streaks, 0.6, 1.0)
    bone = bones[CORTICAL] + bones[TRABECULAR]
    marrow = np.maximum(bones[OCCUPIED] - bone, 0.0)
    room = np.maximum(fascia - bones[OCCUPIED], 0.0)
    result = np.empty((3, *bone.shape))
    result[BONE] = bone
    result[SOFT] = (outer - skin) + room * lean_share + 0.4 * marrow
    result[ADIPOSE] = np.maximum(skin - np.maximum(fascia, bones[OCCUPIED]), 0.0) + room * (1 - lean_share)
    result[ADIPOSE] += 0.6 * marrow
    return result


def primary(scene: Scene, breaks: Breaks, detector: Detector) -> FloatArray:
    """Share of the beam that each element of `detector` receives unscattered."""
    return transmission(lengths(scene, breaks, detector), tube_spectrum(scene.exposure.kilovolt))


def _anchors(scene: Scene) -> tuple[float, float]:
    """Log signals shown as black and white, from a coarse look at the unbroken limb.

    Consoles set the window by the image's histogram. The fracture is left out, so that nothing of it reaches
    the window and through it every pixel.
    """
    coarse = scene.detector.coarser(scene.detector.rows // _ANCHOR_GRID)
    seen = -np.log(primary(scene, Breaks(), coarse) + 0.01)
    return float(np.percentile(seen, 3)), float(np.percentile(seen, 99.6))


def expected_quanta(scene: Scene, breaks: Breaks) -> FloatArray:
    """Noise-free signal per pixel, shape (size, size)."""
    beam = binned(primary(scene, breaks, scene.detector), SUPERSAMPLING)
    if scene.marker is not None:
        beam = beam * _marker_mask(scene)
    return expected_signal(beam, scene.exposure)


def render(scene: Scene, breaks: Breaks, noise: np.random.Generator) -> tuple[Pixels, FloatArray]:
    """The image of a scene.

    Args:
        scene: limb, pose, exposure.
        breaks: the fractures, or `Breaks()`.
        noise: source of quantum and electronic noise.

    Returns:
        pixels (size, size), and the expected quanta per pixel.
    """
    expected = expected_quanta(scene, breaks)
    log = log_signal(detected(expected, scene.exposure, noise), scene.exposure)
    low, high = _anchors(scene)
    pixels = tone(log, low, high, scene.exposure)
    if scene.field is not None:
        pixels = _outside_field(pixels, scene.field, scene.field_level)
    return pixels, expected


def _marker_mask(scene: Scene) -> FloatArray:
    """Transmission of the side marker: a lead letter."""
    if scene.marker is None:
        return np.ones((scene.size, scene.size))
    text, x, y, height = scene.marker
    canvas = np.zeros((scene.size * 4, scene.size * 4), dtype=np.uint8)
    scale = height * 4 / 22.0
    thick = max(1, round(scale * 3))
    cv2.putText(
        canvas, text, (int(x * 4), int(y * 4)), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick, cv2.LINE_AA
    )
    cover = cv2.resize(canvas, (scene.size, scene.size), interpolation=cv2.INTER_AREA) / 255.0
    return np.asarray(1 - cover * (1 - _MARKER_TRANSMISSION))


def _outside_field(pixels: Pixels, corners: FloatArray, level: float) -> Pixels:
    mask = np.zeros(pixels.shape, dtype=np.uint8)
    cv2.fillConvexPoly(mask, np.rint(corners * 16).astype(np.int32), 255, cv2.LINE_AA, shift=4)
    share = cv2.GaussianBlur(mask, (0, 0), pixels.shape[0] / 400).astype(np.float64) / 255.0
    top = np.iinfo(pixels.dtype).max
    shown = np.rint(pixels * share + level * top * (1 - share))
    result: Pixels = shown.astype(pixels.dtype)
    return result


def fracture_trace(scene: Scene, breaks: Breaks, fracture: Fracture) -> FloatArray:
    """The fracture's edges on the image: (n, 2) points (x, y) in pixels, both sides of the gap."""
    tube = next(b.tube for b in breaks.bones(scene) if b.tube.name == fracture.bone)
    points, fragments = surface_points(fracture, tube, scene.textures.roughness, 17)
    far = np.where(
        (fragments == DISTAL)[:, None], fracture.distal.apply(points), fracture.butterfly.apply(points)
    )
    both = np.concatenate([points, far])
    return scene.detector.project(scene.pose.to_world(both)) / SUPERSAMPLING


def box_around(trace: FloatArray, size: int) -> FloatArray | None:
    """Box (4,) around a trace with a margin, clipped; None if less than a third of the trace is inside."""
    inside = ((trace >= 0) & (trace < size)).all(axis=1)
    if inside.mean() < 1 / 3:
        return None
    margin = 0.012 * size
    low = np.clip(trace[inside].min(axis=0) - margin, 0, size)
    high = np.clip(trace[inside].max(axis=0) + margin, 0, size)
    return np.concatenate([low, high])


def visibility(scene: Scene, breaks: Breaks, expected: FloatArray, trace: FloatArray) -> float:
    """Contrast to noise along the fracture: mean |change of ln signal| over the quantum noise of ln signal.

    The change is against the same limb unbroken, at the pixels that hold the fracture's trace.
    """
    cells = np.unique(np.floor(trace).astype(int), axis=0)
    cells = cells[((cells >= 0) & (cells < scene.size)).all(axis=1)]
    (x0, y0), (x1, y1) = cells.min(axis=0), cells.max(axis=0) + 1
    k = SUPERSAMPLING
    part = scene.detector.part(y0 * k, x0 * k, (y1 - y0) * k, (x1 - x0) * k)
    whole, broken = (binned(primary(scene, b, part), k) for b in (Breaks(), breaks))
    rows, columns = cells[:, 1] - y0, cells[:, 0] - x0
    change = np.abs(np.log(broken[rows, columns] / whole[rows, columns]))
    return float(np.mean(change * np.sqrt(expected[cells[:, 1], cells[:, 0]])))
