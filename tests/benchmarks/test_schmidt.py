"""What truncation costs at a single bond: the Slater determinants against dense singular value decompositions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import systems
from benchmarks.chains import free_correlations, sparse_baths
from benchmarks.schmidt import cut
from tnness import Lindbladian, spinless
from tnness.engines.fermions.entropy import operator_schmidt
from tnness.engines.gaussian import Gaussian
from tnness.errors import Unavailable


def dense_cut(rho, bond, n, chi):
    """Schmidt values, and the densities of rho with all but chi of them left out at a bond."""
    left, right = 2 ** (bond + 1), 2 ** (n - bond - 1)
    folded = rho.reshape(left, right, left, right).transpose(0, 2, 1, 3).reshape(left**2, right**2)
    u, s, vt = np.linalg.svd(folded / np.linalg.norm(folded), full_matrices=False)
    kept = ((u[:, :chi] * s[:chi]) @ vt[:chi]).reshape(left, left, right, right).transpose(0, 2, 1, 3)
    kept = kept.reshape(rho.shape)
    return s, np.real(np.diag(systems.fermion_correlations(kept / np.trace(kept), [1] * n)))


@pytest.fixture(scope="module")
def state():
    gain, loss = [0.5, 0.0, 0.3, 0.0, 0.0], [0.0, 0.2, 0.0, 0.0, 0.6]
    return free_correlations(1.0, gain, loss)


@pytest.mark.parametrize("bond", [0, 1, 2, 3])
def test_schmidt_values_are_those_of_the_density_matrix(state, bond):
    values, _ = dense_cut(systems.gaussian_density(state), bond, 5, 16)
    found = operator_schmidt(state, range(bond + 1), 1024)
    assert_allclose(found, values[: len(found)], atol=1e-12)
    assert_allclose(values[len(found) :], 0, atol=1e-6)


@pytest.mark.parametrize("bond", [0, 1, 2, 3])
def test_errors_of_a_single_cut_are_those_of_the_density_matrix(state, bond):
    """At every chi that does not divide equal Schmidt values, as then it could not be told which vectors are kept."""
    values, _ = dense_cut(systems.gaussian_density(state), bond, 5, 16)
    chis = [chi for chi in range(1, len(values)) if values[chi - 1] - values[chi] > 1e-9]
    assert chis
    entropy, told = cut(state, bond, chis)
    for chi, (weight, error) in zip(chis, told, strict=True):
        _, densities = dense_cut(systems.gaussian_density(state), bond, 5, chi)
        assert_allclose(weight, 1 - (values[:chi] ** 2).sum(), atol=1e-12)
        assert_allclose(error, np.abs(densities - np.diag(state).real).max(), atol=1e-12)
    weights = values[values > 1e-12] ** 2
    assert_allclose(entropy, -(weights * np.log(weights)).sum(), atol=1e-9)


def test_a_view_of_free_fermions_gives_them():
    chain = Lindbladian([spinless] * 12)
    gain, loss = sparse_baths(12)
    for i in range(11):
        hop = spinless.Cd(i) * spinless.C(i + 1)
        chain.hamiltonian(hop + hop.dag())
    for i in range(12):
        chain.jump(spinless.Cd(i), gain[i])
        chain.jump(spinless.C(i), loss[i])
    ((_, view),) = Gaussian().solve(chain).views
    values = view.schmidt_values(5)
    assert_allclose((values**2).sum(), 1, atol=1e-6)
    assert len(values) > 64
    with pytest.raises(Unavailable, match="bonds 0 to 10"):
        view.schmidt_values(11)
