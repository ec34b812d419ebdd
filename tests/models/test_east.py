"""The East model against its product state, dense matrices and the classical rules."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from measured import exact_values
from systems.dense import (
    LOWER,
    RAISE,
    X,
    Y,
    Z,
    dense_evolve,
    dense_liouvillian,
    dense_steady_state,
    expect,
    site_operator,
)
from systems.markov import east_moves, evolved, master_equation, occupations
from tnness import evolve
from tnness.engines.exact import Exact
from tnness.engines.tebd import TEBD
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.registry import find

EXACT = 1e-9
East = find("east")
positive = st.floats(0.1, 2.0)


def free_spin(omega, loss, gain):
    """The steady state of one spin without a constraint, solved as a 4 x 4 Liouvillian."""
    jumps = [np.sqrt(loss) * LOWER, np.sqrt(gain) * RAISE]
    return dense_steady_state(dense_liouvillian(omega * X, jumps))


def excited_state(rho):
    """The projector on the eigenstate of rho with more weight on up."""
    _, states = np.linalg.eigh(rho)
    vector = states[:, np.argmax(np.abs(states[0]))]
    return np.outer(vector, vector.conj())


@given(n=st.integers(2, 3), omega=st.floats(-1, 1), loss=positive, gain=positive)
@settings(max_examples=15)
def test_the_steady_state_is_a_product_of_free_spins(n, omega, loss, gain):
    if abs(omega) + abs(loss - gain) < 0.05:
        gain = loss + 0.1  # the eigenstates of a maximally mixed spin are not defined
    values, rho = exact_values(East(n=n, omega=omega, loss=loss, gain=gain)), free_spin(omega, loss, gain)
    weight = expect(excited_state(rho), rho)
    assert_allclose(values["y"], expect(Y, rho), atol=EXACT)
    assert_allclose(values["z"], expect(Z, rho), atol=EXACT)
    assert_allclose(values["excited"], weight, atol=EXACT)
    assert_allclose(values["excited_correlation"], weight * (1 - weight) * np.eye(n), atol=EXACT)


@pytest.mark.parametrize("engine", [Exact(), TEBD(chi=64, dt=0.1)], ids=["exact", "tebd"])
def test_its_dynamics_are_those_of_dense_matrices(engine):
    n, omega, loss, gain = 3, 0.8, 1.1, 0.3
    times, projector = [0.5, 2.0], excited_state(free_spin(omega, loss, gain))
    hamiltonian, jumps = np.zeros((8, 8), complex), []
    for i in range(n):
        free = site_operator(projector, i - 1, n) if i else np.eye(8)
        hamiltonian += omega * free @ site_operator(X, i, n)
        jumps += [np.sqrt(loss) * free @ site_operator(LOWER, i, n), np.sqrt(gain) * free @ site_operator(RAISE, i, n)]
    down = reduce(np.kron, [np.diag([0.0, 1.0])] * n)
    states = dense_evolve(dense_liouvillian(hamiltonian, jumps), down, times)
    record = evolve(East(n=n, omega=omega, loss=loss, gain=gain), times, engine=engine, initial="product:111")
    expected = {
        name: [[expect(site_operator(operator, i, n), rho) for i in range(n)] for rho in states]
        for name, operator in (("y", Y), ("z", Z), ("excited", projector))
    }
    for name in expected:
        assert_allclose(record[name], expected[name], atol=EXACT if engine.name == "exact" else 1e-6, err_msg=name)


def test_without_oscillations_it_is_the_classical_model():
    times = [0.5, 3.0]
    record = evolve(East(n=4, omega=0.0, loss=0.8, gain=0.3), times, engine=Exact(), initial="product:0000")
    probabilities = evolved(master_equation(4, east_moves(0.3, 0.8)), (1,) * 4, times)
    assert_allclose(record["excited"], occupations(probabilities), atol=EXACT)


def test_nothing_moves_beside_spins_that_are_not_excited():
    """Down, up, down, up without gain: the down spins have nothing to lose, the up spins wait for their neighbours."""
    record = evolve(East(n=4, omega=0.0, gain=0.0), [2.0], engine=Exact(), initial="product:1010")
    assert_allclose(record["z"].values[-1], [-1, 1, -1, 1], atol=1e-12)


def test_equal_rates_leave_up_the_excited_state():
    assert_allclose(East(omega=0.0, loss=0.5, gain=0.5).excited.matrix, np.diag([1, 0]), atol=1e-15)
    assert_allclose(East(omega=0.7, loss=0.0, gain=0.0).excited.matrix, np.diag([1, 0]), atol=1e-15)


def test_small():
    assert East(omega=0.2).small() == East(n=4, omega=0.2)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [({"n": 1}, "n = 1"), ({"loss": -1.0}, "loss = -1: a rate"), ({"gian": 1.0}, "did you mean 'gain'")],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(East, parameters)
