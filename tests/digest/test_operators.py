"""Digests of operators: equal where their dense matrices are equal, and only there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chains import SPACES, dense_operator, random_matrix, seeds
from tnness.digest.operators import of_operators, of_space, probe
from tnness.operators.basis import bit, boson, quantum_space, spin_half, spin_one, spinless
from tnness.operators.terms import LocalOperator, Operator

s, f = spin_half, spinless


def of(operator):
    return of_operators([operator])


def random_sum(rng, sites=4):
    """Five products of named spin operators on up to three sites."""
    total = Operator(())
    for _ in range(5):
        product = complex(*rng.standard_normal(2)) * s.I(0)
        for _ in range(rng.integers(1, 4)):
            product = product * getattr(s, rng.choice(["X", "Y", "Z", "Sp"]))(int(rng.integers(sites)))
        total = total + product
    return total


@given(seed=seeds)
def test_the_order_of_a_sum_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    operator = random_sum(rng)
    shuffled = Operator(tuple(operator.terms[i] for i in rng.permutation(len(operator.terms))))
    assert np.allclose(probe([operator]), probe([shuffled]), rtol=1e-13, atol=1e-14)


def test_what_equals_as_a_matrix_has_one_digest():
    pairs = [
        (s.X(0) * s.Y(0), 1j * s.Z(0)),
        (s.X(3) * s.Z(5), s.Z(5) * s.I(1) * s.X(3)),
        (s.Sp(1) + s.Sm(1), s.X(1)),
        ((s.X(0) + s.Y(0)) * (s.X(0) - s.Y(0)), -2j * s.Z(0)),
        (s.X(2) - s.X(2), 0 * s.Z(0)),
        (s.N(0) * 1.0 + 2, 0.5 * s.Z(0) + 2.5),
        (f.Cd(0) * f.C(2), -1 * f.C(2) * f.Cd(0)),
        (f.Cd(1) * f.C(1), f.N(1)),
    ]
    for one, other in pairs:
        assert of(one) == of(other)


@given(seed=seeds)
def test_operators_have_equal_values_where_their_matrices_are_equal(seed):
    rng = np.random.default_rng(seed)
    one, other = random_sum(rng), random_sum(rng)
    spaces = [s] * 4
    assert not np.allclose(dense_operator(one, spaces), dense_operator(other, spaces))
    assert of(one) != of(other)
    rewritten = one.dagger().dagger() * s.I(3) + other - other
    np.testing.assert_allclose(dense_operator(rewritten, spaces), dense_operator(one, spaces), atol=1e-13)
    np.testing.assert_allclose(probe([rewritten]), probe([one]), atol=1e-12)


def test_sites_coefficients_and_order_of_a_list_count():
    distinct = [s.X(0), s.X(1), 2 * s.X(0), 1j * s.X(0), s.X(0) * s.Z(5), s.X(5) * s.Z(0), s.X(0) + 1, s.Y(0)]
    assert len({of(operator) for operator in distinct}) == len(distinct)
    assert of_operators([s.X(0), s.Y(0)]) != of_operators([s.Y(0), s.X(0)])


def test_fermions_are_told_from_spins_by_their_strings():
    bare = LocalOperator("c", f.C.matrix)
    assert of(f.C(0) * f.Cd(2)) != of(bare(0) * bare.dagger()(2))


def test_strings_follow_the_parities_of_the_sites_between():
    hop = f.Cd(0) * f.C(2)
    through = {
        name: probe([hop], dict(enumerate([f.parity, middle, f.parity])))
        for name, middle in (("fermion", f.parity), ("spin", None))
    }
    assert not np.allclose(through["fermion"], through["spin"])


@given(seed=seeds, levels=st.integers(2, 6))
def test_the_first_value_is_that_at_infinite_temperature(seed, levels):
    matrix = random_matrix(levels, np.random.default_rng(seed))
    found = probe([3 * LocalOperator("A", matrix)(7) + 1])[0, 0]
    np.testing.assert_allclose(found, 3 * np.trace(matrix) / levels + 1, atol=1e-13)


def test_no_operators_have_no_values():
    assert probe([]).shape[0] == 0
    assert not probe([Operator(())]).any()


def test_a_space_is_known_by_its_basis():
    digests = {key: of_space(space) for key, space in SPACES.items()}
    assert digests["boson-2"] == digests["levels-3"] == digests["spin-1"]  # three levels, one basis
    assert len({*digests.values(), of_space(boson(4))}) == len(digests) - 1


def test_names_of_a_space_and_of_its_operators_do_not_matter_and_parity_does():
    renamed = quantum_space("mine", {"A": s.X.matrix})
    assert of_space(renamed) == of_space(s) != of_space(f)
    assert of_space(spin_one) != of_space(s) != of_space(bit)
