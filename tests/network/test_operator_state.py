"""Density operators given as matrix-product operators or dense matrices, against dense coefficients."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chains import coefficients, even_density_matrix, random_matrix, seeds
from tnness.errors import InputError
from tnness.network.operator_state import density_from_matrix, density_from_operator
from tnness.operators.basis import LocalSpace, bit, boson, electron, spin_half, spin_one, spinless

CHAINS = {
    "mixed": [spin_half, spin_one, boson(1)],
    "one site": [boson(3)],
    "fermions": [spinless, spin_half, spinless],
    "electrons": [electron, spinless],
}
chains = pytest.mark.parametrize("spaces", CHAINS.values(), ids=CHAINS)


def operator_tensors(matrix: np.ndarray, spaces: list[LocalSpace], seed: int) -> list[np.ndarray]:
    """A matrix as a matrix-product operator by successive SVDs, in a random complex gauge."""
    rng, levels = np.random.default_rng(seed), [space.levels for space in spaces]
    n = len(levels)
    rest = matrix.reshape(levels * 2).transpose([axis for i in range(n) for axis in (i, n + i)])
    tensors, rest = [], rest.reshape(1, -1)
    for d in levels[:-1]:
        u, s, vt = np.linalg.svd(rest.reshape(len(rest) * d * d, -1), full_matrices=False)
        gauge = random_matrix(len(s), rng)
        tensors.append((u @ gauge).reshape(-1, d, d, len(s)))
        rest = np.linalg.solve(gauge, s[:, None] * vt)
    return [*tensors, rest.reshape(-1, levels[-1], levels[-1], 1)]


@chains
@settings(max_examples=6)
@given(seed=seeds, factor=st.floats(0.1, 10))
def test_operators_and_matrices_become_states_of_trace_1(spaces, seed, factor):
    rho = even_density_matrix(spaces, np.random.default_rng(seed))
    wanted = coefficients(rho, spaces)
    for state in (
        density_from_operator(operator_tensors(factor * rho, spaces, seed), spaces),
        density_from_matrix(factor * rho, spaces),
    ):
        assert state.dtype == np.float64
        assert state.centre == 0
        assert_allclose(state.dense(), wanted, atol=1e-10)


def test_classical_sites_keep_the_probabilities():
    rho = reduce(np.kron, [np.diag([0.3, 0.7]), np.diag([0.6, 0.4])])
    tensors = operator_tensors(rho, [bit] * 2, 0)
    assert_allclose(density_from_operator(tensors, [bit] * 2).dense(), np.diag(rho), atol=1e-12)
    assert_allclose(density_from_matrix(rho, [bit] * 2).dense(), np.diag(rho), atol=1e-14)


def test_what_is_no_density_operator_is_refused_in_one_line():
    spaces, rng = [spin_half, spin_one], np.random.default_rng(1)
    rho = even_density_matrix(spaces, rng)
    cases = [
        (rho[:4, :4], r"shape \(6, 6\), but has shape \(4, 4\)"),
        (rho + 1e-3 * random_matrix(6, rng), "not Hermitian"),
        (rho - 2 * np.eye(6), "trace of the density operator is -11, not positive"),
    ]
    for matrix, message in cases:
        with pytest.raises(InputError, match=message):
            density_from_matrix(matrix, spaces)
    for matrix, message in cases[1:]:
        with pytest.raises(InputError, match=message):
            density_from_operator(operator_tensors(matrix, spaces, 0), spaces)
    with pytest.raises(InputError, match=r"levels \[2, 3\] has tensors \(left, d, d, right\), got shapes \[\(1, 2, 2"):
        density_from_operator([np.ones((1, 2, 2, 1))] * 2, spaces)
    odd = np.kron(np.array([[0.5, 0.5], [0.5, 0.5]]), np.diag([1.0, 0.0]))
    with pytest.raises(InputError, match="superposes even and odd numbers of fermions"):
        density_from_matrix(odd, [spinless] * 2)
