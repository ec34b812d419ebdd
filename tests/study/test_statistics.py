"""Estimators, resampling and fits, against distributions and laws whose answer is known."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.errors import InputError
from tnness.study.statistics import (
    bootstrap,
    falling_crossing,
    fraction_crossing,
    jackknife,
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


def test_realisations_are_left_out_of_all_samples_together():
    """A common factor of numerator and denominator drops out, however widely it scatters."""
    scale = np.random.default_rng(3).uniform(1, 10, size=40)
    estimate = jackknife(lambda x, y: x.mean() / y.mean(), 3 * scale, scale)
    assert_allclose([estimate.value, estimate.error], [3.0, 0.0], atol=1e-12)


def test_correlated_errors_leave_the_exponent_exact():
    """Every realisation is its own amplitude times one power law: amplitudes scatter, the exponent does not."""
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


def test_a_bootstrap_of_one_realisation_is_refused():
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
