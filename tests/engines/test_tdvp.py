"""The engine `tdvp` against exact dynamics and steady states: power laws, rings, fermions that hop far."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal

from chains import (
    dense_lindbladian,
    dense_operator,
    even_density_matrix,
    mixed_chains,
    random_far_chain,
    random_product,
    seeds,
)
from driven_chains import Told
from systems import dense_evolve, dense_liouvillian
from tnness import Changes, Observable, Piecewise, evolve, expectation, extend, register, steady_state
from tnness.engines.ask import Ask, Start
from tnness.engines.exact import Exact
from tnness.engines.gaussian import Gaussian
from tnness.engines.initial import parse_initial
from tnness.engines.tdvp import TDVP
from tnness.engines.tebd import TEBD
from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.network.exponential import exponential
from tnness.network.truncation import Truncation
from tnness.network.variational import added, applied_operator, change_of, taylor_step
from tnness.operators.basis import spin_half as s
from tnness.operators.basis import spinless as f
from tnness.operators.terms import power_law_sum
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.orderings import periodic
from tnness.runs.job import engine_for


@register("test-tdvp-rydberg")
@dataclass(frozen=True)
class Rydberg:
    """Particles that repel as 1/r^3, driven and lost."""

    n: int = 5

    def problem(self) -> Lindbladian:
        chain = Lindbladian([s] * self.n)
        chain.hamiltonian(power_law_sum(s.N, s.N, self.n, alpha=3))
        for i in range(self.n):
            chain.hamiltonian(0.6 * s.X(i) - 0.3 * s.N(i))
            chain.jump(s.Sm(i), 0.3)
            chain.jump(s.Z(i), 0.05)
        return chain

    def observables(self) -> dict[str, Observable]:
        return {
            "n": expectation([s.N(i) for i in range(self.n)], "site"),
            "ends": expectation(s.Z(0) * s.Z(self.n - 1)),
        }


@dataclass(frozen=True)
class Ring:
    """Spins on a ring; `folded` or along the chain, where one bond reaches from end to end."""

    n: int = 6
    folded: bool = True

    def problem(self) -> Lindbladian:
        at, chain = self.sites, Lindbladian([s] * self.n)
        for i in range(self.n):
            a, b = at[i], at[(i + 1) % self.n]
            chain.hamiltonian(0.25 * (s.X(a) * s.X(b) + s.Y(a) * s.Y(b) + 0.7 * s.Z(a) * s.Z(b)))
            chain.hamiltonian((0.2 + 0.1 * (i % 3)) * s.X(a))
            chain.jump(s.Sm(a), 0.3)
            chain.jump(s.Z(a), 0.1)
        return chain

    @property
    def sites(self) -> tuple[int, ...]:
        return periodic(self.n) if self.folded else tuple(range(self.n))

    def observables(self) -> dict[str, Observable]:
        return {"z": expectation([s.Z(i) for i in self.sites], "place")}


def alternating(model) -> str:
    digits = np.zeros(model.n, int)
    digits[list(getattr(model, "sites", range(model.n)))] = 1 - np.arange(model.n) % 2
    return f"product:{''.join(map(str, digits))}"


@pytest.mark.parametrize("model", [Rydberg(), Ring(), Ring(folded=False)], ids=["rydberg", "folded", "ring"])
def test_dynamics_from_a_product_state(model):
    """From a product state two-site sweeps alone would miss the bond across the ring, by 1e-2."""
    times, start = [0.5, 2.0], alternating(model)
    expected = evolve(model, times, engine=Exact(), initial=start)
    record = evolve(model, times, engine=TDVP(chi=64, dt=0.1), initial=start)
    assert record.outcome == "complete"
    for name in model.observables():
        assert_allclose(record[name], expected[name], atol=1e-5)
    assert abs(record.certificate.trace_drift) < 1e-5


def test_steady_states_say_how_far_they_are_off():
    expected = steady_state(Rydberg(), engine=Exact())
    record = steady_state(Rydberg(), engine=TDVP(chi=32), tolerance=1e-4)
    assert record.outcome == "converged"
    assert_allclose(record["n"], expected["n"], atol=3e-4)
    assert record.certificate.residual < 1e-2
    assert 0 < record.certificate.figures()["forgets_in"] < record.time


@dataclass(frozen=True)
class Exchange:
    """Spins that exchange over any distance, dephased; `coupling` of two halves, and loss on the first site."""

    n: int = 4
    coupling: float = 1.0
    loss: float = 0.0

    def problem(self) -> Lindbladian:
        chain = Lindbladian([s] * self.n)
        for i in range(self.n):
            for j in range(i + 1, self.n):
                across = self.coupling if i < self.n // 2 <= j else 1.0
                hop = across * s.Sp(i) * s.Sm(j) / (j - i) ** 2
                chain.hamiltonian(hop + hop.dag())
            chain.jump(s.Z(i), 0.4)
        chain.jump(s.Sm(0), self.loss)
        return chain

    def observables(self) -> dict[str, Observable]:
        return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}


def test_a_start_decides_where_a_sum_is_conserved_over_any_distance():
    record = steady_state(Exchange(), engine=TDVP(chi=16, schedule=()), initial="product:0111")
    assert record.outcome == "converged from product:0111; not unique"
    assert_allclose(record["z"], -0.5, atol=1e-3)
    unnamed = steady_state(Exchange(), engine=TDVP(chi=16, schedule=()))
    assert unnamed.outcome.startswith("the steady state is not unique: a sum of one-site operators is conserved")


def test_a_disturbance_that_stays_in_one_half_is_not_called_settled():
    """Loss in the first half, and next to no exchange with the second: nothing moves there, and that is no answer."""
    model = Exchange(coupling=1e-3, loss=1.0)
    record = steady_state(model, engine=TDVP(chi=16, schedule=()), max_time=200.0)
    assert not record.certificate.converged
    assert "of a kick" in record.outcome
    plain = steady_state(model, engine=TDVP(chi=16, schedule=()), max_time=200.0, kick=False)
    assert plain.outcome == "converged, without a kick"  # this is what kicks are for


def test_a_saved_run_goes_on_bit_for_bit_with_kicks_on_their_way():
    engine, problem = TDVP(chi=8, schedule=(), dt=0.3), Rydberg(4).problem()
    run: Any = engine.begin(problem, Start())
    for _ in range(10):
        run.step()
    run.begin_kicks(20.0)
    for _ in range(4):
        run.step()
    again: Any = engine.resume(Rydberg(4).problem(), Start(), run.save())
    for _ in range(60):
        run.step()
        again.step()
    assert run.kicks is None
    assert run.kicked[-1].passed
    assert run.kicked[-1].dump() == again.kicked[-1].dump()
    for ours, theirs in zip(run.state.tensors, again.state.tensors, strict=True):
        assert_array_equal(ours, theirs)


def test_fermions_hop_over_distances_as_the_covariance_says():
    """The exact engine and `gaussian` take the same hops; `tdvp` strings them in its operator."""
    chain = Lindbladian([f] * 4)
    for i, j, hop in ((0, 1, 0.5), (1, 2, 0.7j), (0, 3, 0.4), (1, 3, -0.3)):
        chain.hamiltonian(hop * f.Cd(i) * f.C(j) + np.conj(hop) * f.Cd(j) * f.C(i))
    for i in range(4):
        chain.jump(f.C(i), 0.2 + 0.1 * i)
        chain.jump(f.Cd(i), 0.3)
    found = {}
    for engine in (Exact(), TDVP(chi=64, dt=0.05), Gaussian()):
        *_, (_, view) = engine.solve(chain, initial="product:0110", times=[1.0]).views
        found[str(engine)] = [view.expect(f.N(i)) for i in range(4)] + [
            view.expect(f.Cd(0) * f.C(3) + f.Cd(3) * f.C(0))
        ]
    first, *others = found.values()
    for other in others:
        assert_allclose(other, first, atol=2e-5)


@pytest.mark.parametrize(
    "engine", [TEBD(chi=144, cutoff=1e-28, method="svd"), TDVP(chi=144)], ids=["tebd in blocks", "tdvp"]
)
@settings(max_examples=6)
@given(spaces=mixed_chains(24, least=3), seed=seeds)
def test_at_full_bond_dimension_sites_of_any_sizes_move_as_the_dense_equation_says(engine, spaces, seed):
    """Three or four sites with terms and jumps on any of them, until the largest term has turned by 1."""
    chain, rng = random_far_chain(spaces, seed), np.random.default_rng(seed)
    end = 1 / max(np.linalg.norm(matrix, 2) for _, matrix in chain.generator().local_terms)
    rho = even_density_matrix(spaces, rng)
    later = dense_evolve(dense_liouvillian(*dense_lindbladian(chain)), rho, [end])[0]
    *_, (_, view) = replace(engine, dt=end / 8).solve(chain, initial=rho, times=[end]).views
    for operator in [o + o.dag() for o in (random_product(spaces, rng) for _ in range(8)) if not o.odd]:
        matrix = dense_operator(operator, spaces)
        size = np.linalg.norm(matrix, 2)
        assert_allclose(view.expect(operator), np.trace(matrix @ later).real, atol=1e-6 * size)


def test_a_run_continues_to_the_same_numbers(tmp_path):
    whole = evolve(Rydberg(), [0.3, 0.6], engine=TDVP(chi=16, dt=0.1), initial="product:01010")
    half = evolve(Rydberg(), [0.3], engine=TDVP(chi=16, dt=0.1), initial="product:01010", out=tmp_path / "half.nc")
    assert half.outcome == "complete"
    longer = extend(tmp_path / "half.nc", Changes(times=(0.6,)))
    assert_allclose(longer["n"].values[-1], whole["n"].values[-1], atol=1e-7)


def test_the_engine_follows_from_the_terms():
    assert engine_for(Rydberg()).name == "tdvp"
    assert engine_for(Ring()).name == "tebd"
    assert engine_for(Ring(folded=False)).name == "tdvp"
    assert engine_for(Rydberg(), "exact").name == "exact"


def test_chains_with_a_background_are_refused():
    generator = Rydberg(3).problem().generator()
    small = ChainGenerator([s] * 3, generator.site_terms, generator.bond_terms, resolution=0.1)
    with pytest.raises(InputError, match="takes no chain with charges, a metric or a background: use 'tebd'"):
        TDVP().solve(small, times=[1.0])


# ---------------------------------------------------------------- its parts


def test_operators_and_sums_of_states_are_those_of_dense_vectors():
    generator, rng = Rydberg(4).problem().generator(), np.random.default_rng(1)
    operator = generator.mpo_tensors()
    first, second = (ChainState.from_dense(rng.standard_normal(256), [4] * 4) for _ in range(2))
    first.log_norm = 0.7
    assert_allclose(applied_operator(operator, first, 0.3).dense(), 0.3 * generator.apply(first.dense()), atol=1e-10)
    assert_allclose(added(first, second).dense(), first.dense() + second.dense(), atol=1e-12)
    change = np.linalg.norm(generator.apply(first.dense())) / np.linalg.norm(first.dense())
    assert_allclose(change_of(operator, first), change, rtol=1e-10)


def test_taylor_steps_are_of_fourth_order():
    generator = Rydberg(4).problem().generator()
    start = ChainState.product([[0.5, 0.1, 0.2, 0.3]] * 4)
    matrix, errors = generator.matrix().toarray(), []
    truncation = Truncation(chi=256, cutoff=1e-30, method="svd")
    for time in (0.2, 0.1):
        exact = exponential(lambda v: matrix @ v, start.dense(), time, 1e-13)
        found = taylor_step(start, generator.mpo_tensors(), time, truncation).dense()
        errors.append(np.linalg.norm(found - exact))
    assert 25 < errors[0] / errors[1] < 36


@pytest.mark.parametrize("time", [0.01, 1.0, -0.5, 40.0])
def test_exponentials_times_vectors(time):
    rng = np.random.default_rng(3)
    values = -rng.uniform(0, 1, 60) if time > 0 else rng.uniform(0, 1, 60)
    basis = np.linalg.qr(rng.standard_normal((60, 60)))[0]
    matrix, vector = (basis * values) @ basis.T, rng.standard_normal((6, 10))
    expected = (basis * np.exp(time * values)) @ (basis.T @ vector.ravel())
    found = exponential(lambda v: (matrix @ v.ravel()).reshape(v.shape), vector, time, 1e-11)
    assert_allclose(found.ravel(), expected, atol=1e-9)


# ---------------------------------------------------------------- blocks of two sites, by `tebd`


@dataclass(frozen=True)
class Frustrated:
    """Heisenberg spins with second neighbours, lost and gained."""

    n: int = 5

    def problem(self) -> Lindbladian:
        chain = Lindbladian([s] * self.n)
        for reach, strength in ((1, 0.25), (2, 0.125)):
            for i in range(self.n - reach):
                pairs = zip((s.X, s.Y, s.Z), (s.X, s.Y, s.Z), strict=True)
                chain.hamiltonian(strength * sum(a(i) * b(i + reach) for a, b in pairs))
        for i in range(self.n):
            chain.hamiltonian(0.2 * s.X(i))
            chain.jump(s.Sm(i), 0.3)
            chain.jump(s.Sp(i), 0.1)
        return chain

    def observables(self) -> dict[str, Observable]:
        return {"z": expectation([s.Z(i) for i in range(self.n)], "site"), "far": expectation(s.X(1) * s.X(3))}


def test_blocks_reach_the_steady_state_of_second_neighbours():
    expected = steady_state(Frustrated(), engine=Exact())
    record = steady_state(Frustrated(), engine=TEBD(chi=64), tolerance=1e-5)
    assert record.outcome == "converged"
    assert_allclose(record["z"], expected["z"], atol=1e-5)
    assert_allclose(record["far"], expected["far"], atol=1e-5)
    assert record.settings["engine_settings"]["chi"] == 64
    assert record.used["joined_sites"] == 2
    assert record.state.dims == (4,) * 5


def test_blocks_are_of_fourth_order():
    chain, errors = Frustrated().problem(), []
    *_, (_, exact) = Exact().solve(chain, initial="product:01011", times=[1.0]).views
    for dt in (0.5, 0.25):
        engine = TEBD(chi=256, dt=dt, cutoff=0.0, method="svd")
        *_, (_, view) = engine.solve(chain, initial="product:01011", times=[1.0]).views
        errors.append(max(abs(view.expect(s.Z(i)) - exact.expect(s.Z(i))) for i in range(5)))
    assert errors[0] / errors[1] > 14


def test_blocks_of_three_spinless_fermions_and_a_hop_over_one():
    chain = Lindbladian([f] * 4)
    for i, j in ((0, 1), (1, 2), (2, 3), (0, 2), (1, 3)):
        hop = (0.5 + 0.1j * j) * f.Cd(i) * f.C(j)
        chain.hamiltonian(hop + hop.dag())
        chain.hamiltonian(0.3 * f.N(i) * f.N(j))
    for i in range(4):
        chain.jump(f.C(i) + 0.3 * f.Cd(i), 0.4)
    views = []
    for engine in (Exact(), TEBD(chi=64, dt=0.1)):
        *_, (_, view) = engine.solve(chain, initial="product:0110", times=[1.0]).views
        views.append([view.expect(f.N(i)) for i in range(4)] + [view.expect(f.Cd(1) * f.C(3) + f.Cd(3) * f.C(1))])
    assert_allclose(views[1], views[0], atol=1e-5)


# ---------------------------------------------------------------- chains that depend on time

PERIOD = 1.0


@dataclass(frozen=True)
class Shaken:
    """Repulsion over any distance that is switched, a field that is shaken, loss, and a pulse in each period."""

    n: int = 4
    far: bool = True

    def told(self) -> Told:
        told = Told([s] * self.n)
        shaken, switched = lambda t: math.cos(2 * math.pi * t), Piecewise({0.0: 1.0, 0.4: 0.2}, period=PERIOD)
        for i in range(self.n):
            for j in range(i + 1, self.n):
                told.hamiltonian(0.8 * s.N(i) * s.N(j) / (j - i) ** 2, switched)
            told.hamiltonian(0.7 * s.X(i), shaken)
            told.hamiltonian(0.3 * s.Z(i))
            told.jump(s.Sm(i), lambda t: 0.5 + 0.4 * math.sin(2 * math.pi * t))
        return told

    def problem(self) -> Lindbladian:
        chain = self.told().chain
        chain.at(0.25, s.X.exp(-0.4j)(1), every=PERIOD)
        chain.at(0.25, [math.sqrt(0.8), math.sqrt(0.2) * s.Z(0) * s.Z(1)], every=PERIOD)
        return chain

    def observables(self) -> dict[str, Observable]:
        ends = s.N(0) * s.N(self.n - 1)
        return {"x": expectation([s.X(i) for i in range(self.n)], "site"), "ends": expectation(ends)}


def shaken_values(rho):
    operators = [*(s.X(i) for i in range(4)), s.N(0) * s.N(3)]
    return [np.trace(dense_operator(o, [s] * 4) @ rho).real for o in operators]


def test_a_drive_is_second_order_and_right():
    """Frozen in the middle of each step; from a product state, through jumps of a function and a pulse."""
    told = Shaken().told()
    told.at([0.25], [s.X.exp(-0.4j)(1)])
    told.at([0.25], [math.sqrt(0.8) * s.I(0), math.sqrt(0.2) * s.Z(0) * s.Z(1)])
    start = np.zeros((16, 16), complex)
    start[5, 5] = 1
    expected = shaken_values(told.evolved(start, 0.9, (0.4,)))
    errors = []
    for dt in (0.05, 0.025):  # which divide all stretches alike
        engine = TDVP(chi=64, dt=dt, tolerance=1e-10)
        ((_, view),) = engine.solve(Shaken().problem(), initial="product:0101", times=[0.9]).views
        found = [*(view.expect(s.X(i)) for i in range(4)), view.expect(s.N(0) * s.N(3))]
        errors.append(np.abs(np.subtract(found, expected)).max())
    assert errors[0] < 1e-3
    assert 3.3 < errors[0] / errors[1] < 5


@pytest.mark.slow
def test_floquet_states_of_any_range_are_certified():
    expected = steady_state(Shaken(), engine=Exact(), period=PERIOD)
    record = steady_state(Shaken(), engine=TDVP(chi=16, schedule=(8,)), period=PERIOD, tolerance=2e-2)
    assert record.outcome == "converged"
    for name in ("x", "ends"):
        error = np.abs(record[name].values - expected[name].values)
        assert (error <= 1.5 * record[f"{name}_error"].values).all()
        assert error.max() < 1e-3
    assert engine_for(Shaken()).name == "tdvp"


def test_a_saved_run_in_a_drive_goes_on_bit_for_bit():
    engine, start = TDVP(chi=8, dt=0.25), Start(parse_initial("product:0101"), Ask(times=(0.9,)))
    run: Any = engine.begin(Shaken().problem(), start)
    for _ in range(3):
        run.step(0.9)
    again: Any = engine.resume(Shaken().problem(), start, run.save())
    for each in (run, again):
        while each.time < 0.9:
            each.step(0.9)
    for ours, theirs in zip(run.state.tensors, again.state.tensors, strict=True):
        assert_array_equal(ours, theirs)
