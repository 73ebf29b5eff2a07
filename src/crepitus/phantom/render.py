"""A scene as an image: path lengths, beam, detector, display."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.injuries.fracture import Motion
from crepitus.phantom.scene import Anatomy, Extras, Injury, Shot, Text
from crepitus.phantom.solid.compiled import compiled
from crepitus.phantom.xray.physics import (
    ADIPOSE,
    BONE,
    MATERIALS,
    SOFT,
    Exposure,
    binned,
    detected,
    expected_signal,
    scattered,
    transmission,
    tube_spectrum,
)
from crepitus.phantom.xray.processing import digitized, log_signal, tone
from crepitus.phantom.xray.project import (
    CORTICAL,
    OCCUPIED,
    TRABECULAR,
    Bone,
    BonePaths,
    Detector,
    Textures,
    bone_paths,
    chord_paths,
    tissue_paths,
)

FloatArray = NDArray[np.float64]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_ANCHOR_GRID = 64
_DIRECT = 0.15
"""Optical depth up to which a ray counts as direct beam."""

_LEAST_BODY = 16
"""Fewest rays of the coarse look that make a histogram."""

_LEAST_WINDOW = 0.4
"""Smallest difference of log signals between black and white."""

_MARROW_LEAN = 0.4
"""Share of lean tissue in marrow; the rest is fat."""


@dataclass(frozen=True)
class Subject:
    """Everything in front of the detector.

    Attributes:
        anatomy: the part of the person.
        injury: its fractures.
        extras: what else is in the body.
        textures: trabeculae and roughness, shifted for this person.
    """

    anatomy: Anatomy
    injury: Injury
    extras: Extras
    textures: Textures

    def bones(self, *, broken: bool = True) -> list[Bone]:
        """The bones, with or without the injury."""
        bones = self.extras.bones(self.anatomy.bones)
        return self.injury.bones(bones) if broken else list(bones)

    @property
    def unbroken(self) -> Subject:
        """The twin without an injury."""
        return Subject(self.anatomy, Injury(), self.extras, self.textures)


@dataclass(frozen=True)
class Exposed:
    """What the rays met.

    Attributes:
        lengths: path lengths per material in mm, shape (6, rows, columns) of the grid of rays.
        bones: path lengths through the bones, and near the fractures.
        around: path lengths through everything but bone, before bone took its place, same shape as `lengths`.
    """

    lengths: FloatArray
    bones: BonePaths
    around: FloatArray


def surroundings(subject: Subject, shot: Shot, detector: Detector) -> FloatArray:
    """Path lengths (6, rows, columns) in mm through soft tissue and metal, as if there were no bone."""
    result = np.zeros((MATERIALS, detector.rows, detector.columns))
    tissue = subject.injury.tissue(subject.anatomy.tissue)
    result[SOFT], result[ADIPOSE] = tissue_paths(tissue, detector, shot.pose, subject.textures)
    hollow = np.zeros(result.shape[1:])
    if subject.extras.gas:
        gas = [(solid, Motion()) for solid in subject.extras.gas]
        hollow += chord_paths(gas, detector, shot.pose, 2.0)
    for material in sorted({material for material, _ in subject.extras.metal}):
        pieces = [(solid, Motion()) for m, solid in subject.extras.metal if m == material]
        metal = chord_paths(pieces, detector, shot.pose, shot.step_mm)
        result[material] += metal
        # A cast of plaster counts as bone; it is worn outside, and takes no tissue's place.
        if material != BONE:
            hollow += metal
    result[SOFT] = np.maximum(result[SOFT] - hollow, 0.0)
    return result


@compiled
def _displace_tissue(around: FloatArray, bones: FloatArray, out: FloatArray) -> None:
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            occupied = bones[OCCUPIED, i, j]
            tissue = bones[CORTICAL, i, j] + bones[TRABECULAR, i, j]
            marrow = max(occupied - tissue, 0.0)
            lean = min(around[SOFT, i, j], occupied)
            fat = min(around[ADIPOSE, i, j], occupied - lean)
            out[BONE, i, j] = around[BONE, i, j] + tissue
            out[SOFT, i, j] = around[SOFT, i, j] + (_MARROW_LEAN * marrow - lean)
            out[ADIPOSE, i, j] = around[ADIPOSE, i, j] + ((1 - _MARROW_LEAN) * marrow - fat)


def with_bones(around: FloatArray, bones: FloatArray) -> FloatArray:
    """Path lengths per material when bones (3, rows, columns) take the place of soft tissue."""
    result = np.empty_like(around, order="C")
    _displace_tissue(around, bones, result)
    result[ADIPOSE + 1 :] = around[ADIPOSE + 1 :]
    return result


def expose(subject: Subject, shot: Shot, detector: Detector) -> Exposed:
    """Trace all rays of a detector."""
    bones = bone_paths(subject.bones(), detector, shot.pose, subject.textures, shot.step_mm)
    around = surroundings(subject, shot, detector)
    return Exposed(with_bones(around, bones.bone), bones, around)


def _anchors(subject: Subject, shot: Shot) -> tuple[float, float]:
    """Log signals shown as black and white, from a coarse look at the unbroken part.

    Consoles set the window by the image's histogram. The fracture is left out, so that nothing of it reaches
    the window and through it every pixel.
    """
    coarse = shot.detector.coarser(shot.detector.rows // _ANCHOR_GRID)
    lengths = expose(subject.unbroken, shot, coarse).lengths
    _, metal_high = _window(lengths, shot.exposure)
    lengths[ADIPOSE + 1 :] = 0.0
    low, high = _window(lengths, shot.exposure)
    # Some consoles leave room for metal above bone, others show it as white as can be.
    high += shot.exposure.metal_room * max(0.0, metal_high - high)
    return low, max(high, low + _LEAST_WINDOW)


def _window(lengths: FloatArray, exposure: Exposure) -> tuple[float, float]:
    """Percentiles of the log signal behind the body; the direct beam beside it does not count."""
    primary = transmission(lengths, tube_spectrum(exposure.kilovolt))
    seen = -np.log(primary + scattered(primary, exposure) + 1e-4)
    body = seen[seen > _DIRECT]
    low, high = np.percentile(body if body.size >= _LEAST_BODY else seen, exposure.window)
    return float(low), float(high)


def expected_quanta(exposed: Exposed, shot: Shot) -> FloatArray:
    """Noise-free signal per pixel, shape (size, size)."""
    spectrum = tube_spectrum(shot.exposure.kilovolt)
    lengths = exposed.lengths
    if shot.overlays:
        lengths = lengths.copy()
        k = shot.detector.per_pixel
        for overlay in shot.overlays:
            layer = lengths[overlay.material]
            layer.reshape(shot.size, k, shot.size, k)[:] += overlay.thickness_mm[:, None, :, None]
            # Air in a fold takes tissue away, but no more than there is.
            if overlay.thickness_mm.min() < 0:
                np.maximum(layer, 0.0, out=layer)
    primary = binned(transmission(lengths, spectrum), shot.detector.per_pixel)
    aperture = None if shot.field is None else _within(shot.field, shot.size)
    return expected_signal(primary, shot.exposure, shot.grid_lines, aperture)


def render(subject: Subject, shot: Shot, noise: np.random.Generator) -> tuple[Pixels, FloatArray, Exposed]:
    """The image of a subject.

    Args:
        subject: what is in front of the detector.
        shot: how it is taken.
        noise: source of quantum and electronic noise.

    Returns:
        pixels (size, size), the expected quanta per pixel, and the path lengths.
    """
    exposed = expose(subject, shot, shot.detector)
    expected = expected_quanta(exposed, shot)
    log = digitized(log_signal(detected(expected, shot.exposure, noise), shot.exposure), shot.exposure)
    low, high = _anchors(subject, shot)
    pixels = tone(log, low, high, shot.exposure)
    if shot.field is not None and shot.field_level is not None:
        pixels = _outside_field(pixels, _within(shot.field, shot.size), shot.field_level)
    for text in shot.burned_text:
        pixels = _burned(pixels, text)
    return pixels, expected, exposed


def _within(corners: FloatArray, size: int) -> FloatArray:
    """Share of each pixel that lies in the collimated field, shape (size, size), with its penumbra."""
    mask = np.zeros((size, size), dtype=np.uint8)
    cv2.fillConvexPoly(mask, np.rint(corners * 16).astype(np.int32), 255, cv2.LINE_AA, shift=4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), size / 400).astype(np.float64) / 255.0)


def _outside_field(pixels: Pixels, share: FloatArray, level: float) -> Pixels:
    top = np.iinfo(pixels.dtype).max
    shown = np.rint(pixels * share + level * top * (1 - share))
    return _like(shown, pixels)


def _like(values: FloatArray, pixels: Pixels) -> Pixels:
    return values.astype(np.uint8) if pixels.dtype == np.uint8 else values.astype(np.uint16)


def _burned(pixels: Pixels, text: Text) -> Pixels:
    """The image with characters of the console over it."""
    top = np.iinfo(pixels.dtype).max
    result = pixels.copy()
    rows, columns = text.alpha.shape
    spot = result[text.row : text.row + rows, text.column : text.column + columns]
    alpha = text.alpha[: spot.shape[0], : spot.shape[1]]
    shade = text.shade[: spot.shape[0], : spot.shape[1]]
    spot[:] = np.rint(spot * (1 - alpha) + shade * top * alpha).astype(pixels.dtype)
    return result
