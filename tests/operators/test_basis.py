"""Local spaces: orthonormal Hermitian bases, the algebra of the named operators, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chains import QUANTUM, SPACES, even_density_matrix, random_matrix, seeds
from tnness.errors import InputError, ModelError
from tnness.operators.basis import (
    bit,
    boson,
    classical,
    clock,
    coefficients,
    density_matrix,
    hermitian_elements,
    levels,
    product_elements,
    quantum_space,
    spin,
    spin_half,
    spin_one,
    spinless,
)

every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
every_quantum_space = pytest.mark.parametrize("space", QUANTUM.values(), ids=QUANTUM)


@every_space
def test_elements_are_orthonormal_and_hermitian_but_for_the_phase_of_odd_ones(space):
    assert space.elements.shape == (space.dim, space.levels, space.levels)
    turned = np.where(space.grading, np.exp(-0.25j * np.pi), 1)[:, None, None] * space.elements
    assert_allclose(turned, turned.conj().transpose(0, 2, 1), atol=1e-15)
    overlaps = np.einsum("aij,bij->ab", space.elements, space.elements.conj())
    assert_allclose(overlaps, np.eye(space.dim), atol=1e-14)


@given(st.integers(1, 6))
def test_hermitian_elements_span_every_matrix(d):
    elements = hermitian_elements(d)
    completeness = np.einsum("aij,akl->ijkl", elements, elements)
    assert_allclose(completeness, np.einsum("il,jk->ijkl", np.eye(d), np.eye(d)), atol=1e-14)
    assert_allclose(elements[0], np.eye(d) / np.sqrt(d))


def test_spin_half_elements_are_the_paulis_in_order():
    s = spin_half
    expected = np.array([s.I.matrix, s.X.matrix, s.Y.matrix, s.Z.matrix]) / np.sqrt(2)
    assert_allclose(s.elements, expected, atol=1e-16)
    assert_allclose(s.Z.matrix, np.diag([1, -1]))
    assert_allclose(s.X.matrix @ s.Y.matrix, 1j * s.Z.matrix)
    assert_allclose(s.N.matrix, np.diag([1, 0]))


@pytest.mark.parametrize("twice", range(1, 6))
def test_spin_algebra(twice):
    space, length = spin(twice), twice / 2
    x, y, z = (space.operators[name].matrix for name in ("Sx", "Sy", "Sz"))
    assert_allclose(x @ y - y @ x, 1j * z, atol=1e-14)
    assert_allclose(x @ x + y @ y + z @ z, length * (length + 1) * np.eye(twice + 1), atol=1e-13)
    assert_allclose(space.Sp.matrix, x + 1j * y, atol=1e-14)
    assert_allclose(space.Sm.matrix, space.Sp.matrix.conj().T)
    assert z[0, 0].real == length  # levels run from m = S down


def test_spaces_are_named_and_made_once():
    assert [spin(t).name for t in (1, 2, 3)] == ["spin-half", "spin-1", "spin-3/2"]
    assert spin(1) is spin_half
    assert spin(2) is spin_one
    assert repr(bit) == "LocalSpace('classical-2', levels=2, dim=2)"
    assert not bit.quantum
    assert spinless.quantum


@pytest.mark.parametrize("cutoff", [1, 3])
def test_bosons_commute_to_1_below_the_cutoff(cutoff):
    b = boson(cutoff)
    commutator = b.B.matrix @ b.Bd.matrix - b.Bd.matrix @ b.B.matrix
    assert_allclose(np.diag(commutator)[:-1], 1, atol=1e-14)
    assert_allclose(b.Bd.matrix @ b.B.matrix, b.N.matrix, atol=1e-14)


@pytest.mark.parametrize("d", [2, 3, 5])
def test_clock_operators_commute_to_a_root_of_1(d):
    space, root = clock(d), np.exp(2j * np.pi / d)
    z, x = space.Z.matrix, space.X.matrix
    assert_allclose(z @ x, root * x @ z, atol=1e-14)
    assert_allclose(np.linalg.matrix_power(x, d), np.eye(d))
    assert_allclose(np.linalg.matrix_power(z, d), np.eye(d), atol=1e-14)
    assert_allclose(x[:, 0], np.eye(d)[1])  # |0> -> |1>
    assert_allclose([space.Zd.matrix @ z, space.Xd.matrix @ x], [np.eye(d)] * 2, atol=1e-14)


def test_the_spin_itself_names_a_spin_space():
    assert [spin(S=length).levels for length in (0.5, 1, 1.5)] == [2, 3, 4]
    for wrong in ({"S": 0.7}, {"twice": 1, "S": 0.5}, {}):
        with pytest.raises(InputError, match="spin"):
            spin(**wrong)


def test_levels_next_to_a_cutoff_are_known_also_of_composite_sites():
    assert_allclose(boson(3).last.matrix, np.diag([0, 0, 0, 1]))
    pair = boson(1) & spin_half & boson(2)
    occupations = np.indices((2, 2, 3)).reshape(3, -1)
    assert_allclose(np.diag(pair.last.matrix), (occupations[0] == 1) | (occupations[2] == 2))
    own = quantum_space("own", {"A": np.eye(3)}, cut=[2])
    assert_allclose(own.last.matrix, np.diag([0, 0, 1]))
    with pytest.raises(InputError, match="spin-half has no cutoff"):
        _ = spin_half.last
    with pytest.raises(InputError, match=r"cut = \(3,\) names levels of 0 to 2"):
        quantum_space("own", {"A": np.eye(3)}, cut=[3])


@pytest.mark.parametrize("make", [lambda: boson(64), lambda: spin(70), lambda: boson(11) & boson(11)])
def test_a_site_that_is_too_large_is_refused_before_anything_is_allocated(make):
    with pytest.raises(InputError, match=r"a site of \d+ levels needs .* GB .* up to 64 levels"):
        make()


def test_fermions_fill_one_state():
    c, cd = spinless.C.matrix, spinless.Cd.matrix
    assert_allclose(c @ cd + cd @ c, np.eye(2))
    assert_allclose(cd @ c, spinless.N.matrix)
    assert_allclose(spinless.parity, np.diag([1, -1]))
    assert spin_half.parity is None


@pytest.mark.parametrize("space", [levels(3), classical(3)])
def test_transitions_move_the_second_level_to_the_first(space):
    assert_allclose(space.T20.matrix @ np.eye(3)[0], np.eye(3)[2])


@given(seed=seeds)
def test_coefficients_of_several_sites_are_those_of_products_and_give_the_matrix_back(seed):
    rng, spaces = np.random.default_rng(seed), (spin_half, spin_one, spinless)
    parts = [even_density_matrix([space], rng) for space in spaces]
    product = np.kron(np.kron(*parts[:2]), parts[2])
    wanted = np.einsum("a,b,c->abc", *(space.vector(part) for space, part in zip(spaces, parts, strict=True)))
    assert_allclose(coefficients(product, spaces), wanted, atol=1e-14)
    rho = even_density_matrix([*spaces], rng)
    assert_allclose(density_matrix(coefficients(rho, spaces), spaces), rho, atol=1e-14)


@every_quantum_space
@given(seed=seeds)
def test_coefficients_give_a_state_back_and_its_expectations(space, seed):
    rng = np.random.default_rng(seed)
    rho, operator = even_density_matrix([space], rng), random_matrix(space.levels, rng)
    vector = space.vector(rho)
    assert_allclose(np.tensordot(vector, space.elements, 1), rho, atol=1e-14)
    assert_allclose(space.covector(operator) @ vector, np.trace(rho @ operator), atol=1e-13)
    assert_allclose(space.trace @ vector, 1)
    assert_allclose(vector @ vector, np.trace(rho @ rho).real)


def test_classical_coefficients_are_probabilities():
    assert_allclose(bit.vector(np.diag([0.3, 0.7])), [0.3, 0.7])
    assert_allclose(bit.covector(bit.N.matrix), [0, 1])
    assert_allclose(bit.trace, [1, 1])


def test_product_elements_are_kronecker_products():
    pair = product_elements((spin_half, spin_one))
    assert pair.shape == (36, 6, 6)
    assert_allclose(pair[9 * 2 + 4], np.kron(spin_half.elements[2], spin_one.elements[4]))


@given(seeds)
def test_density_matrices_of_several_sites(seed):
    spaces, rng = (spin_half, spin_one), np.random.default_rng(seed)
    vector = rng.standard_normal(36)
    expected = np.tensordot(vector, product_elements(spaces), 1)
    assert_allclose(density_matrix(vector, spaces), expected, atol=1e-14)


# ---------------------------------------------------------------- spaces of one's own, and what is refused


def test_a_space_of_ones_own():
    tilt = np.array([[0, 1], [1, 0.5]])
    space = quantum_space("mine", {"A": tilt})
    assert_allclose(space.A(3).matrix([3], {3: 2}), tilt)
    assert space.I.matrix.shape == (2, 2)


def test_unknown_operators_suggest_the_nearest():
    with pytest.raises(ModelError, match=r"spinless has no operator 'Cdag' \(did you mean 'Cd'\?\)"):
        spinless.Cdag  # noqa: B018
    assert not hasattr(spin_half, "_repr_latex_")
    assert not hasattr(spin_half, "shape")


@pytest.mark.parametrize(
    ("make", "given"),
    [(spin, 0), (spin, 1.5), (boson, 0), (levels, 1), (levels, 11), (classical, 1), (classical, 2.5)],
)
def test_sizes_are_checked_and_named(make, given):
    with pytest.raises(InputError, match=f"(got|=) {given}") as caught:
        make(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("operators", "odd", "message"),
    [
        ({}, None, "one size"),
        ({"A": np.eye(2), "B": np.eye(3)}, None, r"got shapes \[\(2, 2\), \(3, 3\)\]"),
        ({"A": np.ones((2, 3))}, None, "square"),
        ({"A": np.eye(1)}, None, "one state"),
        ({"trace": np.eye(2)}, None, "cannot be called 'trace'"),
        ({"elements": np.eye(2)}, None, "cannot be called 'elements'"),
        ({"N": np.eye(2)}, {"C": np.eye(2)}, "parity as operator 'P'"),
        ({"P": np.diag([1, -1])}, {"C": np.eye(2)}, "anticommute with the fermionic operator 'C'"),
        ({"P": np.diag([2, -2])}, {"C": np.array([[0, 1], [0, 0]])}, "square to 1"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(operators, odd, message):
    with pytest.raises(InputError, match=message):
        quantum_space("mine", operators, odd)
