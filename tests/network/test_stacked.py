"""Stacked matrix-product states against dense vectors, state by state."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import unitary_group

from tnness.errors import NumericalError
from tnness.network.chain_state import ChainState
from tnness.network.stacked import StackedState, dominant_vectors
from tnness.network.truncation import Truncation

FULL = Truncation(chi=64, cutoff=0.0, method="svd")
DIMS = (2, 3, 2, 2)


def random_stack(count=3, seed=0):
    """Copies of one random state, made different by gates of their own, and their dense vectors."""
    rng = np.random.default_rng(seed)
    start = ChainState.from_dense(rng.standard_normal(24) + 1j * rng.standard_normal(24), DIMS)
    stack = StackedState.copies(start, count)
    vectors = np.repeat((start.dense() / np.linalg.norm(start.dense()))[None], count, axis=0)
    gates = unitary_group.rvs(6, size=count, random_state=rng)
    stack.layer([gates, None, None], FULL)
    return stack, np.einsum("rab,rbc->rac", gates, vectors.reshape(count, 6, 4)).reshape(count, 24)


def overlaps(stack, vectors):
    return [abs(np.vdot(stack.state(r).dense(), vector)) for r, vector in enumerate(vectors)]


def test_gates_of_all_states_and_of_each_act_as_on_dense_vectors():
    stack, vectors = random_stack()
    rng = np.random.default_rng(1)
    shared, own = unitary_group.rvs(4, random_state=rng), unitary_group.rvs(6, size=3, random_state=rng)
    stack.layer([None, own, None], FULL)
    stack.layer([None, None, shared], FULL)
    dense = np.einsum("rab,rpbq->rpaq", own, vectors.reshape(3, 2, 6, 2)).reshape(3, 6, 4)
    dense = np.einsum("ab,rpb->rpa", shared, dense).reshape(3, 24)
    assert_allclose(overlaps(stack, dense), 1, atol=1e-13)
    assert_allclose(stack.dropped, 0, atol=1e-14)


def test_density_matrices_are_those_of_each_state():
    stack, vectors = random_stack()
    dense = vectors.reshape(3, *DIMS)
    assert_allclose(stack.site_density(1), np.einsum("raibc,rajbc->rij", dense, dense.conj()), atol=1e-13)
    pairs = stack.pair_densities()
    two = dense.reshape(3, 2, 6, 2)
    assert_allclose(pairs[1], np.einsum("raib,rajb->rij", two, two.conj()), atol=1e-13)
    assert_allclose(overlaps(stack, vectors), 1, atol=1e-13)  # reading changes nothing


def test_a_matrix_that_is_no_isometry_acts_at_the_centre_and_is_normalised():
    stack, vectors = random_stack()
    matrix = np.diag([1.0, 0.3, 0.1])
    stack.move_centre(1)
    stack.on_site(1, matrix)
    dense = np.einsum("ij,rajb->raib", matrix, vectors.reshape(3, 2, 3, 4)).reshape(3, 24)
    assert_allclose(overlaps(stack, dense / np.linalg.norm(dense, axis=1, keepdims=True)), 1, atol=1e-13)


def test_each_state_keeps_the_schmidt_values_that_it_needs():
    """A product state and an entangled one share their arrays; the bonds of the first are padded with zeros."""
    rng = np.random.default_rng(3)
    entangled = rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4))
    product = np.outer(rng.standard_normal(4), rng.standard_normal(4)).astype(complex)
    matrices = np.array([m / np.linalg.norm(m) for m in (entangled, product)])
    isometries, kept, dropped = dominant_vectors(matrices, Truncation(chi=3, cutoff=1e-12, method="svd"))
    values = np.linalg.svd(matrices[0], compute_uv=False) ** 2
    assert kept.tolist() == [3, 1]
    assert_allclose(dropped, [values[3], 0], atol=1e-15)
    assert_allclose(isometries[1, :, 1:], 0)
    assert_allclose(isometries[0].conj().T @ isometries[0], np.eye(3), atol=1e-13)


def test_the_cutoff_is_the_weight_that_may_be_dropped():
    values = np.array([0.9, 0.3, 0.03, 0.003])
    matrix = np.diag(values / np.linalg.norm(values))[None].astype(complex)
    for cutoff, rank in [(1e-2, 2), (1e-4, 3), (1e-6, 4)]:
        assert dominant_vectors(matrix, Truncation(chi=64, cutoff=cutoff, method="svd"))[1].tolist() == [rank]


def test_numbers_that_are_not_finite_are_refused():
    stack, _ = random_stack()
    with pytest.raises(NumericalError, match="not finite"):
        stack.layer([np.full((6, 6), np.nan), None, None], FULL)
