"""Attenuation against the closed form, and the steps from quanta to pixels."""

import numpy as np
import pytest

from crepitus.phantom.xray.physics import (
    BONE,
    LEAD,
    MATERIALS,
    SOFT,
    Exposure,
    GridLines,
    Spectrum,
    binned,
    detected,
    expected_signal,
    linear_attenuation,
    scattered,
    transmission,
    tube_spectrum,
)
from crepitus.phantom.xray.processing import curve, digitized, log_signal, multiscale, tone


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
    # fat 0.1974 x 0.95 = 0.18753, titanium 0.7661 x 4.54 = 3.478094, iron 1.205 x 7.874 = 9.48817,
    # lead 5.021 x 11.35 = 56.98835.
    per_cm = [0.604416, 0.217088, 0.18753, 3.478094, 9.48817, 56.98835]
    np.testing.assert_allclose(linear_attenuation(np.array([60.0]))[:, 0] * 10, per_cm)


def test_slab_follows_beer_lambert():
    # 10 mm of bone and 40 mm of soft tissue at 60 keV: exp(-0.604416 - 4 x 0.217088) = exp(-1.472768).
    lengths = np.zeros((MATERIALS, 1, 1))
    lengths[[BONE, SOFT], 0, 0] = 10.0, 40.0
    spectrum = Spectrum(np.array([60.0]), np.array([1.0]))
    assert transmission(lengths, spectrum)[0, 0] == pytest.approx(np.exp(-1.472768), rel=1e-12)


def test_transmission_is_the_sum_over_energies_of_each_closed_form():
    # Random slabs of all materials, two energies: the sum written out.
    lengths = np.random.default_rng(3).uniform(0, 5, (MATERIALS, 4, 7))
    lengths[LEAD, 2:] = 0.0
    spectrum = Spectrum(np.array([40.0, 60.0]), np.array([0.3, 0.7]))
    mu = linear_attenuation(spectrum.energies_kev)
    depths = np.einsum("me,mij->eij", mu, lengths)
    wanted = 0.3 * np.exp(-depths[0]) + 0.7 * np.exp(-depths[1])
    np.testing.assert_allclose(transmission(lengths, spectrum), wanted, rtol=1e-12)


def test_more_filtration_hardens_the_beam():
    soft, hard = (tube_spectrum(70.0, filtration_mm=mm) for mm in (2.5, 3.0))
    assert hard.weights @ hard.energies_kev > soft.weights @ soft.energies_kev


def test_spectrum_hardens_behind_bone():
    # A polyenergetic beam is attenuated less by the second slab than by the first.
    spectrum = tube_spectrum(60.0)
    lengths = np.zeros((MATERIALS, 1, 3))
    lengths[BONE, 0] = 0.0, 10.0, 20.0
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


def test_scatter_grows_with_thickness_and_reaches_its_share():
    # Uniform objects: the spread changes nothing; at depth 4 the ratio to the primary is the fraction.
    ratios = []
    for depth in (1.0, 2.0, 4.0):
        primary = np.full((64, 64), np.exp(-depth))
        ratios.append(float(scattered(primary, exposure(scatter_fraction=0.4))[32, 32] / primary[32, 32]))
    assert ratios == pytest.approx([0.1, 0.2, 0.4], rel=1e-6)


def test_scatter_is_nowhere_negative_and_nothing_without_an_object():
    primary = np.random.default_rng(1).uniform(0.0, 1.0, (96, 96)) ** 4
    assert (scattered(primary, exposure(scatter_fraction=0.5)) >= 0).all()
    assert scattered(np.ones((64, 64)), exposure(scatter_fraction=0.5)).max() == 0.0


def test_closed_collimator_leaves_scatter_only():
    primary = np.full((64, 64), 0.1)
    aperture = np.ones((64, 64))
    aperture[:, :20] = 0.0
    seen = expected_signal(primary, exposure(scatter_fraction=0.4), aperture=aperture)
    assert 0 < seen[32, 4] < 0.2 * seen[32, 50]


def test_grid_lines_have_their_period_and_amplitude():
    pattern = GridLines(0.01, 8.0).pattern(16, 64)
    power = np.abs(np.fft.rfft(pattern[3] - 1.0))
    # 64 columns hold 8 periods; a sine of amplitude 0.01 has the coefficient 0.01 x 64 / 2 = 0.32.
    assert np.argmax(power) == 8
    assert power[8] == pytest.approx(0.32, rel=1e-6)


def test_noise_is_correlated_between_neighbours_by_the_read_out():
    expected = np.full((256, 256), 400.0)
    noise = detected(expected, exposure(), np.random.default_rng(2)) - 400.0
    neighbours = np.mean(noise[:, 1:] * noise[:, :-1]) / noise.var()
    far = np.mean(noise[:, 9:] * noise[:, :-9]) / noise.var()
    assert neighbours > 0.1
    assert abs(far) < 0.03


def test_rows_share_an_offset_with_row_noise():
    expected = np.full((400, 100), 900.0)
    rows = detected(expected, exposure(electronic=10.0, row_noise=1.0), np.random.default_rng(4)).mean(axis=1)
    # 10 x 1 quanta per row, besides the mean over 100 pixels of less than sqrt(900 + 100) = 31.6: 3.2.
    assert rows.std() == pytest.approx(np.hypot(10.0, 3.0), rel=0.15)


def test_digitized_has_the_steps_of_the_converter():
    # 9.2 / 2^10 = 0.008984375 per step.
    values = digitized(np.linspace(0, 1, 5000), exposure(depth_bits=10))
    assert np.diff(np.unique(values)) == pytest.approx(9.2 / 1024)
    assert digitized(np.array([-5.0, 50.0]), exposure(depth_bits=10)).tolist() == pytest.approx([-1.0, 8.2])


def test_multiscale_without_strength_changes_nothing():
    x = np.random.default_rng(0).uniform(0, 1, (64, 64)).astype(np.float32)
    np.testing.assert_array_equal(multiscale(x, 0.0), x)


def test_multiscale_lifts_faint_detail_against_strong_edges():
    x = np.full((128, 128), 0.2, dtype=np.float32)
    x[:, 64:] = 0.9
    x[60:68, 20:28] += 0.02
    y = multiscale(x, 1.0)
    faint = (y[64, 24] - y[40, 24]) / 0.02
    strong = (y[20, 110] - y[20, 10]) / 0.7
    assert faint > 1.2 * strong


@pytest.mark.parametrize(
    "changes", [{}, {"toe": 0.8}, {"gamma": 0.75}, {"toe": 0.4, "gamma": 1.2, "contrast": 1.2}]
)
def test_tone_curve_rises_strictly(changes):
    levels = curve(np.linspace(-0.3, 1.5, 400, dtype=np.float32), exposure(**changes))
    assert (np.diff(levels) > 0).all()


def test_log_signal_is_the_optical_path():
    assert log_signal(np.array([[10_000.0 / np.e]]), exposure())[0, 0] == pytest.approx(1.0)


def test_tone_maps_the_anchors_to_black_and_white():
    values = np.array([[0.0, 0.5, 1.0, 2.0, -1.0]])
    # black 0.2 -> 51, white 0.8 -> 204, halfway 127.5 -> 128 (to even). One window beyond white the shoulder
    # has risen by 0.3 (1 - exp(-1 / 0.3)) = 0.2893: 0.2 + 0.6 x 1.2893 = 0.97357 -> 248.26; one below black
    # the toe has fallen by 0.06: 0.2 - 0.6 x 0.06 = 0.164 -> 41.82.
    pixels = tone(values, 0.0, 1.0, exposure(black=0.2, white=0.8))
    assert pixels.dtype == np.uint8
    assert pixels[0].tolist() == [51, 128, 204, 248, 42]


def test_tone_of_16_bits_uses_the_whole_range():
    pixels = tone(np.array([[0.0, 1.0]]), 0.0, 1.0, exposure(bits=16))
    assert pixels.dtype == np.uint16
    assert pixels.tolist() == [[0, 65535]]
