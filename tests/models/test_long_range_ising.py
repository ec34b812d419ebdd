"""The long-range Ising chain against its exact dynamics without a field (Foss-Feig et al.), and dense matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from measured import exact_values
from systems.dense import LOWER, X, Y, Z, dense_liouvillian, dense_steady_state, expect, site_operator, zz_correlation
from tnness import evolve, product_state
from tnness.engines.exact import Exact
from tnness.engines.tdvp import TDVP
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.registry import find
from tnness.operators.basis import spin_half
from tnness.runs.job import engine_for

Ising = find("long-range-ising")


def without_field(model, time):
    """x + i y and z of every site, from all spins along x.

    <X_j + i Y_j> = exp(-(decay/2 + 2 dephasing) t) prod_k E[exp(2 i J_jk int_0^t Z_k)]: every other spin is up or down
    at first, with equal odds, and an up spin falls once, at the rate decay.
    """
    strength = np.array(
        [[0 if i == j else model.coupling / abs(i - j) ** model.alpha for j in range(model.n)] for i in range(model.n)]
    )
    phase, rate = 2j * strength, model.decay
    down, stays = np.exp(-phase * time), np.exp(phase * time - rate * time)
    falls = rate * down * (np.exp((2 * phase - rate) * time) - 1) / (2 * phase - rate)
    factors = (down + stays + falls) / 2
    np.fill_diagonal(factors, 1)
    transverse = np.exp(-(rate / 2 + 2 * model.dephasing) * time) * factors.prod(axis=1)
    return transverse, np.full(model.n, np.exp(-rate * time) - 1)


def along_x(n):
    return product_state([spin_half] * n, [[[0.5, 0.5], [0.5, 0.5]]] * n)


@given(alpha=st.floats(0, 6), coupling=st.floats(-1, 1), decay=st.floats(0.1, 1), dephasing=st.floats(0, 0.5))
@settings(max_examples=8)
def test_dynamics_without_a_field_are_exact(alpha, coupling, decay, dephasing):
    model = Ising(n=4, alpha=alpha, coupling=coupling, decay=decay, dephasing=dephasing, field=0.0)
    record = evolve(model, [0.8], engine=Exact(), initial=along_x(4))
    transverse, z = without_field(model, 0.8)
    assert_allclose(record["x"].values[-1], transverse.real, atol=1e-8)
    assert_allclose(record["y"].values[-1], transverse.imag, atol=1e-8)
    assert_allclose(record["z"].values[-1], z, atol=1e-8)


def test_tdvp_follows_them_at_a_length_beyond_dense_vectors():
    """What is left at chi = 12 is truncation: smaller steps change nothing."""
    model = Ising(n=10, alpha=3.0, coupling=0.5, decay=0.4, field=0.0)
    record = evolve(model, [0.4], engine=TDVP(chi=12, dt=0.1), initial=along_x(10), errors=False)
    transverse, z = without_field(model, 0.4)
    assert_allclose(record["x"].values[-1], transverse.real, atol=2e-4)
    assert_allclose(record["y"].values[-1], transverse.imag, atol=2e-4)
    assert_allclose(record["z"].values[-1], z, atol=2e-4)


def test_the_steady_state_with_a_field_is_that_of_dense_matrices():
    n, model = 3, Ising(n=3, alpha=1.3, coupling=0.8, field=0.6, decay=0.7, dephasing=0.2)
    hamiltonian = model.field * sum(site_operator(X, i, n) for i in range(n))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        hamiltonian = hamiltonian + 0.8 / (j - i) ** 1.3 * site_operator(Z, i, n) @ site_operator(Z, j, n)
    jumps = [np.sqrt(0.7) * site_operator(LOWER, i, n) for i in range(n)]
    jumps += [np.sqrt(0.2) * site_operator(Z, i, n) for i in range(n)]
    rho, values = dense_steady_state(dense_liouvillian(hamiltonian, jumps)), exact_values(model)
    for name, operator in (("x", X), ("y", Y), ("z", Z)):
        assert_allclose(values[name], [expect(site_operator(operator, i, n), rho) for i in range(n)], atol=1e-9)
    assert_allclose(values["zz"], zz_correlation(rho), atol=1e-9)


def test_the_engine_follows_from_the_length():
    assert engine_for(Ising(n=3)).name == "tebd"
    assert engine_for(Ising(n=5)).name == "tdvp"


def test_small():
    assert Ising(alpha=1.0).small() == Ising(n=4, alpha=1.0)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 1}, "n = 1"),
        ({"decay": -1.0}, "decay = -1: a rate"),
        ({"alpha": -1.0}, "alpha = -1: couplings fall"),
        ({"alhpa": 1.0}, "did you mean 'alpha'"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(Ising, parameters)
