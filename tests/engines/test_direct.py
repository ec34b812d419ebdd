"""Small chains are solved part by part: the same null vector and the same nearest eigenvalue as of the whole matrix."""

import numpy as np
import pytest
import scipy.linalg as linalg
import scipy.sparse as sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chains import random_lindbladian, seeds
from tnness.engines import direct
from tnness.engines.direct import FEW_STATES, _inverse, null_vector
from tnness.operators.basis import bit, oddness, spin_half, spin_one, spinless
from tnness.problems.lindbladian import Lindbladian

s = spin_half


def with_charge(n, seed):
    """A chain with a charge and complex amplitudes."""
    chain, rng = Lindbladian([s] * n), np.random.default_rng(seed)
    for i in range(n - 1):
        hop = rng.normal() * np.exp(1j * rng.uniform(0, 6)) * s.Sp(i) * s.Sm(i + 1)
        chain.hamiltonian(hop + hop.dagger() + rng.normal() * s.Z(i) * s.Z(i + 1))
    for i in range(n):
        for jump in (s.Sp(i), s.Sm(i), s.Z(i)):
            chain.jump(jump, rate=rng.uniform(0.1, 1))
    return chain.generator()


def compare(generator):
    even = ~oddness(generator.spaces)
    values = np.sort(np.abs(linalg.eigvals(generator.matrix()[even][:, even].toarray())))
    vector, nearest = null_vector(generator, 1e-4 * generator.scale / generator.n, 0)
    assert values[1] > 1e-6 * generator.scale  # unique: a vector without residual is the null vector
    assert linalg.norm(generator.apply(vector)) < 1e-13 * generator.scale * linalg.norm(vector)
    assert np.abs(nearest) == pytest.approx(values[1], rel=1e-6)


@settings(max_examples=8)
@given(seed=seeds, n=st.integers(2, 4), small=st.sampled_from([0, 400]))
def test_chains_with_a_charge(seed, n, small):
    """Both with dense factors and, where small parts are none, with sparse ones."""
    generator = with_charge(n, seed)
    assert generator.conserved is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct, "FEW_STATES", small)
        compare(generator)


@settings(max_examples=8)
@given(seed=seeds, spaces=st.sampled_from([(s, s, s), (spin_one, s), (spinless, spinless), (bit, bit, bit)]))
def test_chains_in_one_part(seed, spaces):
    compare(random_lindbladian(list(spaces), seed).generator())


def test_two_closed_parts_have_no_single_null_vector():
    chain = Lindbladian([bit] * 2)
    chain.jump(bit.Sm(0) * bit.Sp(1))
    chain.jump(bit.Sp(0) * bit.Sm(1))
    assert null_vector(chain.generator(), 1e-4, 0) is None


@pytest.mark.parametrize("diagonal", [1.0, 1e-14])
def test_a_sparse_inverse_is_accurate_where_the_diagonal_is_small(diagonal):
    rng, size = np.random.default_rng(5), FEW_STATES + 100
    turned = sparse.csc_array((rng.uniform(1, 2, size), (np.arange(size), np.roll(np.arange(size), 1))))
    few = sparse.random_array((size, size), density=1 / size, rng=rng)
    matrix = sparse.csc_array(turned + 0.1 * few + diagonal * sparse.eye_array(size))
    right = rng.standard_normal(size)
    assert_allclose((matrix - 1e-14 * sparse.eye_array(size)) @ _inverse(matrix, 1e-14)(right), right, atol=1e-8)
