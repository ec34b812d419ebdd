"""Gaussian states under gates and reservoirs: against density matrices, and against the closed equations on average."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import tnness_models.conserving_gates as ensemble
from systems import fermion_correlations
from tnness.engines.fermions.circuit import GaussianCircuit, disjoint_layers, haar_maps, orbital_map
from tnness.engines.fermions.entropy import entropy
from tnness.engines.fermions.quadratic import NotQuadratic
from tnness.errors import InputError
from tnness_models.replica_solutions import phase_two

LEFT, RIGHT = 0.8, 0.3


def on(factors, n):
    """The product of one-site matrices {site: matrix} on n sites."""
    result = np.eye(1)
    for site in range(n):
        result = np.kron(result, factors.get(site, np.eye(2)))
    return result


def dense_circuit(rho, n, bonds, gates):
    """The same on density matrices of n sites: the reservoir's spin enters, is acted on and is traced out."""
    for k, gate in zip(bonds, gates, strict=True):
        if 0 < k < n:
            u = np.kron(np.kron(np.eye(2 ** (k - 1)), gate), np.eye(2 ** (n - k - 1)))
            rho = u @ rho @ u.conj().T
        else:
            p = LEFT if k == 0 else RIGHT
            fresh = np.diag([p, 1 - p])
            whole = np.kron(fresh, rho) if k == 0 else np.kron(rho, fresh)
            u = np.kron(gate, np.eye(2 ** (n - 1))) if k == 0 else np.kron(np.eye(2 ** (n - 1)), gate)
            whole = u @ whole @ u.conj().T
            size = 2**n
            folded = whole.reshape(2, size, 2, size) if k == 0 else whole.reshape(size, 2, size, 2)
            rho = np.trace(folded, axis1=0, axis2=2) if k == 0 else np.trace(folded, axis1=1, axis2=3)
    return rho


def test_gate_by_gate_the_density_matrix():
    """L = 4, free gates of the random circuit (p2 = 0) on all bonds, correlations and entropies to 1e-12."""
    n, rng = 4, np.random.default_rng(5)
    gates = ensemble.gates(0.6, 0.0)
    rho = np.diag(on({i: np.diag([q, 1 - q]) for i, q in enumerate((1.0, 0.0, 0.7, 0.2))}, n)).astype(complex)
    rho = np.diag(rho)
    circuit = GaussianCircuit(fermion_correlations(rho, [0] * n), LEFT, RIGHT)
    for _ in range(6):
        bonds = rng.integers(0, n + 1, 7)
        unitaries = np.array([gates.draw(rng) for _ in bonds])
        rho = dense_circuit(rho, n, bonds, unitaries)
        circuit.apply(bonds, orbital_map(unitaries))
        assert_allclose(circuit.correlation, fermion_correlations(rho, [0] * n), atol=1e-12)
        p = np.linalg.eigvalsh(rho)
        p = p[p > 1e-15]
        assert_allclose(entropy(circuit.correlation), -(p * np.log(p)).sum(), atol=1e-9)


@given(bonds=st.lists(st.integers(0, 6), max_size=30))
@settings(max_examples=50, deadline=None)
def test_layers_hold_every_gate_once_and_keep_the_order(bonds):
    found = disjoint_layers(bonds, 6)
    assert sorted(k for layer in found for k in layer.tolist()) == list(range(len(bonds)))
    when = {gate: number for number, layer in enumerate(found) for gate in layer.tolist()}
    for i, a in enumerate(bonds):
        for j in range(i + 1, len(bonds)):
            if abs(a - bonds[j]) <= 1:
                assert when[i] < when[j]


def test_averages_solve_the_closed_equations():
    """E|G_ij|^2 and the variance of n_i at n = 5, full bias, p1 = 1, within the errors of 60 blocks."""
    n, rng = 5, np.random.default_rng(2)
    circuit = GaussianCircuit(np.diag(np.linspace(1, 0, n + 2)[1:-1]).astype(complex), 1.0, 0.0)
    mean = 1 - np.arange(1, n + 1) / (n + 1)
    blocks = []
    for _ in range(60):
        total = np.zeros((n, n))
        for _ in range(40):
            circuit.apply(rng.integers(0, n + 1, 2 * n), haar_maps(rng, 2 * n))
            squares = np.abs(circuit.correlation) ** 2
            np.fill_diagonal(squares, np.diag(squares) - mean**2)
            total += squares / 40
        blocks.append(total)
    z = (np.mean(blocks[5:], axis=0) - phase_two(n, 1.0, 1.0, 0.0)) / (np.std(blocks[5:], axis=0, ddof=1) / np.sqrt(55))
    assert 0.4 < np.sqrt(np.mean(z**2)) < 1.6


def test_swaps_alone_leave_products():
    rng = np.random.default_rng(1)
    circuit = GaussianCircuit(np.diag([1.0, 0.0, 1.0, 0.0]).astype(complex), 1.0, 0.0)
    gates = ensemble.gates(0.0, 0.0)
    for _ in range(20):
        bonds = rng.integers(0, 5, 10)
        circuit.apply(bonds, orbital_map(np.array([gates.draw(rng) for _ in bonds])))
        g = circuit.correlation
        assert_allclose(g, np.diag(np.round(np.diag(g).real)), atol=1e-13)


def test_haar_maps_have_the_moments_of_u2():
    maps = haar_maps(np.random.default_rng(0), 40_000)
    assert_allclose(maps.mean(axis=0), 0, atol=0.02)
    assert_allclose((np.abs(maps) ** 4).mean(axis=0), 1 / 3, atol=0.01)


def test_what_is_refused():
    swap_with_sign = np.diag([-1.0, 1.0, 1.0, 1.0])
    with pytest.raises(NotQuadratic, match="interact"):
        orbital_map(swap_with_sign)
    with pytest.raises(NotQuadratic, match="conserve"):
        orbital_map(np.kron(np.array([[0, 1], [1, 0]]), np.eye(2)))
    circuit = GaussianCircuit(np.eye(3) / 2)
    with pytest.raises(InputError, match="bonds 0 to 3"):
        circuit.apply([4], np.eye(2)[None])
    with pytest.raises(InputError, match="gate 1 is not unitary"):
        circuit.apply([0, 1], np.array([np.eye(2), 2 * np.eye(2)]))
    with pytest.raises(InputError, match=r"density 1.5 of the left"):
        GaussianCircuit(np.eye(2) / 2, left=1.5)
