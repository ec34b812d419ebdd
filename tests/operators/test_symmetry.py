"""Charges are found where the terms conserve them, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from chains import random_lindbladian, seeds
from tnness.operators.basis import bit, levels, quantum_space, spin_half, spin_one
from tnness.problems.lindbladian import Lindbladian

s = spin_half


def chain_of_spins(n, *pairs, jumps=()):
    """sum_i sum of products of two named operators on neighbours, made Hermitian; jumps on site 0."""
    chain = Lindbladian([s] * n)
    for i in range(n - 1):
        for one, other in pairs:
            term = s.operators[one](i) * s.operators[other](i + 1)
            chain.hamiltonian(term + term.dagger())
    for name in jumps:
        chain.jump(s.operators[name](0))
    return chain.generator()


@pytest.mark.parametrize(
    ("pairs", "jumps", "conserved", "parity"),
    [
        ([("Sp", "Sm"), ("Z", "Z")], ["Sp", "Sm", "Z"], True, True),
        ([("Sp", "Sp")], ["Z"], False, True),
        ([("X", "X"), ("Z", "Z")], ["Sp"], False, True),
        ([("X", "X")], ["X"], False, True),
        ([("X", "Z")], ["Z"], False, False),
        ([("Z", "Z")], ["X"], False, True),
    ],
)
def test_the_charges_of_spin_chains(pairs, jumps, conserved, parity):
    generator = chain_of_spins(3, *pairs, jumps=jumps)
    assert (generator.conserved is not None) == conserved
    assert (generator.parities is not None) == parity
    if conserved:
        assert generator.conserved.sites[0].ravel().tolist() == [0, 1, -1, 0]


def test_a_single_field_across_the_charge_is_enough_to_break_it():
    chain = Lindbladian([s] * 4)
    for i in range(3):
        chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
    assert chain.generator().conserved is not None
    chain.hamiltonian(1e-6 * s.X(2))
    assert chain.generator().conserved is None
    assert chain.generator().parities is None


def test_mixed_spins_share_the_charge_of_one_name():
    chain = Lindbladian([s, spin_one, s])
    for i, (one, other) in enumerate(((s, spin_one), (spin_one, s))):
        chain.hamiltonian(one.Sp(i) * other.Sm(i + 1) + one.Sm(i) * other.Sp(i + 1))
    charges = chain.generator().conserved
    assert [len(labels) for labels in charges.sites] == [4, 9, 4]
    assert sorted(charges.sites[1].ravel().tolist()) == [-2, -1, -1, 0, 0, 0, 1, 1, 2]


def test_two_charges_are_found_together():
    up, down = (np.kron(a, b) for a, b in ((np.diag([0.0, 1]), np.eye(2)), (np.eye(2), np.diag([0.0, 1]))))
    lower = np.array([[0.0, 1], [0, 0]])
    names = {"Nu": up, "Nd": down, "N": up + down, "Au": np.kron(lower, np.eye(2)), "Ad": np.kron(np.eye(2), lower)}
    electron = quantum_space("two species", names)
    chain = Lindbladian([electron] * 2)
    for name in ("Au", "Ad"):
        hop = electron.operators[name](0).dagger() * electron.operators[name](1)
        chain.hamiltonian(hop + hop.dagger())
    chain.hamiltonian(electron.Nu(0) * electron.Nd(0))
    charges = chain.generator().conserved
    assert charges.sites[0].shape == (16, 2)
    turn = charges.unitaries[0]
    assert_allclose(turn @ turn.conj().T, np.eye(16), atol=1e-14)
    assert_allclose(turn[list(charges.partners(0))], turn.conj(), atol=1e-14)


@given(seeds)
def test_a_general_chain_has_no_charges(seed):
    generator = random_lindbladian([s, levels(3), s], seed).generator()
    assert generator.conserved is None
    assert generator.parities is None


def test_populations_have_no_coherences_and_no_charges():
    chain = Lindbladian([bit] * 2)
    chain.jump(bit.Sp(0))
    assert chain.generator().conserved is None
