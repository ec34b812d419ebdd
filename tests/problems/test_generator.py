"""`ChainGenerator`: one operator in four forms, the trace it conserves, and what is refused."""

from functools import reduce

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given
from numpy.testing import assert_allclose

from chains import SPACES, random_lindbladian, seeds, space_names
from tnness.errors import ModelError
from tnness.operators.basis import bit, spin_half, spin_one
from tnness.problems.generator import ChainGenerator

MIXED = [spin_half, spin_one, spin_half]


def random_generator(seed, spaces=MIXED):
    return random_lindbladian(spaces, seed).generator()


def trace(generator):
    return reduce(np.kron, generator.functionals["trace"])


def dense_mpo(generator):
    """The tensors (left, right, out, in) contracted: (prod D, prod D)."""
    result = np.ones((1, 1, 1))  # (out, in, right)
    for tensor in generator.mpo_tensors():
        result = np.einsum("abl,lrop->aobpr", result, tensor)
        result = result.reshape(result.shape[0] * result.shape[1], -1, tensor.shape[1])
    return result[:, :, 0]


@given(seeds, space_names)
def test_all_forms_are_the_same_operator(seed, name):
    generator = random_generator(seed, [SPACES[name]] * 3)
    matrix, one = generator.matrix().toarray(), np.eye(generator.dimension)
    size = np.abs(matrix).max()
    assert_allclose(generator.apply(one), matrix, atol=1e-13 * size)
    assert_allclose(generator.apply(one[:, 1]), matrix[:, 1], atol=1e-13 * size)
    assert_allclose(dense_mpo(generator), matrix, atol=1e-12 * size)
    assert_allclose(generator.transposed().apply(one), matrix.T, atol=1e-13 * size)


@given(seeds)
def test_all_forms_are_the_same_operator_on_unequal_sites(seed):
    generator = random_generator(seed)
    matrix, one = generator.matrix().toarray(), np.eye(generator.dimension)
    assert_allclose(generator.apply(one), matrix, atol=1e-12)
    assert_allclose(dense_mpo(generator), matrix, atol=1e-12)
    assert_allclose(generator.transposed().apply(one), matrix.T, atol=1e-12)


@given(seeds)
def test_merged_bonds_hold_every_term_once(seed):
    generator = random_generator(seed, [spin_half] * 4)
    total = np.zeros((generator.dimension,) * 2)
    for i, matrix in enumerate(generator.site_terms):
        total += np.kron(np.kron(np.eye(4**i), matrix), np.eye(4 ** (3 - i)))
    for i, matrix in enumerate(generator.bond_terms):
        total += np.kron(np.kron(np.eye(4**i), matrix), np.eye(4 ** (2 - i)))
    assert_allclose(generator.matrix().toarray(), total, atol=1e-12)


@given(seeds, space_names)
def test_the_trace_is_conserved(seed, name):
    generator = random_generator(seed, [SPACES[name]] * 3)
    matrix = generator.matrix().toarray()
    assert_allclose(trace(generator) @ matrix, 0, atol=1e-12 * np.abs(matrix).max())


@given(seeds)
def test_nothing_grows(seed):
    """The spectrum lies left of the imaginary axis, and `scale` bounds it."""
    generator = random_generator(seed, [spin_half] * 3)
    values = linalg.eigvals(generator.matrix().toarray())
    assert values.real.max() < 1e-9
    assert np.abs(values).max() <= generator.scale


def test_mpo_bonds_are_the_rank_of_each_bond_plus_two():
    hop = np.zeros((4, 4))
    hop[1, 2] = hop[2, 1] = 1.0
    hop[1, 1] = hop[2, 2] = -1.0
    generator = ChainGenerator([bit] * 4, np.zeros((4, 2, 2)), [hop] * 3)
    rank = np.linalg.matrix_rank(hop.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(4, 4))
    assert [t.shape[1] for t in generator.mpo_tensors()] == [rank + 2, rank + 2, rank + 2, 1]


def test_a_chain_of_two_and_a_chain_without_terms():
    empty = ChainGenerator([bit] * 2, np.zeros((2, 2, 2)), [np.zeros((4, 4))])
    assert_allclose(empty.matrix().toarray(), 0)
    assert_allclose(dense_mpo(empty), 0)
    assert empty.scale == 0


def test_named_functionals_are_kept():
    ones = [[1.0, 1.0]] * 2
    generator = ChainGenerator([bit] * 2, np.zeros((2, 2, 2)), [np.zeros((4, 4))], functionals={"all": ones})
    assert set(generator.functionals) == {"trace", "all"}


# ---------------------------------------------------------------- what is refused

NOTHING, NO_BOND = np.zeros((2, 2, 2)), [np.zeros((4, 4))]
LEAK = np.diag([0.0, -1.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], []), "a chain needs at least one site"),
        (([bit] * 2, NOTHING[:1], NO_BOND), "takes 2 site terms, got 1"),
        (([bit] * 2, NOTHING, []), "takes 1 bond terms, got 0"),
        (([bit] * 2, np.zeros((2, 3, 3)), NO_BOND), r"site 0 must have shape \(2, 2\), but has shape \(3, 3\)"),
        (([bit] * 2, NOTHING, [np.full((4, 4), np.nan)]), "the term of bond 0 must be real and finite"),
        (([bit] * 2, NOTHING, [1j * np.eye(4)]), "the term of bond 0 must be real and finite"),
        (([bit] * 2, [LEAK, LEAK], NO_BOND), r"does not conserve the trace: on site 0, \|<trace\|G\| = 1.00e\+00"),
        (([bit] * 2, NOTHING, [np.kron(LEAK, LEAK)]), "does not conserve the trace: on bond 0"),
        (([bit] * 2, NOTHING, NO_BOND, {"all": [[1.0, 1.0]]}), "the functional 'all' must have one covector"),
        (([bit] * 2, NOTHING, NO_BOND, {"all": [[1.0]] * 2}), r"got \[\(1,\), \(1,\)\]"),
    ],
)
def test_what_is_no_generator_is_refused(arguments, message):
    with pytest.raises(ModelError, match=message) as caught:
        ChainGenerator(*arguments)
    assert "\n" not in str(caught.value)
