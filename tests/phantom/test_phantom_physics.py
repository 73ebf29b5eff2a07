"""Attenuation against the closed form, and the steps from quanta to pixels."""

import numpy as np
import pytest

from crepitus.phantom.xray.physics import (
    Exposure,
    Spectrum,
    binned,
    detected,
    expected_signal,
    linear_attenuation,
    log_signal,
    tone,
    transmission,
    tube_spectrum,
)


def exposure(**changes):
    values = {
        "kilovolt": 55.0,
        "quanta": 10_000.0,
        "scatter_fraction": 0.0,
        "blur_px": 0.0,
        "electronic": 0.0,
        "contrast": 1.0,
        "toe": 0.0,
        "local_contrast": 0.0,
        "black": 0.0,
        "white": 1.0,
    }
    return Exposure(**{**values, **changes})


def test_linear_attenuation_is_mass_attenuation_times_density():
    # 60 keV, per cm: bone 0.3148 x 1.92 = 0.604416, soft tissue 0.2048 x 1.06 = 0.217088,
    # fat 0.1974 x 0.95 = 0.18753.
    np.testing.assert_allclose(
        linear_attenuation(np.array([60.0]))[:3, 0] * 10, [0.604416, 0.217088, 0.18753]
    )


def test_slab_follows_beer_lambert():
    # 10 mm of bone and 40 mm of soft tissue at 60 keV: exp(-0.604416 - 4 x 0.217088) = exp(-1.472768).
    lengths = np.zeros((6, 1, 1))
    lengths[:2, 0, 0] = 10.0, 40.0
    spectrum = Spectrum(np.array([60.0]), np.array([1.0]))
    assert transmission(lengths, spectrum)[0, 0] == pytest.approx(np.exp(-1.472768), rel=1e-12)


def test_spectrum_hardens_behind_bone():
    # A polyenergetic beam is attenuated less by the second slab than by the first.
    spectrum = tube_spectrum(60.0)
    lengths = np.zeros((6, 1, 3))
    lengths[0, 0] = 0.0, 10.0, 20.0
    none, one, two = transmission(lengths, spectrum)[0]
    assert none == pytest.approx(1.0)
    assert two / one > one / none


def test_spectrum_lies_below_the_tube_voltage_and_grows_with_it():
    means = []
    for kilovolt in (50.0, 60.0, 80.0):
        spectrum = tube_spectrum(kilovolt)
        assert spectrum.weights.sum() == pytest.approx(1.0)
        assert spectrum.energies_kev.max() < kilovolt
        means.append(float(spectrum.weights @ spectrum.energies_kev))
    assert means == sorted(means)


def test_binned_is_the_mean_of_squares():
    np.testing.assert_array_equal(binned(np.array([[1.0, 3.0], [5.0, 7.0]]), 2), [[4.0]])


def test_noise_has_the_variance_of_poisson_plus_electronics():
    expected = np.full((256, 256), 400.0)
    counts = detected(expected, exposure(electronic=15.0), np.random.default_rng(0))
    assert counts.mean() == pytest.approx(400.0, abs=0.5)
    # The read-out's blur (sigma 0.45 px) keeps only part of 400 + 15^2 = 625.
    assert 0.2 * 625 < counts.var() < 625


def test_scatter_adds_signal_and_lowers_contrast():
    primary = np.full((64, 64), 0.5)
    primary[:, 32:] = 0.1
    clean = expected_signal(primary, exposure())
    scattered = expected_signal(primary, exposure(scatter_fraction=0.4))
    assert (scattered >= clean).all()
    assert scattered[32, 16] / scattered[32, 48] < clean[32, 16] / clean[32, 48]


def test_log_signal_is_the_optical_path():
    assert log_signal(np.array([[10_000.0 / np.e]]), exposure())[0, 0] == pytest.approx(1.0)


def test_tone_maps_the_anchors_to_black_and_white():
    values = np.array([[0.0, 0.5, 1.0, 2.0, -1.0]])
    # black 0.2 -> 51, white 0.8 -> 204, halfway 127.5 -> 128 (to even), beyond: clipped at 0..255 only.
    pixels = tone(values, 0.0, 1.0, exposure(black=0.2, white=0.8))
    assert pixels.dtype == np.uint8
    assert pixels[0, [0, 2]].tolist() == [51, 204]
    assert pixels[0, 3] == 255
    assert pixels[0, 4] == 0


def test_tone_of_16_bits_uses_the_whole_range():
    pixels = tone(np.array([[0.0, 1.0]]), 0.0, 1.0, exposure(bits=16))
    assert pixels.dtype == np.uint16
    assert pixels.tolist() == [[0, 65535]]
