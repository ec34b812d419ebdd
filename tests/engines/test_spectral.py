"""Hopping of rank one against matrix exponentials, one of them in extended precision."""

import math

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tnness.engines.spectral import Spectral, Spectrum
from tnness.errors import InputError, ModelError
from tnness.problems.hopping import FactorisedHopping


def squared(g, time):
    """exp(M time), M = g g^T - diag(G g), in extended precision, of positive numbers only: nothing cancels."""
    g = np.asarray(g, np.longdouble)
    total = g.sum()
    largest = total * g.max()
    kept = np.outer(g, g) + np.diag(largest - total * g)  # M + largest >= 0
    halvings = max(0, math.ceil(math.log2(float(largest) * time))) + 6
    step = np.longdouble(time) / np.longdouble(2) ** halvings
    result = term = np.eye(len(g), dtype=np.longdouble)
    for order in range(1, 40):
        term = term.dot(kept) * (step / order)
        result = result + term
    for _ in range(halvings + 1):
        result /= result.sum(axis=0)  # takes exp(-largest step) along
        result, last = result.dot(result), result
    return last


@given(
    g=st.lists(st.sampled_from([0.0, 0.01, 0.3, 0.3, 0.5, 1.0, 2.7]), min_size=2, max_size=7),
    time=st.floats(0, 20),
    seed=st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_probabilities_equal_the_matrix_exponential(g, time, seed):
    g = np.array(g)
    if not g.any():
        return
    start = np.random.default_rng(seed).dirichlet(np.ones(len(g)))
    expected = scipy.linalg.expm(time * (np.outer(g, g) - np.diag(g.sum() * g))) @ start
    assert_allclose(Spectrum(g).evolve(start, time), expected, atol=1e-12)


@pytest.mark.parametrize("time", [1.0, 1e4, 1e8])
def test_rates_over_sixty_decades(time):
    """xi = 1, 128 sites: R of extended precision to 1e-13. Dense eigenvectors in double precision have 1e-7 here."""
    distance = np.abs(np.arange(128) - 63.0)
    spectrum = Spectrum(np.exp(-distance))
    found = spectrum.evolve(np.eye(128)[63], time)
    assert_allclose(found, squared(np.exp(-distance.astype(np.longdouble)), time)[:, 63].astype(float), atol=1e-15)


def test_rates_are_those_of_the_matrix_to_full_relative_accuracy():
    """Two states: the one rate is 2 g_1 g_2."""
    for small in (0.3, 1e-20, 1e-120):
        assert_allclose(Spectrum(np.array([1.0, small])).rates, [2 * small], rtol=1e-13)


def test_the_end_is_uniform_among_coupled_states():
    problem = FactorisedHopping(np.array([1.0, 0.0, 0.5]), np.array([0.6, 0.3, 0.1]))
    ((time, view),) = Spectral().solve(problem).views
    assert time == math.inf
    assert_allclose(view.probabilities, [0.35, 0.3, 0.35], atol=1e-15)


def test_shapes_turn_states_into_sites():
    shapes = np.array([[0.5, 0.1], [0.5, 0.9]])
    problem = FactorisedHopping(np.ones(2), np.array([1.0, 0.0]), shapes)
    ((_, view),) = Spectral().solve(problem, times=[0.0]).views
    assert_allclose(view.density, [0.5, 0.5])


@pytest.mark.parametrize(
    ("g", "p"), [([1.0], [1.0]), ([1.0, -1.0], [1.0, 0.0]), ([0.0, 0.0], [1.0, 0.0]), ([1.0, 1.0], [0.7, 0.7])]
)
def test_what_is_no_hopping(g, p):
    with pytest.raises(ModelError):
        FactorisedHopping(np.array(g), np.array(p))


def test_other_problems_and_initial_states_are_refused():
    problem = FactorisedHopping(np.ones(2), np.array([1.0, 0.0]))
    with pytest.raises(InputError, match="initial state"):
        Spectral().solve(problem, initial="product:01")
    with pytest.raises(InputError, match="takes a FactorisedHopping"):
        Spectral().solve(object())
