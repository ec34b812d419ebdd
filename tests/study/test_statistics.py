"""Estimators, resampling and fits, against distributions and laws whose answer is known."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.errors import InputError
from tnness.study.statistics import (
    average,
    bootstrap,
    covariance_of_mean,
    falling_crossing,
    fraction_crossing,
    jackknife,
    line,
    log_slopes,
    power_law,
    ratio_of_averages,
)


def test_averages_come_before_the_ratio():
    variance, mean = np.array([[1.0, 4.0], [3.0, 12.0]]), np.array([[1.0, 1.0], [3.0, 1.0]])
    assert_allclose(ratio_of_averages(variance, mean), [np.sqrt(2) / 2, np.sqrt(8)])


def test_the_jackknife_error_of_a_mean_is_its_standard_error():
    sample = np.random.default_rng(1).normal(size=(50, 3))
    estimate = jackknife(lambda x: x.mean(axis=0), sample)
    assert_allclose(estimate.value, sample.mean(axis=0))
    assert_allclose(estimate.error, sample.std(axis=0, ddof=1) / np.sqrt(50))


def test_the_jackknife_error_of_a_ratio_is_its_scatter():
    """Var / mean of exponential samples, estimated many times: the errors claimed match the spread seen."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(300):
        draws = rng.exponential(size=(60, 7))
        found.append(jackknife(ratio_of_averages, draws.var(axis=1), draws.mean(axis=1)))
    spread = np.std([estimate.value for estimate in found])
    assert_allclose(np.mean([estimate.error for estimate in found]), spread, rtol=0.1)  # 300 samples: 4 % each


def test_realizations_are_left_out_of_all_samples_together():
    """A common factor of numerator and denominator drops out, however widely it scatters."""
    scale = np.random.default_rng(3).uniform(1, 10, size=40)
    estimate = jackknife(lambda x, y: x.mean() / y.mean(), 3 * scale, scale)
    assert_allclose([estimate.value, estimate.error], [3.0, 0.0], atol=1e-12)


def test_correlated_errors_leave_the_exponent_exact():
    """Every realization is its own amplitude times one power law: amplitudes scatter, the exponent does not."""
    eps = np.array([0.01, 0.03, 0.1])
    amplitude = np.random.default_rng(4).uniform(0.5, 2.0, size=(30, 1))
    gamma = jackknife(lambda y: power_law(eps, y.mean(axis=0)).exponent, amplitude * eps**0.25)
    assert_allclose([gamma.value, gamma.error], [0.25, 0.0], atol=1e-10)


@pytest.mark.parametrize("samples", [([1.0],), ([1.0, 2.0], [1.0, 2.0, 3.0])])
def test_a_jackknife_of_samples_that_do_not_fit_is_refused(samples):
    with pytest.raises(InputError, match="one length >= 2"):
        jackknife(np.mean, *samples)


def test_the_bootstrap_error_of_a_fraction_is_binomial():
    sample = np.arange(200) < 60
    estimate = bootstrap(np.mean, sample, resamples=2000)
    assert estimate.value == 0.3
    assert_allclose(estimate.error, math.sqrt(0.3 * 0.7 / 200), rtol=0.06)  # 2000 resamples: 1.6 %


def test_the_bootstrap_is_repeated_by_its_seed():
    sample = np.random.default_rng(5).normal(size=20)
    assert bootstrap(np.median, sample, rng=7).error == bootstrap(np.median, sample, rng=7).error


def test_the_bootstrap_counts_resamples_without_a_value():
    estimate = bootstrap(lambda x: x.mean() if x.any() else math.nan, np.array([True, False]), resamples=2000)
    assert_allclose(estimate.defined, 0.75, atol=0.04)
    assert np.isfinite(estimate.error)


def test_a_bootstrap_of_one_realization_is_refused():
    with pytest.raises(InputError, match="length >= 2"):
        bootstrap(np.mean, [1.0])


def test_power_law_with_known_errors():
    """The error of the exponent is that of a weighted straight line in logarithms."""
    x = np.geomspace(0.01, 1, 6)
    law = power_law(x, 2 * x**0.3, 0.05 * 2 * x**0.3)
    assert_allclose([law.amplitude, law.exponent], [2.0, 0.3], rtol=1e-10)
    assert_allclose(law.error, 0.05 / (math.sqrt(6) * np.log(x).std()), rtol=1e-6)  # curve_fit's own Jacobian
    assert_allclose(law(0.5), 2 * 0.5**0.3)


def test_a_point_below_zero_counts_with_its_error():
    """A power law that has all but vanished: the noise of its last point may have either sign."""
    x = np.array([4.0, 3.0, 2.0, 1.0])
    law = power_law(x, [2 * 64.0, 2 * 27.0, 2 * 8.0, -0.5], [0.1, 0.1, 0.1, 5.0])
    assert_allclose(law.exponent, 3.0, atol=2 * law.error)


def test_two_points_give_a_power_law_without_an_error():
    law = power_law([1.0, 2.0], [3.0, 12.0])
    assert_allclose([law.amplitude, law.exponent], [3.0, 2.0])
    assert math.isnan(law.error)


def test_a_divergence_is_a_power_law_of_the_distance():
    h = np.array([1.0, 2.0, 3.0, 4.0])
    assert_allclose(power_law(8.75 - h, 1e4 * (8.75 - h) ** -4.0).exponent, -4.0, rtol=1e-10)


@pytest.mark.parametrize(("x", "y"), [([1.0], [1.0]), ([1.0, 2.0], [1.0, -1.0]), ([0.0, 1.0], [1.0, 1.0])])
def test_a_power_law_needs_positive_points(x, y):
    with pytest.raises(InputError, match="two or more points"):
        power_law(x, y)


@pytest.mark.parametrize(
    ("y", "crossing"),
    [
        ([0.9, 0.6, 0.1], 2.2),
        ([0.8, 0.8, 0.8], math.nan),  # stays above
        ([0.3, 0.2, 0.1], math.nan),  # is below from the start
        ([0.4, 0.6, 0.0], 2.0),  # a rise is pooled: 0.5, 0.5, 0
        ([0.6, 0.5, 0.4], 2.0),  # on a point
    ],
)
def test_crossing_of_a_falling_curve(y, crossing):
    assert_allclose(falling_crossing([1.0, 2.0, 3.0], y), crossing)


def test_weights_decide_how_a_rise_is_pooled():
    assert_allclose(falling_crossing([1.0, 2.0, 3.0], [0.4, 0.8, 0.2], weights=[1, 3, 1]), 2.4)  # 0.7, 0.7, 0.2


def test_the_crossing_of_a_fraction_is_found_within_its_error():
    """P(h) = 1 - h / 10 crosses 1/2 at h = 5; independent samples of many sets, the errors match the scatter."""
    rng, h = np.random.default_rng(6), np.array([2.0, 4.0, 6.0, 8.0])
    found = []
    for _ in range(20):
        samples = [rng.uniform(size=100) > strength / 10 for strength in h]
        found.append(fraction_crossing(h, samples, resamples=100))
    values, errors = np.array([(e.value, e.error) for e in found]).T
    assert abs(values.mean() - 5) < 4 * errors.mean() / math.sqrt(len(values))
    assert_allclose(values.std(), errors.mean(), rtol=0.5)  # 20 sets: 16 %
    assert all(e.defined == 1 for e in found)


def test_an_average_has_the_standard_error_of_the_mean_and_leaves_gaps_out():
    sample = np.random.default_rng(5).normal(size=(40, 3))
    sample[::4, 1] = np.nan
    found = average(sample)
    for k, column in enumerate(sample.T):
        column = column[np.isfinite(column)]
        assert_allclose(found.value[k], column.mean())
        assert_allclose(found.error[k], column.std(ddof=1) / np.sqrt(len(column)))
    assert found.defined == pytest.approx(110 / 120)


@pytest.mark.parametrize("samples", [[1.0], [[1.0, np.nan], [2.0, 3.0]]])
def test_an_average_of_one_value_has_no_error(samples):
    with pytest.raises(InputError, match="2 or more"):
        average(samples)


def correlated(rng, realizations=60):
    """y = 1 + 2 x, with a common shift of every realization and a little of its own at each point."""
    x = np.array([0.0, 1.0, 2.0, 4.0])
    return x, 1 + 2 * x + rng.normal(size=(realizations, 1)) + 0.1 * rng.normal(size=(realizations, 4))


def test_correlated_errors_make_a_line_as_sharp_as_it_is():
    """A common shift moves the intercept and leaves the slope: the errors claimed match the spread seen."""
    rng = np.random.default_rng(6)
    fits = []
    for _ in range(400):
        x, samples = correlated(rng)
        fits.append(line(x, samples.mean(axis=0), covariance_of_mean(samples)))
    found = np.array([[fit.intercept, fit.slope] for fit in fits])
    claimed = np.mean([fit.errors for fit in fits], axis=0)
    assert_allclose(found.mean(axis=0), [1, 2], atol=5 * found.std(axis=0).max() / np.sqrt(400))
    assert_allclose(claimed, found.std(axis=0), rtol=0.12)  # 400 fits: 3.5 %; a covariance from 60 samples: some more
    assert claimed[0] > 5 * claimed[1]
    naive = line(x, samples.mean(axis=0), samples.std(axis=0) / np.sqrt(60))
    assert naive.errors[1] > 3 * claimed[1]


def test_a_line_through_exact_points_and_its_textbook_errors():
    x = np.array([-1.0, 0.0, 1.0])
    fit = line(x, 3 - x, [0.5, 0.5, 0.5])
    assert_allclose([fit.intercept, fit.slope], [3, -1])
    assert_allclose(fit.errors, [0.5 / np.sqrt(3), 0.5 / np.sqrt(2)])
    assert_allclose(fit([2.0]), [1.0])


def test_a_singular_covariance_is_refused():
    x, samples = correlated(np.random.default_rng(7), realizations=3)
    with pytest.raises(InputError, match="more realizations than points"):
        line(x, samples.mean(axis=0), covariance_of_mean(samples))


def test_a_power_law_with_correlated_errors():
    """Every realization has an amplitude of its own: it moves all points together and not the exponent."""
    rng = np.random.default_rng(8)
    x = np.array([0.1, 0.2, 0.4, 0.8])
    fits = []
    for _ in range(300):
        samples = x**0.5 * (1 + 0.5 * rng.normal(size=(50, 1)) + 0.02 * rng.normal(size=(50, 4)))
        fits.append(power_law(x, samples.mean(axis=0), covariance_of_mean(samples)))
    exponents = [fit.exponent for fit in fits]
    assert np.mean(exponents) == pytest.approx(0.5, abs=5 * np.std(exponents) / np.sqrt(300))
    assert np.mean([fit.error for fit in fits]) == pytest.approx(np.std(exponents), rel=0.15)


def test_logarithmic_slopes_of_a_power_law_and_of_a_bend():
    x = np.geomspace(1, 100, 5)
    middles, slopes = log_slopes(x, np.stack([x**-0.7, x**2]))
    assert_allclose(slopes, [[-0.7] * 4, [2] * 4])
    assert_allclose(middles, np.geomspace(10**0.25, 10**1.75, 4))
    with pytest.raises(InputError, match="y > 0"):
        log_slopes(x, -x)
