"""The kicked Ising circuit against dense matrices, and against what is known at the dual-unitary point."""

import math

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from systems.dense import X, Y, Z, bond_operator, expect, site_operator
from tnness import TEBD, evolve, find, steady_state
from tnness.errors import InputError

MODEL = find("kicked-noisy-circuit")
GENERIC = {"coupling": 0.5, "field": 0.3, "kick": 0.9, "damping": 0.3, "dephasing": 0.1}


def gates(model):
    """The unitary of a period, and the noise as a function of rho."""
    n = model.n
    ising, kicks = np.zeros((2, 2**n, 2**n), complex)
    for i in range(n):
        ising += model.field * site_operator(Z, i, n)
        kicks += model.kick * site_operator(X, i, n)
    for i in range(n - 1):
        ising += model.coupling * bond_operator(Z, Z, i, n)
    unitary = scipy.linalg.expm(-1j * kicks) @ scipy.linalg.expm(-1j * ising)

    def noise(rho):
        stays, falls = np.diag([math.sqrt(1 - model.damping), 1.0]), math.sqrt(model.damping) * np.eye(2, k=-1)
        for i in range(n):
            kraus = [site_operator(k, i, n) for k in (stays, falls)]
            rho = sum(k @ rho @ k.conj().T for k in kraus)
            turned = site_operator(Z, i, n)
            rho = (1 - model.dephasing) * rho + model.dephasing * turned @ rho @ turned
        return rho

    return unitary, noise


def periods(model, rho, count):
    unitary, noise = gates(model)
    for _ in range(count):
        rho = noise(unitary @ rho @ unitary.conj().T)
    return rho


@pytest.mark.parametrize("engine", ["exact", TEBD(chi=16, cutoff=1e-28, method="svd")], ids=["exact", "tebd"])
def test_an_evolution_is_the_product_of_dense_gates_and_channels(engine):
    model = MODEL(n=4, **GENERIC)
    start = np.zeros((16, 16))
    start[0b0101, 0b0101] = 1
    record = evolve(model, [0.0, 1.0, 2.0, 3.0], engine=engine, initial="product:0101", errors=False)
    for count in range(4):
        rho = periods(model, start, count)
        for name, matrix in (("x", X), ("y", Y), ("z", Z)):
            expected = [expect(site_operator(matrix, i, 4), rho) for i in range(4)]
            assert_allclose(record[name].values[count], expected, atol=1e-12)


def test_the_steady_state_is_that_of_many_periods():
    model = MODEL(n=3, **GENERIC)
    rho = periods(model, np.eye(8) / 8, 200)
    exact = steady_state(model, engine="exact", period=1.0)
    certified = steady_state(model, engine=TEBD(chi=8), period=1.0)
    assert certified.outcome == "converged"
    for name, matrix in (("x", X), ("y", Y), ("z", Z)):
        expected = [expect(site_operator(matrix, i, 3), rho) for i in range(3)]
        assert_allclose(exact[name].values, expected, atol=1e-10)
        assert_allclose(certified[name].values, expected, atol=1e-3)


def test_dual_unitary_gates_lose_the_magnetisation_in_one_period():
    """From a solvable start, such as spins along Z, a site has infinite temperature until it hears of both ends.

    B. Bertini, P. Kos and T. Prosen, Phys. Rev. X 9, 021033 (2019).
    """
    model = MODEL(n=8, field=0.37, damping=0.0)
    record = evolve(model, [1.0, 2.0, 3.0], engine=TEBD(chi=256), initial="product:01010101", errors=False)
    assert_allclose(np.abs(record["y"].values[0]), 1, atol=1e-10)  # it was not lost before
    for name in "xyz":
        assert_allclose(record[name].values[1:, 3:5], 0, atol=1e-10)


@pytest.mark.parametrize("wrong", [{"damping": 1.1}, {"dephasing": -0.1}, {"n": 1}])
def test_parameters_without_sense_are_refused(wrong):
    with pytest.raises(InputError):
        MODEL(**wrong)
