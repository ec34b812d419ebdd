"""Bursts that know where slow densities stand still, and bursts that only have noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tnness.engines.weak.bursts import Burst, mixed
from tnness.engines.weak.slow import SlowVariables
from tnness.model.protocol import generator_of
from weak_chains import chain

SLOW = SlowVariables(generator_of(chain(n=4, h=4.0, eps=0.01)))


def slow_energies(rng):
    return -SLOW.kept @ (SLOW._slow @ rng.normal(size=SLOW._slow.shape[1]))


def test_a_burst_reads_a_line_and_its_noise():
    times, rng = np.linspace(2.0, 5.0, 400), np.random.default_rng(1)
    slope = np.array([0.3, -1.0, 0.0])
    exact = Burst.read(times, 7 + np.outer(times, slope))
    assert_allclose(exact.drift, slope, atol=1e-12)
    assert_allclose(exact.noise, 0, atol=1e-12)
    assert_allclose(exact.energies, 7 + 3.5 * slope)
    off, told = [], []
    for _ in range(200):
        read = Burst.read(times, 7 + np.outer(times, slope) + rng.normal(size=(400, 3)))
        off.append(read.drift - slope)
        told.append(read.noise)
    assert np.sqrt(np.mean(np.square(told))) == pytest.approx(np.sqrt(np.mean(np.square(off))), rel=0.15)
    assert Burst.of(np.array(exact.row), 3).row == exact.row


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_one_burst_with_the_right_jacobian_is_enough(seed):
    rng = np.random.default_rng(seed)
    energies, end = slow_energies(rng), slow_energies(rng)
    lambdas = SLOW.multipliers(energies - end)
    step, uncertainty = mixed(SLOW, [Burst(0.0, energies, SLOW.jacobian @ lambdas, np.zeros(SLOW.count))])
    assert SLOW.distance(step - (end - energies)) < 1e-8 * SLOW.distance(end - energies)
    assert uncertainty == 0


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5.0))
@settings(max_examples=20, deadline=None)
def test_two_bursts_mend_a_jacobian_that_is_wrong_by_a_factor(seed, factor):
    rng = np.random.default_rng(seed)
    end = slow_energies(rng)
    away = slow_energies(rng)
    bursts = [
        Burst(0.0, end + x * away, factor * SLOW.jacobian @ SLOW.multipliers(x * away), np.zeros(SLOW.count))
        for x in (1.0, 0.7)
    ]
    step, _ = mixed(SLOW, bursts)
    assert SLOW.distance(step + 0.7 * away) < 1e-4 * SLOW.distance(away)


def test_where_all_is_noise_bursts_are_averaged():
    rng, count = np.random.default_rng(5), 6
    end, scatter = slow_energies(rng), 1e-3
    bursts = []
    for _ in range(count):
        noise = SLOW.jacobian @ SLOW.multipliers(scatter * slow_energies(rng))
        same = SLOW.jacobian @ SLOW.multipliers(scatter * slow_energies(rng))
        bursts.append(Burst(0.0, end, noise, same))
    single = np.mean([SLOW.distance(mixed(SLOW, [one])[0]) for one in bursts])
    step, uncertainty = mixed(SLOW, bursts)
    assert SLOW.distance(step) < 0.75 * single
    assert uncertainty < 0.75 * single
