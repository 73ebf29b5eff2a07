"""From path lengths to quanta: spectrum, Beer-Lambert, scatter, grid, detector blur, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.solid.compiled import compiled

FloatArray = NDArray[np.float64]

ENERGIES_KEV = np.array([30.0, 40.0, 50.0, 60.0, 80.0, 100.0])
"""Energies of the table below."""

MASS_ATTENUATION_CM2_G = np.array(
    [
        [1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855],
        [0.379, 0.2688, 0.2264, 0.2048, 0.1823, 0.1693],
        [0.306, 0.2396, 0.2123, 0.1974, 0.1800, 0.1688],
        [4.972, 2.214, 1.213, 0.7661, 0.4052, 0.2721],
        [8.176, 3.629, 1.958, 1.205, 0.5952, 0.3717],
        [30.32, 14.36, 8.041, 5.021, 2.419, 5.549],
    ]
)
"""Cortical bone, soft tissue, adipose tissue (ICRU-44; NIST X-Ray Mass Attenuation Coefficients, table 4,
https://physics.nist.gov/PhysRefData/XrayMassCoef/tab4.html); titanium, iron, lead (table 3). Shape (6, 6)."""

DENSITY_G_CM3 = np.array([1.92, 1.06, 0.95, 4.54, 7.874, 11.35])
"""Densities of these materials, same source, tables 1 and 2. Steel counts as iron."""

BONE, SOFT, ADIPOSE, TITANIUM, STEEL, LEAD = range(6)
MATERIALS = 6

_THICK = 4.0
"""Optical depth at which the scattered share reaches `Exposure.scatter_fraction`: about 20 cm of tissue."""


@dataclass(frozen=True)
class Spectrum:
    """Photon energies and their share of the detected signal; shares add up to 1."""

    energies_kev: FloatArray
    weights: FloatArray


def linear_attenuation(energies_kev: FloatArray) -> FloatArray:
    """Linear attenuation in 1/mm of the materials, shape (6, n).

    Between the energies of the table the interpolation is linear in the logarithms of both.
    """
    rows = [
        np.exp(np.interp(np.log(energies_kev), np.log(ENERGIES_KEV), np.log(values)))
        for values in MASS_ATTENUATION_CM2_G
    ]
    return np.asarray(np.stack(rows) * DENSITY_G_CM3[:, None] / 10.0)


def tube_spectrum(kilovolt: float, bins: int = 4, filtration_mm: float = 3.0) -> Spectrum:
    """A filtered bremsstrahlung spectrum as a few energies.

    Kramers' law, weight (kV - E), behind aluminium of 2.5-3 mm. Its attenuation is taken as a photoelectric
    term proportional to E^-3 plus a constant, through the values of NIST table 3 at 30 keV (0.305 /mm) and
    60 keV (0.0750 /mm).
    """
    edges = np.linspace(25.0, max(kilovolt, 40.0), bins + 1)
    energies = (edges[:-1] + edges[1:]) / 2
    aluminium = 0.0422 + 0.2624 * (30.0 / energies) ** 3
    weights = np.maximum(kilovolt - energies, 0.0) * np.exp(-aluminium * filtration_mm)
    return Spectrum(energies, weights / weights.sum())


@compiled
def _transmit(lengths: FloatArray, attenuation: FloatArray, weights: FloatArray, out: FloatArray) -> None:
    columns = out.shape[1]
    depth = np.empty((weights.shape[0], columns))
    for i in range(out.shape[0]):
        depth[:] = 0.0
        for m in range(attenuation.shape[0]):
            layer = lengths[m, i]
            longest = 0.0
            for j in range(columns):
                longest = max(longest, abs(layer[j]))
            # Most rows hold two or three materials.
            if longest == 0.0:
                continue
            for e in range(weights.shape[0]):
                for j in range(columns):
                    depth[e, j] += attenuation[m, e] * layer[j]
        for j in range(columns):
            out[i, j] = 0.0
        for e in range(weights.shape[0]):
            for j in range(columns):
                out[i, j] += weights[e] * np.exp(-depth[e, j])


def transmission(lengths_mm: FloatArray, spectrum: Spectrum) -> FloatArray:
    """Transmitted share of the beam: sum over energies of weight x exp(-sum over materials of mu L).

    Args:
        lengths_mm: shape (6, rows, columns), one layer per material.
        spectrum: of the beam.

    Returns:
        shape (rows, columns), 0..1.
    """
    out = np.empty(lengths_mm.shape[1:])
    _transmit(
        np.ascontiguousarray(lengths_mm), linear_attenuation(spectrum.energies_kev), spectrum.weights, out
    )
    return out


@compiled
def _bin(values: FloatArray, factor: int, out: FloatArray) -> None:
    share = 1.0 / (factor * factor)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total = 0.0
            for a in range(factor):
                for b in range(factor):
                    total += values[i * factor + a, j * factor + b]
            out[i, j] = total * share


def binned(values: FloatArray, factor: int) -> FloatArray:
    """Mean over squares of `factor` x `factor` elements."""
    out = np.empty((values.shape[0] // factor, values.shape[1] // factor))
    _bin(np.ascontiguousarray(values, dtype=np.float64), factor, out)
    return out


@dataclass(frozen=True)
class GridLines:
    """The shadow of an anti-scatter grid, or the moire of its lines with the pixels.

    Attributes:
        amplitude: of the lines, share of the signal.
        period_px: distance of the lines in pixels.
        angle_deg: of the lines against the columns.
        cutoff: share of the signal lost from one side of the image to the other, as with a grid off centre.
    """

    amplitude: float
    period_px: float
    angle_deg: float = 0.0
    cutoff: float = 0.0

    def pattern(self, rows: int, columns: int) -> FloatArray:
        """Factor on the signal, shape (rows, columns), mean about 1."""
        y, x = np.arange(rows)[:, None] - rows / 2, np.arange(columns)[None, :] - columns / 2
        angle = math.radians(self.angle_deg)
        along = x * math.cos(angle) + y * math.sin(angle)
        lines = 1.0 + self.amplitude * np.sin(2 * math.pi / self.period_px * along)
        return np.asarray(lines * (1.0 + self.cutoff * x / columns))


@dataclass(frozen=True)
class Exposure:
    """How an image was taken and processed.

    Attributes:
        kilovolt: tube voltage.
        quanta: mean number of detected quanta per pixel in the unattenuated beam.
        scatter_fraction: scattered share of the signal where the object is thick, relative to the primary.
        blur_px: standard deviation of the detector's point spread, pixels.
        electronic: standard deviation of the electronic noise, quanta.
        contrast: slope of the tone curve; 1 is plain linear between the anchors.
        toe: weight of the sigmoid in the tone curve, 0..1.
        local_contrast: strength of the vendors' unsharp enhancement.
        black, white: output levels 0..1 of the direct beam and of dense bone.
        bits: 8 or 16, bits of the output.
        depth_bits: of the detector's converter, 10-14; see `processing.digitized`.
        multiscale: 0..1, how far bands of detail are evened out; see `processing.multiscale`.
        gamma: exponent of the tone curve between black and white; below 1 lifts soft tissue.
        window: percentiles of the body's log signal that are shown at the levels `black` and `white`.
        metal_room: 0 if metal is shown as white as dense bone or whiter, 1 if the window makes room for it.
        row_noise: standard deviation of the offset of a read-out row, share of the electronic noise.
    """

    kilovolt: float
    quanta: float
    scatter_fraction: float
    blur_px: float
    electronic: float
    contrast: float
    toe: float
    local_contrast: float
    black: float
    white: float
    bits: int = 8
    depth_bits: int = 14
    multiscale: float = 0.0
    gamma: float = 1.0
    window: tuple[float, float] = (10.0, 99.6)
    metal_room: float = 0.0
    row_noise: float = 0.0


def scattered(primary: FloatArray, exposure: Exposure) -> FloatArray:
    """Scattered share of the direct beam per pixel, shape (rows, columns), not negative.

    Relative to the primary it grows with the optical depth and reaches `scatter_fraction` behind about 20 cm
    of tissue. It arrives spread over centimetres.
    """
    rows, columns = primary.shape
    small = cv2.resize(primary, (max(8, columns // 8), max(8, rows // 8)), interpolation=cv2.INTER_AREA)
    depth = -np.log(np.clip(small, 1e-6, 1.0))
    source = small * np.minimum(depth / _THICK, 1.5)
    wide = cv2.GaussianBlur(source, (0, 0), small.shape[1] / 9, borderType=cv2.BORDER_REFLECT)
    near = cv2.GaussianBlur(source, (0, 0), small.shape[1] / 30, borderType=cv2.BORDER_REFLECT)
    spread = cv2.resize(0.65 * wide + 0.35 * near, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(exposure.scatter_fraction * spread)


def expected_signal(
    primary: FloatArray, exposure: Exposure, grid: GridLines | None = None, aperture: FloatArray | None = None
) -> FloatArray:
    """Expected quanta per pixel, shape (rows, columns): primary, scatter, grid and detector blur.

    Args:
        primary: transmitted share of the direct beam.
        exposure: beam and detector.
        grid: its lines, or None.
        aperture: share of the beam that the collimator lets through, shape (rows, columns), or None for all.
    """
    seen = primary if aperture is None else primary * aperture
    total = seen + scattered(seen, exposure)
    if exposure.blur_px > 0:
        total = cv2.GaussianBlur(total, (0, 0), exposure.blur_px)
    if grid is not None:
        total = total * grid.pattern(*total.shape)
    return np.asarray(total * exposure.quanta)


def detected(expected: FloatArray, exposure: Exposure, generator: np.random.Generator) -> FloatArray:
    """Quanta that were counted: Poisson plus electronic noise, slightly correlated by the read-out."""
    noise = generator.poisson(expected) - expected
    if exposure.electronic > 0:
        noise += exposure.electronic * generator.standard_normal(expected.shape, dtype=np.float32)
    # Light spreads in the scintillator, so that neighbouring pixels share part of their noise.
    noise = cv2.GaussianBlur(noise, (0, 0), 0.45)
    if exposure.row_noise > 0:
        # Rows are read out together: a common offset, lost in thick parts, faint in the direct beam.
        noise += exposure.row_noise * exposure.electronic * generator.standard_normal((len(expected), 1))
    return np.asarray(np.maximum(expected + noise, 1.0))
