"""What a view of a matrix-product state reads is what the dense vector and the density matrix say."""

import math

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems as exact
from chains import coefficients, dense_operator, even_density_matrix, random_matrix, seeds
from tnness.errors import InputError, ModelError, NumericalError, Unavailable
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.dense_view import DenseView
from tnness.operators.basis import LocalSpace, bit, spin_half, spin_one, spinless
from tnness.operators.terms import LocalOperator

CHAINS: dict[str, list[LocalSpace]] = {
    "spins": [spin_half] * 4,
    "unequal": [spin_half, spin_one, spin_half],
    "fermions": [spinless] * 4,
    "fermions and a spin": [spinless, spin_half, spinless],
}
every_chain = pytest.mark.parametrize("spaces", CHAINS.values(), ids=CHAINS)
s = spin_half


def views(rho, spaces, dtype=np.float64, centre=0, factor=1.7):
    """The same density matrix, times a factor, as a dense vector and as a matrix-product state."""
    functionals = {"trace": [space.trace for space in spaces], "first": [np.eye(space.dim)[0] for space in spaces]}
    vector = factor * coefficients(rho, spaces)
    state = ChainState.from_dense(vector, [space.dim for space in spaces]).copy(dtype)
    state.canonicalise(centre)
    return DenseView(vector, spaces, functionals), ChainView(state, spaces, functionals)


def random_rho(spaces, seed):
    return even_density_matrix(spaces, np.random.default_rng(seed))


@every_chain
@given(seed=seeds, dtype=st.sampled_from([np.float64, np.float32]))
def test_both_views_read_the_density_matrix(spaces, seed, dtype):
    rng, n = np.random.default_rng(seed), len(spaces)
    rho = random_rho(spaces, seed)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    sites = sorted(rng.choice(n, 2, replace=False))
    if spaces[0] is spinless:
        operator = 2.0 * spinless.Cd(0) * spinless.C(n - 1) + spinless.N(0)
    else:
        one, two = (LocalOperator("A", random_matrix(spaces[i].levels, rng))(int(i)) for i in sites)
        operator = one * two + 0.3 * one + 1.0
    expected = np.trace(rho @ dense_operator(operator, spaces))
    for view in views(rho, spaces, dtype, centre=int(rng.integers(n))):
        assert_allclose(view.expect(operator), expected, atol=tolerance)
        assert_allclose(view.log_purity(), math.log(np.trace(rho @ rho).real), atol=tolerance)
        assert_allclose(view.renyi2(range(n)), -math.log(np.trace(rho @ rho).real), atol=tolerance)


@given(seeds)
def test_marginals_are_partial_traces(seed):
    spaces = CHAINS["spins"]
    rho = random_rho(spaces, seed)
    for view in views(rho, spaces):
        for start in range(4):
            for stop in range(start + 1, 5):
                part = exact.reduced(rho, range(start, stop))
                assert_allclose(view.marginal(range(start, stop)), part, atol=1e-13)
                assert_allclose(view.renyi2(range(start, stop)), -math.log(np.trace(part @ part).real), atol=1e-12)


@every_chain
@given(seed=seeds)
def test_dense_and_network_agree(spaces, seed):
    dense, network = views(random_rho(spaces, seed), spaces)
    for bond in range(len(spaces) - 1):
        values = network.schmidt_values(bond)
        assert_allclose(values, dense.schmidt_values(bond)[: len(values)], atol=1e-13)
    assert_allclose(network.functional("first"), dense.functional("first"), atol=1e-13)
    assert_allclose(network.window(1, 3), dense.window(1, 3), atol=1e-13)
    assert_allclose(network.functional("trace"), 1)


@given(seeds)
def test_two_point_functions_of_spins(seed):
    spaces, rng = CHAINS["spins"], np.random.default_rng(seed)
    rho = random_rho(spaces, seed)
    a, b = (LocalOperator(name, random_matrix(2, rng)) for name in "AB")
    expected = [[np.trace(rho @ dense_operator(a(i) * b(j), spaces)) for j in range(4)] for i in range(4)]
    for view in views(rho, spaces):
        assert_allclose(view.correlations(a, b), expected, atol=1e-12)


@given(seeds)
def test_two_point_functions_of_fermions_carry_their_strings(seed):
    spaces = CHAINS["fermions"]
    parity = np.diag([(-1.0) ** bin(k).count("1") for k in range(16)])
    rho = random_rho(spaces, seed)
    rho = (rho + parity @ rho @ parity) / 2
    f = spinless
    expected = [[np.trace(rho @ dense_operator(f.Cd(i) * f.C(j), spaces)) for j in range(4)] for i in range(4)]
    for view in views(rho, spaces):
        assert_allclose(view.correlations(f.Cd, f.C), expected, atol=1e-12)


@given(seeds, st.integers(0, 3))
def test_gauges_change_no_reading(seed, centre):
    spaces, rho = CHAINS["spins"], random_rho(CHAINS["spins"], seed)
    first, second = views(rho, spaces)[1], views(rho, spaces, centre=centre, factor=0.02)[1]
    assert_allclose(second.correlations(s.X, s.Z), first.correlations(s.X, s.Z), atol=1e-12)
    assert_allclose(second.renyi2([1, 2]), first.renyi2(slice(1, 3)), atol=1e-12)
    assert_allclose(second.log_purity(), first.log_purity(), atol=1e-12)


def test_probabilities_of_a_classical_chain():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(8))
    trace = [np.ones(2)] * 3
    for view in (
        DenseView(3 * probabilities, [bit] * 3, {"trace": trace}),
        ChainView(ChainState.from_dense(3 * probabilities, (2, 2, 2)), [bit] * 3, {"trace": trace}),
    ):
        assert_allclose(view.marginal((0, 1)), probabilities.reshape(4, 2).sum(axis=1))
        assert_allclose(view.expect(bit.N(2)), probabilities[1::2].sum())
        occupied = np.array([[int(bool(k & m)) for k in range(8)] for m in (4, 2, 1)])
        assert_allclose(view.correlations(bit.N, bit.N), (occupied * probabilities) @ occupied.T)


def test_long_chains_are_read_without_overflow():
    n = 1500
    state = ChainState.product([s.vector(np.diag([0.8, 0.2]))] * n)
    view = ChainView(state, [s] * n, {"trace": [s.trace] * n, "same": [s.trace] * n})
    assert_allclose(view.expect(s.Z(0) * s.Z(n - 1)), 0.36)
    assert_allclose(view.renyi2(range(n)), -n * math.log(0.68))
    assert_allclose(view.log_purity(), n * math.log(0.68))
    assert_allclose(view.functional("same"), 1)


def test_a_bell_pair():
    bell = np.outer([1, 0, 0, 1], [1, 0, 0, 1]) / 2
    for view in views(bell, [s, s]):
        assert_allclose([view.renyi2([0]), view.renyi2()], [math.log(2), 0], atol=1e-13)
        assert_allclose(view.schmidt_values(0), [0.5] * 4)
        assert_allclose(view.expect(s.X(0) * s.X(1) - s.Y(0) * s.Y(1) + s.Z(0) * s.Z(1)), 3)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("view", [0, 1], ids=["dense", "network"])
class TestRefusals:
    @pytest.fixture
    def one(self, view):
        return views(np.eye(8) / 8, [s] * 3)[view]

    @pytest.mark.parametrize("operator", [s.Z(3), s.Z(0) * s.Z(7)])
    def test_sites_that_do_not_exist(self, one, operator):
        with pytest.raises(ModelError, match=f"reads site {operator.sites[-1]}; the chain has sites 0 to 2"):
            one.expect(operator)

    def test_operators_of_another_space(self, one):
        with pytest.raises(ModelError, match="a 3-level operator on site 1, which has 2 levels"):
            one.expect(spin_one.Sz(1))

    @pytest.mark.parametrize("sites", [(), (2, 3), (-1, 0)])
    def test_marginals_of_sites_that_do_not_exist(self, one, sites):
        with pytest.raises(InputError, match="a marginal takes consecutive sites of 0 to 2"):
            one.marginal(sites)

    @pytest.mark.parametrize("sites", [(0, 2), (1, 0)])
    def test_marginals_of_sites_apart(self, one, sites):
        with pytest.raises(Unavailable, match="a marginal takes consecutive sites of 0 to 2"):
            one.marginal(sites)


def test_a_state_without_trace_is_refused():
    traceless = ChainState.product([s.elements[3].real[0] @ np.zeros((2, 4)) + np.eye(4)[3]] * 3)
    with pytest.raises(NumericalError, match="trace of the state is 0"):
        ChainView(traceless, [s] * 3, {"trace": [s.trace] * 3}).expect(s.Z(1))
    with pytest.raises(NumericalError, match="trace of the state is 0"):
        DenseView(traceless.dense(), [s] * 3, {"trace": [s.trace] * 3})


def test_a_local_space_survives_a_singular_environment():
    """A trace that vanishes on the left only is a trace that vanishes."""
    vectors = [np.eye(4)[3], s.trace / 2, s.trace / 2]
    with pytest.raises(NumericalError, match="trace of the state is 0"):
        ChainView(ChainState.product(vectors), [s] * 3, {"trace": [s.trace] * 3}).expect(s.Z(2))
    assert linalg.norm(vectors[0]) == 1
