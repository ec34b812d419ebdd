"""Blocks of definite charge stand for the same tensors as the real basis does, in either form and under any gate."""

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

from chains import seeds
from tnness.network.sectors import Bond, Joint, PairPlan, Rules, SectorGate, SitePlan
from tnness.operators.basis import levels, spin_half, spin_one
from tnness.operators.charges import Charges
from tnness.problems.lindbladian import Lindbladian


def charges_of(space, n=4, hopping=True):
    """The charges of a chain of equal spaces whose lowest levels hop, and which loses some at an end."""
    chain = Lindbladian([space] * n)
    raising = space.operators["Sp" if "Sp" in space.operators else "T10"]
    for i in range(n - 1):
        up, down = raising(i), raising(i + 1)
        chain.hamiltonian(up * down.dagger() + down * up.dagger() if hopping else up * down + (up * down).dagger())
    chain.jump(raising(0))
    generator = chain.generator()
    return generator.conserved if hopping else generator.parities


CHARGES = {
    "spin": charges_of(spin_half),
    "spin one": charges_of(spin_one),
    "three levels, two charges": charges_of(levels(3)),
    "parity": charges_of(spin_half, hopping=False),
    "given": Charges([[[0, 0], [1, 0], [-1, 1]]] * 4, [0, 2]),
}
every_charge = pytest.mark.parametrize("name", CHARGES)


def random_bond(rules, reach, rng):
    """Some stored charges that up to `reach` sites can have, each with one to three indices."""
    charges = {rules.none}
    for _ in range(reach):
        charges |= {rules.add(a, b, 1) for a in charges for b in rules.sites[0].charges}
    stored = sorted(charge for charge in charges if rules.stored(charge))
    chosen = [charge for charge in stored if rng.random() < 0.8] or stored[:1]
    return Bond(tuple((charge, int(rng.integers(1, 4))) for charge in chosen))


def random_site(rules, site, bonds, rng):
    plan = SitePlan(rules, bonds[0], site, bonds[1])
    return plan, rng.standard_normal(plan.left.size)


def symmetric_gate(rules, site, rng):
    """A random real gate that conserves the charges, built in the basis of definite charge."""
    one, other = (np.array(rules.sites[i].unitary) for i in (site, site + 1))
    turn = np.kron(one, other)
    own = [rules.add(a, b, 1) for a in rules.sites[site].charges for b in rules.sites[site + 1].charges]
    matrix = turn @ rng.standard_normal((len(turn),) * 2) @ turn.conj().T
    matrix[np.array([[a != b for b in own] for a in own])] = 0
    gate = turn.conj().T @ matrix @ turn
    assert_allclose(gate.imag, 0, atol=1e-13)
    return gate.real


@every_charge
@settings(max_examples=15)
@given(seed=seeds)
def test_both_forms_of_a_tensor_are_the_same_tensor(name, seed):
    rng, rules = np.random.default_rng(seed), Rules(CHARGES[name])
    plan, vector = random_site(rules, 1, (random_bond(rules, 1, rng), random_bond(rules, 2, rng)), rng)
    tensor = plan.real(vector, True)
    assert_allclose(np.linalg.norm(tensor) ** 2, plan.left.weight(vector), rtol=1e-12)
    other = plan.to_right(vector)
    assert_allclose(plan.real(other, False), tensor, atol=1e-13)
    assert_allclose(plan.right.weight(other), plan.left.weight(vector), rtol=1e-12)
    assert_allclose(plan.to_left(other), vector, atol=1e-14)


@every_charge
@settings(max_examples=15)
@given(seed=seeds)
def test_products_and_gates_act_as_in_the_real_basis(name, seed):
    rng, rules = np.random.default_rng(seed), Rules(CHARGES[name])
    bonds = [random_bond(rules, reach, rng) for reach in (1, 2, 1)]
    (one, first), (other, second) = (random_site(rules, i + 1, bonds[i : i + 2], rng) for i in (0, 1))
    pair = PairPlan(rules, bonds[0], 1, 2, bonds[2])
    theta, _, _ = Joint(one, other, pair).product(first, other.to_right(second))
    whole = np.tensordot(one.real(first, True), other.real(second, True), 1)
    assert_allclose(pair.layout.weight(theta), np.linalg.norm(whole) ** 2, rtol=1e-11, atol=1e-12)
    gate = symmetric_gate(rules, 1, rng)
    acted = pair.apply(theta, SectorGate(gate, pair.bases))
    left, p, q, right = whole.shape
    expected = np.matmul(gate, whole.reshape(left, p * q, right)).reshape(left * p, q * right)
    assert_allclose(pair.layout.weight(acted), np.linalg.norm(expected) ** 2, rtol=1e-11, atol=1e-12)
    values = [np.linalg.svd(block.of(acted), compute_uv=False) for block in pair.layout.blocks.values()]
    copies = [rules.copies(charge) for charge in pair.layout.blocks]
    merged = np.sort(np.concatenate([np.tile(v, c) for v, c in zip(values, copies, strict=True)]))[::-1]
    exact = np.linalg.svd(expected, compute_uv=False)
    size = max(len(merged), len(exact))
    assert_allclose(np.pad(merged, (0, size - len(merged))), np.pad(exact, (0, size - len(exact))), atol=1e-11)
