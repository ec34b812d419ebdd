"""`ChainState`: gauges change nothing, compression is optimal, norms survive long chains."""

import math

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chains import random_state, seeds
from tnness.errors import InputError, NumericalError
from tnness.network.chain_state import ChainState, product_overlap
from tnness.network.truncation import Truncation

DIMS = [2, 3, 4, 2, 3]
ROUND = {np.float32: 1e-5, np.float64: 1e-13, np.complex128: 1e-13}  # relative, a hundred roundings
dtypes = st.sampled_from(sorted(ROUND, key=str))


def assert_same(state, vector, relative):
    assert_allclose(state.dense(), vector, atol=relative * linalg.norm(vector))


def assert_canonical(state, centre, tolerance):
    assert state.centre == centre
    for i, tensor in enumerate(state.tensors):
        if i < centre:
            overlap = np.tensordot(tensor.conj(), tensor, ((0, 1), (0, 1)))
        elif i > centre:
            overlap = np.tensordot(tensor.conj(), tensor, ((1, 2), (1, 2)))
        else:
            continue
        assert_allclose(overlap, np.eye(len(overlap)), atol=tolerance)


# ---------------------------------------------------------------- gauges


@given(seeds, st.integers(1, 9), st.integers(0, 4), st.integers(0, 4), dtypes)
def test_moving_the_centre_changes_nothing(seed, chi, first, second, dtype):
    state = random_state(DIMS, chi, np.random.default_rng(seed), dtype)
    vector = state.dense()
    state.canonicalise(first)
    assert_canonical(state, first, ROUND[dtype])
    assert_same(state, vector, ROUND[dtype])
    assert_allclose(linalg.norm(state.tensors[first]), 1, rtol=ROUND[dtype])
    state.move_centre(second)
    assert_canonical(state, second, ROUND[dtype])
    assert_same(state, vector, ROUND[dtype])
    assert state.dtype == dtype
    assert_allclose(state.log_norm_squared(), 2 * math.log(linalg.norm(vector)), atol=ROUND[dtype])


@given(seeds, st.sampled_from([np.float64, np.complex128]))
def test_a_gauge_on_every_bond_changes_nothing(seed, dtype):
    rng = np.random.default_rng(seed)
    state = random_state(DIMS, 4, rng, dtype)
    vector, tensors = state.dense(), list(state.tensors)
    for i in range(len(DIMS) - 1):
        gauge = rng.standard_normal((4, 4)) + 4 * np.eye(4)
        tensors[i] = np.tensordot(tensors[i], gauge, 1)
        tensors[i + 1] = np.tensordot(linalg.inv(gauge), tensors[i + 1], 1)
    other = ChainState(tensors, log_norm=state.log_norm)
    assert_same(other, vector, 1e-10)
    state.canonicalise(2)
    other.canonicalise(2)
    assert_allclose(other.log_norm, state.log_norm, atol=1e-10)
    for bond in range(len(DIMS) - 1):
        assert_allclose(other.singular_values(bond), state.singular_values(bond), atol=1e-10)


@given(seeds, st.sampled_from([np.float64, np.complex128]))
def test_dense_vectors_come_back(seed, dtype):
    vector = random_state(DIMS, 6, np.random.default_rng(seed), dtype).dense()
    state = ChainState.from_dense(vector, DIMS)
    assert_canonical(state, len(DIMS) - 1, 1e-13)
    assert_same(state, vector, 1e-13)
    assert state.bond_dimensions == (2, 6, 6, 3)


def test_a_single_site_and_a_single_bond():
    one = ChainState([np.array([3.0, 4.0]).reshape(1, 2, 1)])
    one.canonicalise(0)
    assert_allclose(math.exp(one.log_norm), 5)
    assert_allclose(one.dense(), [3, 4])
    two = ChainState.from_dense([1.0, 0, 0, 1.0], (2, 2))
    assert_allclose(two.singular_values(0), np.sqrt([0.5, 0.5]))


# ---------------------------------------------------------------- Schmidt values and compression


@given(seeds, st.integers(0, 3), st.integers(0, 4), dtypes)
def test_singular_values_are_those_of_the_dense_vector(seed, bond, centre, dtype):
    state = random_state(DIMS, 3, np.random.default_rng(seed), dtype)
    s = linalg.svdvals(state.dense().reshape(math.prod(DIMS[: bond + 1]), -1))
    state.canonicalise(centre)
    values = state.singular_values(bond)
    assert_allclose(values, (s / linalg.norm(s))[: len(values)], atol=ROUND[dtype])
    assert state.centre == centre


@given(seeds, st.integers(1, 6), st.sampled_from([np.float64, np.complex128]))
def test_compression_is_within_its_claim(seed, chi, dtype):
    """|P - Q|^2 <= sum over bonds of the weight dropped there, and one bond alone is cut optimally."""
    state = random_state(DIMS, 8, np.random.default_rng(seed), dtype)
    vector = state.dense()
    worst = state.compress(Truncation(chi=chi))
    assert max(state.bond_dimensions) <= chi
    error = linalg.norm(state.dense() - vector) ** 2 / linalg.norm(vector) ** 2
    assert error <= (len(DIMS) - 1) * worst + 1e-13
    assert_canonical(state, 0, 1e-12)


@given(seeds)
def test_one_bond_is_cut_optimally(seed):
    state = random_state([4, 5], 4, np.random.default_rng(seed))
    vector = state.dense()
    s = linalg.svdvals(vector.reshape(4, 5))
    worst = state.compress(Truncation(chi=2))
    assert_allclose(worst, np.sum(s[2:] ** 2) / np.sum(s**2), rtol=1e-10)
    assert_allclose(linalg.norm(state.dense() - vector) ** 2, np.sum(s[2:] ** 2), rtol=1e-10)


def test_compression_finds_the_smallest_bonds():
    rng = np.random.default_rng(0)
    small = random_state([4] * 6, 2, rng)
    tensors = [np.tensordot(t, rng.standard_normal((2, 7)), 1) if i < 5 else t for i, t in enumerate(small.tensors)]
    tensors = [np.tensordot(rng.standard_normal((7, 2)), t, 1) if i else t for i, t in enumerate(tensors)]
    state = ChainState(tensors)
    vector = state.dense()
    assert state.compress(Truncation(chi=64)) < 1e-14
    assert state.bond_dimensions == (2, 2, 2, 2, 2)
    assert_same(state, vector, 1e-12)


# ---------------------------------------------------------------- products and norms


@given(seeds)
def test_products_and_their_overlaps(seed):
    rng = np.random.default_rng(seed)
    vectors = [rng.standard_normal(d) for d in DIMS]
    state = ChainState.product(vectors)
    others = [rng.standard_normal(d) for d in DIMS]
    mantissa, logarithm = product_overlap(state, others)
    expected = math.prod(float(v @ w) for v, w in zip(vectors, others, strict=True))
    assert_allclose(mantissa * math.exp(logarithm), expected, rtol=1e-11)


def test_covectors_are_not_conjugated():
    state = ChainState.product([[1, 1j], [1, 0]], dtype=complex)
    mantissa, logarithm = product_overlap(state, [np.array([0, 1j]), np.array([1, 0])])
    assert_allclose(mantissa * math.exp(logarithm), -1)


def test_long_chains_neither_underflow_nor_overflow():
    for size in (1e-3, 1e3):
        state = ChainState.product([[size, 0.0]] * 2000)
        assert_allclose(state.log_norm, 2000 * math.log(size))
        mantissa, logarithm = product_overlap(state, [np.array([1.0, 0.0])] * 2000)
        assert_allclose(math.log(mantissa) + logarithm, 2000 * math.log(size))


def test_an_overlap_of_zero_is_zero():
    assert product_overlap(ChainState.product([[1.0, 0.0]] * 3), [np.array([0.0, 1.0])] * 3)[0] == 0


def test_copies_are_deep_and_convert():
    state = ChainState.product([[1.0, 2.0]] * 3)
    other = state.copy(np.float32)
    other.tensors[0][:] = 0
    assert other.dtype == np.float32
    assert other.memory() == 3 * 2 * 4
    assert state.tensors[0].any()


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([], "at least one tensor"),
        ([(1, 2)], r"tensor 0 must have indices \(left, physical, right\), but has shape \(1, 2\)"),
        ([(1, 2, 3), (2, 2, 1)], "tensor 1 has left bond 2, its neighbour's right bond is 3"),
        ([(2, 2, 1)], "tensor 0 has left bond 2"),
        ([(1, 2, 2)], "outer bonds of size 1"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(shapes, message):
    with pytest.raises(InputError, match=message):
        ChainState([np.ones(shape) for shape in shapes])


def test_a_state_without_a_centre_says_so():
    state = ChainState([np.ones((1, 2, 1))])
    for ask in (lambda: state.move_centre(0), state.log_norm_squared, lambda: state.singular_values(0)):
        with pytest.raises(InputError, match="no orthogonality centre: canonicalise it first"):
            ask()


def test_a_vector_of_the_wrong_length_is_refused():
    with pytest.raises(InputError, match=r"a vector of 5 numbers does not fit local dimensions \(2, 2\)"):
        ChainState.from_dense(np.ones(5), (2, 2))


def test_what_is_not_finite_is_refused():
    with pytest.raises(NumericalError, match="not finite"):
        ChainState.from_dense([1.0, np.nan, 0, 0], (2, 2))
