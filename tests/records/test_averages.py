"""Time averages: errors by blocking against series whose correlation time is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tnness.errors import InputError
from tnness.records.averages import KEPT, TimeAverage
from tnness.stopping.answers import COMPLETE, Sampling


def autoregressive(memory: float, count: int, seed: int, shape: tuple[int, ...] = ()) -> np.ndarray:
    """x' = memory x + noise, stationary, variance 1; its correlation time is (1 + memory) / (1 - memory) samples."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((count, *shape)) * np.sqrt(1 - memory**2)
    found = np.empty((count, *shape))
    x = rng.standard_normal(shape)
    for k in range(count):
        x = memory * x + noise[k]
        found[k] = x
    return found


def averaged(series) -> TimeAverage:
    average = TimeAverage()
    for sample in series:
        average.add(sample)
    return average


@pytest.mark.parametrize("memory", [0.0, 0.6, 0.9])
def test_errors_know_the_correlation_time(memory):
    count = 6000
    expected = np.sqrt((1 + memory) / (1 - memory) / count)
    estimate = averaged(autoregressive(memory, count, 3, (40,))).estimate()
    assert_allclose(np.sqrt(np.mean(estimate.error**2)), expected, rtol=0.15)
    assert 0.7 < np.sqrt(np.mean((estimate.value / estimate.error) ** 2)) < 1.4


def test_a_series_shorter_than_its_memory_has_no_error():
    series = averaged(autoregressive(0.998, 2000, 1))
    assert not series.levelled
    assert np.isnan(series.estimate().error)
    assert Sampling(lambda: COMPLETE).judge({"x": series}) == "the error of x has not levelled off: raise steps"


def test_a_first_part_that_drifts_is_told():
    steady = autoregressive(0.5, 4096, 2)
    assert Sampling(lambda: COMPLETE).judge({"x": averaged(steady)}) == "converged"
    ramp = averaged(steady + np.linspace(1.5, 0, 4096).clip(0.5))
    assert Sampling(lambda: COMPLETE).judge({"x": ramp}) != "converged"
    settling = averaged(0.1 * np.random.default_rng(0).standard_normal(4096) + (np.arange(4096) < 2048) * 0.02)
    assert settling.levelled
    assert settling.drift() > 3


def test_what_does_not_change_has_no_error():
    series = averaged(np.full((100, 3), 0.7))
    assert_allclose(series.estimate().value, 0.7)
    assert_allclose(series.estimate().error, 0.0, atol=1e-15)
    assert Sampling(lambda: COMPLETE).judge({"x": series}) == "converged"


@given(count=st.integers(1, 3 * KEPT), seed=st.integers(0, 10))
@settings(max_examples=25, deadline=None)
def test_the_mean_is_that_of_all_samples(count, seed):
    series = np.random.default_rng(seed).standard_normal((count, 2))
    average = averaged(series)
    assert average.count == count
    assert_allclose(average.estimate().value, series.mean(axis=0), atol=1e-13)


def test_samples_of_two_shapes_are_refused():
    series = averaged([np.zeros(3)])
    with pytest.raises(InputError, match=r"shapes \(3,\) and \(2,\)"):
        series.add(np.zeros(2))


@pytest.mark.parametrize("count", [1, 511, 512, 701, 1500])
def test_an_average_that_was_saved_goes_on_as_if_never_interrupted(count):
    """Bit for bit, wherever in a block it stood."""
    samples = np.random.default_rng(count).standard_normal((2000, 2))
    whole, resumed = averaged(samples), TimeAverage.restore(averaged(samples[:count]).save())
    for sample in samples[count:]:
        resumed.add(sample)
    for name, array in whole.save().items():
        assert array.tobytes() == resumed.save()[name].tobytes()
    assert_array_equal(resumed.estimate().value, whole.estimate().value)
    assert_array_equal(resumed.estimate().error, whole.estimate().error)
