"""Entropies and negativity of Gaussian states against density matrices."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import systems
from tnness.engines.fermions.entropy import entropy, mutual_coherence, mutual_information, negativity, renyi2


def correlation(n, seed):
    """A random mixed Gaussian state: G with eigenvalues in (0, 1)."""
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n)))[0]
    return (vectors * rng.uniform(0.02, 0.98, n)) @ vectors.conj().T


@pytest.mark.parametrize(("n", "size", "seed"), [(2, 1, 0), (3, 1, 1), (3, 2, 2), (4, 2, 3)])
def test_negativity_equals_the_trace_norm(n, size, seed):
    g = correlation(n, seed)
    found = negativity(g, range(size), range(size, n))
    assert_allclose(found, systems.fermion_negativity(systems.gaussian_density(g), size, [1] * n), atol=1e-12)


def test_density_matrix_of_the_oracle_has_the_correlations():
    g = correlation(3, 4)
    assert_allclose(systems.fermion_correlations(systems.gaussian_density(g), [1] * 3), g, atol=1e-13)


def test_entropies_equal_those_of_the_density_matrix():
    g = correlation(4, 7)
    p = np.linalg.eigvalsh(systems.gaussian_density(g))
    assert_allclose(entropy(g), -(p * np.log(p)).sum(), rtol=1e-11)
    assert_allclose(renyi2(g), -np.log((p**2).sum()), rtol=1e-11)


def test_pure_state_and_product():
    orbitals = np.linalg.qr(np.random.default_rng(3).standard_normal((6, 3)))[0]
    pure = orbitals @ orbitals.T
    left, right = range(2), range(2, 6)
    assert_allclose(entropy(pure), 0.0, atol=1e-12)
    assert_allclose(entropy(pure, left), entropy(pure, right), atol=1e-12)
    assert_allclose(mutual_information(pure, left, right), 2 * entropy(pure, left), atol=1e-12)
    # of a pure state it is the Renyi-1/2 entropy
    n = np.linalg.eigvalsh(pure[:2, :2])
    assert_allclose(negativity(pure, left, right), 2 * np.log(np.sqrt(n) + np.sqrt(1 - n)).sum(), atol=1e-6)
    assert_allclose(negativity(np.diag([0.2, 0.9, 0.5]), [0], [1, 2]), 0.0, atol=1e-14)


def test_near_infinite_temperature_information_is_twice_the_coherence():
    g = np.eye(6) / 2 + 1e-3 * (correlation(6, 1) - np.eye(6) / 2)
    left, right = range(3), range(3, 6)
    assert_allclose(mutual_information(g, left, right), 2 * mutual_coherence(g, left, right), rtol=1e-4)


def test_leading_axes_pass_through():
    stack = np.array([correlation(4, seed) for seed in range(3)])
    assert_allclose(entropy(stack, slice(0, 2)), [entropy(g, [0, 1]) for g in stack], rtol=1e-13)
