"""From path lengths to pixel values: spectrum, Beer-Lambert, scatter, blur, quanta, logarithm, tone curve."""

from __future__ import annotations

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


def tube_spectrum(kilovolt: float, bins: int = 4) -> Spectrum:
    """A filtered bremsstrahlung spectrum as a few energies.

    Kramers' law, weight (kV - E), behind 3 mm of aluminium. Its attenuation is taken as a photoelectric term
    proportional to E^-3 plus a constant, through the values of NIST table 3 at 30 keV (0.305 /mm) and 60 keV
    (0.0750 /mm).
    """
    edges = np.linspace(25.0, max(kilovolt, 40.0), bins + 1)
    energies = (edges[:-1] + edges[1:]) / 2
    aluminium = 0.0422 + 0.2624 * (30.0 / energies) ** 3
    weights = np.maximum(kilovolt - energies, 0.0) * np.exp(-aluminium * 3.0)
    return Spectrum(energies, weights / weights.sum())


@compiled
def _transmit(lengths: FloatArray, attenuation: FloatArray, weights: FloatArray, out: FloatArray) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total = 0.0
            for e in range(weights.shape[0]):
                depth = 0.0
                for m in range(attenuation.shape[0]):
                    depth += attenuation[m, e] * lengths[m, i, j]
                total += weights[e] * np.exp(-depth)
            out[i, j] = total


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


def binned(values: FloatArray, factor: int) -> FloatArray:
    """Mean over squares of `factor` x `factor` elements."""
    rows, columns = values.shape[0] // factor, values.shape[1] // factor
    return np.asarray(values.reshape(rows, factor, columns, factor).mean(axis=(1, 3)))


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


def expected_signal(primary: FloatArray, exposure: Exposure) -> FloatArray:
    """Expected quanta per pixel, shape (rows, columns): primary, scatter and detector blur."""
    rows, columns = primary.shape
    small = cv2.resize(primary, (max(8, columns // 8), max(8, rows // 8)), interpolation=cv2.INTER_AREA)
    # Scatter leaves where primary is absorbed, and arrives spread over centimetres.
    source = small * (1.0 - small) * 2.0
    spread = cv2.GaussianBlur(source, (0, 0), small.shape[1] / 9, borderType=cv2.BORDER_REFLECT)
    scatter = exposure.scatter_fraction * cv2.resize(spread, (columns, rows), interpolation=cv2.INTER_CUBIC)
    total = primary + np.maximum(scatter, 0.0)
    if exposure.blur_px > 0:
        total = cv2.GaussianBlur(total, (0, 0), exposure.blur_px)
    return np.asarray(total * exposure.quanta)


def detected(expected: FloatArray, exposure: Exposure, generator: np.random.Generator) -> FloatArray:
    """Quanta that were counted: Poisson plus electronic noise, slightly correlated by the read-out."""
    counts = generator.poisson(expected) - expected
    counts = counts + generator.normal(0.0, exposure.electronic, expected.shape)
    # Light spreads in the scintillator, so that neighbouring pixels share part of their noise.
    noise = cv2.GaussianBlur(counts, (0, 0), 0.45)
    return np.asarray(np.maximum(expected + noise, 1.0))


def log_signal(quanta: FloatArray, exposure: Exposure) -> FloatArray:
    """Optical path length, -ln(signal / direct beam); bone is high."""
    return np.asarray(-np.log(np.maximum(quanta, 1.0) / exposure.quanta))


def tone(
    values: FloatArray, low: float, high: float, exposure: Exposure
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Display values of a log signal.

    Args:
        values: output of `log_signal`, shape (rows, columns).
        low: value shown at the level `black`.
        high: value shown at the level `white`.
        exposure: contrast, toe, local contrast, levels and bits.
    """
    x = (values - low) / max(high - low, 1e-6)
    if exposure.local_contrast > 0:
        wide = cv2.GaussianBlur(x, (0, 0), 0.04 * x.shape[1])
        x = x + exposure.local_contrast * (x - wide)
    linear = 0.5 + exposure.contrast * (x - 0.5)
    curved = 1.0 / (1.0 + np.exp(-5.0 * exposure.contrast * (x - 0.5)))
    level = (1 - exposure.toe) * linear + exposure.toe * curved
    level = exposure.black + (exposure.white - exposure.black) * level
    if exposure.bits == 8:
        return np.asarray(np.clip(np.rint(level * 255.0), 0, 255), dtype=np.uint8)
    return np.asarray(np.clip(np.rint(level * 65535.0), 0, 65535), dtype=np.uint16)
