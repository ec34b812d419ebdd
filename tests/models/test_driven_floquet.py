"""The shaken Ising chain against Bloch equations by Fourier series, the dense one-period map and the rotating wave."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from systems.dense import X, Y, Z, bond_operator, dense_liouvillian, expect, site_operator
from tnness import TEBD, evolve, find, steady_state
from tnness.errors import InputError

MODEL = find("driven-floquet")
ATOMS = MODEL(n=2, coupling=0.0, detuning=1.7, rabi=1.3, omega=2.1, loss=0.6)


def bloch_series(model, harmonics=40):
    """Bloch vector of a single driven atom at multiples of the period: dr/dt = (A + B cos(omega t)) r + c.

    r(t) = sum_m r_m e^{i m omega t} makes it a linear system: (i m omega - A) r_m - B (r_{m-1} + r_{m+1}) / 2 = c_m.
    """
    g, d, f = model.loss, model.detuning, model.rabi
    a = np.array([[-g / 2, -d, 0.0], [d, -g / 2, 0.0], [0.0, 0.0, -g]])
    b = f * np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    orders = np.arange(-harmonics, harmonics + 1)
    neighbours = np.eye(len(orders), k=1) + np.eye(len(orders), k=-1)
    system = np.kron(np.diag(1j * model.omega * orders), np.eye(3)) - np.kron(np.eye(len(orders)), a)
    system = system - np.kron(neighbours / 2, b)
    source = np.zeros((len(orders), 3), complex)
    source[harmonics, 2] = -g
    series = np.linalg.solve(system, source.ravel()).reshape(-1, 3)
    return series.sum(axis=0).real


def dense_floquet(model, steps=400):
    """The fixed point of the one-period map by products of exponentials of fourth order (Magnus)."""
    n, size = model.n, 2**model.n
    field = sum(site_operator(X, i, n) for i in range(n)) * model.rabi / 2
    still = sum(site_operator(Z, i, n) for i in range(n)) * model.detuning / 2
    still = still + sum(model.coupling * bond_operator(Z, Z, i, n) for i in range(n - 1))
    lower = np.array([[0.0, 0.0], [1.0, 0.0]])
    jumps = [math.sqrt(model.loss) * site_operator(lower, i, n) for i in range(n)]
    first, second = dense_liouvillian(still, jumps), dense_liouvillian(field, [])
    dt, whole = model.period / steps, np.eye(size**2, dtype=complex)
    for k in range(steps):
        times = [(k + 0.5 + sign * math.sqrt(3) / 6) * dt for sign in (-1, 1)]
        one, two = (first + math.cos(model.omega * t) * second for t in times)
        exponent = dt / 2 * (one + two) + math.sqrt(3) / 12 * dt**2 * (two @ one - one @ two)
        whole = _exponential(exponent) @ whole
    values, vectors = np.linalg.eig(whole)
    rho = vectors[:, np.argmin(np.abs(values - 1))].reshape(size, size)
    return rho / np.trace(rho)


def _exponential(matrix, terms=14):
    """A Taylor series, for matrices of norm below 1."""
    result = term = np.eye(len(matrix), dtype=complex)
    for k in range(1, terms):
        term = term @ matrix / k
        result = result + term
    return result


def test_free_atoms_solve_the_bloch_equations():
    record = steady_state(ATOMS, engine="exact", period=ATOMS.period)
    expected = bloch_series(ATOMS)
    for name, value in zip("xyz", expected, strict=True):
        assert_allclose(record[name].values, value, atol=1e-9)
    assert_allclose(record["zz"].values, [[1, expected[2] ** 2], [expected[2] ** 2, 1]], atol=1e-9)


@pytest.mark.parametrize("n", [2, 3])
def test_a_coupled_chain_is_the_fixed_point_of_the_dense_map(n):
    model = replace(ATOMS, n=n, coupling=0.4)
    rho = dense_floquet(model, 100 if n == 3 else 200)
    record = steady_state(model, engine="exact", period=model.period)
    for name, matrix in (("x", X), ("y", Y), ("z", Z)):
        assert_allclose(record[name].values, [expect(site_operator(matrix, i, n), rho) for i in range(n)], atol=1e-6)
    pair = expect(bond_operator(Z, Z, 0, n), rho)
    assert record["zz"].values[0, 1] == pytest.approx(pair, abs=1e-6)


def test_tebd_certifies_the_chain():
    model = replace(ATOMS, n=3, coupling=0.4, loss=1.0)
    exact = steady_state(model, engine="exact", period=model.period)
    record = steady_state(model, engine=TEBD(chi=8), period=model.period)
    assert record.outcome == "converged"
    for name in "xyz":
        error, claim = np.abs(record[name].values - exact[name].values), record[f"{name}_error"].values
        assert (error <= claim + 1e-6).all()
        assert error.max() < 1e-3


def test_at_resonance_a_weak_field_is_a_rotating_wave():
    """z = -1 / (1 + 2 w^2 / loss^2), w = rabi / 2 the Rabi frequency, to (rabi / omega)^2."""
    model = MODEL(n=2, coupling=0.0, detuning=30.0, omega=30.0, rabi=1.0, loss=0.8)
    saturated = -1 / (1 + 2 * (model.rabi / 2) ** 2 / model.loss**2)
    record = steady_state(model, engine="exact", period=model.period)
    assert record["z"].values[0] == pytest.approx(saturated, abs=2e-3)
    off = steady_state(replace(model, detuning=33.0), engine="exact", period=model.period)
    assert off["z"].values[0] < saturated - 0.3


def test_the_floquet_state_is_where_every_evolution_goes():
    model = replace(ATOMS, coupling=0.4, loss=1.5)
    steady = steady_state(model, engine="exact", period=model.period)
    late = evolve(model, [12 * model.period], engine="exact", initial="product:01")
    for name in "xyz":
        assert_allclose(late[name].values[0], steady[name].values, atol=1e-7)


def test_a_static_steady_state_is_refused_with_the_way_out():
    with pytest.raises(InputError, match="no static steady state: --period T"):
        steady_state(ATOMS)


@pytest.mark.parametrize("wrong", [{"omega": 0.0}, {"loss": -1.0}, {"n": 1}])
def test_parameters_without_sense_are_refused(wrong):
    with pytest.raises(InputError):
        MODEL(**wrong)
