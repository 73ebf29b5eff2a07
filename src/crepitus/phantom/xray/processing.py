"""From quanta to pixel values, as a console does it: logarithm, bands of detail, tone curve, bits."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.xray.physics import Exposure

FloatArray = NDArray[np.float64]
SingleArray = NDArray[np.float32]

_LATITUDE = 9.2
"""Range of the detector in natural logarithms: four decades of dose."""

_HEADROOM = 1.0
"""Part of that range above the direct beam."""

_TOE, _SHOULDER = 0.06, 0.3
"""How far the tone curve rises beyond the ends of the window, share of the window."""

_DETAIL = 0.12
"""Size of a detail, share of the window, that multi-scale processing leaves as it is."""


def log_signal(quanta: FloatArray, exposure: Exposure) -> FloatArray:
    """Optical path length, -ln(signal / direct beam); bone is high."""
    return np.asarray(-np.log(np.maximum(quanta, 1.0) / exposure.quanta))


def digitized(values: FloatArray, exposure: Exposure) -> FloatArray:
    """A log signal as the converter passes it on: in steps, and clipped to the range of the detector.

    The range holds four decades of dose in 2^`depth_bits` equal steps of the logarithm.
    """
    step = _LATITUDE / 2**exposure.depth_bits
    return np.asarray(np.clip(np.rint(values / step) * step, -_HEADROOM, _LATITUDE - _HEADROOM))


def multiscale(x: SingleArray, strength: float) -> SingleArray:
    """Even out the bands of detail: faint ones grow, strong ones shrink, as consoles of all vendors do.

    A Laplacian pyramid whose bands d become sign(d) m (|d| / m)^p with p < 1, as in Vuylsteke and Schoeters,
    Multiscale image contrast amplification, Proc. SPIE 2167 (1994); noise in the finest band is spared.

    Args:
        x: shape (rows, columns); the window spans 0..1.
        strength: 0 changes nothing; 1 sets p to 0.55.
    """
    if strength <= 0:
        return x
    # The coarsest level is 8 pixels wide whatever the size of the image.
    levels = max(1, int(np.log2(min(x.shape))) - 3)
    power = 1.0 - 0.45 * strength
    bands, low = [], x
    for _ in range(levels):
        small = cv2.pyrDown(low)
        bands.append(low - cv2.pyrUp(small, dstsize=(low.shape[1], low.shape[0])))
        low = small
    # What is left of the range of the coarsest level makes room for the detail.
    low = 0.5 + (low - 0.5) * (1.0 - 0.35 * strength)
    for n, band in reversed(list(enumerate(bands))):
        size = np.abs(band) / _DETAIL
        # The power law starts beyond a floor; below it the gain is constant, so that noise does not explode.
        gain = np.minimum(np.maximum(size, 0.12), 4.0) ** (power - 1.0)
        gain = 1.0 + (gain - 1.0) * (0.0, 0.5)[n] if n < 2 else gain
        low = cv2.pyrUp(low, dstsize=(band.shape[1], band.shape[0])) + band * gain
    return np.asarray(low, dtype=np.float32)


def _unsharp(x: SingleArray, strength: float) -> SingleArray:
    """Add what differs from the wide surroundings."""
    if strength <= 0:
        return x
    columns = x.shape[1]
    k = max(1, columns // 128)
    small = cv2.resize(x, (columns // k, x.shape[0] // k), interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(small, (0, 0), 0.04 * small.shape[1])
    wide = cv2.resize(wide, (columns, x.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(x + strength * (x - wide), dtype=np.float32)


def curve(x: SingleArray, exposure: Exposure) -> SingleArray:
    """The tone curve alone: level 0..1 between the output's ends, strictly rising before it is clipped."""
    # As on film, the curve flattens beyond both ends of the window and keeps rising.
    x = np.where(x < 0.0, _TOE * (np.exp(np.minimum(x, 0.0) / _TOE) - 1.0), x)
    x = np.where(x > 1.0, 1.0 + _SHOULDER * (1.0 - np.exp((1.0 - np.maximum(x, 1.0)) / _SHOULDER)), x)
    linear = 0.5 + exposure.contrast * (x - 0.5)
    if exposure.gamma != 1.0:
        linear = np.sign(linear) * np.abs(linear) ** exposure.gamma
    level = linear
    if exposure.toe > 0:
        curved = 1.0 / (1.0 + np.exp(-5.0 * exposure.contrast * (x - 0.5)))
        level = (1 - exposure.toe) * linear + exposure.toe * curved
    return np.asarray(exposure.black + (exposure.white - exposure.black) * level, dtype=np.float32)


def tone(
    values: FloatArray, low: float, high: float, exposure: Exposure
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Display values of a log signal.

    Args:
        values: output of `log_signal`, shape (rows, columns).
        low: value shown at the level `black`.
        high: value shown at the level `white`.
        exposure: contrast, toe, gamma, local contrast, bands, levels and bits.
    """
    # The farthest values, as behind metal, would drive the bands beyond all measure.
    x = np.clip((values - low) / max(high - low, 1e-6), -1.0, 2.0).astype(np.float32)
    x = _unsharp(multiscale(x, exposure.multiscale), exposure.local_contrast)
    level = curve(x, exposure)
    top = 255.0 if exposure.bits == 8 else 65535.0
    shown = np.clip(np.rint(level.astype(np.float64) * top), 0, top)
    return shown.astype(np.uint8) if exposure.bits == 8 else shown.astype(np.uint16)
