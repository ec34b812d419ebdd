"""Entropies and negativity of Gaussian states against density matrices."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.engines.fermions.entropy import entropy, mutual_coherence, mutual_information, negativity, renyi2


def correlation(n, seed):
    """A random mixed Gaussian state: G with eigenvalues in (0, 1)."""
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n)))[0]
    return (vectors * rng.uniform(0.02, 0.98, n)) @ vectors.conj().T


def majoranas(n):
    """(2n) Jordan-Wigner matrices, c_j = (a_{2j} + i a_{2j+1}) / 2."""
    x, y, z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
    found = []
    for j in range(n):
        for local in (x, y):
            factors = [z] * j + [local] + [np.eye(2)] * (n - j - 1)
            product = np.eye(1)
            for factor in factors:
                product = np.kron(product, factor)
            found.append(product)
    return found


def density(g):
    """rho of G: exp of a quadratic form, in the 2^n dimensional space."""
    n = len(g)
    a = majoranas(n)
    lower = [(a[2 * j] + 1j * a[2 * j + 1]) / 2 for j in range(n)]
    values, vectors = np.linalg.eigh(g.T)  # <c^+_i c_j> = sum_k conj(phi_ik) n_k phi_jk
    rho = np.eye(2**n)
    for k in range(n):
        mode = sum(np.conj(vectors[j, k]) * lower[j] for j in range(n))
        number = mode.conj().T @ mode
        rho = rho @ (values[k] * number + (1 - values[k]) * (np.eye(2**n) - number))
    return rho


def partial_transpose_norm(g, size):
    """|rho^{T_A}|_1 of the fermionic partial transpose: i^k on products of k Majoranas of A, then the trace norm."""
    n = len(g)
    a, rho = majoranas(n), density(g)
    twisted = np.zeros_like(rho)
    for count in range(0, 2 * n + 1, 2):
        for chosen in itertools.combinations(range(2 * n), count):
            product = np.eye(2**n, dtype=complex)
            for index in chosen:
                product = product @ a[index]
            weight = np.trace(product.conj().T @ rho) / 2**n
            twisted += weight * 1j ** sum(index < 2 * size for index in chosen) * product
    return np.linalg.svd(twisted, compute_uv=False).sum()


@pytest.mark.parametrize(("n", "size", "seed"), [(2, 1, 0), (3, 1, 1), (3, 2, 2), (4, 2, 3)])
def test_negativity_equals_the_trace_norm(n, size, seed):
    g = correlation(n, seed)
    found = negativity(g, range(size), range(size, n))
    assert_allclose(found, np.log(partial_transpose_norm(g, size)), atol=1e-12)


def test_density_matrix_of_the_oracle_has_the_correlations():
    g = correlation(3, 4)
    a, rho = majoranas(3), density(g)
    lower = [(a[2 * j] + 1j * a[2 * j + 1]) / 2 for j in range(3)]
    expected = [[np.trace(rho @ lower[i].conj().T @ lower[j]) for j in range(3)] for i in range(3)]
    assert_allclose(expected, g, atol=1e-13)


def test_entropies_equal_those_of_the_density_matrix():
    g = correlation(4, 7)
    p = np.linalg.eigvalsh(density(g))
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
