"""Quantities of mixed states against dense density matrices, and the same number by every engine."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from chains import random_density_matrix
from tnness import (
    ChainState,
    charge_distribution,
    find,
    logarithmic_negativity,
    renyi2_of_sites,
    spin_half,
    spin_one,
    structure_factor,
    transposed_moment,
)
from tnness.engines.exact import Exact
from tnness.engines.gaussian import Gaussian
from tnness.errors import Unavailable
from tnness.network.chain_view import ChainView
from tnness.network.dense_view import DenseView
from tnness.operators.basis import coefficients

RNG = np.random.default_rng(5)
SPACES = [spin_half, spin_half, spin_one, spin_half]
LEVELS = [space.levels for space in SPACES]
RHO = random_density_matrix(24, RNG)
TRACE = {"trace": [space.trace for space in SPACES]}


def views():
    vector = coefficients(RHO, SPACES).ravel()
    state = ChainState.from_dense(vector, [space.dim for space in SPACES])
    return [DenseView(vector, SPACES, TRACE), ChainView(state, SPACES, TRACE)]


def traced(sites):
    """The density matrix of some sites, ascending."""
    tensor, n = RHO.reshape(LEVELS + LEVELS), len(LEVELS)
    for site in reversed([i for i in range(n) if i not in sites]):
        tensor = np.trace(tensor, axis1=site, axis2=site + tensor.ndim // 2)
    size = int(np.prod([LEVELS[i] for i in sites]))
    return tensor.reshape(size, size)


def transposed(rho, first, rest):
    return rho.reshape(first, rest, first, rest).swapaxes(0, 2).reshape(rho.shape)


@pytest.mark.parametrize("view", views(), ids=["dense", "network"])
def test_entanglement_of_a_random_state(view):
    turned = np.linalg.eigvalsh(transposed(traced([0, 1, 2]), 4, 3))
    assert_allclose(logarithmic_negativity([0, 1], [2])(view), np.log(np.abs(turned).sum()), atol=1e-12)
    assert_allclose(transposed_moment([0, 1], [2])(view), np.sum(turned**3), atol=1e-12)
    whole = np.linalg.eigvalsh(transposed(RHO, 2, 12))
    assert_allclose(transposed_moment([0], [1, 2, 3])(view), np.sum(whole**3), atol=1e-12)


@pytest.mark.parametrize("view", views(), ids=["dense", "network"])
@pytest.mark.parametrize("sites", [[0, 2], [1, 3], [0, 1, 3], [2], [0, 1, 2, 3]])
def test_renyi_entropy_of_any_sites(view, sites):
    rho = traced(sites)
    assert_allclose(renyi2_of_sites(sites)(view), -np.log(np.trace(rho @ rho).real), atol=1e-12)


def test_the_moment_of_separate_regions_by_the_network():
    rho = traced([0, 2, 3])
    turned = np.linalg.eigvalsh(transposed(rho, 2, 6))
    assert_allclose(transposed_moment([0], [2, 3])(views()[1]), np.sum(turned**3), atol=1e-12)


@pytest.mark.parametrize("view", views(), ids=["dense", "network"])
def test_the_distribution_of_a_charge(view):
    diagonal = np.diag(traced([0, 1, 3])).real.reshape(2, 2, 2)
    expected = [sum(diagonal[s] for s in np.ndindex(2, 2, 2) if 3 - sum(s) == k) for k in range(4)]  # level 0 is up
    assert_allclose(charge_distribution(spin_half.N, [0, 1, 3])(view), expected, atol=1e-12)


def test_the_structure_factor_of_a_uniform_chain():
    chain, momenta = [spin_half] * 4, [0.0, 0.7, np.pi]
    rho = random_density_matrix(16, np.random.default_rng(1))
    signs = 1 - 2 * np.array(list(np.ndindex(2, 2, 2, 2)))  # Z of every site: (16, 4)
    p = np.diag(rho).real
    pairs = np.einsum("s,si,sj->ij", p, signs, signs) - np.outer(p @ signs, p @ signs)
    waves = np.exp(1j * np.outer(momenta, range(4)))
    expected = np.einsum("qj,jk,qk->q", waves, pairs, waves.conj()).real / 4
    vector = coefficients(rho, chain).ravel()
    trace = {"trace": [space.trace for space in chain]}
    for view in (DenseView(vector, chain, trace), ChainView(ChainState.from_dense(vector, [4] * 4), chain, trace)):
        assert_allclose(structure_factor(spin_half.Z, momenta)(view), expected, atol=1e-12)


def test_free_fermions_give_the_same_distribution_as_the_exact_engine():
    model = find("xx-dephasing")(n=4, dephasing=0.0, mu=0.7)
    exact, gaussian = (next(iter(engine.solve(model.problem()).views))[1] for engine in (Exact(), Gaussian()))
    observable = charge_distribution(spin_half.N, [0, 1, 2])
    assert_allclose(observable(gaussian), observable(exact), atol=1e-10)
    assert_allclose(observable(exact).sum(), 1, atol=1e-12)


def test_a_charge_that_is_not_whole_is_not_given():
    with pytest.raises(Unavailable, match="not whole"):
        charge_distribution(spin_half.Sz, [0, 1])(views()[0])


def test_six_sites():
    n, rng = 6, np.random.default_rng(8)
    chain, rho = [spin_half] * n, random_density_matrix(2**n, rng)
    vector = coefficients(rho, chain).ravel()
    view = ChainView(ChainState.from_dense(vector, [4] * n), chain, {"trace": [space.trace for space in chain]})
    turned = np.linalg.eigvalsh(transposed(rho, 8, 8))
    assert_allclose(transposed_moment([0, 1, 2], [3, 4, 5])(view), np.sum(turned**3), atol=1e-12)
    assert_allclose(logarithmic_negativity([0, 1, 2], [3, 4, 5])(view), np.log(np.abs(turned).sum()), atol=1e-12)
    kept = rho.reshape([2] * 12)
    for site in (4, 1):  # leaves 0, 2, 3, 5
        kept = np.trace(kept, axis1=site, axis2=site + kept.ndim // 2)
    kept = kept.reshape(16, 16)
    assert_allclose(renyi2_of_sites([0, 2, 3, 5])(view), -np.log(np.trace(kept @ kept).real), atol=1e-12)
    signs = 1 - 2 * np.array(list(np.ndindex(*[2] * n)))
    p = np.diag(rho).real
    up = (signs > 0).sum(axis=1)
    expected = [p[up == k].sum() for k in range(n + 1)]
    assert_allclose(charge_distribution(spin_half.N, list(range(n)))(view), expected, atol=1e-12)
    pairs = np.einsum("s,si,sj->ij", p, signs, signs) - np.outer(p @ signs, p @ signs)
    waves = np.exp(1j * np.outer([0.4, np.pi], range(n)))
    factor = np.einsum("qj,jk,qk->q", waves, pairs, waves.conj()).real / n
    assert_allclose(structure_factor(spin_half.Z, [0.4, np.pi])(view), factor, atol=1e-12)
