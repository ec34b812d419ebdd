"""The exact engine: steady states by each of its routes, dynamics, and what it says where there is no answer."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.linalg as linalg
import scipy.sparse.linalg as sparse_linalg
from hypothesis import given, settings
from numpy.testing import assert_allclose

import systems as exact
from chains import (
    coefficients,
    dense_lindbladian,
    density_matrix,
    even_density_matrix,
    mixed_chains,
    random_density_matrix,
    random_far_chain,
    random_lindbladian,
    random_matrix,
    seeds,
)
from tnness import expectation, steady_state
from tnness.engines import exact as engine_module
from tnness.engines.exact import Exact, steady_vector
from tnness.engines.null_space import settled_from
from tnness.errors import InputError, NumericalError
from tnness.network.chain_state import ChainState
from tnness.operators.basis import bit, spin_half, spin_one
from tnness.operators.terms import LocalOperator
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian

s = spin_half
ROUTES = ["direct", "jumps", "iterative"]  # and "matrix-free": iterative, with G applied bond by bond
every_route = pytest.mark.parametrize("route", ROUTES)


@pytest.fixture
def take(monkeypatch):
    """Force the route that longer chains would take."""

    def choose(route):
        monkeypatch.setattr(engine_module, "DIRECT", 10**4 if route == "direct" else 0)
        if route == "matrix-free":
            monkeypatch.setattr(engine_module, "SPARSE", 0)
        if route in ("iterative", "matrix-free"):
            monkeypatch.setattr(engine_module, "_by_jumps", lambda *arguments: None)

    return choose


def identity(spaces):
    return ChainState.product([space.vector(np.eye(space.levels) / space.levels) for space in spaces])


def driven(n, mu=0.6, delta=0.0, dephasing=0.0):
    """Ends driven by `mu`; every jump without dephasing changes the magnetisation."""
    chain = Lindbladian([s] * n)
    for i in range(n - 1):
        chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1) + delta * s.Z(i) * s.Z(i + 1))
    for i in range(n):
        chain.jump(s.Z(i), dephasing / 2)
    for site, sign in ((0, 1), (n - 1, -1)):
        chain.jump(s.Sp(site), (1 + sign * mu) / 2)
        chain.jump(s.Sm(site), (1 - sign * mu) / 2)
    return chain


def mbl(n, eps=0.1, h=2.0):
    """The reference chain, drive "correlated", its fields repeated beyond n = 6."""
    reference = exact.mbl_exact_reference()
    chain, scale = Lindbladian([s] * n), 1 / np.sqrt(8)
    for i in range(n):
        z, x = reference.fields_z[i % 6], reference.fields_x[i % 6]
        chain.hamiltonian(h * (z * s.Sz(i) + x * s.Sx(i)))
        chain.jump(s.Sz(i), eps)
    for i in range(n - 1):
        j = i + 1
        chain.hamiltonian(s.Sx(i) * s.Sx(j) + s.Sy(i) * s.Sy(j) + s.Sz(i) * s.Sz(j))
        down_i, up_i, down_j, up_j = (1 - 2 * s.Sz(i), 1 + 2 * s.Sz(i), 1 - 2 * s.Sz(j), 1 + 2 * s.Sz(j))
        for operator in (s.Sp(i) * down_j, s.Sm(i) * up_j, down_i * s.Sp(j), up_i * s.Sm(j)):
            chain.jump(scale * operator, eps)
    return chain


# ---------------------------------------------------------------- any sites side by side


@settings(max_examples=12)
@given(spaces=mixed_chains(24), seed=seeds)
def test_dynamics_and_steady_states_of_any_sites_are_the_dense_ones(spaces, seed):
    """One to four sites of two to four levels, products of any operators of theirs; each site also decays."""
    chain, rng = random_far_chain(spaces, seed), np.random.default_rng(seed)
    for i, space in enumerate(spaces):
        if space.parity is None:
            chain.jump(LocalOperator("A", random_matrix(space.levels, rng))(i))
        else:  # a random matrix of two levels would be neither even nor odd
            for operator in (own for own in space.operators.values() if own.odd):
                chain.jump(operator(i), rng.uniform(0.2, 1))
    rho, liouvillian = even_density_matrix(spaces, rng), exact.dense_liouvillian(*dense_lindbladian(chain))
    views = Exact().solve(chain, initial=rho, times=[0.1, 1.0]).views
    for (_, view), later in zip(views, exact.dense_evolve(liouvillian, rho, [0.1, 1.0]), strict=True):
        assert_allclose(view.tensor.ravel(), coefficients(later, spaces), atol=1e-9)
    *_, (_, view) = Exact().solve(chain).views
    steady = density_matrix(view.tensor.ravel(), spaces)
    assert_allclose(liouvillian @ steady.ravel(), 0, atol=1e-10 * np.abs(liouvillian).max())
    assert_allclose(np.trace(steady), 1, atol=1e-12)


# ---------------------------------------------------------------- steady states


@pytest.mark.parametrize("route", [*ROUTES, "matrix-free"])
@pytest.mark.parametrize("spaces", [[s] * 2, [s, spin_one]], ids=["spins", "unequal"])
def test_steady_states_of_random_chains_are_the_dense_ones(route, spaces, take):
    take(route)
    for seed in range(2):
        chain = random_lindbladian(spaces, seed)
        expected = exact.dense_steady_state(exact.dense_liouvillian(*dense_lindbladian(chain)))
        found = steady_vector(chain.generator(), seed=seed)
        assert_allclose(found.vector, coefficients(expected, spaces), atol=1e-8)


@every_route
def test_steady_states_of_classical_chains_are_stationary_probabilities(route, take):
    """Without coherences there is no jump chain, and the iterative route serves."""
    take(route)
    generator = random_lindbladian([bit] * 4, 1).generator()
    expected = exact.dense_stationary_probability(generator.matrix().toarray())
    assert_allclose(steady_vector(generator).vector, expected, atol=1e-9)


@pytest.mark.parametrize("route", ["direct", "jumps"])
@pytest.mark.parametrize("mu", [0.6, 1.0])
@pytest.mark.parametrize("delta", [0.0, 0.5])
def test_parity_flipping_jumps_do_not_mislead(route, mu, delta, take):
    """Each jump changes the magnetisation by one, so that the jump chain has the eigenvalue -1 beside 1."""
    take(route)
    chain = driven(3, mu, delta)
    expected = exact.dense_steady_state(exact.dense_liouvillian(*dense_lindbladian(chain)))
    assert_allclose(steady_vector(chain.generator()).vector, coefficients(expected, chain.spaces), atol=1e-9)


@pytest.mark.parametrize(("route", "tolerance"), [("direct", 1e-9), ("jumps", 1e-9)])
def test_the_reference_case_of_the_driven_mbl_chain(route, tolerance, take):
    take(route)
    generator, reference = mbl(6).generator(), exact.mbl_exact_reference()
    run = Exact().init(generator, identity(generator.spaces))
    assert run.step().finished
    assert run.time == math.inf
    view = run.view()
    energy = sum(view.expect(term) for term in generator.origin.hamiltonian_terms)
    assert_allclose(energy, reference.energy, atol=tolerance)
    assert linalg.norm(generator.apply(run.vector)) < 1e-9 * linalg.norm(run.vector)


def test_seven_sites_follow_the_closed_formula():
    generator = driven(7, mu=0.8, dephasing=0.3).generator()
    assert generator.dimension > engine_module.DIRECT
    run = Exact().init(generator, identity(generator.spaces))
    run.step()
    expected = exact.xx_dephasing_exact(7, 1.0, 1.0, 0.8, 0.3)["z"]
    assert_allclose([run.view().expect(s.Z(i)) for i in range(7)], expected, atol=1e-9)


@pytest.mark.parametrize(("route", "which"), [("direct", "nearest"), ("iterative", "slowest")])
def test_the_gap_is_that_of_the_spectrum(route, which, take):
    take(route)
    generator = random_lindbladian([s] * 3, 2).generator()
    values = linalg.eigvals(generator.matrix().toarray())
    values = values[np.abs(values) > 1e-8]
    nearest, slowest = -values[np.argmin(np.abs(values))].real, -values.real.max()
    assert_allclose(steady_vector(generator).gap, {"nearest": nearest, "slowest": slowest}[which], rtol=1e-7)


# ---------------------------------------------------------------- steady states that are not unique


def dephased(n):
    """Dephasing keeps every power of the magnetisation: n + 1 steady states."""
    chain = Lindbladian([s] * n)
    for i in range(n - 1):
        chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
    for i in range(n):
        chain.jump(s.Z(i))
    return chain


def spectator(n):
    """All sites but one are reset; the first keeps its populations."""
    chain = Lindbladian([s] * n)
    chain.jump(s.Z(0))
    for i in range(1, n):
        chain.jump(s.Sm(i))
        chain.jump(s.Sp(i), 0.5)
    return chain


def isolated(n):
    """No jump at all: every function of H is stationary."""
    chain = Lindbladian([s] * n)
    for i in range(n - 1):
        chain.hamiltonian(s.X(i) * s.X(i + 1) + 0.7 * s.Z(i) + 0.3 * s.Z(n - 1))
    return chain


@every_route
@pytest.mark.parametrize(("n", "seed"), [(2, 0), (3, 1)])
@pytest.mark.parametrize("make", [dephased, spectator, isolated])
def test_a_steady_state_that_is_not_unique_is_not_returned(route, n, make, seed, take):
    take(route)
    with pytest.raises(NumericalError, match=r"the steady state is not unique: .* eigenvalue at 0") as caught:
        steady_vector(make(n).generator(), seed=seed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("n", "seed"), [(2, 0), (3, 1)])
@pytest.mark.parametrize("make", [dephased, spectator])
def test_with_a_start_the_steady_state_that_belongs_to_it_is_returned(make, n, seed):
    """Held against e^{Gt} at a time at which all else has decayed."""
    generator = make(n).generator()
    rng = np.random.default_rng(seed)
    start = exact.product_state([np.diag([p, 1 - p]) for p in rng.random(n)])
    vector = coefficients(start, [s] * n).ravel()
    steady, count = settled_from(generator, vector, seed)
    assert count == {dephased: n + 1, spectator: 2}[make]
    assert_allclose(steady, linalg.expm(500 * generator.matrix().toarray()) @ vector, atol=1e-9)


def test_a_start_that_was_named_stands_in_the_outcome():
    @dataclass(frozen=True)
    class Dephased:
        def problem(self):
            return dephased(3)

        def observables(self):
            return {"z": expectation([s.Z(i) for i in range(3)], "site")}

    record = steady_state(Dephased(), engine="exact", initial="product:001")
    assert record.outcome == "exact from product:001; not unique"
    assert record.certificate.converged
    assert_allclose(record.dataset["z"], 1 / 3, atol=1e-9)  # two of three are up
    with pytest.raises(NumericalError, match="give the start"):
        steady_state(Dephased(), engine="exact")


def test_an_empty_generator_has_every_steady_state():
    with pytest.raises(NumericalError, match="not unique"):
        steady_vector(ChainGenerator([bit] * 2, np.zeros((2, 2, 2)), [np.zeros((4, 4))]))


@every_route
def test_a_dark_state_may_be_the_unique_steady_state(route, take):
    """Pure loss ends in the vacuum, which no jump leaves: the jump chain is unsuitable and another route serves."""
    take(route)
    chain = driven(3)
    chain.jumps = ()
    for i in range(3):
        chain.jump(s.Sm(i))
    vacuum = exact.product_state([np.diag([0.0, 1.0])] * 3)
    assert_allclose(steady_vector(chain.generator()).vector, coefficients(vacuum, [s] * 3), atol=1e-9)


# ---------------------------------------------------------------- dynamics


@pytest.mark.parametrize("formed", [True, False])
@settings(max_examples=8)
@given(seed=seeds)
def test_evolution_is_the_matrix_exponential(formed, seed):
    spaces = [s, spin_one, s]
    generator = random_lindbladian(spaces, seed).generator()
    rho = random_density_matrix(12, np.random.default_rng(seed))
    start = coefficients(rho, spaces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "SPARSE", 10**6 if formed else 0)
        run = Exact().init(generator, ChainState.from_dense(start, generator.dims))
        for until in (0.05, 0.05, 0.3):  # staying at a time changes nothing
            report = run.step(until=until)
            assert (report.time, report.finished) == (until, False)
            expected = linalg.expm(until * generator.matrix().toarray()) @ start
            assert_allclose(run.vector, expected, atol=1e-10)
    assert_allclose(run.chain_state().dense(), run.vector, atol=1e-12)
    assert abs(run.trace_drift) < 1e-10


def test_a_saved_run_goes_on_bit_for_bit():
    generator, engine = driven(4).generator(), Exact()
    once = engine.init(generator, identity(generator.spaces), seed=3)
    often = engine.init(generator, identity(generator.spaces), seed=3)
    for time in (0.1, 0.4, 1.0):
        once.step(until=time)
        often.step(until=time)
        often = engine.restore(generator, often.save())
    assert np.array_equal(once.vector, often.vector)
    assert {k: v for k, v in often.save().numbers.items() if k != "gap"} == {
        k: v for k, v in once.save().numbers.items() if k != "gap"
    }
    for run in (once, often):
        run.step()
    assert np.array_equal(once.vector, often.vector)
    assert often.save().numbers == once.save().numbers


# ---------------------------------------------------------------- bad days


def test_a_nan_raises_and_the_last_good_state_stays(monkeypatch):
    generator = driven(3).generator()
    run = Exact().init(generator, identity(generator.spaces))
    run.step(until=0.2)
    before = run.vector
    monkeypatch.setattr(engine_module, "_propagate", lambda generator, operator, time, vector: vector * np.nan)
    with pytest.raises(NumericalError, match="not finite"):
        run.step(until=0.4)
    assert run.vector is before
    assert run.time == 0.2


def test_time_does_not_run_backwards():
    generator = driven(2).generator()
    run = Exact().init(generator, identity(generator.spaces))
    run.step(until=1.0)
    with pytest.raises(InputError, match="a run at time 1 cannot go back to 0\\.5"):
        run.step(until=0.5)


@pytest.mark.parametrize(("n", "size"), [(11, "6.6"), (600, "361.2")])
def test_chains_too_long_are_refused_with_the_way_out(n, size):
    generator = driven(n).generator()
    with pytest.raises(InputError, match=rf"takes up to 1,100,000 dimensions, this chain has 10\^{size}: use 'tebd'"):
        Exact().init(generator, identity(generator.spaces))


def test_initial_states_that_do_not_fit_are_refused():
    generator = driven(3).generator()
    with pytest.raises(InputError, match=r"local dimensions \(4, 4\), the problem \(4, 4, 4\)"):
        Exact().init(generator, identity([s] * 2))
    with pytest.raises(InputError, match="density_from_pure"):
        Exact().init(generator, ChainState.product([np.ones(4)] * 3, dtype=complex))


@every_route
def test_no_convergence_is_an_error(route, take, monkeypatch):
    def failing(*arguments, **options):
        raise sparse_linalg.ArpackNoConvergence("No convergence (200 iterations)", [], [])

    take(route)
    monkeypatch.setattr(sparse_linalg, "eigs", failing)
    with pytest.raises(NumericalError, match="the iterative steady state did not converge"):
        steady_vector(driven(4).generator())
