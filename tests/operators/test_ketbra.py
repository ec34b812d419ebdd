"""Unitaries and commutators on ket and bra apart, against dense density matrices."""

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chains import random_matrix, seeds
from tnness.errors import ModelError
from tnness.operators.basis import bit, boson, clock, coefficients, density_matrix, levels, spin, spin_half, spinless
from tnness.operators.ketbra import PairHamiltonian, blocks_of

SITES = [spin_half, boson(2), clock(3), levels(3), spin(3), boson(3) & spin_half]


def hamiltonian(size: int, seed: int, sparse: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    h = random_matrix(size, rng)
    if sparse:
        h = h * (rng.random((size, size)) < 1 / size)
    return h + h.conj().T


@settings(max_examples=12)
@given(st.sampled_from(SITES[:5]), st.sampled_from(SITES), seeds, st.booleans())
def test_maps_of_two_sites(first, second, seed, sparse):
    h, rng = hamiltonian(first.levels * second.levels, seed, sparse), np.random.default_rng(seed)
    pair, unitary = PairHamiltonian(h, first, second), linalg.expm(-0.3j * h)
    given_ones = rng.standard_normal((2, first.dim * second.dim, 2))
    evolved, changed = pair.evolved(given_ones, 0.3), pair.commuted(given_ones)
    cooled = pair.conjugation(-0.1).applied(given_ones.copy())
    for left in range(2):
        rho = density_matrix(given_ones[left, :, 1], (first, second))
        wanted = [unitary @ rho @ unitary.conj().T, -1j * (h @ rho - rho @ h)]
        wanted.append(linalg.expm(-0.1 * h) @ rho @ linalg.expm(-0.1 * h))
        for got, dense in zip((evolved, changed, cooled), wanted, strict=True):
            expected = coefficients(dense, (first, second)).ravel()
            assert_allclose(got[left, :, 1], expected, atol=1e-12 * np.linalg.norm(dense))
    values = linalg.eigvalsh(h)
    assert_allclose(pair.spread, values[-1] - values[0], atol=1e-12)


def test_columns_are_treated_in_parts_and_in_single_precision(monkeypatch):
    b = boson(3)
    pair = PairHamiltonian(hamiltonian(16, 1, True), b, b)
    given_ones = np.random.default_rng(1).standard_normal((3, 256, 7))
    wanted = pair.evolved(given_ones, 0.4)
    monkeypatch.setattr("tnness.operators.ketbra.WORKING_SET", 2 * 256 * 16)
    assert_allclose(pair.evolved(given_ones, 0.4), wanted, atol=1e-13)
    single = pair.evolved(given_ones.astype(np.float32), 0.4)
    assert single.dtype == np.float32
    assert_allclose(single, wanted, atol=1e-4)


def test_a_hop_falls_into_blocks_of_the_number():
    b = boson(3)
    hop = (b.Bd(0) * b.B(1) + b.Bd(1) * b.B(0)).matrix((0, 1), {0: 4, 1: 4})
    assert sorted(len(block) for block in blocks_of(hop)) == [1, 1, 2, 2, 3, 3, 4]


@pytest.mark.parametrize("space", [bit, spinless])
def test_sites_without_plain_elements_are_refused(space):
    pair = PairHamiltonian(np.eye(4), space, space)
    with pytest.raises(ModelError, match=f"sites of the space {space.name} are too large"):
        pair.unitary(0.1)
