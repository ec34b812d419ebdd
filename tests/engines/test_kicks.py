"""Kicks against dense evolution: which chains forget a disturbance, and which are not called settled."""

import functools

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from benchmarks.calibration_models import draw
from chains import random_lindbladian, seeds
from small_runs import Apart
from tnness import TEBD, Lindbladian, bit, expectation, find, steady_state
from tnness import spin_half as s
from tnness.engines.disturbance import Disturbance
from tnness.engines.exact import steady_vector
from tnness.engines.kicks import Kick, Kicks
from tnness.network.chain_state import ChainState
from tnness.network.dense_view import DenseView
from tnness.network.difference import neighbour_marginals, product_difference
from tnness.problems.conserved import conserved_sums
from tnness.stopping.kicked import Kicked


def model(chain, operators):
    """A model that states this chain, and measures one operator a site."""

    class Stated:
        __dataclass_fields__ = {}  # noqa: RUF012 - no parameters

        def problem(self):
            return chain

        def observables(self):
            return {"z": expectation(operators, "site")}

    return Stated()


# ---------------------------------------------------------------- against dense evolution


def reduced(vector, dims, trace, keep):
    """The coefficients on some sites of a dense vector, by contracting the others one after the other."""
    result = vector.reshape(dims)
    for site in reversed(range(len(dims))):
        if site not in keep:
            result = np.tensordot(result, trace[site], (site, 0))
    return result


@settings(deadline=None, max_examples=15)
@given(seed=seeds, n=st.integers(2, 4))
def test_marginals_of_a_difference_are_those_of_the_dense_vector(seed, n):
    rng = np.random.default_rng(seed)
    trace = [rng.standard_normal(4) for _ in range(n)]
    edges = [1, *rng.integers(1, 4, n - 1), 1]
    state = ChainState([rng.standard_normal((edges[i], 4, edges[i + 1])) for i in range(n)], log_norm=0.3)
    pairs, whole = neighbour_marginals(state, trace)
    vector, dims = state.dense(), (4,) * n
    for bond, pair in enumerate(pairs):
        assert_allclose(pair, reduced(vector, dims, trace, (bond, bond + 1)), atol=1e-10)
    assert whole == pytest.approx(float(reduced(vector, dims, trace, ())), abs=1e-10)


@given(seed=seeds)
def test_a_difference_of_products_has_no_trace(seed):
    rng = np.random.default_rng(seed)
    first, second = ([np.array([0.5, *rng.standard_normal(3)]) for _ in range(4)] for _ in range(2))
    dense = product_difference(first, second).dense()
    assert_allclose(dense, functools.reduce(np.kron, first) - functools.reduce(np.kron, second), atol=1e-12)


@pytest.mark.parametrize("number", [0, 1])
def test_what_is_left_is_that_of_the_dense_evolution(number):
    """exp(G t) on the kick, without sweeps, gates or truncation."""
    chain = random_lindbladian([s] * 3, 4)
    generator = chain.generator()
    dims, trace = generator.dims, generator.functionals["trace"]
    steady = steady_vector(generator).vector
    settled = [reduced(steady, dims, trace, (i, i + 1)) for i in range(2)]
    kick = Kick(Disturbance(generator, settled, 1), number, 64, 0.02 / generator.scale * 3)
    assert kick.state is not None
    start = kick.state.dense()
    first = max(np.abs(reduced(start, dims, trace, (i, i + 1))).max() for i in range(2))
    for _ in range(20):
        kick.step()
    evolved = scipy.linalg.expm(kick.time * generator.matrix().toarray()) @ start
    left = max(np.abs(reduced(evolved, dims, trace, (i, i + 1))).max() for i in range(2))
    assert kick.sizes[-1] == pytest.approx(left / first, rel=1e-4)


def test_a_kick_is_saved_and_goes_on_bit_for_bit():
    generator = find("xx-dephasing")(n=4).problem().generator()
    view = DenseView(steady_vector(generator).vector, generator.spaces, generator.functionals)
    settled = [view.window(i, i + 2) for i in range(3)]
    once, often = (Kicks.of(Disturbance(generator, settled, 3), 16, 0.1, 10.0, 15.0) for _ in range(2))
    while once.present is not None:
        once.step()
        often.step()
        often = Kicks.restore(lambda kept: Disturbance(generator, kept, 3), 16, often.save())
    assert once.result() == often.result()
    assert Kicked.load(once.result().dump()) == once.result()


# ---------------------------------------------------------------- which chains forget


def weak_link():
    """A link of .02 in the middle: a gap of 6e-4, which nothing in a short run shows."""
    chain = Lindbladian([s] * 4)
    for i, coupling in enumerate((1.0, 0.02, 1.0)):
        chain.hamiltonian(coupling * (s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1) + 0.5 * s.Z(i) * s.Z(i + 1)))
    chain.jump(s.Sp(0), rate=1.0)
    for site in (2, 3):
        chain.jump(s.Z(site), rate=0.5)
    return chain


def far_ends():
    """Asymmetric hops between ends that exchange at 1e-4."""
    chain = Lindbladian([bit] * 4)
    for i in range(3):
        chain.jump(bit.Sm(i) * bit.Sp(i + 1), rate=1.0)
        chain.jump(bit.Sp(i) * bit.Sm(i + 1), rate=0.3)
    chain.jump(bit.Sp(0), rate=1e-4)
    chain.jump(bit.Sm(3), rate=1e-4)
    return chain


def dephasing_alone():
    """Hops and dephasing: the magnetisation stays as it began."""
    chain = Lindbladian([s] * 6)
    for i in range(5):
        chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
    for i in range(6):
        chain.jump(s.Z(i), rate=0.5)
    return chain


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize(
    ("chain", "operator", "initial"),
    [(weak_link, s.Z, None), (far_ends, bit.N, "product:0101")],
)
def test_a_chain_that_has_not_settled_is_not_called_converged(chain, operator, initial, seed):
    """Without kicks such chains were `converged`, with claims far below their errors."""
    stated = chain()
    about = {"engine": TEBD(chi=16), "initial": initial, "seed": seed, "max_time": 60.0}
    record = steady_state(model(stated, [operator(i) for i in range(stated.n)]), **about)
    assert not record.certificate.converged
    assert record.outcome.startswith(("not relaxed", "the steady state may not be unique"))


def test_a_conserved_sum_needs_a_start_that_is_named():
    """From 000011 the magnetisation stays at 1/3, whatever truncation does to it at first."""
    subject = model(dephasing_alone(), [s.Z(i) for i in range(6)])
    unnamed = steady_state(subject, engine=TEBD(chi=16))
    assert unnamed.outcome.startswith("the steady state is not unique: a sum of one-site operators is conserved")
    record = steady_state(subject, engine=TEBD(chi=64), initial="product:000011")
    assert record.outcome == "converged from product:000011; not unique"
    assert record.certificate.converged
    assert np.abs(record["z"].values - 1 / 3).max() <= record["z_error"].values.max() + 1e-9


def voters():
    """Neighbours copy each other, with a bias: all empty and all occupied are both absorbing."""
    chain = Lindbladian([bit] * 4)
    for i in range(3):
        for j in (0, 1):
            seed, other = (bit.N(i), i + 1) if j else (bit.N(i + 1), i)
            chain.jump(seed * bit.Sp(other), rate=1.0)
            empty = 1 - seed
            chain.jump(empty * bit.Sm(other), rate=0.6)
    return chain


def test_a_steady_state_that_depends_on_the_start_is_told_so():
    """No sum of one-site operators is conserved here: only a kick shows that there are two absorbing states."""
    subject = model(voters(), [bit.N(i) for i in range(4)])
    assert conserved_sums(voters().generator()) == []
    record = steady_state(subject, engine=TEBD(chi=16), initial="product:0011")
    assert record.outcome.startswith("the steady state may not be unique: it depends on the start (sites ")
    assert record.certificate.further["kick_left"] > 0.1


@pytest.mark.parametrize("seed", [21, 22])
@pytest.mark.parametrize(
    ("name", "parameters", "chi"),
    [
        ("xx-dephasing", {"n": 6}, 16),
        ("xxz-driven", {"n": 5, "delta": 0.5}, 16),
        ("ssep", {"n": 8}, 8),
        ("mbl-heisenberg", {"n": 4, "eps": 0.3}, 16),
    ],
)
def test_a_chain_that_forgets_passes(name, parameters, chi, seed):
    record = steady_state(find(name)(**parameters), engine=TEBD(chi=chi, schedule=(chi // 2,)), seed=seed)
    assert record.certificate.converged
    assert 0 < record.certificate.further["forgets_in"] < 1.5 * record.time
    assert record.certificate.further["kick_left"] <= 0.1


def test_the_late_rate_of_a_kick_is_the_gap():
    chain = find("xx-dephasing")(n=4, dephasing=0.1)
    gap = steady_vector(chain.problem().generator()).gap
    record = steady_state(chain, engine=TEBD(chi=16))
    assert record.certificate.relaxation_rate == pytest.approx(gap, rel=0.3)


def test_what_is_not_watched_need_not_forget():
    """The third spin of Apart is slow and apart: who watches the others does not wait for it."""
    fast = steady_state(Apart(), engine=TEBD(chi=4), initial="product:010", watch=["fast"])
    whole = steady_state(Apart(), engine=TEBD(chi=4), initial="product:010")
    assert fast.certificate.converged
    assert whole.certificate.converged
    assert fast.certificate.further["forgets_in"] < whole.certificate.further["forgets_in"] / 5


def test_a_kick_that_disturbs_nothing_tells_nothing():
    """Where no element may be disturbed there is no kick: it must not count as forgotten."""
    generator = find("ssep")(n=4).problem().generator()
    view = DenseView(steady_vector(generator).vector, generator.spaces, generator.functionals)
    settled = [view.window(i, i + 2) for i in range(3)]
    kicks = Kicks.of(Disturbance(generator, settled, 1, neutral=[np.zeros((2, 2))] * 4), 8, 0.1, 1.0, 2.0)
    while kicks.present is not None:
        kicks.step()
    assert not kicks.result().passed
    assert kicks.result().needs == np.inf


def test_a_displaced_square_of_a_conserved_sum_is_not_certified():
    """A chain that was certified wrongly: chi = 2 and 4 both lost the correlation -1/3 of a sharp particle number."""
    model = draw("closed-dephasing", 70383273, 0)[0]
    record = steady_state(model, engine=TEBD(chi=4), initial="product:0011", seed=70383273, name="closed")
    assert np.abs(record["zz"].values + 1 / 3).max() > 0.1
    assert not record.outcome.startswith("converged")


@pytest.mark.parametrize(
    ("chi", "first"), [(8, 8), (24, 16), (40, 20), (64, 32), (100, 32), (128, 32), (160, 40), (256, 64)]
)
def test_a_kick_begins_at_a_part_of_the_bond_dimension(monkeypatch, chi, first):
    monkeypatch.setattr("tnness.engines.kicks.Kick", lambda _, number, own, *rest: own)
    assert Kicks.of(None, chi, 0.1, 0.0, 1.0).pair == [first, first]
