"""Entropies of density matrices, whole and in blocks."""

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given
from hypothesis import strategies as st

from tnness.observables.entanglement import density_entropy, spectrum_of


def random_density_matrix(rng, states, charges=None):
    """A density matrix of full rank, without elements between different charges."""
    root = rng.normal(size=(states, states)) + 1j * rng.normal(size=(states, states))
    if charges is not None:
        root *= np.equal.outer(charges, charges)
    rho = root @ root.conj().T
    return rho / np.trace(rho).real


@given(seed=st.integers(0, 10**6), spins=st.integers(1, 5), noise=st.sampled_from([0.0, 1e-18]))
def test_blocks_change_no_eigenvalue(seed, spins, noise):
    rng = np.random.default_rng(seed)
    charges = np.array([bin(k).count("1") for k in range(2**spins)])
    rho = random_density_matrix(rng, 2**spins, charges)
    rho = rho + noise * rng.normal(size=rho.shape)
    np.testing.assert_allclose(np.sort(spectrum_of(rho)), linalg.eigvalsh(rho), atol=1e-14)


@pytest.mark.parametrize("states", [1, 2, 7])
def test_a_matrix_without_blocks_has_the_entropy_of_its_logarithm(states):
    rho = random_density_matrix(np.random.default_rng(states), states)
    expected = -np.trace(rho @ linalg.logm(rho)).real
    assert density_entropy(rho) == pytest.approx(expected, abs=1e-12)


def test_small_elements_that_join_blocks_are_kept():
    """Two levels whose coherence is small, but not zero, belong together."""
    rho = np.diag([0.5, 0.5, 0.0]).astype(complex)
    rho[0, 1] = rho[1, 0] = 1e-6
    np.testing.assert_allclose(np.sort(spectrum_of(rho)), [0.0, 0.5 - 1e-6, 0.5 + 1e-6], atol=1e-16)
