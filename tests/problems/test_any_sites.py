"""Terms on any sites against dense Jordan-Wigner matrices: generators, operators as products, blocks, refusals."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

from chains import (
    coefficients,
    dense_lindbladian,
    density_matrix,
    even_density_matrix,
    mixed_chains,
    random_far_chain,
    random_matrix,
    seeds,
)
from tnness.engines.exact import Exact
from tnness.engines.tdvp import TDVP
from tnness.engines.tebd import TEBD
from tnness.errors import ModelError
from tnness.operators.basis import (
    LocalSpace,
    bit,
    boson,
    electron,
    oddness,
    spin_half,
    spin_one,
    spinless,
    tj,
)
from tnness.operators.terms import LocalOperator, power_law_sum, string
from tnness.problems.blocks import blocked
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.mpo import mpo_of
from tnness.problems.orderings import ladder, periodic

s, f = spin_half, spinless
CHAINS: dict[str, list[LocalSpace]] = {
    "spins": [s] * 4,
    "fermions": [f] * 5,
    "mixed": [f, s, f, f],
    "t-J": [tj, f, tj],
    "electrons": [electron, f, electron],
    "unequal": [s, spin_one, s],
    "bosons": [boson(2), s, boson(1)],
}
every_chain = pytest.mark.parametrize("spaces", CHAINS.values(), ids=CHAINS)


def rate_of_change(chain, rho):
    hamiltonian, jumps = dense_lindbladian(chain)
    effective = -1j * hamiltonian - sum(jump.conj().T @ jump for jump in jumps) / 2
    return effective @ rho + rho @ effective.conj().T + sum(jump @ rho @ jump.conj().T for jump in jumps)


def multiplied_out(tensors):
    def joined(left, right):
        product = np.einsum("aij,abkl->bikjl", left, right)
        return product.reshape(product.shape[0], product.shape[1] * product.shape[2], -1)

    return reduce(joined, tensors, np.ones((1, 1, 1)))[0]


# ---------------------------------------------------------------- the equation


def assert_generator_is_dense(spaces, seed):
    chain = random_far_chain(spaces, seed)
    rho = even_density_matrix(spaces, np.random.default_rng(seed))
    expected = coefficients(rate_of_change(chain, rho), spaces)
    generator, vector = chain.generator(), coefficients(rho, spaces)
    found, size = generator.apply(vector), max(1.0, float(np.abs(expected).max()))
    assert_allclose(found, expected, atol=1e-12 * size)
    return generator, vector, found, size


@every_chain
@settings(max_examples=15)
@given(seed=seeds)
def test_generators_are_the_dense_equation(spaces, seed):
    generator, vector, found, size = assert_generator_is_dense(spaces, seed)
    assert_allclose(generator.matrix() @ vector, found, atol=1e-12 * size)
    other = np.random.default_rng(seed).standard_normal(len(vector))
    assert_allclose(generator.transposed().apply(other) @ vector, other @ found, atol=1e-11 * size)


@settings(max_examples=40)
@given(spaces=mixed_chains(), seed=seeds)
def test_generators_of_any_sites_side_by_side_are_the_dense_equation(spaces, seed):
    """One to four sites of two to four levels each, with and without fermions, in any order."""
    assert_generator_is_dense(spaces, seed)


@every_chain
@settings(max_examples=8)
@given(seed=seeds)
def test_matrix_product_operators_are_the_generator(spaces, seed):
    generator = random_far_chain(spaces, seed).generator()
    matrix = generator.matrix().toarray()
    if len(matrix) <= 1100:
        even = ~oddness(spaces)
        found = multiplied_out(mpo_of(generator))
        assert_allclose(found[np.ix_(even, even)], matrix[np.ix_(even, even)], atol=1e-11 * np.abs(matrix).max())


@pytest.mark.parametrize("spaces", [[s] * 4, [f] * 5, [f, s, f, f]], ids=["spins", "fermions", "mixed"])
@settings(max_examples=8)
@given(seed=seeds)
def test_blocks_of_two_are_the_same_equation(spaces, seed):
    generator = random_far_chain(spaces[:4], seed).generator()
    joined = blocked(generator, "this test")
    assert not joined.distant
    assert joined.dims == tuple(a.dim * b.dim for a, b in zip(spaces[:4:2], spaces[1:4:2], strict=True))
    vector = np.where(oddness(spaces[:4]), 0, np.random.default_rng(seed).standard_normal(generator.dimension))
    size = max(1.0, generator.scale)
    assert_allclose(joined.apply(vector), generator.apply(vector), atol=1e-12 * size)


@given(seed=seeds)
def test_exact_steady_states_and_dynamics_of_terms_on_any_sites(seed):
    """n = 3: the state at t = 0.7 by the dense equation; its derivative vanishes in the steady state."""
    chain = random_far_chain([s] * 3, seed)
    for i in range(3):
        chain.jump(s.Sm(i) + 0.2 * s.Sp(i), 0.5)
    *_, (_, view) = Exact().solve(chain).views
    rho = density_matrix(view.tensor, chain.spaces)
    assert_allclose(rate_of_change(chain, rho), 0, atol=1e-9)
    assert_allclose(np.trace(rho), 1, atol=1e-9)


# ---------------------------------------------------------------- orders and sums


@pytest.mark.parametrize("n", [3, 6, 9])
def test_neighbours_on_a_ring_are_near_on_the_chain(n):
    sites = periodic(n)
    assert sorted(sites) == list(range(n))
    assert max(abs(sites[i] - sites[i - 1]) for i in range(n)) <= 2


def test_ladders_go_rung_by_rung():
    assert ladder(3, legs=3) == ((0, 3, 6), (1, 4, 7), (2, 5, 8))


def test_power_laws_are_sums_over_pairs():
    summed = power_law_sum(s.X, s.Y, 4, alpha=2, strength=3)
    expected = sum(3 / (j - i) ** 2 * s.X(i) * s.Y(j) for j in range(4) for i in range(j))
    levels = dict.fromkeys(range(4), 2)
    assert_allclose(summed.matrix(range(4), levels), expected.matrix(range(4), levels))
    along = power_law_sum(s.X, s.X, (0, 2, 1), alpha=1)
    assert_allclose(
        along.matrix(range(3), levels), (s.X(0) * (s.X(2) + s.X(1) / 2) + s.X(2) * s.X(1)).matrix(range(3), levels)
    )


def test_a_power_law_of_forty_sites_is_a_narrow_operator():
    """Its width is that of the sums of exponentials in 1/r^3; its matrix elements are checked on single pairs."""
    n, chain = 40, Lindbladian([s] * 40)
    chain.hamiltonian(power_law_sum(s.Z, s.Z, n, alpha=3))
    for i in range(n):
        chain.jump(s.Sm(i), 0.3)
    operator = mpo_of(chain.generator(), accuracy=1e-10)
    assert max(tensor.shape[1] for tensor in operator[:-1]) <= 20
    identity, x, y, z = np.eye(4)
    for i, j in ((0, 1), (3, 9), (0, 39), (11, 38)):
        inputs = {i: x, j: z}  # -i [Z_i Z_j, X_i Z_j] = 2 Y_i / r^3, and Z_j^2 = 1
        outputs = {i: y}
        value = np.ones(1)
        for site, tensor in enumerate(operator):
            value = value @ np.einsum("abij,i,j->ab", tensor, outputs.get(site, identity), inputs.get(site, identity))
        assert_allclose(value.item(), 2 / (j - i) ** 3, atol=1e-8)


# ---------------------------------------------------------------- what is refused


def far_chain():
    chain = Lindbladian([s] * 6)
    chain.hamiltonian(s.Z(0) * s.Z(5))
    chain.jump(s.Sm(0))
    return chain


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: TEBD().solve(far_chain(), times=[1.0]),
            "over three sites at most; this chain has one on sites 0, 5",
        ),
        (lambda: far_chain().generator().merged_bonds, "takes terms on one site or two neighbours; .* sites 0, 5"),
        (lambda: far_chain().cooling_maps(), r"term Z\(0\) Z\(5\) reaches beyond neighbours"),
        (lambda: Lindbladian([s] * 6).hamiltonian(string(s.Z, range(6))), "acts on 6 sites with 64 levels together"),
        (lambda: TDVP(tolerance=0.5), "tolerance = 0.5"),
        (
            lambda: TEBD(chi=4).solve(electrons(), times=[1.0]),
            "65536 dimensions, beyond 4096: use engine 'tdvp'",
        ),
    ],
)
def test_refusals_say_what_to_do_instead(build, message):
    with pytest.raises(Exception, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)


def electrons():
    chain = Lindbladian([electron] * 4)
    chain.hamiltonian(electron.Nu(0) * electron.Nd(2))
    return chain


def test_classical_jumps_over_any_distance_move_probabilities():
    chain = Lindbladian([bit] * 3)
    chain.jump(bit.Sp(0) * bit.Sm(2), 0.7)
    matrix = chain.generator().matrix().toarray()
    assert_allclose(matrix[0b100, 0b001], 0.7)
    assert_allclose(matrix.sum(axis=0), 0, atol=1e-14)


def test_a_local_matrix_of_ones_own_may_stand_far_away():
    rng = np.random.default_rng(0)
    chain = Lindbladian([s] * 4)
    chain.jump(LocalOperator("A", random_matrix(2, rng))(0) * LocalOperator("B", random_matrix(2, rng))(3))
    rho = even_density_matrix([s] * 4, rng)
    found = chain.generator().apply(coefficients(rho, [s] * 4))
    assert_allclose(density_matrix(found, [s] * 4), rate_of_change(chain, rho), atol=1e-12)
    with pytest.raises(ModelError, match="has 2 levels, site 1 has 3"):
        Lindbladian([s, spin_one]).jump(s.Sm(0) * s.Sm(1))
