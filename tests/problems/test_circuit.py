"""The law of a random circuit: what is drawn, and the maps it stands for, against density matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import tnness_models.conserving_gates as ensemble
from tnness.errors import InputError
from tnness.operators.basis import bit, spin_half, spinless
from tnness.problems.circuit import DRAWN, Circuit, GateSequence, superoperators
from tnness.problems.ensembles import GateEnsemble, fixed, haar_su2

GATES = ensemble.gates(0.4, 0.3)
LEFT, RIGHT = [0.8, 0.2], [0.3, 0.7]


def circuit(n=4, **about):
    return Circuit([spin_half] * n, GATES, **({"left": LEFT, "right": RIGHT} | about))


def random_state(d, rng):
    half = rng.standard_normal((d, d)) + 1j * rng.standard_normal((d, d))
    rho = half @ half.conj().T
    return rho / np.trace(rho)


def numbered(gates):
    return zip(gates.bonds.tolist(), np.trace(gates.unitaries, axis1=1, axis2=2).tolist(), strict=True)


def test_maps_are_what_gates_do_to_density_matrices():
    """rho -> U rho U^+ in the bulk, Tr_0 [U (rho_m x rho) U^+] at the ends."""
    law, rng = circuit(), np.random.default_rng(1)
    gates = law.draw(3, 0)[:60]
    assert set(gates.bonds.tolist()) == {0, 1, 2, 3, 4}
    vector = spin_half.vector
    for bond, u, found in zip(gates.bonds.tolist(), gates.unitaries, law.maps(gates), strict=True):
        if 0 < bond < law.n:
            rho = random_state(4, rng)
            before = np.einsum("aij,bkl,jlik->ab", spin_half.elements, spin_half.elements, rho.reshape((2,) * 4))
            after = (u @ rho @ u.conj().T).reshape((2,) * 4)
            expected = np.einsum("aij,bkl,jlik->ab", spin_half.elements, spin_half.elements, after)
            assert_allclose(found @ before.real.ravel(), expected.real.ravel(), atol=1e-14)
            continue
        rho = random_state(2, rng)
        fresh = np.diag(LEFT if bond == 0 else RIGHT)
        pair = np.kron(fresh, rho) if bond == 0 else np.kron(rho, fresh)
        after = (u @ pair @ u.conj().T).reshape((2,) * 4)
        kept = np.einsum("ijik->jk" if bond == 0 else "ijkj->ik", after)
        assert_allclose(found @ vector(rho), vector(kept), atol=1e-14)


def test_a_classical_chain_is_measured_behind_every_gate():
    """|U|^2 on populations equals the gate followed by projective measurements without record."""
    projectors = np.array([np.diag([1, 0]), np.diag([0, 1])])
    quantum = circuit(channel=projectors)
    classical = Circuit([bit] * 4, GATES, LEFT, RIGHT)
    gates = quantum.draw(0, 0)[:40]
    rng = np.random.default_rng(0)
    for bond, wide, narrow in zip(gates.bonds.tolist(), quantum.maps(gates), classical.maps(gates), strict=True):
        sites = 2 if 0 < bond < 4 else 1
        p = rng.dirichlet(np.ones(2**sites))
        embedding = np.stack([spin_half.vector(np.diag(e)) for e in np.eye(2)], axis=1)
        embedding = np.kron(embedding, embedding) if sites == 2 else embedding
        assert_allclose(wide @ embedding @ p, embedding @ narrow @ p, atol=1e-14)


def test_the_transition_matrix_is_54():
    """A partial swap that is measured: cos^2, sin^2 of theta/2 on {ud, du}, 1 on uu and dd; cos theta uniform."""
    gates = ensemble.partial_swaps().sample(np.random.default_rng(2), 4000)
    p = superoperators(gates, bit)
    assert_allclose(p[:, [0, 3], [0, 3]], 1, atol=1e-14)
    assert_allclose(p[:, 1, 1], p[:, 2, 2], atol=1e-14)
    assert_allclose(p[:, 1, 1] + p[:, 1, 2], 1, atol=1e-14)
    cosine = np.sort(2 * p[:, 1, 1] - 1)
    assert np.abs(cosine - np.linspace(-1, 1, 4000)).max() < 4 / np.sqrt(4000)  # Kolmogorov-Smirnov


@given(start=st.integers(0, 3 * DRAWN), middle=st.integers(0, 3 * DRAWN), stop=st.integers(0, 3 * DRAWN))
@settings(max_examples=30, deadline=None)
def test_a_trajectory_does_not_depend_on_how_it_is_cut(start, middle, stop):
    law = circuit()
    start, middle, stop = sorted((start, middle, stop))
    whole = [trace for piece in law.trajectory(7).gates(start, stop) for trace in numbered(piece)]
    cut, ends = law.trajectory(7), ((start, middle), (middle, stop))
    parts = [trace for a, b in ends for piece in cut.gates(a, b) for trace in numbered(piece)]
    assert len(whole) == stop - start
    assert whole == parts


def test_places():
    rng_bonds = np.concatenate([circuit().draw(0, k).bonds for k in range(10)])
    assert_allclose(np.bincount(rng_bonds) / len(rng_bonds), 0.2, atol=0.02)
    layered = circuit(n=5, placement="layers").draw(0, 0).bonds
    assert layered[:12].tolist() == [0, 2, 4, 1, 3, 5, 0, 2, 4, 1, 3, 5]
    closed = circuit(left=None, right=None)
    assert set(closed.draw(0, 0).bonds.tolist()) == {1, 2, 3}
    assert closed.count(2.0) == 6
    assert len(closed.draw(0, 1)) == DRAWN


def test_samples_of_a_steady_state():
    law = circuit(steps=100, settle=20, every=30)
    assert list(law.samples) == [50, 80]
    assert list(circuit(n=5, placement="layers", steps=100, settle=0).samples)[:2] == [6, 12]
    assert 1000 < len(circuit().samples) < 2100


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"left": [0.8, 0.3]}, "left reservoir's spins are in no state"),
        ({"right": [1.0, 0.0, 0.0]}, r"right reservoir has shape \(3, 3\)"),
        ({"steps": 0}, "steps = 0: a trajectory has at least 1 gate"),
        ({"steps": 10, "settle": 10}, "settle = 10: averages begin after 0 to 9 of 10 gates"),
        ({"steps": 10, "every": 9}, "every = 9: samples are 1 to 8 gates apart"),
        ({"placement": "zigzag"}, "placement = 'zigzag' is not one of random, layers"),
        ({"channel": [np.eye(2), np.eye(2)]}, "does not conserve the trace"),
        ({"channel": np.eye(2)}, r"Kraus operators \(count, 2, 2\)"),
        ({"n": 1}, "at least 2 sites"),
    ],
)
def test_what_is_refused(about, told):
    with pytest.raises(InputError, match=told):
        circuit(**about)


def test_gates_must_fit_and_be_unitary():
    with pytest.raises(InputError, match="are 4 x 4 matrices, got 2 rows"):
        Circuit([spin_half] * 3, haar_su2())
    with pytest.raises(InputError, match="all alike"):
        Circuit([spin_half, spinless], GATES)
    wrong = GateEnsemble(
        np.ones(1), fixed(np.eye(4)).unitaries, lambda rng, count: np.tile(2 * np.eye(4), (count, 1, 1))
    )
    law = Circuit([spin_half] * 3, wrong)
    with pytest.raises(InputError, match="gate 0 of a trajectory is not unitary"):
        law.draw(0, 0)
    with pytest.raises(InputError, match="gate 1 of a trajectory is not unitary"):
        law.maps(GateSequence(np.array([1, 1]), np.stack([np.eye(4), np.ones((4, 4))])))


def test_no_gates_have_no_maps():
    """Two times may be closer than a gate."""
    law = circuit()
    assert law.maps(law.draw(0, 0)[:0]) == []
