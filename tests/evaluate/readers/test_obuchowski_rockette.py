"""Obuchowski-Rockette analysis: a published worked example, the reference, properties, undefined cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.errors import UsageError
from crepitus.evaluate.readers.analysis import (
    GENERALIZATIONS,
    differences,
    reader_differences,
    single,
    treatments_equal,
)
from crepitus.evaluate.readers.components import Components
from crepitus.evaluate.readers.figures import Auroc, Share, covariance
from crepitus.evaluate.readers.power import Pilot, cases_needed, power
from reference import readers as reference

# The Van Dyke data (2 treatments, 5 readers, 69 normal and 45 abnormal cases), trapezoidal AUROC, jackknife,
# as printed by OR-DBM MRMC 2.51 (Schartz, Hillis, Pesce and Berbaum, University of Iowa), "VanDyke trap area
# jackknife anova", also part of the R package RJafroc (Chakraborty), folder inst/Iowa; variance and cov1 to
# cov3 with the further digits that RJafroc's documentation of SsPowerGivenJK prints. What is checked is all
# that follows from the readers' AUROCs and covariances; benchmarks/mrmc.py starts from the ratings.
VAN_DYKE = Components(
    figures=np.array(
        [
            [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
            [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
        ]
    ),
    variance=0.00080228827,
    cov1=0.00034661371,
    cov2=0.00034407483,
    cov3=0.00023902837,
    by_treatment=np.array([[0.00101410, 0.00048396], [0.00059047, 0.00020419]]),
    by_reader=np.array(
        [
            [0.00069890, 0.00037347],
            [0.00110605, 0.00076016],
            [0.00084234, 0.00035532],
            [0.00015058, 0.00000108],
            [0.00121357, 0.00024304],
        ]
    ),
)


def test_published_mean_squares_and_components():
    c = VAN_DYKE
    assert f"{c.ms_treatment:.8f}" == "0.00479617"
    assert f"{c.ms_reader:.8f}" == "0.00383620"
    assert f"{c.ms_interaction:.8f}" == "0.00055103"
    assert [f"{c.ms_reader_of(k):.8f}" for k in (0, 1)] == ["0.00308263", "0.00130460"]
    assert f"{c.var_reader:.8f}" == "0.00153500"
    assert f"{c.var_interaction:.8f}" == "0.00020040"


def test_published_random_readers_and_cases():
    test = treatments_equal(VAN_DYKE, "random")
    assert (f"{test.statistic:.2f}", f"{test.ddf:.2f}", f"{test.p_value:.4f}") == ("4.46", "15.26", "0.0517")
    assert line(differences(VAN_DYKE, "random")[0, 1], 5, 2) == (
        "-0.04380", "0.02075", "15.26", "-2.11", "0.0517", "-0.08796", "0.00036",
    )  # fmt: skip
    # The covariances of single treatments are known to 8 digits only, and so are not all digits that follow.
    for treatment, printed in (
        (0, (0.89703704, 0.03317360, 12.74, 0.82522360, 0.96885048)),
        (1, (0.94083736, 0.02156637, 12.71, 0.89413783, 0.98753689)),
    ):
        e = single(VAN_DYKE, treatment, "random")
        assert (e.value, e.standard_error, *e.ci95) == pytest.approx(printed[:2] + printed[3:], abs=2e-6)
        assert f"{e.df:.2f}" == str(printed[2])


def test_published_fixed_readers():
    test = treatments_equal(VAN_DYKE, "fixed_readers")
    assert (f"{test.statistic:.5f}", test.ndf, f"{test.p_value:.4f}") == ("5.47595", 1, "0.0193")
    assert line(differences(VAN_DYKE, "fixed_readers")[0, 1], 5, 2) == (
        "-0.04380", "0.01872", "inf", "-2.34", "0.0193", "-0.08049", "-0.00711",
    )  # fmt: skip
    for treatment, printed in (
        (0, (0.02428971, 0.84943008, 0.94464399)),
        (1, (0.01677632, 0.90795637, 0.97371835)),
    ):
        e = single(VAN_DYKE, treatment, "fixed_readers")
        assert (e.standard_error, *e.ci95) == pytest.approx(printed, abs=1e-6)


@pytest.mark.parametrize(
    ("reader", "printed"),
    [
        (0, ("-0.02818", "0.02551", "-1.10", "0.2693", "-0.07818", "0.02182")),
        (1, ("-0.04654", "0.02630", "-1.77", "0.0768", "-0.09809", "0.00501")),
        (2, ("-0.01787", "0.03121", "-0.57", "0.5668", "-0.07904", "0.04330")),
        (3, ("-0.02625", "0.01729", "-1.52", "0.1290", "-0.06014", "0.00764")),
        (4, ("-0.10016", "0.04406", "-2.27", "0.0230", "-0.18651", "-0.01381")),
    ],
)
def test_published_single_readers(reader, printed):
    value, error, _, *rest = line(reader_differences(VAN_DYKE)[reader, 0, 1], 5, 2)
    assert (value, error, *rest) == printed


def test_published_fixed_cases():
    test = treatments_equal(VAN_DYKE, "fixed_cases")
    assert (f"{test.statistic:.2f}", test.ddf, f"{test.p_value:.4f}") == ("8.70", 4, "0.0420")
    assert line(differences(VAN_DYKE, "fixed_cases")[0, 1], 5, 2) == (
        "-0.04380", "0.01485", "4.00", "-2.95", "0.0420", "-0.08502", "-0.00258",
    )  # fmt: skip
    for treatment, printed in (
        (0, ("0.02482994", "0.82809808", "0.96597599")),
        (1, ("0.01615303", "0.89598936", "0.98568536")),
    ):
        e = single(VAN_DYKE, treatment, "fixed_cases")
        assert (f"{e.standard_error:.8f}", *(f"{b:.8f}" for b in e.ci95)) == printed


def test_published_sample_size():
    # RJafroc, documentation of SsPowerGivenJK and SsSampleSizeKGivenJ: these components, the observed
    # difference as effect, 6 readers: power 0.5526116 with 111 cases; 251 cases for 0.8, power 0.801.
    pilot = Pilot(0.00020040252, 0.00080228827, 0.00034661371, 0.00034407483, 0.00023902837, 114)
    effect = 0.04380032
    assert f"{power(pilot, effect=effect, readers=6, cases=111):.7f}" == "0.5526116"
    assert cases_needed(pilot, effect=effect, readers=6) == 251
    assert f"{power(pilot, effect=effect, readers=6, cases=251):.3f}" == "0.801"


def line(e, decimals, statistic):
    return (
        f"{e.value:.{decimals}f}",
        f"{e.standard_error:.{decimals}f}",
        f"{e.df:.2f}",
        f"{e.statistic:.{statistic}f}",
        f"{e.p_value:.4f}",
        *(f"{bound:.{decimals}f}" for bound in e.ci95),
    )


def test_against_a_fixed_figure_by_hand():
    # Three readers 0.8, 0.9, 1.0 against 0.8, cases fixed: mean 0.9, standard error 0.1 / sqrt(3),
    # t = sqrt(3) with 2 degrees of freedom: p = 1 - t / sqrt(t^2 + 2) = 1 - sqrt(3 / 5).
    c = Components.of(np.array([[0.8, 0.9, 1.0]]), 1e-4 * np.eye(3))
    e = single(c, 0, "fixed_cases", 0.8)
    assert (e.statistic, e.df, e.p_value) == pytest.approx((3**0.5, 2, 1 - 0.6**0.5))
    # Independent errors: the variance of the mean is 1e-4 / 3.
    assert single(c, 0, "fixed_readers", 0.8).standard_error == pytest.approx((1e-4 / 3) ** 0.5)


def test_one_treatment_or_one_reader():
    one_reader = Components.of(np.array([[0.8], [0.9]]), np.array([[4e-4, 1e-4], [1e-4, 4e-4]]))
    # Variance of the difference 2 * (4e-4 - 1e-4).
    found = differences(one_reader, "fixed_readers")[0, 1]
    assert (found.value, found.standard_error) == pytest.approx((-0.1, 6e-4**0.5))
    assert np.isnan(differences(one_reader, "random")[0, 1].p_value)
    assert np.isnan(single(one_reader, 0, "random").standard_error)
    one_treatment = Components.of(np.array([[0.8, 0.9]]), 1e-4 * np.eye(2))
    assert differences(one_treatment, "random") == {}
    assert all(np.isnan(treatments_equal(one_treatment, g).p_value) for g in GENERALIZATIONS)


def test_one_class_is_undefined():
    figure = Auroc(np.random.default_rng(0).random((4, 6)), np.ones(6, np.int64))
    assert np.isnan(figure.of_cases(np.arange(6))).all()
    assert np.isnan(covariance(figure, "jackknife")).all()
    nothing = Share(np.ones((4, 6), bool), np.zeros(6, bool))
    assert np.isnan(nothing.of_cases(np.arange(6))).all()
    assert np.isnan(covariance(nothing, "jackknife")).all()
    c = Components.of(np.full((2, 2), np.nan), covariance(nothing, "jackknife"))
    assert all(np.isnan(differences(c, g)[0, 1].p_value) for g in GENERALIZATIONS)


@given(st.integers(0, 2**32 - 1))
def test_jackknife_and_averages_equal_the_reference(seed):
    rng = np.random.default_rng(seed)
    t, r = (int(n) for n in rng.integers(2, 4, 2))
    n = int(rng.integers(6, 12))
    ratings, truth = rng.integers(1, 6, (t * r, n)).astype(float), np.arange(n) % 2
    figure = Auroc(ratings, truth)
    found = covariance(figure, "jackknife")
    expected = reference.jackknife(ratings.tolist(), truth.tolist())
    assert found == pytest.approx(np.array(expected), abs=1e-12)
    c = Components.of(figure.of_cases(np.arange(n)).reshape(t, r), found)
    for name, value in reference.averages(expected, t, r).items():
        assert getattr(c, name) == pytest.approx(value, abs=1e-12), name
    assert c.figures.ravel() == pytest.approx(
        [reference.auroc(row, truth.tolist()) for row in ratings.tolist()]
    )
    # The parts average to the whole.
    assert c.by_treatment.mean(axis=0) == pytest.approx([c.variance, c.cov2])
    assert c.by_reader.mean(axis=0) == pytest.approx([c.variance, c.cov1])


def test_jackknife_of_a_share_is_its_usual_variance():
    # Sensitivity with 3 of 4 right: jackknife variance p (1 - p) / (n - 1) = 3/16 / 3; the rest is no part.
    right = np.array([[True, True, True, False, False, True]])
    figure = Share(right, np.array([True] * 4 + [False] * 2))
    assert figure.of_cases(np.arange(6)).tolist() == [0.75]
    assert covariance(figure, "jackknife")[0, 0] == pytest.approx(1 / 16)


def test_three_covariances_agree_where_there_are_many_cases():
    rng = np.random.default_rng(1)
    truth = np.arange(300) % 2
    ratings = truth + rng.normal(0, 1, 300) + rng.normal(0, 0.7, (4, 300))
    figure = Auroc(ratings, truth)
    jackknife, delong = covariance(figure, "jackknife"), covariance(figure, "delong")
    drawn = covariance(figure, "bootstrap", rng)
    assert jackknife == pytest.approx(delong, rel=0.02)
    assert drawn == pytest.approx(delong, rel=0.15)
    again = [covariance(figure, "bootstrap", np.random.default_rng(7)) for _ in range(2)]
    assert (again[0] == again[1]).all()


def test_delong_is_for_ratings_only():
    with pytest.raises(UsageError, match="AUROC only"):
        covariance(Share(np.ones((2, 3), bool), np.ones(3, bool)), "delong")
    with pytest.raises(UsageError, match="random numbers"):
        covariance(Auroc(np.zeros((1, 2)), np.array([0, 1])), "bootstrap")


@given(st.integers(2, 12), st.integers(20, 500), st.sampled_from(GENERALIZATIONS))
def test_power_grows_with_everything_and_is_alpha_without_an_effect(readers, cases, generalization):
    pilot = Pilot(0.0002, 0.0008, 0.00035, 0.00034, 0.00024, 114)
    given = {"readers": readers, "cases": cases, "generalization": generalization}
    assert power(pilot, effect=1e-9, **given) == pytest.approx(0.05, abs=1e-3)
    at = power(pilot, effect=0.04, **given)
    assert 0.05 < at <= power(pilot, effect=0.05, **given) + 1e-9
    assert at <= power(pilot, effect=0.04, **(given | {"cases": cases + 50})) + 1e-9
    needed = cases_needed(pilot, effect=0.04, readers=readers, generalization=generalization)
    if needed is not None and needed > 1:
        options = {"effect": 0.04, "readers": readers, "generalization": generalization}
        assert power(pilot, cases=needed, **options) >= 0.8 > power(pilot, cases=needed - 1, **options)


def test_no_number_of_cases_helps_too_few_readers():
    # With two readers the interaction alone limits the power.
    pilot = Pilot(0.01, 0.0008, 0.00035, 0.00034, 0.00024, 114)
    assert cases_needed(pilot, effect=0.02, readers=2) is None
    with pytest.raises(UsageError, match="at least 2 readers"):
        power(pilot, effect=0.02, readers=1, cases=100)
