"""Thermal states against the dense exponential."""

import numpy as np
import pytest
import scipy.linalg as linalg
from numpy.testing import assert_allclose

from chains import coefficients, dense_lindbladian, random_lindbladian
from tnness.engines.thermal import thermal_state
from tnness.errors import InputError, ModelError
from tnness.network.chain_state import product_overlap
from tnness.network.chain_view import ChainView
from tnness.network.initial import identity_state
from tnness.network.truncation import Truncation
from tnness.operators.basis import bit, spin_half, spin_one, spinless
from tnness.problems.lindbladian import Lindbladian

s = spin_half
CHAINS = {"spins": [s] * 4, "unequal": [s, spin_one, s], "fermions": [spinless] * 4}


@pytest.mark.parametrize("spaces", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("beta", [0.3, 1.0, -0.5])
def test_thermal_states_are_exponentials_of_h(spaces, beta):
    chain = random_lindbladian(spaces, 4)
    hamiltonian, _ = dense_lindbladian(chain)
    expected = linalg.expm(-beta * hamiltonian)
    expected /= np.trace(expected)
    state = thermal_state(chain, beta, Truncation(chi=128))
    assert_allclose(state.dense(), coefficients(expected, spaces), atol=1e-6)
    mantissa, logarithm = product_overlap(state, [space.trace for space in spaces])
    assert_allclose([mantissa * np.exp(logarithm)], 1, rtol=1e-12)


def test_infinite_temperature_is_the_identity():
    chain = random_lindbladian([s] * 3, 0)
    assert_allclose(thermal_state(chain, 0.0).dense(), identity_state([s] * 3).dense(), atol=1e-14)


def test_a_long_ising_chain_has_its_exact_energy():
    """H = sum Z Z with free ends: <Z_i Z_{i+1}> = -tanh(beta) on every bond."""
    n, beta = 60, 0.8
    chain = Lindbladian([s] * n)
    for i in range(n - 1):
        chain.hamiltonian(s.Z(i) * s.Z(i + 1))
    state = thermal_state(chain, beta)
    view = ChainView(state, [s] * n, {"trace": [s.trace] * n})
    assert max(state.bond_dimensions) == 2
    assert_allclose([view.expect(s.Z(i) * s.Z(i + 1)) for i in range(n - 1)], -np.tanh(beta), atol=1e-8)


def test_a_classical_chain_with_energies():
    chain = Lindbladian([bit] * 3)
    chain.hamiltonian(0.7 * bit.N(0) * bit.N(1) - 0.4 * bit.N(2))
    energies = np.diag(dense_lindbladian(chain)[0]).real
    expected = np.exp(-1.3 * energies) / np.exp(-1.3 * energies).sum()
    assert_allclose(thermal_state(chain, 1.3).dense(), expected, atol=1e-9)


@pytest.mark.parametrize("beta", [float("nan"), float("inf")])
def test_temperatures_are_finite(beta):
    with pytest.raises(InputError, match=f"beta = {beta}: a finite number is needed"):
        thermal_state(Lindbladian([s] * 2), beta)


def test_a_hamiltonian_that_is_not_hermitian_is_refused():
    chain = Lindbladian([s] * 2)
    chain.hamiltonian(s.Sp(0) * s.Sm(1))
    with pytest.raises(ModelError, match="not Hermitian"):
        thermal_state(chain, 1.0)
