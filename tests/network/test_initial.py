"""Product states as initial states."""

import re

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

import systems as exact
from chains import coefficients, random_density_matrix, seeds
from tnness.errors import InputError
from tnness.network.initial import basis_states, identity_state, labels_of, product_state
from tnness.operators.basis import bit, boson, spin_half, spin_one

SPACES = [spin_half, spin_one, spin_half]


def test_the_identity_is_maximally_mixed():
    assert_allclose(identity_state(SPACES).dense(), coefficients(np.eye(12) / 12, SPACES), atol=1e-15)
    assert_allclose(identity_state([bit] * 3).dense(), np.full(8, 1 / 8))


@given(seeds)
def test_a_product_of_density_matrices(seed):
    rng = np.random.default_rng(seed)
    local = [random_density_matrix(space.levels, rng) for space in SPACES]
    expected = coefficients(exact.product_state(local), SPACES)
    assert_allclose(product_state(SPACES, local).dense(), expected, atol=1e-14)


def test_a_product_of_probabilities():
    state = product_state([bit, bit, spin_half], [[0.2, 0.8], np.diag([1.0, 0.0]), [0.5, 0.5]])
    expected = np.kron(np.kron([0.2, 0.8], [1, 0]), spin_half.vector(np.eye(2) / 2))
    assert_allclose(state.dense(), expected, atol=1e-15)


@pytest.mark.parametrize(
    ("space", "matrix", "message"),
    [
        (spin_half, np.eye(3) / 3, r"site 1 must have shape \(2, 2\) or \(2,\), but has shape \(3, 3\)"),
        (spin_half, [[0.5, 0.1], [0.2, 0.5]], "site 1 is not Hermitian"),
        (spin_half, np.eye(2), "site 1 has trace 2, not 1"),
        (spin_half, [1.2, -0.2], "site 1 has the negative eigenvalue -0.2"),
        (spin_half, [np.nan, 1.0], "site 1 is not Hermitian"),
        (bit, [[0.5, 0.5], [0.5, 0.5]], "site 1 has coherences, but its space classical-2 is classical"),
    ],
)
def test_what_is_no_state_is_refused(space, matrix, message):
    with pytest.raises(InputError, match=message):
        product_state([spin_half, space], [[1.0, 0.0], matrix])


def test_one_matrix_per_site():
    with pytest.raises(InputError, match="a product state of 2 sites takes as many matrices, got 1"):
        product_state([spin_half] * 2, [[1.0, 0.0]])


def test_labels_are_digits_in_a_row_or_numbers_with_commas_between():
    assert labels_of("012") == ["0", "1", "2"]
    assert labels_of("0, 12,*") == ["0", "12", "*"]
    states = basis_states("1,12,*", [spin_half, boson(14), spin_half])
    assert_allclose([states[0][1], states[1][12], *states[2]], [1, 1, 0.5, 0.5])


@pytest.mark.parametrize("digits", ["1,15,*", "1,12", "1,x,0", "1,-1,0", "11200"])
def test_labels_that_fit_no_site_are_refused(digits):
    with pytest.raises(InputError, match=re.escape(f"product:{digits} needs one level per site")):
        basis_states(digits, [spin_half, boson(14), spin_half])
