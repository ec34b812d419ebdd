"""Local temperatures against thermal states and against the scan of systems.py."""

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems
from tnness.errors import InputError
from tnness.network.dense_view import DenseView
from tnness.observables.thermometry import BondThermometer, local_temperature
from tnness.operators.basis import spin_half

BOND = systems.mbl_bond_hamiltonians(2, 2.0, (0.31, -0.77), (-0.65, 0.22))[0]
seeds = st.integers(0, 2**32 - 1)


def hermitian(rng, size):
    matrix = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    return (matrix + matrix.conj().T) / 2


def thermal(hamiltonian, beta):
    energies, vectors = np.linalg.eigh(hamiltonian)
    return (vectors * systems.boltzmann(energies, beta)) @ vectors.conj().T


@given(seed=seeds, size=st.integers(2, 9), reduced=st.floats(-8, 8))
@settings(deadline=None)
def test_a_thermal_state_has_its_own_temperature(seed, size, reduced):
    hamiltonian = hermitian(np.random.default_rng(seed), size)
    width = np.ptp(np.linalg.eigvalsh(hamiltonian))
    # reduced = beta * width up to 8: the round-off 1e-16 of the populations times e^8
    assert_allclose(local_temperature(thermal(hamiltonian, reduced / width), hamiltonian) * width, reduced, atol=1e-10)


@given(seed=seeds, log_scale=st.floats(-3, 1), mixing=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_any_state_agrees_with_the_scan(seed, log_scale, mixing):
    rng = np.random.default_rng(seed)
    hamiltonian = systems.mbl_bond_hamiltonians(2, rng.uniform(0, 10), *rng.uniform(-1, 1, (2, 2)))[0]
    rho = mixing * thermal(hermitian(rng, 4), 10**log_scale) + (1 - mixing) * thermal(hamiltonian, rng.normal())
    assert_allclose(
        local_temperature(rho, hamiltonian), systems.local_temperature(rho, hamiltonian), rtol=1e-9, atol=1e-9
    )


def test_the_lowest_of_several_minima():
    energies = np.array([0.0, 0.05, 0.9, 1.0])
    hamiltonian = np.diag(energies)
    several, trials = 0, np.linspace(-60, 60, 4001)
    weights = np.array([systems.boltzmann(energies, beta) for beta in trials])
    for populations in np.random.default_rng(3).dirichlet([0.3] * 4, 200):
        rho = np.diag(populations)
        misfit = np.sum((populations - weights) ** 2, axis=1)
        several += np.count_nonzero((np.diff(misfit)[:-1] < 0) & (np.diff(misfit)[1:] > 0)) > 1
        beta = float(local_temperature(rho, hamiltonian))
        if np.isfinite(beta):
            found = np.sum((populations - systems.boltzmann(energies, beta)) ** 2)
            assert found <= min(misfit) + 1e-14
        else:
            assert np.argmin(misfit) in (0, len(trials) - 1)
    assert several > 5  # otherwise nothing was tested


def test_many_at_once_equal_one_by_one():
    rng = np.random.default_rng(5)
    hamiltonians = np.array([hermitian(rng, 4) for _ in range(6)]).reshape(2, 3, 4, 4)
    states = np.array([thermal(hermitian(rng, 4), 0.7) for _ in range(3)])
    together = local_temperature(states, hamiltonians)
    assert together.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        assert_allclose(together[i, j], local_temperature(states[j], hamiltonians[i, j]), rtol=1e-12)


@given(seed=seeds, factor=st.floats(0.01, 100), shift=st.floats(-5, 5))
@settings(max_examples=40, deadline=None)
def test_units_and_zero_of_energy(seed, factor, shift):
    rng = np.random.default_rng(seed)
    hamiltonian, rho = hermitian(rng, 4), thermal(hermitian(rng, 4), 0.5)
    beta = local_temperature(rho, hamiltonian)
    scaled = local_temperature(rho, factor * hamiltonian + shift * np.eye(4))
    if np.isfinite(beta):
        assert_allclose(scaled * factor, beta, rtol=1e-6, atol=1e-9)  # the shift costs digits of the gaps
    else:
        assert scaled == beta
    assert_allclose(local_temperature(rho, -hamiltonian), -beta, rtol=1e-9)


def test_infinite_temperature_is_zero():
    assert abs(local_temperature(np.eye(4) / 4, BOND)) < 1e-15


def test_the_ground_and_the_highest_state_are_infinitely_cold():
    _, vectors = np.linalg.eigh(BOND)
    for column, expected in ((0, np.inf), (-1, -np.inf)):
        rho = np.outer(vectors[:, column], vectors[:, column])
        assert local_temperature(rho, BOND) == expected
    # so flat that the round-off of the populations decides
    assert local_temperature(thermal(BOND, 60.0), BOND) == np.inf


def test_no_temperature_where_every_one_fits():
    assert np.isnan(local_temperature(np.eye(4) / 4, np.eye(4)))
    assert np.isnan(local_temperature(np.full((4, 4), np.nan), BOND))
    both = local_temperature(thermal(BOND, 0.3), np.array([np.zeros((4, 4)), BOND]))
    assert np.isnan(both[0])
    assert_allclose(both[1], 0.3, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (4, 3), (2, 2)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(InputError, match="two square matrices of one size"):
        local_temperature(np.zeros(shape), BOND)


# ---------------------------------------------------------------- along a chain


class CountingView(DenseView):
    def __init__(self, rho):
        spaces = [spin_half] * 3
        elements = np.einsum("aij,bkl,cmn->abcikmjln", *[s.elements for s in spaces]).reshape(-1, 8, 8)
        super().__init__(np.einsum("aij,ji->a", elements, rho).real, spaces, {"trace": [s.trace for s in spaces]})
        self.marginals = 0

    def marginal(self, sites):
        self.marginals += 1
        return super().marginal(sites)


@pytest.fixture
def chain():
    z, x = (0.31, -0.77, 0.52), (-0.65, 0.22, 0.81)
    return thermal(systems.mbl_hamiltonian(3, 2.0, z, x), 0.8), systems.mbl_bond_hamiltonians(3, 2.0, z, x)


def test_bonds_are_read_once_per_view(chain):
    rho, hamiltonians = chain
    view, thermometer = CountingView(rho), BondThermometer(hamiltonians)
    beta = thermometer.beta(view)
    expected = [systems.local_temperature(systems.reduced(rho, (i, i + 1)), h) for i, h in enumerate(hamiltonians)]
    assert_allclose(beta, expected, rtol=1e-11)
    assert_allclose(thermometer.variation(view), np.std(expected) / np.mean(expected), rtol=1e-10)
    assert view.marginals == 2
    assert thermometer.beta(CountingView(np.eye(8) / 8)) is not beta
    assert thermometer.beta(view) is beta


def test_a_thermometer_keeps_no_state_alive(chain):
    rho, hamiltonians = chain
    thermometer = BondThermometer(hamiltonians)
    thermometer.beta(CountingView(rho))
    gc.collect()
    assert len(thermometer._read) == 0


def test_variation_without_a_meaning_is_not_a_number(chain):
    _, hamiltonians = chain
    up = np.diag([1.0] + [0.0] * 7)
    cold = BondThermometer([-systems.bond_operator(systems.Z, systems.Z, 0, 2)] * 2)
    assert np.isinf(cold.beta(CountingView(up))).all()
    assert np.isnan(cold.variation(CountingView(up)))
    assert np.isnan(BondThermometer(hamiltonians).variation(CountingView(np.eye(8) / 8)))
