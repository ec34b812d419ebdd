"""Block elimination and scattering states against dense and sparse direct solutions, and unitarity."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tnness.engines.wire.elimination import Elimination
from tnness.engines.wire.scattering import bond_current, scattering_matrix, scattering_states, transmission
from tnness.errors import NumericalError
from tnness.problems.resistors import resistor_chain
from tnness.problems.transfer import Lead, TransferChain
from transfer_chains import dense_green, mirrored, wire

RNG = np.random.default_rng(11)


@given(st.integers(1, 6), st.integers(1, 3), st.booleans(), st.booleans(), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_solve_equals_a_sparse_direct_solve(slices, m, diagonal, imaginary, seed):
    rng = np.random.default_rng(seed)
    unit = 1j if imaginary else 0.0
    onsite = rng.normal(size=(slices, m, m)) + unit * rng.normal(size=(slices, m, m))
    onsite = onsite + onsite.conj().swapaxes(-1, -2)
    shape = (slices - 1, m) if diagonal else (slices - 1, m, m)
    chain = TransferChain(onsite, rng.normal(size=shape) + unit * rng.normal(size=shape))
    source = rng.normal(size=(slices, m, 2))
    energy = 0.3 + 0.5j  # off the real axis: no chain is singular there
    found = Elimination(chain, energy).solve(source)
    matrix = scipy.sparse.csc_array(energy * np.eye(slices * m) - chain.matrix())
    expected = scipy.sparse.linalg.splu(matrix).solve(source.reshape(-1, 2) + 0j)
    assert_allclose(found.reshape(-1, 2), expected, atol=1e-11)


def test_batches_are_solved_as_one_by_one():
    along = RNG.uniform(0.1, 2, (3, 5, 2))
    across = RNG.uniform(0.1, 2, (3, 6, 1))
    sinks = RNG.uniform(0.5, 1, (3, 6, 2))
    sources = RNG.normal(size=(3, 6, 2))
    together = resistor_chain(along, across, sinks=sinks, sources=sources)
    source = np.moveaxis(together.fixed_source(), -2, 0)[..., None]
    found = Elimination(together).solve(-source)[..., 0]
    for k in range(3):
        alone = resistor_chain(along[k], across[k], sinks=sinks[k], sources=sources[k])
        assert_allclose(found[:, k].ravel(), np.linalg.solve(alone.matrix(), sources[k].ravel()), atol=1e-13)


def test_columns_equal_the_full_solve():
    chain = wire(2, 5, 8.0)
    source = np.zeros((5, 4, 6), complex)
    source[0, :, :4], source[-1, :, 4:] = np.eye(4), np.eye(4)[:, :2]
    elimination = Elimination(chain, 0.4)
    assert_allclose(elimination.columns(np.eye(4) + 0j, np.eye(4)[:, :2] + 0j), elimination.solve(source), atol=1e-14)


@pytest.mark.parametrize(("disorder", "length"), [(4.0, 6), (21.0, 8), (60.0, 24)])
def test_states_equal_dense_green_functions(disorder, length):
    """The last wire is so localised that transfer matrices grow by e^80."""
    chain = wire(2, length, disorder, seed=2)
    green = dense_green(chain, 0.01)
    found = scattering_states(chain, 0.01)
    lead = chain.leads[0]
    columns = lead.modes * np.sqrt(lead.broadening(0.01) / (2 * np.pi))
    expected = np.hstack([green[:, :4] @ columns, green[:, -4:] @ columns])
    assert_allclose(found.states.reshape(-1, 8), expected, atol=1e-13 * np.abs(expected).max())


def test_closed_channels_carry_no_states():
    chain = wire(3, 4, 5.0, t_par=1.0)
    lead = chain.leads[0]
    energy = 3.1
    open_channels = int(np.sum(np.abs(energy - lead.thresholds) < 2))
    assert 0 < open_channels < chain.m
    found = scattering_states(chain, energy)
    assert (found.left_count, found.right_count) == (open_channels, open_channels)
    s = scattering_matrix(chain, energy)
    assert_allclose(s.conj().T @ s, np.eye(2 * open_channels), atol=1e-12)
    outside = scattering_states(chain, 40.0)
    assert outside.states.shape == (4, 9, 0)
    assert transmission(chain, np.array([40.0])) == 0


@given(st.floats(0, 30), st.floats(-9, 9), st.floats(0.3, 2), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_unitary_reciprocal_and_current_the_same_on_every_bond(disorder, energy, contact, seed):
    chain = wire(2, 5, disorder, contact=contact, seed=seed)
    if np.abs(chain.thresholds() - energy).min() < 1e-6:
        return
    s = scattering_matrix(chain, energy)
    half = len(s) // 2
    assert_allclose(s.conj().T @ s, np.eye(2 * half), atol=1e-9)
    assert_allclose(s, s.T, atol=1e-9)  # real H: time reversal
    passed = np.sum(np.abs(s[half:, :half]) ** 2)
    assert_allclose(transmission(chain, np.array([energy])), passed, atol=1e-9)
    assert_allclose(transmission(mirrored(chain), np.array([energy])), passed, atol=1e-9)
    assert_allclose(2 * np.pi * bond_current(chain, scattering_states(chain, energy).left), passed, atol=1e-9)


@pytest.mark.parametrize(("energy", "expected"), [(0.2, 10), (3.0, 5), (5.0, 1), (6.5, 0)])
def test_clean_wire_transmits_its_open_channels(energy, expected):
    assert_allclose(transmission(wire(4, 5, 0.0, t_par=1.0), np.array([energy])), expected, atol=1e-10)


def test_many_energies_at_once_equal_one_by_one():
    chain = TransferChain(
        RNG.normal(size=(2, 7, 1, 1)),
        np.ones((2, 6, 1)),
        Lead(np.ones((1, 1)), np.zeros(1), 1.0, 0.3),
        Lead(np.ones((1, 1)), np.zeros(1), 1.0, 0.4),
    )
    energies = np.linspace(-2.5, 2.5, 11)
    found = transmission(chain, energies)
    assert found.shape == (2, 11)
    for k in range(2):
        one = TransferChain(chain.onsite[k], chain.coupling[k], chain.left, chain.right)
        expected = [abs(scattering_matrix(one, e)[1, 0]) ** 2 if abs(e) < 2 else 0 for e in energies]
        assert_allclose(found[k], expected, atol=1e-13)


def test_singular_response_is_reported():
    chain = TransferChain(np.zeros((2, 2, 2)), np.ones((1, 2)))
    with pytest.raises(NumericalError, match="singular"):
        Elimination(chain, 0.0)
