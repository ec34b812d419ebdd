"""The J1-J2 chain against dense matrices, its singlets, and its steady state without a field."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose

from measured import exact_values
from systems.dense import LOWER, RAISE, X, Y, Z, dense_evolve, dense_liouvillian, expect, reduced, site_operator
from tnness import density_from_pure, evolve
from tnness.engines.exact import Exact
from tnness.engines.tebd import TEBD
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.registry import find
from tnness.network.chain_state import ChainState
from tnness.operators.basis import spin_half

EXACT = 1e-9
J1J2 = find("j1-j2-dissipative")
CLOSED = {"field": 0.0, "loss": 0.0, "gain": 0.0, "dephasing": 0.0}


def dot(i, j, n):
    return sum(site_operator(a, i, n) @ site_operator(a, j, n) for a in (X, Y, Z)) / 4


def dense_states(model, times):
    """(times, 2^n, 2^n) from the state up, down, up, ..."""
    n = model.n
    hamiltonian = sum(model.j1 * dot(i, i + 1, n) for i in range(n - 1))
    hamiltonian = hamiltonian + sum(model.j2 * dot(i, i + 2, n) for i in range(n - 2))
    hamiltonian = hamiltonian + model.field * sum(site_operator(X, i, n) for i in range(n))
    rates = ((model.loss, LOWER), (model.gain, RAISE), (model.dephasing, Z))
    jumps = [np.sqrt(rate) * site_operator(operator, i, n) for i in range(n) for rate, operator in rates]
    start = np.zeros((2**n, 2**n))
    number = int("".join(str(i % 2) for i in range(n)), 2)
    start[number, number] = 1
    return dense_evolve(dense_liouvillian(hamiltonian, jumps), start, times)


@pytest.mark.parametrize("engine", [Exact(), TEBD(chi=64, dt=0.1)], ids=["exact", "tebd"])
def test_dynamics_are_those_of_dense_matrices(engine):
    model, times = J1J2(n=4, j1=0.9, j2=0.4, field=0.3), [0.5, 1.5]
    record = evolve(model, times, engine=engine, initial="product:0101")
    states, tolerance = dense_states(model, times), EXACT if engine.name == "exact" else 1e-6
    for name, operator in (("x", X), ("y", Y), ("z", Z)):
        expected = [[expect(site_operator(operator, i, 4), rho) for i in range(4)] for rho in states]
        assert_allclose(record[name], expected, atol=tolerance, err_msg=name)
    neighbours = [[expect(dot(i, i + 1, 4), rho) for i in range(3)] for rho in states]
    second = [np.mean([expect(dot(i, i + 2, 4), rho) for i in range(2)]) for rho in states]
    assert_allclose(record["exchange"], neighbours, atol=tolerance)
    assert_allclose(record["second_exchange"], second, atol=tolerance)


def test_singlets_of_neighbours_do_not_move_at_half_the_coupling():
    """Majumdar and Ghosh; their energy is -3/8 a site. Away from j2 = j1/2 they move."""
    singlet = np.array([0, 1, -1, 0]) / np.sqrt(2)
    left, right = np.linalg.svd(singlet.reshape(2, 2))[0], singlet.reshape(2, 2)
    pair = [left.reshape(1, 2, 2), (left.T @ right).reshape(2, 2, 1)]
    state = density_from_pure(ChainState([*pair, *pair, *pair]), [spin_half] * 6)
    record = evolve(J1J2(n=6, **CLOSED), [2.0], engine=Exact(), initial=state)
    assert_allclose(record["exchange"].values[-1], [-0.75, 0, -0.75, 0, -0.75], atol=1e-8)
    assert_allclose(record["second_exchange"].values[-1], 0, atol=1e-8)
    moved = evolve(J1J2(n=6, j2=0.3, **CLOSED), [2.0], engine=Exact(), initial=state)
    assert moved["exchange"].values[-1][0] > -0.74


def test_without_a_field_equal_spins_are_the_steady_state():
    values = exact_values(J1J2(n=4, field=0.0, loss=0.3, gain=0.1))
    assert_allclose(values["z"], -0.5, atol=EXACT)
    assert_allclose(values["zz"], 0.25 + 0.75 * np.eye(4), atol=EXACT)
    assert_allclose(values["exchange"], 0.25 * 0.25, atol=EXACT)


def test_the_parts_of_a_dense_state_are_those_of_its_pairs():
    """The oracle itself: S S of a pair from its reduced matrix."""
    rho = dense_states(J1J2(n=3), [0.7])[0]
    for i, j in pairwise(range(3)):
        assert_allclose(expect(dot(0, 1, 2), reduced(rho, (i, j))), expect(dot(i, j, 3), rho), atol=1e-12)


def test_small_and_two_sites():
    assert J1J2(j2=0.2).small() == J1J2(n=4, j2=0.2)
    assert "second_exchange" not in J1J2(n=2).observables()


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [({"n": 1}, "n = 1"), ({"loss": -1.0}, "loss = -1: a rate"), ({"j3": 1.0}, "no parameter 'j3'")],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(J1J2, parameters)
