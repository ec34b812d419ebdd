"""The thermal network: by hand, against direct solves, and what it conserves."""

import numpy as np
import pytest
import scipy.sparse.linalg
from numpy.testing import assert_allclose

from tnness import InputError, steady_state
from tnness.engines.transfer import Transfer
from tnness.model.parameters import build
from tnness.model.protocol import draw
from tnness.model.registry import find

ThermalNetwork = find("thermal-network")


def solved(model):
    return steady_state(model).dataset


def test_two_islands_by_hand():
    model = ThermalNetwork(n=2, eps=0.1, lengths=(1.5,), g1=(1.0, 1.2), g2=(0.9, 1.0))
    g = 0.1 / 1.5 + 5 * np.exp(-1.5)
    matrix = [[g + 0.1, -g], [-g, g + 0.12]]
    assert_allclose(solved(model)["temperature"], np.linalg.solve(matrix, [0.19, 0.22]), rtol=1e-14)


def test_three_islands_by_hand():
    model = ThermalNetwork(n=3, eps=0.2, lengths=(1.0, 2.0), g1=(1.0, 1.1, 0.9), g2=(1.0, 1.0, 1.2), theta=0.5, t0=2.0)
    a, b = 0.2 + 5 * np.exp(-1), 0.1 + 5 * np.exp(-2)
    matrix = [[a + 0.2, -a, 0], [-a, a + b + 0.22, -b], [0, -b, b + 0.18]]
    source = [0.2 * 2.5, 0.2 * (2.2 + 0.5), 0.2 * (1.8 + 0.6)]
    assert_allclose(solved(model)["temperature"], np.linalg.solve(matrix, source), rtol=1e-14)


@pytest.mark.parametrize(("dim", "n"), [(1, 300), (2, 12)])
@pytest.mark.parametrize("eps", [1e-4, 1e-1])
def test_equals_the_sparse_direct_solve(dim, n, eps):
    chain = draw(ThermalNetwork(n=n, dim=dim, eps=eps, alpha=0.4), 2).problem()
    found = Transfer().view(chain).solution().ravel()
    expected = scipy.sparse.linalg.spsolve(scipy.sparse.csc_array(chain.matrix()), chain.fixed_source().ravel())
    assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("dim", [1, 2])
def test_sinks_balance_sources(dim):
    model = draw(ThermalNetwork(n=20, dim=dim, eps=1e-3, theta=0.7), 1)
    temperature = solved(model)["temperature"].values.ravel()
    g1, g2 = np.array(model.g1), np.array(model.g2)
    assert np.sum(g1 * (temperature - model.t0)) == pytest.approx(0.7 * np.sum(g2), rel=1e-11)


def test_equal_links_give_the_discrete_cosh():
    """A homogeneous chain heated at its left end: T_i - T0 ~ cosh(q (n - 1/2 - i)), 2 G (cosh q - 1) = eps g."""
    n, eps = 12, 0.05
    model = ThermalNetwork(n=n, eps=eps, lengths=(1.0,) * (n - 1), g1=(1.0,) * n, g2=(1.0,) + (0.0,) * (n - 1))
    g = eps + 5 * np.exp(-1)
    q = np.arccosh(1 + eps / (2 * g))
    profile = np.cosh(q * (n - 0.5 - np.arange(n)))
    excess = solved(model)["temperature"] - 1
    assert_allclose(excess / excess[0], profile / profile[0], rtol=1e-12)
    assert float(excess.sum()) == pytest.approx(1, rel=1e-12)


def test_uniform_couplings_have_no_variation():
    found = solved(ThermalNetwork(n=30, dg1=0.0, dg2=0.0, theta=0.5))
    assert_allclose(found["temperature"], 1.5, rtol=1e-10)
    assert float(found["temperature_variation"]) < 1e-10


def test_batches_equal_single_runs():
    model = ThermalNetwork(n=15, alpha=0.7)
    rng = np.random.default_rng(0)
    lengths, g1, g2 = model.links.draw(rng, (3, 14)), rng.uniform(0.9, 1.1, (3, 15)), rng.uniform(0.9, 1.1, (3, 15))
    eps = np.array([[1e-3], [1e-1]])
    together = Transfer().view(model.chain(lengths, g1, g2, eps)).solution()[..., 0]
    assert together.shape == (2, 3, 15)
    for i, j in np.ndindex(2, 3):
        values = {**vars(model), "lengths": lengths[j], "g1": g1[j], "g2": g2[j], "eps": eps[i, 0]}
        assert_allclose(solved(build(ThermalNetwork, values))["temperature"], together[i, j], rtol=1e-12)


def test_fluctuations_scale_with_one_plus_the_inverse_of_alpha():
    """dT/T ~ eps^(alpha / (2 (1 + alpha))), z = 1 + 1/alpha: 0.1154 at alpha = 0.3."""
    model = ThermalNetwork(alpha=0.3)
    rng = np.random.default_rng(1)
    lengths = model.links.draw(rng, (200, 999))
    g1, g2 = (1 + rng.uniform(-0.05, 0.05, (200, 1000)) for _ in range(2))
    eps = np.array([1e-4, 1e-3])
    found = Transfer().view(model.chain(lengths, g1, g2, eps[:, None])).solution()[..., 0]
    variation = np.sqrt(found.var(axis=-1).mean(axis=-1)) / found.mean(axis=(-1, -2))
    slope = np.log(variation[1] / variation[0]) / np.log(10)
    assert slope == pytest.approx(0.3 / 2.6, abs=0.006)
    assert abs(slope - 0.15) > 0.02  # not the paper's alpha / 2


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 1}, "n = 1"),
        ({"eps": 0.0}, "not determined"),
        ({"alpha": 0.0}, "alpha = 0"),
        ({"dim": 3}, "dim = 3"),
        ({"gbar": 0.04}, "must exceed dg1"),
        ({"n": 4, "lengths": [1.0]}, "lengths takes 3"),
        ({"n": 3, "dim": 2, "g1": [1.0] * 3}, "g1 takes 9"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(ThermalNetwork, parameters)


def test_small_and_given_disorder_is_kept():
    assert ThermalNetwork().small() == ThermalNetwork(n=4)
    given = ThermalNetwork(n=2, g1=(1.0, 1.1))
    assert draw(given, 0).g1 == (1.0, 1.1)
    assert draw(given, 0).g2 == draw(ThermalNetwork(n=2), 0).g2
