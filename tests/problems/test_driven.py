"""Chains that depend on time: their matrices against dense ones, the order of what happens, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

from chains import (
    coefficients,
    density_matrix,
    even_density_matrix,
    mixed_chains,
    random_matrix,
    random_product,
    random_sum,
    seeds,
)
from driven_chains import Told, positive, waves
from tnness.errors import InputError, ModelError
from tnness.operators.basis import LocalSpace, bit, boson, electron, spin_half, spin_one, spinless
from tnness.problems.blocks import blocked
from tnness.problems.conserved import conserved_sums
from tnness.problems.envelope import Piecewise
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.parts import parts_of

s, f = spin_half, spinless
CHAINS: dict[str, list[LocalSpace]] = {
    "spins": [s] * 3,
    "fermions": [f] * 4,
    "mixed": [f, s, f],
    "electrons": [electron, f],
    "unequal": [s, spin_one],
    "bosons": [boson(2), s],
}
every_chain = pytest.mark.parametrize("spaces", CHAINS.values(), ids=CHAINS)


def random_told(spaces, seed) -> Told:
    """Random terms with random envelopes, and jumps with random rates, on any sites."""
    told, rng = Told(spaces), np.random.default_rng(seed)
    shared = waves(rng)
    for k in range(5):
        term = random_product(spaces, rng, 2)
        if not term.odd:
            envelope = (None, waves(rng), shared)[k % 3]
            told.hamiltonian(term, envelope)  # a term and its conjugate may come one after the other
            told.hamiltonian(term.dag(), envelope)
        told.jump(random_sum(spaces, rng), float(rng.uniform(0.1, 1)) if k % 2 else positive(rng))
    return told


def assert_drive_is_dense(spaces, seed):
    told, rng = random_told(spaces, seed), np.random.default_rng(seed)
    rho, time = even_density_matrix(spaces, rng), float(rng.uniform(0, 5))
    drive = told.chain.drive()
    vector = coefficients(rho, spaces)
    change = drive.static.apply(vector)
    for value, part in zip(drive.values(0.0, 5.0)(time), drive.parts, strict=True):
        change = change + value * part.generator.apply(vector)
    expected = coefficients(told.change(time, rho), spaces)
    assert_allclose(change, expected, atol=1e-12 * max(1, np.abs(expected).max()))
    frozen = told.chain.frozen(time).generator().apply(vector)
    assert_allclose(frozen, expected, atol=1e-12 * max(1, np.abs(expected).max()))


@every_chain
@settings(max_examples=6)
@given(seed=seeds)
def test_the_parts_with_their_functions_are_the_equation_at_any_time(spaces, seed):
    assert_drive_is_dense(spaces, seed)


@settings(max_examples=20)
@given(spaces=mixed_chains(96), seed=seeds)
def test_any_sites_with_any_functions_are_the_equation_at_any_time(spaces, seed):
    """One to four sites of two to four levels each, with and without fermions, in any order."""
    assert_drive_is_dense(spaces, seed)


def random_kraus(spaces, rng, odd):
    """Three operators on two sites with sum K^+ K = 1; with fermions they are all even, or one is odd."""
    own = spaces[0].levels * spaces[1].levels
    parity = np.diag(np.kron(*(np.ones(x.levels) if x.parity is None else x.parity.diagonal() for x in spaces)))
    drawn = [random_matrix(own, rng) for _ in range(3)]
    drawn = [m + (-1 if odd and k == 2 else 1) * parity @ m @ parity for k, m in enumerate(drawn)]
    whole = sum(m.conj().T @ m for m in drawn)
    values, vectors = np.linalg.eigh(whole)
    return [m @ vectors @ np.diag(values**-0.5) @ vectors.conj().T for m in drawn]


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("spaces", [[s, s, s], [f, f, f], [f, s, f]], ids=["spins", "fermions", "mixed"])
@pytest.mark.parametrize("sites", [(0, 1), (1, 2)])
def test_channels_given_as_matrices_are_dense_ones(spaces, sites, odd):
    rng = np.random.default_rng(3)
    kraus = random_kraus([spaces[i] for i in sites], rng, odd and f in [spaces[i] for i in sites])
    chain = Lindbladian(spaces)
    chain.at(0.0, np.array(kraus), sites=sites)
    rho = even_density_matrix(spaces, rng)
    before, after = np.eye(2 ** sites[0]), np.eye(2 ** (2 - sites[1]))
    whole = [np.kron(np.kron(before, k), after) for k in kraus]
    left = [np.eye(2) if x.parity is None else x.parity for x in spaces[: sites[0]]]
    if odd and left:  # an odd operator carries a string over the sites to its left
        string = np.kron(left[0], np.eye(4))
        own = np.diag(
            np.kron(*(np.ones(2) if spaces[i].parity is None else spaces[i].parity.diagonal() for i in sites))
        )
        is_odd = [np.allclose(own @ k @ own, -k) for k in kraus]
        whole = [string @ k if o else k for k, o in zip(whole, is_odd, strict=True)]
    expected = sum(k @ rho @ k.conj().T for k in whole)
    assert_allclose(density_matrix(applied(chain, coefficients(rho, spaces)), spaces), expected, atol=1e-12)


def applied(chain, vector):
    drive = chain.drive()
    for operation in drive.operations:
        parts = parts_of(operation.sites, operation.matrix, chain.spaces)
        vector = sum((part.apply(vector, drive.static.dims) for part in parts), np.zeros_like(vector))
    return vector


@pytest.mark.parametrize(
    "kraus",
    [
        [0.6 * f.I(0), 0.8 * (1 - 2 * f.N(0)) * (1 - 2 * f.N(3))],
        [f.Cd(2), f.C(2)],  # |full><empty| and |empty><full|
        [f.C(1) + f.Cd(1)],  # a Majorana operator is an odd unitary
        [math.cos(0.3) + 1j * math.sin(0.3) * (f.Cd(0) - f.C(0)) * (f.Cd(3) + f.C(3))],
    ],
    ids=["even", "odd", "majorana", "hop"],
)
def test_channels_given_as_operators_on_any_sites_are_dense_ones(kraus):
    told, rng = Told([f] * 4), np.random.default_rng(5)
    told.at([0.0], kraus)
    rho = even_density_matrix([f] * 4, rng)
    expected = sum(k @ rho @ k.conj().T for k in told.operations[0][1])
    assert_allclose(density_matrix(applied(told.chain, coefficients(rho, [f] * 4)), [f] * 4), expected, atol=1e-12)


def test_terms_with_one_envelope_need_be_hermitian_only_together():
    chain = Lindbladian([s] * 2)
    chain.hamiltonian(s.Sp(0) * s.Sm(1), math.cos)
    with pytest.raises(ModelError, match="not Hermitian"):
        chain.drive()
    chain.hamiltonian(s.Sm(0) * s.Sp(1), math.cos)
    assert len(chain.drive().parts) == 1


def test_blocks_hold_the_same_equation():
    """Of five sites with terms and operations over three, at one time."""
    told, rng = Told([s] * 5), np.random.default_rng(1)
    for i in range(3):
        told.hamiltonian(s.X(i) * s.Z(i + 2), waves(rng))
    told.jump(s.Sm(1) * s.Z(2), positive(rng))
    told.at([0.0], [math.cos(0.4) - 1j * math.sin(0.4) * s.X(1) * s.X(3)])
    drive = told.chain.drive()
    blocks = drive.blocked("this")
    vector = rng.standard_normal(4**5)
    for part, joined in zip(drive.parts, blocks.parts, strict=True):
        assert_allclose(joined.generator.apply(vector), part.generator.apply(vector), atol=1e-12)
        assert joined.generator is blocked(part.generator, "this")
    operation = blocks.operations[0]
    assert operation.sites == (0, 1)
    image = np.einsum("ab,bc->ac", operation.matrix, vector.reshape(256, 4)).ravel()
    assert_allclose(image, applied(told.chain, vector), atol=1e-12)


# ---------------------------------------------------------------- in the course of time


def test_what_happens_comes_in_order_and_once():
    chain = Lindbladian([s] * 2)
    chain.hamiltonian(s.X(0), Piecewise({0.0: 1.0, 0.4: 2.0}, period=1.0))
    chain.at(0.5, s.X(0), every=0.5)
    chain.at(1.0, s.Z(0))
    chain.at(0.0, s.Y(0))
    seen = [(x.start, x.end, [o.name[:11] for o in x.operations]) for x in chain.drive().stretches(0.0, 1.5)]
    one, two, three = (f"operation {k}" for k in range(3))
    assert seen == [
        (0.0, 0.4, [three]),
        (0.4, 0.5, []),
        (0.5, 1.0, [one]),
        (1.0, 1.4, [one, two]),
        (1.4, 1.5, []),
    ]


@pytest.mark.parametrize("stop", [0.3, 0.1 + 0.2, 0.3 - 1e-16, 0.3 + 1e-11])
def test_an_operation_waits_for_the_measurement_at_its_time(stop):
    """Whatever round-off says of two times that are meant to be one."""
    chain = Lindbladian([s] * 2)
    chain.at(0.3, s.X(0))
    drive = chain.drive()
    before, after = [*drive.stretches(0.0, stop)], [*drive.stretches(stop, 1.0)]
    assert [len(x.operations) for x in before] == [0]
    assert [len(x.operations) for x in after] == [1]


def test_two_times_that_are_one_are_refused():
    """Whether an operation is between them cannot be told."""
    chain = Lindbladian([s] * 2)
    chain.at(0.3, s.X(0))
    with pytest.raises(InputError, match="too close for a chain that depends on time"):
        [*chain.drive().stretches(0.3, 0.3 + 1e-10)]


def test_periods_are_checked():
    chain = Lindbladian([s] * 2)
    chain.hamiltonian(s.X(0), lambda t: math.cos(math.pi * t))
    chain.drive().check_period(2.0)
    with pytest.raises(InputError, match=r"period = 1: the Hamiltonian term X\(0\) does not repeat after it"):
        chain.drive().check_period(1.0)
    chain.at(0.5, s.X(0))
    with pytest.raises(InputError, match=r"period = 2: operation 0 \(X\(0\)\) does not repeat .* every=\.\.\.\) does"):
        chain.drive().check_period(2.0)


def test_periodic_operations_have_their_period_and_its_multiples():
    chain = Lindbladian([s] * 2)
    chain.at(0.0, s.X(0), every=0.1)
    for period in (0.1, 0.3, 0.7, 1.1):
        chain.drive().check_period(period)
    with pytest.raises(InputError, match="does not repeat"):
        chain.drive().check_period(0.25)


def test_a_sum_is_conserved_that_all_parts_and_operations_conserve():
    chain = Lindbladian([s] * 3)
    for i in range(2):
        chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1), math.cos)
    chain.jump(s.Z(1), lambda t: 1 + math.sin(t))
    chain.at(1.0, s.Z(2))
    assert len(conserved_sums(chain.drive().whole)) == 1
    chain.at(2.0, s.X(2))
    assert conserved_sums(chain.drive().whole) == []


# ---------------------------------------------------------------- refusals and digests


def test_a_chain_that_depends_on_time_is_not_taken_for_one_that_does_not():
    chain = Lindbladian([s] * 2)
    chain.hamiltonian(s.Z(0) * s.Z(1))
    chain.jump(s.Sm(0), lambda t: 1.0)
    for ask in (chain.generator, lambda: chain.jumps, lambda: chain.hamiltonian_terms, chain.dissipator):
        with pytest.raises(ModelError, match="this chain depends on time"):
            ask()
    assert chain.frozen(0.0).jumps[0].rate == 1
    assert chain.reach == 1


@pytest.mark.parametrize(
    ("add", "text"),
    [
        (lambda c: c.hamiltonian(s.X(0), 2.0), "the envelope 2.0; a real function of time is needed"),
        (lambda c: c.hamiltonian(s.X(5), math.cos), "acts on site 5"),
        (lambda c: c.jump(s.X(5), math.cos), "acts on site 5"),
        (lambda c: c.jump(s.Sm(0), "fast"), "a finite number >= 0, or a function of time"),
        (lambda c: c.at(-1.0, s.X(0)), "is at t = -1.0; a time is a number >= 0"),
        (lambda c: c.at(1.0, s.X(0), every=0.0), "acts every 0.0"),
        (lambda c: c.at(1.0, 2 * s.X(0)), r"operation 0 \(2 X\(0\)\) does not conserve the trace: \|U\^\+ U - 1\| = 3"),
        (lambda c: c.at(1.0, [s.Sp(0), s.Sp(0)]), r"sum K\^\+ K - 1"),
        (lambda c: c.at(1.0, s.X(7)), "acts on site 7"),
        (lambda c: c.at(1.0, s.X), "an operator on numbered sites"),
        (lambda c: c.at(1.0, []), "an operator on numbered sites"),
        (lambda c: c.at(1.0, np.eye(4), sites=(1, 0)), "increasing sites"),
        (lambda c: c.at(1.0, np.eye(3), sites=(1,)), r"matrices of shape \(3, 3\); its sites have 2 levels"),
        (lambda c: c.at(1.0, [np.eye(2)]), "`sites` says where they act"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(add, text):
    with pytest.raises(ModelError, match=text) as raised:
        add(Lindbladian([s] * 2))
    assert "\n" not in str(raised.value)


def test_a_channel_that_mixes_parities_is_refused():
    chain = Lindbladian([f] * 2)
    with pytest.raises(ModelError, match="mixes even and odd fermionic terms in its operator 0"):
        chain.at(0.0, [math.sqrt(0.5) * (1 - 2 * f.N(0)) + math.sqrt(0.5) * (f.C(0) + f.Cd(0))])


def test_populations_take_only_what_maps_populations():
    chain = Lindbladian([bit] * 2)
    chain.at(0.0, np.array([[0, 1], [1, 0]]), sites=(0,))
    assert_allclose(chain.drive().operations[0].matrix, [[0, 1], [1, 0]])
    with pytest.raises(ModelError, match="coherences"):
        chain.at(0.0, np.array([[1, 1], [1, -1]]) / math.sqrt(2), sites=(0,))


def stated(rate=2.0, time=1.0, kick=0.3, order=(0, 1)):
    chain = Lindbladian([s] * 2)
    adding = [
        lambda: chain.hamiltonian(s.X(0) + s.X(1), lambda t: math.cos(rate * t)),
        lambda: chain.jump(s.Sm(0), lambda t: 1 + math.cos(rate * t)),
    ]
    for number in order:
        adding[number]()
    chain.at(time, s.X.exp(-1j * kick)(1))
    return chain.digest()


def test_equal_drives_have_equal_digests_and_others_do_not():
    assert stated() == stated(order=(1, 0))
    assert len({stated(), stated(rate=2.1), stated(time=1.1), stated(kick=0.31)}) == 4


def test_splitting_a_term_does_not_matter():
    def envelope(t):
        return math.cos(t)

    whole, split = Lindbladian([s] * 2), Lindbladian([s] * 2)
    whole.hamiltonian(s.X(0) + s.X(1), envelope)
    split.hamiltonian(s.X(1), envelope)
    split.hamiltonian(s.X(0), envelope)
    assert whole.digest() == split.digest()


def test_a_circuit_is_a_list_of_layers():
    flip = [math.sqrt(0.9), math.sqrt(0.1) * s.X(1)]
    layers = [[s.Z(0), flip], [], [(np.diag([1, 1, 1, -1]), [0, 1])]]
    chain, one_by_one = Lindbladian([s] * 2), Lindbladian([s] * 2)
    chain.circuit(layers, start=1.0, apart=0.5)
    one_by_one.at(1.0, s.Z(0))
    one_by_one.at(1.0, flip)
    one_by_one.at(2.0, np.diag([1, 1, 1, -1]), sites=[0, 1])
    assert chain.digest() == one_by_one.digest()


def test_a_drive_of_large_sites_is_refused_in_one_line():
    mode = boson(7)
    chain = Lindbladian([mode] * 2)
    chain.hamiltonian(mode.N(0), lambda t: 1.0 + np.sin(t))
    with pytest.raises(ModelError, match="sites 0 and 1 are too large for a chain that depends on time") as error:
        chain.drive()
    assert "\n" not in str(error.value)
