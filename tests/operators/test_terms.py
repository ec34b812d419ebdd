"""The algebra of operators on numbered sites, and the signs of fermions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chains import dense_operator, random_matrix, seeds
from tnness.errors import ModelError
from tnness.network.chain_view import ChainView
from tnness.network.initial import product_state
from tnness.operators.basis import boson, spin_half, spin_one, spinless
from tnness.operators.terms import LocalOperator, Operator, string, total

s, f = spin_half, spinless
SPINS = [spin_half, spin_one, boson(2)]


def random_operator(seed: int, terms: int = 3) -> Operator:
    rng = np.random.default_rng(seed)
    sites = range(len(SPINS))
    pieces = [
        complex(*rng.standard_normal(2)) * total([LocalOperator("A", random_matrix(SPINS[i].levels, rng))(i)])
        for i in rng.choice(sites, terms)
    ]
    return pieces[0] * pieces[1] + pieces[2]


def matrix(operator: Operator, spaces=SPINS) -> np.ndarray:
    """The engine's way: strings made explicit term by term."""
    n = len(spaces)
    levels = {i: space.levels for i, space in enumerate(spaces)}
    return operator.matrix(range(n), levels, {i: space.parity for i, space in enumerate(spaces)})


@given(seeds, seeds, st.complex_numbers(max_magnitude=10, allow_nan=False))
def test_matrices_of_sums_products_and_adjoints_are_those_of_their_parts(one, two, number):
    a, b = random_operator(one), random_operator(two)
    assert_allclose(matrix(a + b), matrix(a) + matrix(b), atol=1e-10)
    assert_allclose(matrix(a - b), matrix(a) - matrix(b), atol=1e-10)
    assert_allclose(matrix(a * b), matrix(a) @ matrix(b), atol=1e-10)
    assert_allclose(matrix(number * a), number * matrix(a), atol=1e-10)
    assert_allclose(matrix(a + number), matrix(a) + number * np.eye(18), atol=1e-10)
    assert_allclose(matrix((a * b).dagger()), matrix(a * b).conj().T, atol=1e-10)


@given(seeds)
def test_matrix_equals_the_product_of_whole_chain_matrices(seed):
    operator = random_operator(seed)
    assert_allclose(matrix(operator), dense_operator(operator, SPINS), atol=1e-12)


@pytest.mark.parametrize("number", [2, 2.0, np.float64(2), np.int64(2), np.arange(3.0)[2], 2 + 0j, np.complex128(2)])
def test_every_kind_of_number_multiplies_and_adds(number):
    for result in (number * s.X(0), s.X(0) * number, s.X(0) + s.X(0)):
        assert isinstance(result, Operator)
        assert_allclose(result.matrix([0], {0: 2}), 2 * s.X.matrix)
    for result in (number + s.X(0), s.X(0) + number):
        assert_allclose(result.matrix([0], {0: 2}), 2 * np.eye(2) + s.X.matrix)
    assert_allclose((number - s.X(0)).matrix([0], {0: 2}), 2 * np.eye(2) - s.X.matrix)
    assert_allclose((s.X(0) / number).matrix([0], {0: 2}), s.X.matrix / 2)
    assert_allclose((-s.X(0)).matrix([0], {0: 2}), -s.X.matrix)


def test_sums_and_totals():
    field = sum(0.5 * s.Z(i) for i in range(3))
    assert isinstance(field, Operator)
    assert field.sites == (0, 1, 2)
    assert str(field) == "0.5 Z(0) + 0.5 Z(1) + 0.5 Z(2)"
    assert str(total(s.Z(i) for i in range(2))) == "Z(0) + Z(1)"
    assert str(1j * s.Sp(1).dagger()) == "(0+1j) Sp^(1)"
    assert str(s.Sp(0).dagger().dagger()) == "Sp(0)"
    assert str(Operator(())) == "0"


# ---------------------------------------------------------------- fermions


@pytest.mark.parametrize("i", range(4))
@pytest.mark.parametrize("j", range(4))
def test_fermions_anticommute_on_every_pair_of_sites(i, j):
    chain = [f] * 4
    anticommutator = f.Cd(i) * f.C(j) + f.C(j) * f.Cd(i)
    assert_allclose(matrix(anticommutator, chain), np.eye(16) * (i == j), atol=1e-15)
    assert_allclose(matrix(f.C(i) * f.C(j) + f.C(j) * f.C(i), chain), 0, atol=1e-15)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["C", "Cd", "N"])), min_size=1, max_size=6))
def test_even_products_equal_the_whole_jordan_wigner_chain(factors):
    chain = [f] * 4
    product = Operator.__mul__
    operator = f.I(0)
    for site, name in factors:
        operator = product(operator, f.operators[name](site))
    if not operator.odd:
        assert_allclose(matrix(operator, chain), dense_operator(operator, chain), atol=1e-15)


@pytest.mark.parametrize("between", [spin_half, spin_one, spinless])
def test_strings_pass_sites_without_fermions(between):
    chain = [f, between, f]
    hop = f.Cd(0) * f.C(2)
    assert_allclose(matrix(hop, chain), dense_operator(hop, chain), atol=1e-15)
    coupled = between.I(1) * f.Cd(2) * f.C(0)
    assert_allclose(matrix(coupled, chain), dense_operator(coupled, chain), atol=1e-15)


def test_a_spin_beside_a_fermion_needs_no_string():
    chain = [spin_one, f]
    operator = spin_one.Sz(0) * f.Cd(1) * f.C(1)
    assert_allclose(matrix(operator, chain), dense_operator(operator, chain), atol=1e-15)


def test_operators_of_one_site_combine():
    combined = (1j * s.X @ s.Y + 0.5).matrix
    assert_allclose(combined, -s.Z.matrix + 0.5 * np.eye(2))
    assert_allclose((f.Cd @ f.C - f.N).matrix, 0)
    assert (f.P @ f.C).odd
    assert s.Sp.dag().name == "Sp^"
    assert repr(f.C) == "LocalOperator('C', odd, 2 levels)"
    for make in (lambda: f.C + 1.0, lambda: f.C.exp(), lambda: s.X @ spin_one.Sx, lambda: s.X(0) ** -1):
        with pytest.raises(ModelError):
            make()


@given(seed=seeds)
def test_hermiticity_is_that_of_the_dense_matrix(seed):
    rng = np.random.default_rng(seed)
    product = np.prod([getattr(f, "C" if rng.random() < 0.5 else "Cd")(int(i)) for i in rng.integers(0, 3, 4)])
    hermitian = product + product.dag()
    assert hermitian.is_hermitian
    assert (1j * (product - product.dag())).is_hermitian
    dense = matrix(product, [f] * 3)
    assert product.is_hermitian == np.allclose(dense, dense.conj().T)
    first, second = matrix(f.N(0), [f] * 3), matrix(f.N(1), [f] * 3)
    assert_allclose(matrix(product.commutator(f.N(1)), [f] * 3), dense @ second - second @ dense)
    assert_allclose(matrix(product.anticommutator(f.N(1)), [f] * 3), dense @ second + second @ dense)
    assert_allclose(matrix((product @ f.N(0)) ** 2, [f] * 3), np.linalg.matrix_power(dense @ first, 2))


def test_long_sums_are_shortened_and_spaces_list_their_operators():
    assert repr(s.X(0) * s.Z(1)) == "Operator(X(0) Z(1))"
    assert repr(sum(s.X(i) for i in range(60))).endswith("... 60 terms)")
    assert {"Sp", "Sm", "X", "levels"} <= set(dir(s))


def test_a_generating_function_is_one_term():
    """<prod_i (1 + a N_i)> in a product state of sixty sites, exactly."""
    filling, a = 0.3, 0.7
    state = product_state([s] * 60, [np.diag([filling, 1 - filling])] * 60)
    view = ChainView(state, [s] * 60, {"trace": [s.trace] * 60})
    generating = string(1.0 * s.I + a * s.N, range(60))
    assert_allclose(view.expect(generating), (1 + a * filling) ** 60)
    assert_allclose(view.expect(string(s.N.exp(0.3j), range(60))), (1 - filling + filling * np.exp(0.3j)) ** 60)


def test_parity_of_products():
    assert f.C(0).odd
    assert not (f.Cd(0) * f.C(3)).odd
    assert (f.Cd(0) * f.C(3) + f.C(1)).odd
    assert not f.N(0).odd


def test_operators_of_one_site_have_the_algebra_of_their_matrices():
    b = boson(3)
    assert_allclose((b.B**3).matrix, np.linalg.matrix_power(b.B.matrix, 3))
    assert_allclose((b.B**0).matrix, np.eye(4))
    assert_allclose(b.N.commutator(b.Bd).matrix, b.Bd.matrix, atol=1e-14)
    assert_allclose(f.C.anticommutator(f.Cd).matrix, np.eye(2))
    assert_allclose((-b.N / 2).matrix, -0.5 * b.N.matrix)
    assert [(f.C**k).odd for k in range(4)] == [False, True, False, True]
    assert not f.C.anticommutator(f.Cd).odd
    assert f.C.commutator(f.N).odd
    with pytest.raises(ModelError, match="integer power >= 0"):
        _ = b.B**-1


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("site", [-1, 1.0, True, "0", None])
def test_sites_are_integers_from_0(site):
    with pytest.raises(ModelError, match=r"operator X was put on site .*; sites are integers from 0"):
        s.X(site)


@pytest.mark.parametrize("other", [s.X, "X", None, np.eye(2)])
def test_operators_combine_with_operators_and_numbers_only(other):
    with pytest.raises(ModelError, match=f"not with {type(other).__name__}"):
        s.X(0) * other


def test_a_window_must_hold_the_operator():
    with pytest.raises(ModelError, match=r"Z\(0\) Z\(2\) acts on sites \(0, 2\), beyond the window \(0, 1\)"):
        (s.Z(0) * s.Z(2)).matrix((0, 1), {0: 2, 1: 2, 2: 2})
