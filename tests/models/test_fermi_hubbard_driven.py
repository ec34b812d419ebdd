"""The driven Fermi-Hubbard chain against Jordan-Wigner matrices, the covariance of free electrons, and symmetries."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from measured import exact_values, tebd_values
from systems.dense import dense_liouvillian, dense_steady_state, expect
from systems.fermions import jordan_wigner
from systems.mbl import jump_chain_steady_state
from systems.xx import xx_covariance_steady
from tnness.errors import InputError, ModelError
from tnness.model.parameters import build
from tnness.model.registry import find
from tnness.runs.solve import steady_state

EXACT = 1e-8
Hubbard = find("fermi-hubbard-driven")


def modes(n):
    """[up, down][site]: destroyers of a chain whose modes are ordered spin by spin, unlike those of the package."""
    return [[jordan_wigner(spin * n + site, 2 * n) for site in range(n)] for spin in range(2)]


def dense_equation(model):
    """(H, jumps) by the formulas of the model's text; the order of the modes is another one."""
    n, hamiltonian, jumps = model.n, 0, []
    strong, weak = (np.sqrt(model.gamma * (1 + sign * model.mu) / 2) for sign in (1, -1))
    for destroy in modes(n):
        for i in range(n - 1):
            hop = destroy[i].T @ destroy[i + 1]
            hamiltonian = hamiltonian + model.hopping * (hop + hop.T)
        jumps += [strong * destroy[0].T, weak * destroy[0], weak * destroy[-1].T, strong * destroy[-1]]
    half = np.eye(4**n) / 2
    for up, down in zip(*modes(n), strict=True):
        hamiltonian = hamiltonian + model.interaction * (up.T @ up - half) @ (down.T @ down - half)
    return hamiltonian, jumps


def dense_values(model, rho):
    found = {}
    for name, destroy in zip(("up", "down"), modes(model.n), strict=True):
        found[f"n_{name}"] = [expect(c.T @ c, rho) for c in destroy]
        hops = [a.T @ b for a, b in pairwise(destroy)]
        found[f"current_{name}"] = [expect(1j * model.hopping * (hop - hop.T), rho) for hop in hops]
    found["double_occupancy"] = [expect(a.T @ a @ b.T @ b, rho) for a, b in zip(*modes(model.n), strict=True)]
    return found


def check(values, expected, tolerance=EXACT):
    assert set(values) == set(expected)
    for name in values:
        assert_allclose(values[name], expected[name], atol=tolerance, err_msg=name)


@given(hopping=st.floats(0.5, 1.5), interaction=st.floats(-4, 4), gamma=st.floats(0.3, 2), mu=st.floats(-1, 1))
@settings(max_examples=8)
def test_two_sites_are_those_of_dense_matrices(hopping, interaction, gamma, mu):
    model = Hubbard(n=2, hopping=hopping, interaction=interaction, gamma=gamma, mu=mu)
    check(exact_values(model), dense_values(model, dense_steady_state(dense_liouvillian(*dense_equation(model)))))


def test_three_sites_are_those_of_dense_matrices():
    model = Hubbard(n=3, interaction=1.5, mu=0.6)
    expected = dense_values(model, jump_chain_steady_state(*dense_equation(model)))
    check(exact_values(model), expected, 1e-6)


def test_three_sites_by_tebd_are_those_of_dense_matrices():
    """Two dozen steps of a bond dimension that drops nothing; the rest is relaxation and the time step."""
    model = Hubbard(n=3, interaction=1.5, mu=0.6)
    expected = dense_values(model, jump_chain_steady_state(*dense_equation(model)))
    values, _ = tebd_values(model, until=24.0, chi=16, dt=0.5, method="svd")
    check(values, expected, 2e-4)


@pytest.mark.parametrize(("n", "mu"), [(2, -0.3), (3, 1.0)])
def test_without_interaction_each_spin_is_a_chain_of_free_fermions(n, mu):
    """XX in other words: hopping t is 2 J of the XX chain, <n> = (1 + Z)/2, and Z moves twice as much as n."""
    values = exact_values(Hubbard(n=n, hopping=0.8, interaction=0.0, gamma=1.3, mu=mu))
    expected = xx_covariance_steady(n, 0.4, 1.3, mu, 0.0)
    for spin in ("up", "down"):
        assert_allclose(values[f"n_{spin}"], (1 + expected["z"]) / 2, atol=EXACT)
        assert_allclose(values[f"current_{spin}"], expected["current"] / 2, atol=EXACT)
    assert_allclose(values["double_occupancy"], values["n_up"] * values["n_down"], atol=EXACT)


def test_the_sign_of_the_interaction_does_not_matter():
    """Complex conjugation turns H into -H; alternating signs turn hopping and current back."""
    strong, weak = (exact_values(Hubbard(n=2, interaction=u)) for u in (2.0, -2.0))
    assert_allclose(strong["n_up"], weak["n_up"], atol=EXACT)
    assert_allclose(strong["current_up"], weak["current_up"], atol=EXACT)


def test_no_bias_no_current():
    values = exact_values(Hubbard(n=2, mu=0.0))
    assert_allclose(values["current_up"], 0, atol=EXACT)
    assert_allclose(values["n_down"], 0.5, atol=EXACT)


def test_small():
    assert Hubbard(interaction=2.0).small() == Hubbard(n=3, interaction=2.0)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 1}, "n = 1"),
        ({"gamma": -1.0}, "gamma = -1: a rate"),
        ({"mu": 1.5}, "mu = 1.5: the bias lies between -1 and 1"),
        ({"U": 1.0}, "no parameter 'U'"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(Hubbard, parameters)


def test_without_interaction_twenty_sites_go_to_correlation_matrices():
    """The same numbers as the XX chain in closed form, doubly occupied sites by Wick's theorem."""
    record = steady_state(Hubbard(n=20, hopping=0.8, interaction=0.0, gamma=1.3, mu=0.6), engine="gaussian")
    expected = xx_covariance_steady(20, 0.4, 1.3, 0.6, 0.0)
    assert record.outcome == "exact"
    for spin in ("up", "down"):
        assert_allclose(record[f"n_{spin}"], (1 + expected["z"]) / 2, atol=1e-12)
        assert_allclose(record[f"current_{spin}"], expected["current"] / 2, atol=1e-12)
    assert_allclose(record["double_occupancy"], record["n_up"] * record["n_down"], atol=1e-12)
    with pytest.raises(ModelError, match="is an interaction between particles"):
        steady_state(Hubbard(n=20), engine="gaussian")
