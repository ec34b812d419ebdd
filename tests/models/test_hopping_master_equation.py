"""Classical hopping: the paper's rates, the secular limit of the quantum chain, bad input."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.errors import InputError
from tnness.model.registry import find
from tnness.runs.solve import evolve

Hopping = find("hopping-master-equation")
Anderson = find("noisy-anderson")


def test_spreading_at_n_1000():
    """xi = 1, R(1, 1e4, 1e8); digits of extended precision at n = 160, the ends out of reach."""
    record = evolve(Hopping(), [1.0, 1e4, 1e8, 1e10])
    assert_allclose(
        record["rms_displacement"].values[:3], [1.58525710623307, 6.31738961753818, 11.53363914636], rtol=1e-10
    )
    assert record.certificate.further["probability_drift"] < 1e-12


def test_logarithmic_growth_with_slope_xi():
    """Through a decade of time R grows by xi ln 10 over sqrt(3): states within xi ln t are equally likely."""
    for xi in (2.0, 5.0):
        r = evolve(Hopping(xi=xi), [1e8, 1e9])["rms_displacement"].values
        assert_allclose(np.diff(r), xi * np.log(10) / np.sqrt(3), rtol=0.02)


def test_eigenstates_are_the_secular_limit_of_weak_noise():
    """gamma t fixed, gamma -> 0: the density of the quantum excitation, coherences averaged out over many times."""
    gamma, times = 1e-4, np.linspace(3e4, 4e4, 400)
    values = {"n": 10, "disorder": 2.0, "gamma": gamma}
    quantum = evolve(Anderson(**values), times, seed=5)["density_correlation"].values * 4
    classical = evolve(Hopping(rates="eigenstates", **values), times, seed=5)["density"].values
    assert_allclose(quantum.mean(axis=0), classical.mean(axis=0), atol=0.02)


def test_populations_of_the_secular_equation_exactly():
    """The rate matrix gamma |phi_a|^2 |phi_b|^2 against its exponential."""
    model = Hopping(rates="eigenstates", n=6, disorder=1.5, gamma=0.7, potential=(0.3, -1.1, 0.8, 1.4, -0.2, 0.5))
    h = np.diag(model.potential) - np.eye(6, k=1) - np.eye(6, k=-1)
    shapes = np.linalg.eigh(h)[1] ** 2
    g = shapes[2]
    rates = 0.7 * (np.outer(g, g) - np.diag(g * g.sum()))
    values, vectors = np.linalg.eigh(rates)
    expected = shapes @ ((vectors * np.exp(3.0 * values)) @ vectors.T @ g)
    assert_allclose(evolve(model, [3.0])["density"].values[0], expected, atol=1e-13)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"xi": 0.0}, "xi = 0"),
        ({"site": 1000}, "site = 1000"),
        ({"gamma": -1.0}, "gamma = -1"),
        ({"rates": "thermal"}, "rates = 'thermal'"),
        ({"n": 1}, "n = 1"),
    ],
)
def test_bad_input(values, told):
    with pytest.raises(InputError, match=told):
        Hopping(**values)
